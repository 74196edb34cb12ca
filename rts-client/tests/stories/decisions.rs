//! Log lines about the connection of an engine.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use rts_client::{ConnectOptions, Engine, Event, Proxy};
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;
use tracing_subscriber::EnvFilter;

use crate::support::{APP_ID, next};

/// A second subscriber that ignores all events. With only one, `tracing` caches whether a line is
/// enabled from the first thread that reaches it, which may be another test's.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panics with it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Which address, which proxy, and why no link comes up. A password is in none of it.
#[tokio::test]
async fn connection_log_omits_proxy_password() {
    let lines = Lines::default();
    let to = lines.clone();
    LazyLock::force(&SECOND);
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("rts::engine=debug"))
        .with_writer(move || to.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    let _logs = tracing::subscriber::set_default(subscriber);

    // Nobody listens there.
    let proxy: Proxy = "socks5://alice:hush@127.0.0.1:1".parse().expect("a proxy");
    let engine = Engine::builder("rtss://chat.example.com:7602", APP_ID)
        .connect_options(ConnectOptions::default().with_proxy(proxy))
        .build()
        .expect("good arguments");
    let mut events = engine.events();
    // The login tries on, with nobody who waits for it.
    let login = tokio::time::timeout(Duration::ZERO, engine.login("hush", "alice")).await;
    assert!(login.is_err(), "nobody answers");
    next(&mut events, |event| matches!(event, Event::Warning { .. }).then_some(())).await;
    drop(engine);

    let bytes = lines.0.lock().expect("nobody panics with it").clone();
    let text = String::from_utf8(bytes).expect("a log is text");
    let way = "link=1 address=rtss://chat.example.com:7602 proxy=socks5://127.0.0.1:1\n";
    let connecting = text.lines().position(|line| format!("{line}\n").ends_with(way));
    assert!(connecting.is_some(), "{text}");
    let lost = text.lines().find(|line| line.contains("link lost")).expect("it is refused");
    let why = "link=1 user=alice why=\"no link to rtss://chat.example.com:7602: cannot \
               connect to the proxy 127.0.0.1:1";
    assert!(lost.contains(why), "{lost}");
    assert!(!text.contains("hush"), "{text}");
}
