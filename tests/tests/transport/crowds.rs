//! Many clients at once.

use std::time::Duration;

use rts_driver::client::*;
use rts_proto::{CloseCode, Disconnect};
use rts_tests::without_rates;
use smol::net::TcpStream;

use crate::ground::{ANY_PORT, Client, Ground, RELIABLE, TestServer, client};
use crate::way::Way;

const THOUSANDS: usize = 2_000;
/// Both ends of each link are in this process, and other stories run beside.
const FILES: u64 = 2 * THOUSANDS as u64 + 2_000;
/// Thousands of simultaneous handshakes take long on a busy machine. This story is not about
/// delays.
const MINUTE: Duration = Duration::from_secs(60);
const PATIENT: &str = r#"{"connectTimeoutMs":60000,"loginTimeoutMs":60000,"sendTimeoutMs":60000}"#;
/// One crowd at a time.
static CROWD: smol::lock::Mutex<()> = smol::lock::Mutex::new(());

pub(crate) async fn thousands_log_in_and_each_writes_to_the_next<G: Ground>(way: Way) {
    let _one_at_a_time = CROWD.lock().await;
    let files = rlimit::increase_nofile_limit(FILES).expect("this system has limits");
    assert!(files >= FILES, "this story needs {FILES} open files: raise the limit (ulimit -Hn)");
    let mut config = without_rates();
    config.login_deadline = MINUTE;
    let server = TestServer::<G>::start_with(way, config, ANY_PORT).await;
    let address = server.serving.address;
    let mut crowd: Vec<Client> =
        (0..THOUSANDS).map(|_| client::<G>(way, address, PATIENT)).collect();
    for (number, client) in crowd.iter().enumerate() {
        client.engine.login("token", &number.to_string()).expect("not logged in");
    }
    for client in &mut crowd {
        assert_eq!(client.login_result().await, LoginCode::Ok);
    }
    let stats = server.node.stats();
    assert_eq!((stats.links, stats.sessions), (THOUSANDS, THOUSANDS));
    let sends = crowd.iter().enumerate().map(|(number, client)| {
        let next = ((number + 1) % THOUSANDS).to_string();
        client.engine.send_message(&next, number.to_string(), RELIABLE).expect("a receiver")
    });
    for sent in sends.collect::<Vec<_>>() {
        assert_eq!(sent.await, SendCode::Ok);
    }
    for (number, client) in crowd.iter_mut().enumerate() {
        let before = ((number + THOUSANDS - 1) % THOUSANDS).to_string();
        assert_eq!(client.message().await, (before.clone(), before.into_bytes()));
    }
    drop(crowd);
    server.node.closed().await;
    let stats = server.node.stats();
    assert_eq!((stats.links, stats.sessions), (0, 0));
}

pub(crate) async fn shutdown_notifies_clients_and_ends_serving<G: Ground>(way: Way) {
    let server = TestServer::<G>::start(way).await;
    let mut clients = Vec::new();
    for number in 0..20 {
        clients.push(server.log_in(&number.to_string()).await);
    }
    server.node.shutdown(Duration::from_secs(3_600));
    server.serving.ended().await;
    assert_eq!(server.node.stats().links, 0);
    for client in clients {
        let Some(Disconnect::ByPeer { code, .. }) = client.engine.last_disconnect() else {
            panic!("not notified: {:?}", client.engine.last_disconnect());
        };
        assert_eq!(code, CloseCode::Shutdown);
    }
    assert!(TcpStream::connect(server.serving.address).await.is_err(), "nobody listens any more");
}
