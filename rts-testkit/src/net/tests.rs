//! The network keeps the order of each stream. Every other test relies on that.

use super::*;
use std::num::NonZeroUsize;

const LINK: LinkId = LinkId(1);

fn opened() -> Net {
    let mut net = Net::new(1);
    net.latency = Duration::ZERO;
    net.open(Instant::ORIGIN, LINK);
    assert_eq!(net.take(Instant::ORIGIN), Some((LINK, Side::Client, Arrival::Open)));
    assert_eq!(net.take(Instant::ORIGIN), Some((LINK, Side::Server, Arrival::Open)));
    net
}

fn bytes(text: &'static [u8]) -> Arrival {
    Arrival::Bytes(Bytes::from_static(text))
}

fn write(net: &mut Net, ms: u64, text: &'static [u8]) {
    net.write(Instant::from_millis(ms), LINK, Side::Server, Bytes::from_static(text));
}

fn arrived(net: &mut Net, ms: u64) -> Vec<Arrival> {
    let next = || net.take(Instant::from_millis(ms));
    std::iter::from_fn(next).map(|(_, _, arrival)| arrival).collect()
}

#[test]
fn bytes_of_one_link_never_overtake_each_other() {
    let mut net = opened();
    net.chunk_bytes = NonZeroUsize::new(2).expect("not 0");
    net.latency = Duration::from_millis(50);
    write(&mut net, 0, b"abc");
    net.latency = Duration::ZERO;
    write(&mut net, 1, b"d");
    net.close(Instant::from_millis(2), LINK, Side::Client);
    assert_eq!(arrived(&mut net, 49), []);
    assert_eq!(arrived(&mut net, 50), [bytes(b"ab"), bytes(b"c"), bytes(b"d"), Arrival::End]);
    assert_eq!(net.open_links(), 0);
}

#[test]
fn jitter_and_chunks_keep_the_stream_intact() {
    for seed in 0..200 {
        let mut net = Net::new(seed);
        net.open(Instant::ORIGIN, LINK);
        net.jitter = Duration::from_millis(seed % 90);
        let more = usize::try_from(seed).expect("small") % 7;
        net.chunk_bytes = NonZeroUsize::MIN.saturating_add(more);
        net.is_ragged = seed % 2 == 0;
        net.bytes_per_second = [0, 100, 100_000][usize::try_from(seed).expect("small") % 3];
        let sent: Vec<u8> = (0..=255).collect();
        for (ms, part) in sent.chunks(10).enumerate() {
            let now = Instant::from_millis(ms as u64);
            net.write(now, LINK, Side::Server, Bytes::copy_from_slice(part));
        }
        let (mut received, mut last) = (Vec::new(), Instant::ORIGIN);
        while let Some(at) = net.next_arrival() {
            assert!(at >= last, "seed {seed}: time goes on");
            last = at;
            if let Some((_, _, Arrival::Bytes(bytes))) = net.take(at) {
                assert!(bytes.len() <= net.chunk_bytes.get(), "seed {seed}");
                received.extend_from_slice(&bytes);
            }
        }
        assert_eq!(received, sent, "seed {seed}");
    }
}

#[test]
fn cut_loses_bytes_in_transit_and_notifies_both_ends() {
    let mut net = opened();
    net.latency = Duration::from_millis(50);
    write(&mut net, 0, b"lost");
    net.cut(Instant::from_millis(1), LINK);
    assert_eq!(arrived(&mut net, 1), [Arrival::End, Arrival::End]);
    write(&mut net, 2, b"nowhere");
    assert_eq!((arrived(&mut net, 1_000), net.open_links()), (vec![], 0));
}

#[test]
fn stuck_bytes_arrive_later_unless_cut() {
    for is_cut in [false, true] {
        let mut net = opened();
        net.set_half_open(LINK, Side::Server, true);
        net.set_stalled(LINK, Side::Server, true);
        write(&mut net, 0, b"old");
        net.set_half_open(LINK, Side::Server, false);
        assert_eq!(arrived(&mut net, 60_000), [], "stalled still");
        net.set_stalled(LINK, Side::Server, false);
        if is_cut {
            net.cut(Instant::from_millis(60_000), LINK);
        }
        let wanted = if is_cut { vec![Arrival::End; 2] } else { vec![bytes(b"old")] };
        assert_eq!(arrived(&mut net, 60_000), wanted);
    }
}

#[test]
fn silence_delays_bytes_without_loss() {
    let mut net = opened();
    net.is_silent = true;
    write(&mut net, 0, b"a");
    assert_eq!((net.next_arrival(), arrived(&mut net, 1_000)), (None, vec![]));
    net.is_silent = false;
    assert_eq!(arrived(&mut net, 1_000), [bytes(b"a")]);
}

#[test]
fn refused_link_ends_without_opening() {
    let mut net = Net::new(1);
    net.refuse(Instant::ORIGIN, LINK);
    assert_eq!(arrived(&mut net, 19), []);
    assert_eq!((arrived(&mut net, 20), net.open_links()), (vec![Arrival::End], 0));
}

#[test]
fn slow_link_keeps_its_rate() {
    let mut net = opened();
    net.bytes_per_second = 1_000;
    for _ in 0..10 {
        write(&mut net, 0, &[0; 100]);
    }
    assert_eq!((arrived(&mut net, 500).len(), arrived(&mut net, 999).len()), (5, 4));
    assert_eq!(arrived(&mut net, 1_000).len(), 1);
}

#[test]
fn link_breaks_after_the_planned_byte() {
    for how in Break::ALL {
        let mut net = opened();
        net.plan_break(LINK..LinkId(2), Side::Server, 3, how);
        net.write(Instant::ORIGIN, LINK, Side::Client, Bytes::from_static(b"on its way"));
        write(&mut net, 0, b"ab");
        assert_eq!(net.bytes_before_break(), Some(1));
        write(&mut net, 0, b"cd");
        assert_eq!(net.bytes_before_break(), None);
        write(&mut net, 0, b"e");
        net.close(Instant::ORIGIN, LINK, Side::Client);
        let mut at_server = vec![bytes(b"ab"), bytes(b"c")];
        if how != Break::Silent {
            at_server.push(Arrival::End);
        }
        assert_eq!(arrived(&mut net, 0), at_server, "{how:?}: the client has closed its end");
    }
    let mut net = opened();
    net.plan_break(LINK..LinkId(2), Side::Server, 0, Break::Reset);
    net.write(Instant::ORIGIN, LINK, Side::Client, Bytes::from_static(b"on its way"));
    write(&mut net, 0, b"a");
    assert_eq!(arrived(&mut net, 0), [Arrival::End, Arrival::End], "a reset loses what was coming");
}
