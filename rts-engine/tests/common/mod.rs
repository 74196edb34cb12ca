//! An engine without a network, and a server core in memory.
#![allow(dead_code, reason = "each test file uses its part")]

use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use rts_engine::{Driver, Engine, Events, LinkOutput};
use rts_proto::client::{Config, Event, Input};
use rts_proto::server::{self, Server, Verdict};
use rts_proto::wire::ResumeKey;
use rts_proto::{AppId, Instant, LinkId, LoginCode};

pub(crate) const APP_ID: &str = "123456781234567812345678";

pub(crate) fn engine() -> (Engine, Events, Driver) {
    let app_id = AppId::new(APP_ID).expect("an app id");
    let (engine, driver) = Engine::new(Config::new(app_id), 1);
    let events = engine.events();
    (engine, events, driver)
}

/// An engine that is logged in as alice. Its server core sends nothing more.
pub(crate) fn logged_in() -> (Engine, Events, Driver) {
    let (engine, mut events, driver) = engine();
    engine.login("token", "alice").expect("not logged in");
    let mut server = Server::new(server::Config::default(), 1);
    exchange(&driver, &mut server);
    let logged_in = |event: &Event| matches!(event, Event::LoginResult { code: LoginCode::Ok, .. });
    assert!(take_all(&mut events).iter().any(logged_in));
    (engine, events, driver)
}

/// Carries bytes between both sides until neither has output. The server accepts each token.
pub(crate) fn exchange(driver: &Driver, server: &mut Server) {
    exchange_judged(driver, server, LoginCode::Ok);
}

/// Like [`exchange`], with this answer to each token.
pub(crate) fn exchange_judged(driver: &Driver, server: &mut Server, code: LoginCode) {
    let now = Instant::ORIGIN;
    while let Some(output) = driver.poll_link_output() {
        match output {
            LinkOutput::Connect(id) => {
                server.handle_input(now, server::Input::Accepted(id, ResumeKey([1; 16])));
                driver.handle_input(Input::Connected(id));
            }
            LinkOutput::Transmit(id, bytes) => {
                server.handle_input(now, server::Input::Received(id, bytes));
                server.handle_input(now, server::Input::Tick);
            }
            LinkOutput::Disconnect(id) => {
                server.handle_input(now, server::Input::Disconnected(id));
            }
        }
        for (id, bytes) in outputs(server, code) {
            driver.handle_input(Input::Received(id, bytes));
        }
    }
}

fn outputs(server: &mut Server, code: LoginCode) -> Vec<(LinkId, Bytes)> {
    let mut transmits = Vec::new();
    loop {
        match server.poll_output() {
            server::Output::Transmit(id, bytes) => transmits.push((id, bytes)),
            server::Output::Disconnect(..) => {}
            server::Output::Authenticate(login, _) => {
                let verdict = match code {
                    LoginCode::Ok => Verdict::Accept { claim: 1, issued_at: 0 },
                    code => Verdict::Refuse(code),
                };
                server.handle_input(Instant::ORIGIN, server::Input::Verdict(login, verdict));
            }
            server::Output::CheckTarget(..)
            | server::Output::PostToAppServer(..)
            | server::Output::Respond(..)
            | server::Output::AbandonPost(_) => panic!("nobody speaks to the app server"),
            server::Output::HandOver(..) | server::Output::Peer(..) => panic!("one shard"),
            server::Output::Report(..) | server::Output::Notice(_) => {}
            server::Output::Wait(_) => return transmits,
        }
    }
}

pub(crate) fn take_all(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.try_next()).collect()
}

pub(crate) fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

pub(crate) fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    match poll(pin!(future)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
