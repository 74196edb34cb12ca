//! Replays the committed corpus of every fuzz target. Inputs that once broke a law are part of it.

use std::fs;
use std::path::{Path, PathBuf};

use rts_cluster::view::View;
use rts_cluster::wire::Packet;

fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(target)
}

/// Runs `body` on each input. The test's output names the input that fails.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = corpus(target);
    let entries = fs::read_dir(&folder).expect("the corpus is committed");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{}: no inputs", folder.display());
    for file in files {
        println!("{}", file.display());
        body(&fs::read(&file).expect("readable"));
    }
}

#[test]
fn decode() {
    replay("decode", rts_fuzz_bodies::decode);
}

#[test]
fn client_bytes() {
    replay("client_bytes", rts_fuzz_bodies::client_bytes);
}

#[test]
fn server_bytes() {
    replay("server_bytes", rts_fuzz_bodies::server_bytes);
}

#[test]
fn server_shards() {
    replay("server_shards", rts_fuzz_bodies::server_shards);
}

#[test]
fn bus_packet() {
    replay("bus_packet", rts_fuzz_bodies::bus_packet);
}

/// A fuzzer finds little behind a seed that is refused at once.
#[test]
fn seeds_of_the_bus_have_the_fields_of_today() {
    let seed = |name| fs::read(corpus("bus_packet").join(name)).expect("readable").into();
    for name in ["ack", "batch", "beat", "nack"] {
        let packet = Packet::decode(seed(name));
        assert!(matches!(packet, Ok(Some(_))), "{name}: {packet:?}");
    }
    let view = View::decode(seed("view"));
    assert!(view.is_ok(), "{view:?}");
}

#[test]
fn layers() {
    replay("layers", rts_fuzz_bodies::layers);
}

#[test]
fn openapi() {
    replay("openapi", rts_fuzz_bodies::openapi);
}

#[test]
fn token() {
    replay("token", rts_fuzz_bodies::token);
}

#[test]
fn target_url() {
    replay("target_url", rts_fuzz_bodies::target_url);
}

#[test]
fn link_pair() {
    replay("link_pair", rts_fuzz_bodies::link_pair);
}

#[test]
fn client_session() {
    replay("client_session", rts_fuzz_bodies::client_session);
}

#[test]
fn server_session() {
    replay("server_session", rts_fuzz_bodies::server_session);
}
