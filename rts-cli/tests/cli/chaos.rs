//! Real processes over links that break, stall and go silent, and a server that is killed. Every
//! send has one correct result.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::crowd::{Progress, talk};
use crate::proxy::Proxy;
use crate::support::{Engine, Server};

const ENGINES: usize = 10;
/// Messages of all engines together. `RTS_CHAOS_MESSAGES` overrides the number.
const MESSAGES: usize = 4_000;
const MESSAGES_VARIABLE: &str = "RTS_CHAOS_MESSAGES";
/// Repeats the random choices of a run, but not its timing.
const SEED_VARIABLE: &str = "RTS_CHAOS_SEED";

fn variable(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("user{number}")).collect()
}

fn log_in(url: &str, names: &[String], params: &str) -> Vec<Engine> {
    let engine = |name: &String| {
        let mut engine = Engine::start(url, &["--params", params]);
        engine.log_in(name);
        engine
    };
    names.iter().map(engine).collect()
}

fn address(url: &str) -> SocketAddr {
    url.strip_prefix("rts://").and_then(|address| address.parse().ok()).expect("an address")
}

/// Links break, stall for some seconds, or silently drop all bytes. No session is cut off for its
/// grace period, and no send times out. So all messages arrive, once and in order, and every result
/// is 0.
/// result is 0.
#[test]
fn hostile_network_causes_no_loss_or_reordering() {
    let seed = variable(SEED_VARIABLE).unwrap_or_else(|| fastrand::u64(..));
    let replay = format!("{SEED_VARIABLE}={seed}");
    println!("{replay}");
    let messages = variable(MESSAGES_VARIABLE).map_or(MESSAGES, |number| number as usize);
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_without_rates(folder.path());
    let proxy = Arc::new(Proxy::start(address(&server.url)));
    let url = format!("rts://{}", proxy.address);
    let params = json!({"sendTimeoutMs": 600_000, "heartbeatMs": 500, "reconnectingAfterMs": 2_000,
        "disconnectedAfterMs": 20_000, "loginTimeoutMs": 2_000, "backoffMaxMs": 1_000});
    let names = names(ENGINES);
    let mut engines = log_in(&url, &names, &params.to_string());

    let stop = Arc::new(Mutex::new(false));
    let harming = proxy.do_harm(seed, Arc::clone(&stop));
    let progress = Progress::default();
    let account = std::thread::scope(|scope| {
        let talking =
            scope.spawn(|| talk(&mut engines, &names, messages / ENGINES, seed, &progress));
        // Links are harmed until the last result. All remaining messages must arrive without help.
        progress.wait_for(messages / ENGINES * ENGINES);
        *stop.lock().expect("not poisoned") = true;
        talking.join().expect("a talker fails by itself")
    });
    let harm = harming.join().expect("the proxy runs");
    println!("{messages} messages: {harm:?}, results {:?}", account.codes());
    account.assert_true(&replay);
    let codes = account.codes();
    assert_eq!(codes.keys().copied().collect::<Vec<_>>(), [0], "{codes:?}; {replay}");
    assert!(harm.cuts > 10 && harm.stalls > 10, "{harm:?}; {replay}");
}

#[test]
fn engines_recover_from_killed_server() {
    const CROWD: usize = 6;
    const EACH: usize = 600;
    let seed = variable(SEED_VARIABLE).unwrap_or_else(|| fastrand::u64(..));
    let replay = format!("{SEED_VARIABLE}={seed}");
    println!("{replay}");
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_without_rates(folder.path());
    let url = server.url.clone();
    let names = names(CROWD);
    let params = json!({"sendTimeoutMs": 3_000, "backoffMaxMs": 300}).to_string();
    let mut engines = log_in(&url, &names, &params);
    let progress = Progress::default();
    let account = std::thread::scope(|scope| {
        let talking = scope.spawn(|| talk(&mut engines, &names, EACH, seed, &progress));
        progress.wait_for(CROWD * EACH / 4);
        server.kill();
        let server = Server::restart_without_rates(folder.path(), &url);
        progress.wait_for(CROWD * EACH / 2);
        server.kill();
        let _server = Server::restart_without_rates(folder.path(), &url);
        talking.join().expect("a talker fails by itself")
    });
    println!("results {:?}", account.codes());
    account.assert_true(&replay);
    assert!(account.codes().get(&0).is_some_and(|delivered| *delivered > CROWD * EACH / 4));
}
