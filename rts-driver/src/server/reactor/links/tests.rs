use rts_proto::server::{Config, Credentials, Server, Verdict};
use rts_proto::wire::ResumeKey;
use rts_stream::{Acceptor, Origins};

use super::*;
use crate::server::arrivals::Arriving;
use crate::server::hooked_core::HookedCore;
use crate::server::hooks::{Authenticate, NoAppServers};
use crate::server::link_end::Fault;
use crate::server::shared::Common;
use crate::server::shared::Shared;
use crate::testing::{Still, pipe};

const ID: LinkId = LinkId(1);

struct Nobody;

impl Authenticate for Nobody {
    fn authenticate(&self, _: &Credentials) -> Verdict {
        Verdict::Refuse(rts_proto::LoginCode::InvalidToken)
    }
}

/// A table with one link, whose layers this acceptor makes.
fn table(acceptor: &Acceptor) -> LinkTable<Still> {
    let server = Server::new(Config::default(), 1);
    let core = HookedCore::new(server, Arc::new(Nobody), Arc::new(NoAppServers));
    let shared = Arc::new(Shared::<Still>::new(core, Common::new(), None));
    let (near, _) = pipe(1_024);
    let peer = ([192, 0, 2, 1], 1).into();
    let guard = shared.common.gate.admit(peer, None).expect("the first link");
    let link = Arriving::Here(Link::new(near, acceptor.layers()));
    shared.add_accepted(ResumeKey([1; 16]), peer, link, guard);
    let (new_link, _) = shared.arrivals.take().pop().expect("it was added");
    let pool = HandshakePool::new(&shared.ready, &shared.common.handshakes_per_second, 1);
    let mut links = LinkTable::new(pool);
    assert_eq!(new_link.id, ID);
    let NewLink { id, peer, link, guard, held, .. } = new_link;
    let link = link.attach().expect("it is here");
    links.insert(ID, LinkEntry::new(id, peer, link, guard, held, &shared.ready));
    links
}

fn plain() -> LinkTable<Still> {
    table(&Acceptor::plain())
}

fn transmit(links: &mut LinkTable<Still>, bytes_len: usize) -> Option<Input> {
    links.apply(LinkOutput::Transmit(ID, vec![0; bytes_len].into()))
}

fn entry(links: &mut LinkTable<Still>) -> &mut LinkEntry<Still> {
    links.get_mut(ID).expect("the link is in the table")
}

fn ending(links: &mut LinkTable<Still>) -> &'static str {
    match entry(links).ending() {
        None => "stays",
        Some(Ending::AfterFlush) => "after flush",
        Some(Ending::Now(_)) => "now",
    }
}

#[test]
fn link_is_pending_once_until_flushed() {
    let mut links = plain();
    transmit(&mut links, 1);
    transmit(&mut links, 1);
    links.add_pending(ID);
    links.mark_ending(ID, Ending::AfterFlush);
    assert_eq!(links.take_pending(), [ID]);
    links.add_pending(ID);
    assert!(links.take_pending().is_empty(), "the link is still marked");
    assert!(entry(&mut links).take_pending());
    assert!(!entry(&mut links).take_pending());
    links.add_pending(ID);
    assert_eq!(links.take_pending(), [ID]);
}

#[test]
fn ignores_output_for_unknown_links() {
    let mut links = plain();
    assert!(links.remove(ID).is_some());
    assert!(transmit(&mut links, 1).is_none());
    links.apply(LinkOutput::Close(ID));
    links.start_handshake(ID);
    assert!(links.take_pending().is_empty() && links.ids().next().is_none());
}

#[test]
fn first_ending_wins_and_stops_output() {
    let mut links = plain();
    assert_eq!(ending(&mut links), "stays");
    links.apply(LinkOutput::Close(ID));
    links.mark_ending(ID, Ending::Now(Fault::NotRead));
    assert_eq!(ending(&mut links), "after flush");
    // If the link took these bytes, it would be congested, and then overflow.
    for _ in 0..9 {
        assert!(transmit(&mut links, 1_048_576).is_none());
    }
    assert_eq!(ending(&mut links), "after flush");
}

#[test]
fn reports_congestion_once_and_ends_link_on_overflow() {
    let mut links = plain();
    assert!(transmit(&mut links, 1_000).is_none());
    assert!(matches!(transmit(&mut links, 1_048_576), Some(Input::Congested(ID, true))));
    assert!(transmit(&mut links, 1_000).is_none());
    assert_eq!(ending(&mut links), "stays");
    transmit(&mut links, 1_048_576);
    assert_eq!(ending(&mut links), "now");
}

#[test]
fn link_in_handshake_gets_its_output_when_put_back() {
    let mut links = table(&Acceptor::web_socket("/", Origins::Any));
    assert!(entry(&mut links).wants_handshake() && entry(&mut links).became_ready());
    links.start_handshake(ID);
    assert!(!entry(&mut links).is_here() && !entry(&mut links).wants_handshake());
    assert!(!entry(&mut links).became_ready());
    assert!(transmit(&mut links, 1_048_576).is_none(), "nothing waits on the link yet");
    assert!(links.cancel_handshake(ID));
    assert!(!links.cancel_handshake(ID));
    let (link, _) = entry(&mut links).link_mut().expect("it is here");
    assert!(matches!(congestion(ID, link), Some(Input::Congested(ID, true))));
}

#[test]
fn put_back_reports_links_that_became_ready() {
    for is_ready in [false, true] {
        let mut links = table(&Acceptor::web_socket("/", Origins::Any));
        links.start_handshake(ID);
        links.handshakes().run_once();
        if is_ready {
            entry(&mut links).became_ready();
        }
        let mut finished = Vec::new();
        links.take_finished(9, &mut finished);
        let Finished { id, link, .. } = finished.pop().expect("the handshake made progress");
        let (_, was_ready) = links.put_back(id, link).expect("it is in the table");
        assert_eq!(was_ready, is_ready);
        assert!(entry(&mut links).is_here());
    }
}

#[test]
fn held_bytes_are_taken_n_frames_at_a_time() {
    let mut links = plain();
    let entry = entry(&mut links);
    // Frames of one byte, with their length in front.
    entry.hold(Bytes::from_static(&[1, 7, 1, 8, 1, 9]));
    assert_eq!(entry.take_held(2), (Bytes::from_static(&[1, 7, 1, 8]), 2));
    assert!(entry.has_held());
    assert_eq!(entry.take_held(2), (Bytes::from_static(&[1, 9]), 1));
    assert!(!entry.has_held());
}

#[test]
fn link_is_quiet_after_a_turn_without_input() {
    let mut links = plain();
    let entry = entry(&mut links);
    entry.mark_read(5);
    assert!(!entry.was_quiet(5) && !entry.was_quiet(6));
    assert!(entry.was_quiet(7));
}
