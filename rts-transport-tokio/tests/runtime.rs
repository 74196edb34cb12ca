//! Behaviour specific to tokio. The transport suite of the workspace covers the rest, on every
//! runtime.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use rts_driver::Runtime as _;
use rts_proto::server::{
    Config, Credentials, Placement, Post, PostProgress, Server, Target, Verdict,
};
use rts_proto::wire::{Frame, VERSION};
use rts_transport_tokio::server::{Acceptor, Authenticate, Begun, Node, PostToAppServer, Posting};
use rts_transport_tokio::{
    ConnectError, Event, LoginCode, MessageConfig, SendCode, Tokio, connect,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

const APP_ID: &str = "123456781234567812345678";

struct TakesAll;

impl Authenticate for TakesAll {
    fn authenticate(&self, _credentials: &Credentials) -> Verdict {
        Verdict::Accept { claim: 1, issued_at: 0 }
    }
}

#[test]
fn connect_outside_a_runtime_fails() {
    let error = connect("rts://127.0.0.1:1", APP_ID).err();
    assert!(matches!(error, Some(ConnectError::NoRuntime)), "{error:?}");
}

#[tokio::test]
async fn argument_errors_name_valid_values() {
    let error = |address, app_id| match connect(address, app_id) {
        Ok(_) => panic!("accepted {address} {app_id}"),
        Err(error) => error.to_string(),
    };
    assert!(error("http://a:1", APP_ID).contains("rts://127.0.0.1:7600"));
    assert!(error("rts://a:1", "short").contains("exactly 24"));
}

/// A node of this number of shards.
fn node(shards: usize) -> Node {
    let core = |placement| {
        let mut config = Config::default();
        config.placement = placement;
        Server::new(config, 1)
    };
    let cores = Placement::of_node(shards, 1).map(core).collect();
    Node::with_poster(cores, Arc::new(TakesAll), Arc::new(NoPosts))
}

struct NoPosts;

impl PostToAppServer for NoPosts {
    fn allows(&self, _: &Target) -> bool {
        false
    }

    fn post(&self, _: Post, _: Begun) -> Posting {
        Box::pin(std::future::ready(PostProgress::NotReached))
    }
}

/// Also if each shard has a thread of its own.
#[test]
fn links_end_with_the_runtime_that_serves_them() {
    for shards in [1, 3] {
        let node = node(shards);
        for _restart in 0..2 {
            let runtime = Runtime::new().expect("a runtime");
            let address = runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                let address = listener.local_addr().expect("the listener is bound");
                let node = node.clone();
                tokio::spawn(async move { node.serve(listener, Acceptor::plain()).await });
                address
            });
            let mut client = TcpStream::connect(address).expect("a listener");
            let hello = Frame::Hello { version: VERSION, features: 0 }.encode();
            client.write_all(&hello).expect("a link");
            client.read_exact(&mut [0]).expect("the server says hello");
            drop(runtime);
            // The threads have ended, and not only been asked to.
            assert_eq!(node.stats().links, 0, "of {shards} shards");
            client.read_to_end(&mut Vec::new()).expect("the rest, and the end");
        }
    }
}

#[test]
fn engine_ends_with_its_runtime_and_node_outlives_it() {
    let runtime = || Runtime::new().expect("a runtime");
    let node = Node::new(Server::new(Config::default(), 1), Arc::new(TakesAll));
    let serve = async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the listener is bound");
        let node = node.clone();
        tokio::spawn(async move { node.serve(listener, Acceptor::plain()).await });
        let engine = connect(&format!("rts://{address}"), APP_ID).expect("good arguments");
        let mut events = engine.events();
        engine.login("token", "alice").expect("not logged in");
        loop {
            match events.next().await.expect("the engine lives") {
                Event::LoginResult { code, .. } => assert_eq!(code, LoginCode::Ok),
                _ => continue,
            }
            return (engine, events);
        }
    };

    let first = runtime();
    let (engine, mut events) = first.block_on(serve());
    let sent = engine.send_message("nobody", "hi", MessageConfig::ReliableOrdered);
    drop(first);
    runtime().block_on(async {
        sent.expect("a receiver").await;
        while events.next().await.is_some() {}
        assert!(engine.is_destroyed());
        node.closed().await;

        let (engine, _events) = serve().await;
        let sent = engine.send_message("alice", "hi", MessageConfig::ReliableOrdered);
        assert_eq!(sent.expect("a receiver").await, SendCode::Ok);
    });
}

#[test]
fn listener_outlives_the_runtime_of_another() {
    let (first, second) = (Runtime::new().expect("a runtime"), Runtime::new().expect("a runtime"));
    let node = Node::new(Server::new(Config::default(), 1), Arc::new(TakesAll));
    let serve = |runtime: &Runtime| {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("the listener is bound");
        let node = node.clone();
        runtime.spawn(async move { node.serve(listener, Acceptor::plain()).await });
        address
    };
    let greet = |address| {
        let hello = Frame::Hello { version: VERSION, features: 0 }.encode();
        let mut stream = TcpStream::connect(address).expect("the listener accepts");
        stream.write_all(&hello).expect("the stream is open");
        let mut heard = vec![0; hello.len()];
        stream.read_exact(&mut heard).expect("the node's Hello");
        assert_eq!(heard, hello);
    };
    greet(serve(&first));
    let there = serve(&second);
    greet(there);
    drop(first);
    greet(there);
}

/// A busy node makes one turn after another. Sockets that become ready must not wait for dozens of
/// turns.
#[test]
fn yielding_task_sees_arrived_bytes() {
    const TURNS_MAX: usize = 4;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let busy = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the listener is bound");
        let mut peer = TcpStream::connect(address).expect("the listener accepts");
        let (stream, _) = listener.accept().await.expect("a link");
        for _ in 0..100 {
            let (stream, mut byte) = (&stream, [0]);
            let mut reading = std::pin::pin!(stream.readable());
            while is_ready(reading.as_mut()) {
                assert!(stream.try_read(&mut byte).is_err(), "no byte was sent");
                reading.set(stream.readable());
            }
            peer.write_all(b"x").expect("the stream is open");
            let mut turns = 0;
            while !is_ready(reading.as_mut()) {
                turns += 1;
                assert!(turns <= TURNS_MAX, "the byte arrived and was not seen");
                Tokio::yield_now().await;
            }
            assert_eq!(stream.try_read(&mut byte).expect("the byte was sent"), 1);
            assert!(stream.try_read(&mut byte).is_err(), "only one byte was sent");
        }
    };
    // Spawned as a task, which goes to the end of an otherwise empty queue.
    runtime
        .expect("a runtime")
        .block_on(async { tokio::spawn(busy).await })
        .expect("the task completes");
}

fn is_ready(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}
