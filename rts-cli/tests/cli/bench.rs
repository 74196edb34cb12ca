//! `rts bench`: every kind of work, on a server that it starts itself. Speed is not asserted.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::rts;

fn bench(args: &str) -> Value {
    let args: Vec<&str> = ["bench"].into_iter().chain(args.split(' ')).chain(["--json"]).collect();
    let output = rts(&args);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&stdout).expect("one object")
}

/// Every message has one result, and none is lost.
fn check(report: &Value, code: &str) {
    assert_eq!(report["lost"], 0, "{report}");
    assert!(report["done"].as_u64() > Some(0), "{report}");
    let results = report["results"].as_object().expect("results by code");
    assert_eq!(results.keys().collect::<Vec<_>>(), [code], "{report}");
    assert!(report["delivery"]["p999_ms"].is_f64(), "{report}");
    assert!(report["server_cpu_seconds_per_million"].is_f64(), "{report}");
}

#[test]
fn closed_and_open_loop_deliver_all_messages() {
    let closed = bench("p2p --pairs 3 --idle 2 --window 8 --warm-up 0 --duration 0.2");
    check(&closed, "0");
    assert_eq!(closed["clients"], 8);
    let open = bench("p2p --pairs 3 --rate 500 --payload 1000 --warm-up 0 --duration 0.2");
    check(&open, "0");
    assert!(open["lateness"]["p99_ms"].is_f64(), "an open loop reports its lateness");
}

#[test]
fn broadcast_counts_a_delivery_for_each_member() {
    let report = bench("room --members 5 --window 2 --warm-up 0 --duration 0.2");
    check(&report, "200");
    let results = report["results"]["200"].as_u64().expect("a count");
    assert!(report["done"].as_u64().expect("a count") <= 5 * results, "{report}");
}

#[test]
fn bot_reaches_every_user_in_turn() {
    let report = bench("bot --users 5 --window 2 --warm-up 0 --duration 0.2");
    check(&report, "0");
    assert_eq!(report["clients"], 6);
    check(&bench("bot --users 5 --rate 500 --warm-up 0 --duration 0.2"), "0");
}

#[test]
fn threads_of_the_server_are_distinguished() {
    let report = bench("p2p --pairs 20 --shards 2 --window 8 --warm-up 0 --duration 0.5");
    let threads = report["server_threads"].as_array().expect("threads");
    let of_shards = threads.iter().filter(|thread| {
        thread["name"].as_str().is_some_and(|name| name.starts_with("rts-shard-"))
    });
    let seconds: f64 = of_shards.filter_map(|thread| thread["cpu_seconds"].as_f64()).sum();
    assert!(seconds > 0.0, "{report}");
}

#[test]
fn started_server_has_wanted_shards() {
    check(&bench("room --members 5 --shards 2 --window 2 --warm-up 0 --duration 0.2"), "200");
    let output = rts(&["bench", "room", "--shards", "65"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("from 1 to 64"), "{output:?}");
    let output = rts(&["bench", "room", "--shards", "2", "--url", "rts://127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2), "the number is the other server's own: {output:?}");
}

#[test]
fn clients_connect_idle_and_reconnect() {
    for work in ["connect", "storm", "storm --resume", "idle --duration 0.1"] {
        let report = bench(&format!("{work} --clients 20"));
        assert_eq!(report["clients"], 20);
        assert!(report["ready"]["max_ms"].is_f64(), "{report}");
    }
}

/// A server with two shards that is killed, drained and restarted under load.
#[test]
fn promises_are_kept() {
    let args = "bench promises --users 40 --shards 2 --seconds 0.4 --rate 400 --joins 400";
    let output = rts(&args.split(' ').collect::<Vec<_>>());
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}{}", String::from_utf8_lossy(&output.stderr));
    for phase in ["login", "steady", "kill -9", "drain", "displacement", "joins"] {
        assert!(stdout.contains(&format!("{phase}: ")), "{stdout}");
    }
    assert!(stdout.ends_with("every law holds\n"), "{stdout}");
}

#[test]
fn reports_errors_and_no_warnings() {
    let output = rts(&["bench", "p2p", "--url", "rts://127.0.0.1:1", "--pairs", "1"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("nothing listens there"), "{said}");
    let output = rts(&["bench", "connect", "--clients", "1", "--json"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "the started server logs no warning");
}

#[test]
fn floor_relays_messages() {
    let mut floor = Command::new(env!("CARGO_BIN_EXE_rts"))
        .args(["bench", "floor", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let mut line = String::new();
    let stdout = floor.stdout.take().expect("a pipe");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    let url = line.trim().strip_prefix("listening on ").expect("where it listens");
    for work in
        ["p2p --pairs 2 --window 4", "bot --users 3 --window 4", "room --members 3 --window 4"]
    {
        let report = bench(&format!("{work} --warm-up 0 --duration 0.2 --url {url}"));
        assert!(report["done"].as_u64() > Some(0), "{report}");
        assert_eq!(report["lost"], 0, "{report}");
    }
    floor.kill().expect("it was running");
    floor.wait().expect("an exit status");
}

#[test]
fn remote_server_needs_explicit_permission() {
    let output = rts(&["bench", "p2p", "--url", "rts://192.0.2.1:7600"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--anywhere"));
}

/// The load generator has no TLS, and no options for it.
#[test]
fn tls_urls_are_refused_with_the_reason() {
    for url in ["rtss://chat.example.com:7602", "wss://127.0.0.1:443"] {
        let output = rts(&["bench", "p2p", "--url", url]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("no TLS") && stderr.contains("rts or ws"), "{stderr}");
    }
    let output = rts(&["bench", "p2p", "--url", "rtss://127.0.0.1:7602", "--ca", "ca.pem"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("unexpected argument '--ca'"), "{stderr}");
}
