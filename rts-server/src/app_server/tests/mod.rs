//! Posts over real sockets to faulty servers. The resolver and the dialer keep a record of all
//! addresses dialled.

mod answers;
mod connecting;
mod peer;
mod requests;
mod targets;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rts_egress::Vetted;
use rts_proto::server::{Post, PostProgress, Target};
use rts_proto::{AppId, MessageId, Payload, ServerParams, UserId};
use rts_transport_tokio::server::{Begun, PostToAppServer as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::AppServers;
use super::network::{Later, Network};
use crate::{AppServer, Config, DEV_APP_ID};

/// Only a test that hangs reaches this timeout.
const PATIENCE: Duration = Duration::from_secs(60);

/// Answers of DNS, and a record of what was resolved and dialled.
#[derive(Default)]
struct Record {
    /// The DNS answers for a name, in turn. The last one repeats.
    names: BTreeMap<String, VecDeque<Vec<IpAddr>>>,
    resolved: Vec<String>,
    dialled: Vec<SocketAddr>,
    /// The address that connections are redirected to.
    misled: Option<SocketAddr>,
    /// Connecting never completes.
    hangs: bool,
}

#[derive(Clone, Default)]
struct RecordingNetwork(Arc<Mutex<Record>>);

impl RecordingNetwork {
    fn record(&self) -> std::sync::MutexGuard<'_, Record> {
        self.0.lock().expect("no test panics while it holds this")
    }

    fn name(&self, name: &str, answers: &[&[&str]]) {
        let parse = |ip: &&str| ip.parse().expect("an address");
        let answers = answers.iter().map(|ips| ips.iter().map(parse).collect()).collect();
        self.record().names.insert(name.to_owned(), answers);
    }
}

impl Network for RecordingNetwork {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Later<'a, Vec<SocketAddr>> {
        let mut record = self.record();
        record.resolved.push(host.to_owned());
        let answers = record.names.get_mut(host).map(|answers| match answers.len() {
            1 => answers[0].clone(),
            _ => answers.pop_front().expect("a name has answers"),
        });
        let to_address = |ip| SocketAddr::new(ip, port);
        let resolved = answers.map(|ips| ips.into_iter().map(to_address).collect());
        Box::pin(std::future::ready(resolved.ok_or(io::ErrorKind::NotFound.into())))
    }

    fn dial(&self, address: Vetted) -> Later<'_, TcpStream> {
        let mut record = self.record();
        record.dialled.push(address.address());
        let (to, hangs) = (record.misled.unwrap_or(address.address()), record.hangs);
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            TcpStream::connect(to).await
        })
    }
}

/// The posts under test, with a record of the network.
struct Poster {
    network: RecordingNetwork,
    posts: AppServers,
}

/// The outcome of a post, and whether its status line was reported.
#[derive(Debug, PartialEq)]
struct Outcome {
    progress: PostProgress,
    has_begun: bool,
}

impl Poster {
    fn new(app_server: AppServer) -> Self {
        Self::beside(app_server, &[])
    }

    fn beside(app_server: AppServer, own: &[SocketAddr]) -> Self {
        let mut config = Config::development((Ipv4Addr::LOCALHOST, 0).into());
        config.apps.get_mut(DEV_APP_ID).expect("the development app").app_server = app_server;
        let network = RecordingNetwork::default();
        let posts = AppServers::over(&config, Arc::new(network.clone()));
        let posts = posts.expect("a configuration that can be used");
        posts.forbid_own(own.iter().copied());
        Self { network, posts }
    }

    /// A poster for `http://app.test:PORT/rts`, where `app.test` is on loopback and the operator
    /// lists both.
    fn listing(port: u16) -> Self {
        let poster = Self::new(listing(port));
        poster.network.name("app.test", &[&["127.0.0.1"]]);
        poster
    }

    fn allows(&self, url: &str) -> bool {
        self.posts.allows(&Target { app_id: app(), url: url.into() })
    }

    fn post(&self, url: &str, payload: Payload) -> Posted {
        let (begin, begun) = oneshot::channel();
        let post = Post {
            app_id: app(),
            uid: UserId::new("alice").expect("a user id"),
            id: MessageId(7),
            params: ServerParams::new("sïgnature".as_bytes(), url.as_bytes()).expect("params"),
            payload,
        };
        let posting = self.posts.post(
            post,
            Begun::new(move || {
                let _ = begin.send(());
            }),
        );
        Posted { posting, begun }
    }

    async fn outcome(&self, url: &str) -> Outcome {
        self.post(url, Payload::text("hello")).outcome().await
    }

    fn dialled(&self) -> Vec<SocketAddr> {
        self.network.record().dialled.clone()
    }
}

/// A post under way.
struct Posted {
    posting: rts_transport_tokio::server::Posting,
    begun: oneshot::Receiver<()>,
}

impl Posted {
    async fn outcome(mut self) -> Outcome {
        let progress = tokio::time::timeout(PATIENCE, self.posting).await.expect("an outcome");
        Outcome { progress, has_begun: self.begun.try_recv().is_ok() }
    }

    /// Drives the post until `reached` completes, and returns it. The post must not end before.
    async fn until<T>(mut self, reached: impl Future<Output = T>) -> Self {
        tokio::select! {
            progress = &mut self.posting => panic!("it ended: {progress:?}"),
            _ = reached => {}
            () = tokio::time::sleep(PATIENCE) => panic!("it was never reached"),
        }
        self
    }

    /// Drives the post until its status line is reported.
    async fn until_begun(mut self) {
        tokio::select! {
            progress = &mut self.posting => panic!("it ended: {progress:?}"),
            begun = &mut self.begun => begun.expect("it is reported"),
            () = tokio::time::sleep(PATIENCE) => panic!("no status line was reported"),
        }
    }
}

fn listing(port: u16) -> AppServer {
    AppServer {
        allow: vec![format!("http://app.test:{port}/rts").parse().expect("an entry")],
        allow_plain_http: true,
        networks: vec!["127.0.0.0/8".parse().expect("a network")],
        ..AppServer::default()
    }
}

fn app() -> AppId {
    AppId::new(DEV_APP_ID).expect("an app id")
}

fn ended(progress: PostProgress, has_begun: bool) -> Outcome {
    Outcome { progress, has_begun }
}
