//! Bytes pass unchanged from one side to the other, through every stack and with every cut of the
//! wire.

mod support;

use proptest::prelude::*;
use rts_stream::End;
use support::{Pair, SCHEMES, both};

/// Long enough for many records and messages.
fn long() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn both_directions_carry_what_is_sent() {
    for scheme in SCHEMES {
        let (connector, acceptor) = both(scheme);
        let mut pair = Pair::new(&connector, &acceptor);
        pair.client.send("hello");
        pair.client.send(" server");
        pair.server.send(long());
        pair.run();
        assert!(pair.client.layers.is_open() && pair.server.layers.is_open(), "{scheme}");
        assert_eq!(pair.server.received, b"hello server", "{scheme}");
        assert!(pair.client.received == long(), "{scheme}");
        pair.server.send("bye");
        pair.client.send(long());
        pair.run();
        assert!(pair.client.received.ends_with(b"bye"), "{scheme}");
        assert!(pair.server.received.ends_with(&long()), "{scheme}");
    }
}

#[test]
fn nothing_is_sent_before_the_handshakes_are_done() {
    for scheme in ["rtss", "ws", "wss"] {
        let (connector, acceptor) = both(scheme);
        let mut pair = Pair::new(&connector, &acceptor);
        pair.client.send("secret");
        pair.server.send("early");
        let first = pair.client.written();
        assert!(!first.windows(6).any(|window| window == b"secret"), "{scheme}");
        assert!(!pair.client.layers.is_open() && !pair.server.layers.is_open(), "{scheme}");
        assert_eq!(pair.server.written(), b"", "{scheme}");
        assert_eq!((pair.client.batch.len(), pair.server.batch.len()), (1, 1), "{scheme}");
    }
}

#[test]
fn close_ends_both_sides_after_all_bytes() {
    for scheme in ["rtss", "ws", "wss"] {
        for client_begins in [true, false] {
            let (connector, acceptor) = both(scheme);
            let mut pair = Pair::new(&connector, &acceptor);
            pair.run();
            let (first, second) = if client_begins {
                (&mut pair.client, &mut pair.server)
            } else {
                (&mut pair.server, &mut pair.client)
            };
            first.send("last words");
            let mut wire = first.written();
            first.layers.close();
            wire.extend(first.written());
            second.read(&wire, 1);
            assert_eq!(second.received, b"last words", "{scheme}");
            assert_eq!(second.layers.end(), Some(End::Closed), "{scheme}");
            let answer = second.written();
            first.read(&answer, 1);
            second.layers.close();
            let goodbye = second.written();
            first.read(&goodbye, 1);
            assert_eq!(first.layers.end(), Some(End::Closed), "{scheme}");
            assert_eq!(first.written(), b"", "{scheme}: a close is answered once");
        }
    }
}

#[test]
fn an_idle_link_has_nothing_to_write() {
    for scheme in SCHEMES {
        let (connector, acceptor) = both(scheme);
        let mut pair = Pair::new(&connector, &acceptor);
        pair.run();
        assert_eq!(pair.client.written(), b"");
        assert_eq!(pair.server.written(), b"");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn cuts_of_the_wire_change_nothing(
        scheme in 0..SCHEMES.len(),
        chunk in prop_oneof![1..20_usize, 1..5_000_usize, 10_000..70_000_usize],
        up in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3_000), 1..20),
        down in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3_000), 0..20),
    ) {
        let (connector, acceptor) = both(SCHEMES[scheme]);
        let mut pair = Pair::new(&connector, &acceptor);
        pair.chunk = chunk;
        // Neither frames nor these bytes begin like HTTP or TLS.
        let (up, down) = ([vec![vec![0]], up].concat(), [vec![vec![0]], down].concat());
        for chunk in &up {
            pair.client.send(chunk.clone());
        }
        for chunk in &down {
            pair.server.send(chunk.clone());
        }
        pair.run();
        prop_assert_eq!(&pair.server.received, &up.concat());
        prop_assert_eq!(&pair.client.received, &down.concat());
    }
}
