//! A server, and engines that are polled.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;
use std::time::Duration;

use rts_flat::{Arguments, CallKind, EventKind, Polled, Record, call, create, poll, release};
use rts_server::{Config, DEV_APP_ID, DEV_APP_KEY, Server};
use rts_token::{AppKey, Expiry, Token};
use tokio::sync::oneshot;

/// The limit of every wait. It is reached only if something is broken.
const LIMIT: Duration = Duration::from_secs(60);

/// A server without rates on a thread. It ends with this value.
pub(crate) struct Served {
    pub(crate) address: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Served {
    pub(crate) fn start() -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
                let mut config = Config::development(loopback);
                config.limits.sends_per_second = 0;
                let server = Server::bind(&config).await.expect("loopback has ports");
                tell.send(server.local_addr()).expect("it is awaited");
                server.run(async { drop(stopped.await) }).await.expect("it serves");
            });
        });
        let address = told.recv().expect("it is bound");
        Self { address: format!("rts://{address}"), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An engine. It is released with this value.
pub(crate) struct Host(pub(crate) u64);

impl Host {
    pub(crate) fn new(address: &str) -> Self {
        Self(create(address, DEV_APP_ID, "").expect("good arguments"))
    }

    /// An engine that is logged in.
    pub(crate) fn of(served: &Served, uid: &str) -> Self {
        let host = Self::new(&served.address);
        assert_eq!(host.log_in(uid), 0);
        assert_eq!(host.until(EventKind::LoginResult).code, 0);
        host
    }

    pub(crate) fn log_in(&self, uid: &str) -> i64 {
        let key = AppKey::new(DEV_APP_KEY).expect("a key");
        let token = Token::new(DEV_APP_ID, uid, Expiry::Never).expect("a user").sign(&key);
        self.call(CallKind::Login, [&token, uid])
    }

    pub(crate) fn call(&self, kind: CallKind, [first, second]: [&str; 2]) -> i64 {
        self.call_in(0, kind, [first, second])
    }

    pub(crate) fn call_in(&self, room: u64, kind: CallKind, [first, second]: [&str; 2]) -> i64 {
        let (first, second) = (first.as_bytes(), second.as_bytes());
        call(self.0, kind as u32, &Arguments { room, number: 0, first, second })
    }

    pub(crate) fn next(&self) -> Record {
        match poll(self.0, Some(LIMIT)) {
            Polled::Event(record) => record,
            other => panic!("{other:?} in place of an event"),
        }
    }

    /// The next event of this kind. Those before it are skipped.
    pub(crate) fn until(&self, kind: EventKind) -> Record {
        loop {
            let record = self.next();
            if record.kind == kind {
                return record;
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        release(self.0);
    }
}
