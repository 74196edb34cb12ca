//! Each fault of NATS has an error that names it.

use bytes::Bytes;
use rts_cluster::membership::CasResult;
use rts_cluster::view::Incarnation;
use rts_server::NatsPassword;
use rts_server::cluster::{Arbiter, NatsBus, NatsConfig, NatsError, NatsLogin};

use crate::support::{NatsServer, config, first_view, open};

async fn open_error(config: NatsConfig) -> NatsError {
    let bus = NatsBus::open(config, Incarnation(1)).await;
    bus.expect_err("it cannot be used")
}

fn user(config: NatsConfig, name: &str, password: &str) -> NatsConfig {
    let password = NatsPassword::new(password).expect("a password");
    NatsConfig { login: NatsLogin::User { user: name.to_owned(), password }, ..config }
}

#[tokio::test]
async fn server_that_is_not_there() {
    let mut server = NatsServer::with("");
    server.kill();
    let error = open_error(config(&[server.url()])).await;
    assert!(matches!(error, NatsError::Unreachable { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains(&server.url()) && said.contains("refused"), "{said}");
    let error = open_error(config(&[])).await;
    assert!(matches!(error, NatsError::NoServer), "{error:?}");
}

#[tokio::test]
async fn error_of_a_server_that_answers_comes_first() {
    let mut dead = NatsServer::with("");
    dead.kill();
    let small = NatsServer::with("max_payload: 1000");
    // In whichever order they are tried.
    for _ in 0..4 {
        let error = open_error(config(&[dead.url(), small.url()])).await;
        assert!(matches!(error, NatsError::MaxPayload { is: 1_000, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn max_payload_below_the_largest_packet() {
    for (max, is_enough) in [(1_024 * 1_024 - 1, false), (1_024 * 1_024, true)] {
        let server = NatsServer::with(&format!("max_payload: {max}"));
        let opened = NatsBus::open(config(&[server.url()]), Incarnation(1)).await;
        assert_eq!(opened.is_ok(), is_enough, "{max}");
        if let Err(error) = opened {
            let said = error.to_string();
            assert!(said.contains("1048575") && said.contains("max_payload"), "{said}");
        }
    }
}

#[tokio::test]
async fn wrong_password() {
    let server = NatsServer::with("authorization { user: rts, password: right }");
    let right = user(config(&[server.url()]), "rts", "right");
    assert!(NatsBus::open(right, Incarnation(1)).await.is_ok());
    let with_canary = user(config(&[server.url()]), "rts", "canary");
    for config in [with_canary, config(&[server.url()])] {
        let shown = format!("{config:?}");
        let error = open_error(config).await;
        assert!(matches!(error, NatsError::Refused { .. }), "{error:?}");
        let said = format!("{error} {error:?} {shown}");
        assert!(said.contains(&server.url()) && !said.contains("canary"), "{said}");
    }
}

/// A server whose only user may use these subjects.
fn with_permissions(publish: &str, subscribe: &str) -> NatsServer {
    NatsServer::with(&format!(
        "jetstream {{ store_dir: \"DIRECTORY/store\" }}\n\
         authorization {{ users = [{{ user: rts, password: pw, permissions: {{\n\
         publish: [{publish}], subscribe: [{subscribe}] }} }}] }}"
    ))
}

const OWN: &str = "\"rts.test.>\"";
const REGISTER: &str =
    "\"rts.test.>\", \"$JS.API.STREAM.*.rts_test\", \"$JS.API.STREAM.MSG.GET.rts_test\"";

#[tokio::test]
async fn missing_permissions() {
    for (publish, subscribe, subject) in [
        ("\"rts.test.in.*\"", OWN, "\"rts.test.all\""),
        (OWN, "\"rts.test.in.*\"", "\"rts.test.all\""),
        ("\"rts.test.all\"", OWN, "\"rts.test.in.0000000000000001\""),
    ] {
        let server = with_permissions(publish, subscribe);
        let error = open_error(user(config(&[server.url()]), "rts", "pw")).await;
        assert!(matches!(error, NatsError::Permission { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(subject) && said.contains("to rts.test.>,"), "{said}");
    }
}

#[tokio::test]
async fn permissions_that_the_error_names_are_enough() {
    let server = with_permissions(OWN, OWN);
    let bus = NatsBus::open(user(config(&[server.url()]), "rts", "pw"), Incarnation(1)).await;
    let error = bus.expect("it connects").arbiter().read().await.expect_err("no permission");
    assert!(matches!(error, NatsError::Permission { .. }), "{error:?}");
    let server = with_permissions(REGISTER, OWN);
    let bus = NatsBus::open(user(config(&[server.url()]), "rts", "pw"), Incarnation(1)).await;
    let bus = bus.expect("it connects");
    assert_eq!(bus.arbiter().read().await.expect("it is read"), None);
    assert_eq!(bus.arbiter().cas(None, first_view()).await, CasResult::Done);
}

#[tokio::test]
async fn jetstream_that_is_off() {
    let of_server = NatsServer::with("");
    let bus = open(&of_server, 1).await;
    let error = bus.arbiter().read().await.expect_err("no JetStream");
    assert!(matches!(error, NatsError::JetStreamOff { .. }), "{error:?}");
    assert!(error.to_string().contains("jetstream {"), "{error}");
    let of_account = NatsServer::with(
        "jetstream { store_dir: \"DIRECTORY/store\" }\n\
         accounts { A { users: [{ user: rts, password: pw }] } }",
    );
    let config = user(config(&[of_account.url()]), "rts", "pw");
    let bus = NatsBus::open(config, Incarnation(1)).await.expect("it connects");
    let error = bus.arbiter().read().await.expect_err("no JetStream");
    assert!(matches!(error, NatsError::JetStreamOff { .. }), "{error:?}");
}

#[tokio::test]
async fn replicas_that_the_server_does_not_have() {
    let server = NatsServer::start();
    let config = NatsConfig { replicas: 3, ..config(&[server.url()]) };
    let bus = NatsBus::open(config, Incarnation(1)).await.expect("it connects");
    let error = bus.arbiter().read().await.expect_err("one server");
    assert!(matches!(error, NatsError::Api { .. }), "{error:?}");
    assert!(error.to_string().contains("replicas > 1"), "{error}");
}

/// A client without this crate.
async fn client(server: &NatsServer) -> async_nats::Client {
    async_nats::connect(server.url()).await.expect("it connects")
}

#[tokio::test]
async fn register_with_something_else_in_it() {
    let server = NatsServer::start();
    let bus = open(&server, 1).await;
    assert_eq!(bus.arbiter().read().await.expect("it is read"), None);
    let client = client(&server).await;
    let text = Bytes::from_static(b"something else");
    client.request("rts.test.register.view", text).await.expect("stored");
    let error = bus.arbiter().read().await.expect_err("not a view");
    assert!(matches!(error, NatsError::Foreign { .. }), "{error:?}");
    let said = error.to_string();
    assert!(said.contains("rts_test") && said.contains("another name"), "{said}");
}

#[tokio::test]
async fn stream_of_somebody_else() {
    for (config, fault) in [
        (r#"{"name":"rts_test","subjects":["other"],"max_msgs_per_subject":1}"#, "subjects"),
        (r#"{"name":"rts_test","subjects":["rts.test.register.>"]}"#, "max_msgs_per_subject"),
        (
            r#"{"name":"rts_test","subjects":["rts.test.register.>"],"max_msgs_per_subject":1,
                "storage":"memory"}"#,
            "storage",
        ),
        (
            r#"{"name":"rts_test","subjects":["rts.test.register.>"],"max_msgs_per_subject":1,
                "storage":"file","max_age":60000000000}"#,
            "max_age",
        ),
    ] {
        let server = NatsServer::start();
        let made = client(&server).await;
        made.request("$JS.API.STREAM.CREATE.rts_test", config.into()).await.expect("made");
        let error = open(&server, 1).await.arbiter().read().await.expect_err(fault);
        assert!(matches!(error, NatsError::Stream { .. }), "{error:?}");
        assert!(error.to_string().contains(fault), "{error}");
    }
}
