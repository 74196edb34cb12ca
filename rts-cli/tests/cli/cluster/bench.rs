//! `rts bench` over the nodes of a cluster. Speed is not asserted.

use serde_json::Value;

use super::nats_server::NatsServer;
use super::{cluster, three};
use crate::support::{APP_KEY, rts};

#[test]
fn load_uses_all_nodes_and_counts_their_processes_together() {
    let nats = NatsServer::start();
    let nodes = three(&nats);
    let urls = nodes.each_ref().map(|node| node.server.url.clone()).join(",");
    let pids = nodes.each_ref().map(|node| node.server.process_id().to_string()).join(",");
    let load = "bench p2p --pairs 6 --idle 6 --window 4 --warm-up 0 --duration 1 --json";
    let load: Vec<_> = load.split(' ').collect();
    let of_nodes = ["--url", &urls, "--server-pid", &pids, "--app-key", APP_KEY];
    let (output, sessions) = std::thread::scope(|scope| {
        let bench = scope.spawn(|| rts(&[&load[..], &of_nodes].concat()));
        let mut most = [0; 3];
        while !bench.is_finished() {
            for (most, node) in most.iter_mut().zip(&nodes) {
                let known = cluster(&node.openapi).unwrap_or_default();
                *most = known["sessions"].as_u64().unwrap_or_default().max(*most);
            }
        }
        (bench.join().expect("it ends"), most)
    });
    assert_eq!(sessions, [6; 3]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("one object");
    let results = report["results"].as_object().expect("results by code");
    assert_eq!(results.keys().collect::<Vec<_>>(), ["0"], "{report}");
    assert_eq!((&report["lost"], &report["clients"]), (&0.into(), &18.into()), "{report}");
    assert!(report["server_cpu_seconds_per_million"].as_f64() > Some(0.0), "{report}");
    let other = rts(&["bench", "p2p", "--url", "rts://127.0.0.1:1,ws://127.0.0.1:2"]);
    assert!(String::from_utf8_lossy(&other.stderr).contains("have different protocols"));
}
