//! Golden files: recordings of an engine, of a server, of a shard among others and of four in
//! clusters, with every kind of record. They make each change of the format, and of a core's
//! behaviour, visible.
//!
//! A failed test has one of two causes:
//!
//! - The bytes of a record changed. Raise the version in `format.rs`.
//! - A core has other outputs, or waits for another moment, which no text shows. Replays of older
//!   recordings then differ, so the change must be intended.
//!
//! Then make the files again, and read the difference of the texts:
//!
//! ```sh
//! RTS_WRITE_GOLDEN=1 cargo test -p rts-trace golden && git diff rts-trace/tests/golden
//! ```

mod engine;
mod homes;
mod kinds;
mod owners;
mod requests;
mod resumes;
mod server;
mod shard;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};

use crate::format::{Reader, TraceError, VERSION};
use crate::record::Record;
use crate::recorder::Origin;
use crate::replay::shortened;
use crate::{Recorder, Secrets, explain, replay};

/// The position of the version in a file.
const VERSION_AT: usize = 8;

struct Golden {
    name: &'static str,
    /// The story, recorded by this program.
    today: Vec<u8>,
    committed: Vec<u8>,
    /// The explanation of it.
    text: String,
}

static FILES: LazyLock<[Golden; 7]> = LazyLock::new(|| {
    [
        golden("engine", Secrets::Scrubbed, engine::record),
        golden("server", Secrets::Kept, server::record),
        golden("shard", Secrets::Scrubbed, shard::record),
        golden("owners", Secrets::Scrubbed, owners::record),
        golden("homes", Secrets::Scrubbed, homes::record),
        golden("requests", Secrets::Scrubbed, requests::record),
        golden("resumes", Secrets::Scrubbed, resumes::record),
    ]
});

fn golden(name: &'static str, secrets: Secrets, story: fn(Recorder)) -> Golden {
    let memory = Memory::default();
    let mut recorder = Recorder::new(memory.clone(), secrets, [42; 32]).expect("memory takes all");
    let began = UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    recorder.origin = Origin { version: "0.1.0", began };
    story(recorder);
    let today = memory.0.lock().expect("not poisoned").clone();
    let path = |extension| {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        folder.join(name).with_extension(extension)
    };
    if env::var_os("RTS_WRITE_GOLDEN").is_some() {
        fs::write(path("trace"), &today).expect("written");
        fs::write(path("txt"), shown(&today)).expect("written");
    }
    let committed = fs::read(path("trace")).expect("a golden file");
    let text = fs::read_to_string(path("txt")).expect("its text");
    Golden { name, today, committed, text }
}

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn records(trace: &[u8]) -> Vec<Record> {
    let mut reader = Reader::new(trace).expect("a head");
    std::iter::from_fn(|| reader.next().expect("a whole record"))
        .map(|(_, record)| record)
        .collect()
}

/// The complete explanation of a trace.
fn shown(trace: &[u8]) -> String {
    let explained = explain([trace]).expect("readable");
    let replayed = &explained.replayed[0];
    let mut text = format!(
        "{:#?}\n{} steps, compared {} times, over {:?}\n",
        replayed.recording, replayed.steps, replayed.compared, replayed.span
    );
    let mut part = |title: &str, lines: Vec<String>| {
        write!(text, "\n{title}\n\n{}\n", lines.join("\n")).expect("memory takes all");
    };
    let steps = records(trace).iter().map(shortened).filter(|step| !step.is_empty()).collect();
    part("# Inputs and calls", steps);
    let line = |line: &crate::Line| format!("{} us: {}", line.at.as_micros(), line.what);
    part("# What happened", explained.lines.iter().map(line).collect());
    part("# Messages", explained.stories.iter().map(ToString::to_string).collect());
    text
}

#[test]
fn golden_files_are_replayed_to_the_same_outputs() {
    for Golden { name, committed, .. } in &*FILES {
        let replayed = replay(committed.as_slice(), &mut ()).expect("readable");
        assert_eq!(replayed.difference, None, "{name}");
        assert_eq!(replayed.torn_bytes, 0, "{name}");
        assert!(replayed.compared > 20, "{name}: {}", replayed.compared);
    }
}

#[test]
fn golden_files_are_explained_as_in_their_texts() {
    for Golden { name, committed, text, .. } in &*FILES {
        let shown = shown(committed);
        for (number, (now, before)) in shown.lines().zip(text.lines()).enumerate() {
            assert_eq!(now, before, "line {} of {name}.txt", number + 1);
        }
        assert!(shown == *text, "{name}.txt is longer or shorter than what is shown");
    }
}

#[test]
fn stories_are_recorded_to_the_golden_bytes() {
    for Golden { name, today, committed, .. } in &*FILES {
        assert_eq!(today[..VERSION_AT + 2], committed[..VERSION_AT + 2], "the head of {name}");
        let (before, after) = (records(committed), records(today));
        for (number, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(format!("{after:?}"), format!("{before:?}"), "record {number} of {name}");
        }
        assert_eq!(after.len(), before.len(), "records of {name}");
        assert!(today == committed, "{name}: the same records are other bytes");
    }
}

#[test]
fn every_kind_of_record_is_in_a_golden_file() {
    let found: BTreeSet<_> = FILES
        .iter()
        .flat_map(|golden| records(&golden.committed))
        .flat_map(|record| kinds::of(&record))
        .collect();
    assert_eq!(found, kinds::all());
}

/// A golden file with another version in its head.
fn of_version(version: u16) -> Vec<u8> {
    let mut trace = FILES[0].committed.clone();
    trace[VERSION_AT..VERSION_AT + 2].copy_from_slice(&version.to_le_bytes());
    trace
}

fn error_of(trace: &[u8]) -> String {
    let error = replay(trace, &mut ()).expect_err("another version");
    assert!(matches!(error, TraceError::Version { .. }), "{error}");
    error.to_string()
}

/// The text of the error, up to the version of the recorder.
fn refusal(version: u16) -> String {
    format!(
        "this trace has format version {version}, and this program reads version {VERSION}: \
         replay it with "
    )
}

#[test]
fn other_format_versions_name_their_recorder() {
    for version in [0, VERSION - 1, VERSION + 1, u16::MAX] {
        let expected = refusal(version) + "RTS 0.1.0, which recorded it";
        assert_eq!(error_of(&of_version(version)), expected);
    }
}

#[test]
fn unreadable_recorder_version_is_not_named() {
    let expected = refusal(VERSION + 1) + "the version of RTS that recorded it";
    let whole = of_version(VERSION + 1);
    for len in [10, 13, 14, 20] {
        assert_eq!(error_of(&whole[..len]), expected, "{len} bytes");
    }
    let mut damaged = whole.clone();
    damaged[17] ^= 1;
    assert_eq!(error_of(&damaged), expected);
}

#[test]
fn implausible_recorder_version_is_not_named() {
    let longest = "1".repeat(64);
    for (version, is_named) in [
        ("1.0.0-rc.1+build", true),
        (longest.as_str(), true),
        (&"1".repeat(65), false),
        ("", false),
        ("1.0\u{1b}[2J", false),
        ("1.0 please", false),
    ] {
        let record = postcard::to_stdvec(&(0_u32, version)).expect("memory takes all");
        let mut trace = of_version(VERSION + 1)[..VERSION_AT + 2].to_vec();
        let [a, b, c, ..] = record.len().to_le_bytes();
        trace.extend_from_slice(&[a, b, c, a ^ b ^ c ^ 0xA5]);
        trace.extend_from_slice(&record);
        trace.extend_from_slice(&crc32fast::hash(&record).to_le_bytes());
        let error = error_of(&trace);
        assert_eq!(
            error.ends_with(&format!("RTS {version}, which recorded it")),
            is_named,
            "{error}"
        );
    }
}
