use super::*;
use crate::kept::filled;
use crate::server::deadlines::Timer;
use crate::server::testing::{KEY, begin_session, login, shared};

const ID: LinkId = LinkId(1);
const PASS: Pass = Pass { clock: 7, issued_at: 3 };

fn begun() -> (Links, Shared) {
    let (mut links, mut shared) = (Links::new(1), shared());
    assert!(links.begin(&mut shared, ID, KEY));
    (links, shared)
}

#[test]
fn link_expects_hello_then_login_then_nothing() {
    let (mut links, mut shared) = begun();
    assert_eq!(links.expects(ID), Some(Expects::Hello));
    links.greeted(ID);
    assert_eq!(links.expects(ID), Some(Expects::Login));
    let check = links.begin_check(ID, login("alice"));
    assert_eq!(links.expects(ID), Some(Expects::Nothing));
    assert_eq!(links.asked(ID), Some(&login("alice")));
    let (_, asked) = links.end_check(check).expect("it waits for this");
    links.queue(ID, asked, PASS);
    assert_eq!((links.expects(ID), links.queued_pass(ID)), (Some(Expects::Nothing), Some(PASS)));
    assert_eq!(links.end_queue(ID), Some((Box::new(login("alice")), PASS)));
    let session = begin_session(&mut shared, "alice");
    links.attach(&mut shared, ID, session);
    assert_eq!((links.expects(ID), links.session_of(ID)), (None, Some(session)));
    assert_eq!(shared.session(session).and_then(|session| session.link()), Some(ID));
}

#[test]
fn a_verdict_is_of_one_login_and_comes_once() {
    let (mut links, _) = begun();
    links.greeted(ID);
    let first = links.begin_check(ID, login("alice"));
    assert!(links.end_check(first).is_some_and(|(id, _)| id == ID));
    assert!(links.logins.is_empty());
    assert!(links.end_check(first).is_none());
    let second = links.begin_check(ID, login("alice"));
    assert_ne!(first, second);
}

#[test]
fn phase_stays_when_another_one_ends() {
    let (mut links, _) = begun();
    assert_eq!(links.end_queue(ID), None);
    assert_eq!(links.expects(ID), Some(Expects::Hello));
    let check = links.begin_check(ID, login("alice"));
    assert_eq!(links.end_queue(ID), None);
    assert_eq!(links.asked(ID), Some(&login("alice")));
    links.queue(ID, Box::new(login("bob")), PASS);
    assert_eq!(links.end_check(check), None);
    assert_eq!(links.asked(ID), Some(&login("bob")));
    assert_eq!(links.queued_pass(ID), Some(PASS));
}

#[test]
fn link_has_a_deadline_until_attached_or_ended() {
    let (mut links, mut shared) = begun();
    let deadline = shared.now() + shared.config.login_deadline;
    assert_eq!(shared.deadlines.next_timer(), Some((deadline, Timer::LoginDeadline)));
    assert!(links.end(&mut shared, ID).is_none());
    assert_eq!(shared.deadlines.next_timer(), None);
    assert!(links.begin(&mut shared, ID, KEY));
    let session = begin_session(&mut shared, "alice");
    links.attach(&mut shared, ID, session);
    assert!(shared.deadlines.next_timer().is_some_and(|(_, timer)| timer != Timer::LoginDeadline));
}

#[test]
fn ended_link_returns_its_queued_login_and_leaves_nothing() {
    let (mut links, mut shared) = begun();
    assert!(links.end(&mut shared, ID).is_none());
    assert_eq!(filled(links.kept()), []);

    assert!(links.begin(&mut shared, ID, KEY));
    let check = links.begin_check(ID, login("alice"));
    assert!(!links.logins.is_empty());
    assert!(links.end(&mut shared, ID).is_none());
    assert_eq!(filled(links.kept()), []);
    assert!(links.end_check(check).is_none());

    assert!(links.begin(&mut shared, ID, KEY));
    links.queue(ID, Box::new(login("alice")), PASS);
    assert_eq!(links.end(&mut shared, ID), Some(Box::new(login("alice"))));
    assert_eq!(filled(links.kept()), []);
}

#[test]
fn session_has_its_link_until_it_ends_or_is_replaced() {
    let (mut links, mut shared) = begun();
    let session = begin_session(&mut shared, "alice");
    let link_of = |shared: &Shared| shared.session(session).and_then(|session| session.link());
    links.attach(&mut shared, ID, session);
    assert_eq!(link_of(&shared), Some(ID));
    assert_eq!(links.detach(&mut shared, session), Some(ID));
    assert_eq!(link_of(&shared), None);
    assert!(links.begin(&mut shared, LinkId(2), KEY));
    links.attach(&mut shared, LinkId(2), session);
    assert!(links.end(&mut shared, ID).is_none());
    assert_eq!(link_of(&shared), Some(LinkId(2)));
    assert!(links.end(&mut shared, LinkId(2)).is_none());
    assert_eq!(link_of(&shared), None);
    assert_eq!(filled(links.kept()), []);
}

#[test]
fn only_links_without_session_count_as_before_login() {
    let (mut links, mut shared) = begun();
    assert!(!links.begin(&mut shared, ID, KEY));
    assert!(links.begin(&mut shared, LinkId(2), KEY));
    assert_eq!((links.len(), links.before_login()), (2, 2));
    let session = begin_session(&mut shared, "alice");
    links.attach(&mut shared, ID, session);
    assert_eq!((links.len(), links.before_login()), (2, 1));
    links.end(&mut shared, ID);
    assert_eq!((links.len(), links.before_login()), (1, 1));
    links.end(&mut shared, LinkId(2));
    assert_eq!((links.len(), links.before_login()), (0, 0));
}

#[test]
fn only_existing_links_are_congested() {
    let (mut links, mut shared) = begun();
    links.set_congested(LinkId(2), true);
    assert!(!links.is_congested(LinkId(2)));
    links.set_congested(ID, true);
    assert!(links.is_congested(ID));
    links.end(&mut shared, ID);
    assert!(!links.is_congested(ID));
}
