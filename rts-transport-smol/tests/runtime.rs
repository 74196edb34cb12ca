//! What is smol's own. All else is in the workspace's transport suite, which runs on every runtime.

use rts_transport_smol::{Event, connect};

const APP_ID: &str = "123456781234567812345678";

#[test]
fn an_engine_needs_no_setup() {
    // Nobody is there: the engine says that it tries.
    let (engine, mut events) = connect("rts://127.0.0.1:1", APP_ID, "{}").expect("good arguments");
    engine.login("token", "alice").expect("not logged in");
    let event = smol::block_on(events.next());
    assert!(matches!(event, Some(Event::ConnectionStateChanged(_))), "{event:?}");
}

#[test]
fn wrong_arguments_are_errors_that_say_what_would_be_right() {
    let error = match connect("http://a:1", APP_ID, "{}") {
        Ok(_) => panic!("it is no address of ours"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains("rts://127.0.0.1:7600"), "{error}");
}
