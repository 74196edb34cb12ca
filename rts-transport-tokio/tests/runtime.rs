//! Behaviour specific to tokio. The transport suite of the workspace covers the rest, on every
//! runtime.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use rts_driver::Runtime as _;
use rts_proto::server::{Config, Credentials, Server, Verdict};
use rts_proto::wire::{Frame, VERSION};
use rts_transport_tokio::server::{Acceptor, Authenticate, Shard};
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
fn outside_a_runtime_there_is_no_engine() {
    let error = connect("rts://127.0.0.1:1", APP_ID).err();
    assert!(matches!(error, Some(ConnectError::NoRuntime)), "{error:?}");
}

#[tokio::test]
async fn wrong_arguments_are_errors_that_say_what_would_be_right() {
    let error = |address, app_id| match connect(address, app_id) {
        Ok(_) => panic!("accepted {address} {app_id}"),
        Err(error) => error.to_string(),
    };
    assert!(error("http://a:1", APP_ID).contains("rts://127.0.0.1:7600"));
    assert!(error("rts://a:1", "short").contains("exactly 24"));
}

#[test]
fn an_engine_ends_with_its_runtime_and_a_shard_goes_on_in_another() {
    let runtime = || Runtime::new().expect("a runtime");
    let shard = Shard::new(Server::new(Config::default(), 1), Arc::new(TakesAll));
    let serve = async || {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shard = shard.clone();
        tokio::spawn(async move { shard.serve(listener, Acceptor::plain()).await });
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
        shard.closed().await;

        let (engine, _events) = serve().await;
        let sent = engine.send_message("alice", "hi", MessageConfig::ReliableOrdered);
        assert_eq!(sent.expect("a receiver").await, SendCode::Ok);
    });
}

#[test]
fn a_listener_goes_on_when_the_runtime_of_another_ends() {
    let (first, second) = (Runtime::new().expect("a runtime"), Runtime::new().expect("a runtime"));
    let shard = Shard::new(Server::new(Config::default(), 1), Arc::new(TakesAll));
    let serve = |runtime: &Runtime| {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shard = shard.clone();
        runtime.spawn(async move { shard.serve(listener, Acceptor::plain()).await });
        address
    };
    let greet = |address| {
        let hello = Frame::Hello { version: VERSION, features: 0 }.encode();
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(&hello).expect("it is open");
        let mut heard = vec![0; hello.len()];
        stream.read_exact(&mut heard).expect("the shard's Hello");
        assert_eq!(heard, hello);
    };
    greet(serve(&first));
    let there = serve(&second);
    greet(there);
    drop(first);
    greet(there);
}

/// A busy shard makes one turn after another. Sockets that become ready must not wait for dozens of
/// turns.
#[test]
fn a_task_that_yields_lets_what_arrives_be_seen() {
    const TURNS_MAX: usize = 4;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let busy = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut peer = TcpStream::connect(address).expect("it listens");
        let (stream, _) = listener.accept().await.expect("a link");
        for _ in 0..100 {
            let (stream, mut byte) = (&stream, [0]);
            let mut reading = std::pin::pin!(stream.readable());
            while is_ready(reading.as_mut()) {
                assert!(stream.try_read(&mut byte).is_err(), "nothing was said");
                reading.set(stream.readable());
            }
            peer.write_all(b"x").expect("it is open");
            let mut turns = 0;
            while !is_ready(reading.as_mut()) {
                turns += 1;
                assert!(turns <= TURNS_MAX, "it rang, and was not seen");
                Tokio::yield_now().await;
            }
            assert_eq!(stream.try_read(&mut byte).expect("it was said"), 1);
            assert!(stream.try_read(&mut byte).is_err(), "that was all");
        }
    };
    // Spawned as a task, which goes to the end of an otherwise empty queue.
    runtime.expect("a runtime").block_on(async { tokio::spawn(busy).await }).expect("all is seen");
}

fn is_ready(future: Pin<&mut impl Future>) -> bool {
    future.poll(&mut Context::from_waker(Waker::noop())).is_ready()
}
