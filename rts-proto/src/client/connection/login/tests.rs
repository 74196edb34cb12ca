use super::*;
use crate::client::connection::testing::accepted;

const BEGAN: Instant = Instant::from_millis(1_000);
const NOW: Instant = Instant::from_millis(2_000);

fn login() -> Login {
    let uid = UserId::new("alice").expect("a valid id");
    Login::new(uid, Bytes::from_static(b"old"), BEGAN)
}

fn live() -> Login {
    let mut login = login();
    let entry = login.accepted(&accepted(), NOW);
    assert!(matches!(entry, Ok(Some(Entry::First { since: BEGAN }))));
    login
}

fn frame(login: &Login) -> wire::Login {
    let app_id = AppId::new("123456781234567812345678").expect("a valid id");
    login.frame(&app_id, 5, LinkId(3))
}

#[test]
fn new_login_has_no_claim_and_no_session() {
    let frame = frame(&login());
    assert_eq!((frame.claim, frame.resume, frame.engine, frame.attempt), (0, None, 5, 3));
    assert_eq!(frame.token, "old");
}

#[test]
fn live_login_resumes_with_session_and_claim() {
    let frame = frame(&live());
    assert_eq!((frame.claim, frame.resume.map(|resume| resume.session)), (7, Some(1)));
}

#[test]
fn login_answer_says_whether_session_is_resumed() {
    let mut login = live();
    let mut answer = accepted();
    answer.resumed = true;
    assert!(matches!(login.accepted(&answer, NOW), Ok(Some(Entry::Resumed { frames_resent: 0 }))));
    answer = accepted();
    answer.session = 2;
    assert!(matches!(login.accepted(&answer, NOW), Ok(Some(Entry::Anew { .. }))));
    assert_eq!(frame(&login).resume.map(|resume| resume.session), Some(2));
}

#[test]
fn better_token_continues_the_claim_of_a_refused_one() {
    let mut login = live();
    let ended = login.reject_token(NOW);
    assert_eq!((ended.session.is_some(), ended.since), (true, NOW));
    assert!(login.is_rejected());
    assert!(login.accepted(&accepted(), NOW).is_ok_and(|entry| entry.is_none()));
    login.retry(Bytes::from_static(b"new"), NOW);
    assert_eq!(login.logging_in_since(), Some(NOW));
    let frame = frame(&login);
    assert_eq!((frame.claim, frame.resume, &*frame.token), (7, None, &b"new"[..]));
}

#[test]
fn a_fresh_token_is_kept_for_the_next_link() {
    for mut login in [login(), live()] {
        login.keep_token(Bytes::from_static(b"new"));
        assert_eq!(frame(&login).token, "new");
    }
}

#[test]
fn ended_login_knows_the_start_of_its_attempt_or_silence() {
    let ended = login().end(NOW);
    assert_eq!((ended.session.is_some(), ended.since), (false, BEGAN));
    let ended = live().end(NOW);
    assert_eq!((ended.session.is_some(), ended.since), (true, NOW));
}
