//! The environment of a story: two runtimes, a shard on a port of its own, and engines that connect
//! to it.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rts_driver::Runtime;
use rts_driver::client::*;
use rts_driver::server::*;
use rts_proto::server::{
    Config, Credentials, Placement, Post, PostProgress, Server, Target, Verdict,
};
use rts_tests::without_rates;
use rts_transport_smol::Smol;
use rts_transport_tokio::Tokio;
use smol::channel::{Receiver, Sender};
use smol::future::or;
use socket2::{Domain, Socket, Type};

use crate::way::Way;

pub(crate) const APP_ID: &str = "123456781234567812345678";
pub(crate) const RELIABLE: MessageConfig = MessageConfig::ReliableOrdered;
pub(crate) const ANY_PORT: &str = "127.0.0.1:0";

/// The listener's backlog of links.
const BACKLOG: i32 = 4_096;

/// The time after which a story counts as hanging.
const PATIENCE: Duration = Duration::from_secs(120);

/// The runtimes of the engines and of the server, and the shards of the server.
pub(crate) trait Ground: Sized + 'static {
    type Client: Side;
    type Server: Side;
    const SHARDS: usize;
}

/// A runtime, with functions that only tests need.
pub(crate) trait Side: Runtime {
    fn bind(address: &str) -> Self::Listener;
    fn local_addr(listener: &Self::Listener) -> SocketAddr;
}

impl Side for Tokio {
    fn bind(address: &str) -> Self::Listener {
        Self::Listener::from_std(listen(address)).expect("a runtime")
    }

    fn local_addr(listener: &Self::Listener) -> SocketAddr {
        listener.local_addr().expect("it is bound")
    }
}

impl Side for Smol {
    fn bind(address: &str) -> Self::Listener {
        Self::Listener::try_from(listen(address)).expect("it can be polled")
    }

    fn local_addr(listener: &Self::Listener) -> SocketAddr {
        listener.local_addr().expect("it is bound")
    }
}

/// A listener with a backlog for a crowd that connects at once; usual backlogs are small.
fn listen(address: &str) -> std::net::TcpListener {
    let address: SocketAddr = address.parse().expect("an address");
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
    // The port of a server that stopped a moment ago can be bound again.
    socket.set_reuse_address(true).expect("an open socket");
    socket.set_nonblocking(true).expect("an open socket");
    socket.bind(&address.into()).expect("a free port");
    socket.listen(BACKLOG).expect("a bound socket");
    socket.into()
}

pub(crate) fn one_thread(story: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(in_time(story));
}

pub(crate) fn many_threads(story: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.expect("a runtime").block_on(in_time(story));
}

/// Runs a story outside of tokio, where code that needs tokio panics.
pub(crate) fn without_tokio(story: impl Future<Output = ()>) {
    smol::block_on(in_time(story));
}

/// Ends a story that hangs.
async fn in_time(story: impl Future<Output = ()>) {
    let hangs = async {
        smol::Timer::after(PATIENCE).await;
        panic!("this story hangs");
    };
    or(story, hangs).await;
}

/// Polls for a state that no future can wait for.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        smol::Timer::at(Instant::now() + Duration::from_millis(1)).await;
    }
}

struct NoAppServers;

impl PostToAppServer for NoAppServers {
    fn allows(&self, _: &Target) -> bool {
        false
    }

    fn post(&self, _: Post, _: Begun) -> Posting {
        Box::pin(std::future::ready(PostProgress::NotReached))
    }
}

/// Accepts every token except two.
#[derive(Default)]
pub(crate) struct Doorman {
    claims: AtomicU64,
}

impl Authenticate for Doorman {
    fn authenticate(&self, credentials: &Credentials) -> Verdict {
        match &credentials.token[..] {
            b"bad" => Verdict::Refuse(LoginCode::InvalidToken),
            b"panic" => panic!("an authenticator that panics, on purpose"),
            _ => Verdict::Accept {
                claim: self.claims.fetch_add(1, Ordering::Relaxed) + 1,
                issued_at: 0,
            },
        }
    }
}

/// A shard that serves a port of its own.
pub(crate) struct TestServer<G: Ground> {
    pub(crate) node: Node<G::Server>,
    pub(crate) serving: Serving<G>,
}

impl<G: Ground> TestServer<G> {
    pub(crate) async fn start(way: Way) -> Self {
        Self::start_with(way, without_rates(), ANY_PORT).await
    }

    pub(crate) async fn start_with(way: Way, config: Config, listen: &str) -> Self {
        let core = |placement| {
            let mut config = config.clone();
            config.placement = placement;
            Server::new(config, 1)
        };
        let cores = Placement::of_node(G::SHARDS, 1).map(core).collect();
        let doorman = Arc::new(Doorman::default());
        let node = Node::with_poster(cores, doorman, Arc::new(NoAppServers));
        let serving = Serving::start(way, &node, listen).await;
        Self { node, serving }
    }

    pub(crate) async fn log_in(&self, uid: &str) -> Client {
        self.serving.log_in(uid).await
    }
}

/// One listener of a shard.
pub(crate) struct Serving<G> {
    pub(crate) way: Way,
    pub(crate) address: SocketAddr,
    stop: Sender<()>,
    stopped: Receiver<()>,
    ground: PhantomData<G>,
}

impl<G: Ground> Serving<G> {
    pub(crate) async fn start(way: Way, node: &Node<G::Server>, listen: &str) -> Self {
        let listener = G::Server::bind(listen);
        let address = G::Server::local_addr(&listener);
        let (stop, stopping) = smol::channel::bounded::<()>(1);
        let (stopped_sender, stopped) = smol::channel::bounded::<()>(1);
        let node = node.clone();
        G::Server::spawn(async move {
            let stopping = async {
                let _ = stopping.recv().await;
            };
            let serving = async { node.serve(listener, way.acceptor()).await.expect("threads") };
            or(serving, stopping).await;
            drop(stopped_sender);
        });
        Self { way, address, stop, stopped, ground: PhantomData }
    }

    /// An engine that knows this address, not logged in.
    pub(crate) fn client(&self) -> Client {
        client::<G>(self.way, self.address, "{}")
    }

    pub(crate) async fn log_in(&self, uid: &str) -> Client {
        let mut client = self.client();
        assert_eq!(client.log_in("token", uid).await, LoginCode::Ok);
        client
    }

    /// Waits until serving has ended by itself.
    pub(crate) async fn ended(&self) {
        let _ = self.stopped.recv().await;
    }

    /// Drops the future that serves.
    pub(crate) async fn stop(&self) {
        self.stop.close();
        self.ended().await;
    }
}

pub(crate) fn client<G: Ground>(way: Way, server: SocketAddr, parameters: &str) -> Client {
    client_of::<G>(way, &[server], parameters)
}

/// An engine that knows these servers, not logged in.
pub(crate) fn client_of<G: Ground>(way: Way, servers: &[SocketAddr], parameters: &str) -> Client {
    let app_id = AppId::new(APP_ID).expect("an app id");
    let connected = connect::<G::Client>(way.connector(servers), app_id, EngineOptions::default());
    let engine = connected.expect("a runtime");
    let events = engine.events();
    engine.set_runtime_parameters(parameters).expect("a JSON object");
    Client { engine, events }
}

/// An engine with its events.
pub(crate) struct Client {
    pub(crate) engine: Engine,
    pub(crate) events: Events,
}

impl Client {
    pub(crate) async fn log_in(&mut self, token: &str, uid: &str) -> LoginCode {
        self.engine.login(token, uid).expect("not logged in");
        self.login_result().await
    }

    pub(crate) async fn login_result(&mut self) -> LoginCode {
        self.wait_for(|event| match event {
            Event::LoginResult { code, .. } => Some(code),
            _ => None,
        })
        .await
    }

    /// The first event for which `pick` returns a value. Events before it are dropped.
    pub(crate) async fn wait_for<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            let event = self.events.next().await.expect("the engine lives");
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    }

    /// The next message of a user: its sender and its bytes.
    pub(crate) async fn message(&mut self) -> (String, Vec<u8>) {
        self.wait_for(|event| match event {
            Event::MessageReceived { from, payload } => Some((from.to_string(), bytes_of(payload))),
            _ => None,
        })
        .await
    }

    /// The reason of the next logout.
    pub(crate) async fn logged_out(&mut self) -> LogoutReason {
        self.wait_for(|event| match event {
            Event::Logout(reason) => Some(reason),
            _ => None,
        })
        .await
    }

    /// The first room event for which `pick` returns a value.
    pub(crate) async fn room_event<T>(&mut self, pick: impl Fn(RoomEvent) -> Option<T>) -> T {
        self.wait_for(|event| match event {
            Event::Room { event, .. } => pick(event),
            _ => None,
        })
        .await
    }

    pub(crate) async fn join(&mut self, id: &str) -> Room {
        let room = self.engine.create_room(id).expect("a good id");
        room.join().expect("not joined");
        self.room_event(|event| matches!(event, RoomEvent::Joined { .. }).then_some(())).await;
        room
    }

    /// Queries a status. After the answer, the server has read all earlier frames.
    pub(crate) async fn status(&mut self, of: &str) -> OnlineStatus {
        self.engine.get_peer_online_status(of);
        self.wait_for(|event| match event {
            Event::PeerOnlineStatus { status, .. } => Some(status),
            _ => None,
        })
        .await
    }
}

pub(crate) fn bytes_of(payload: Payload) -> Vec<u8> {
    payload.as_bytes().to_vec()
}
