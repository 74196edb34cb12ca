//! The `rts-sim` command, as a script runs it.

use std::io::pipe;
use std::process::{Command, Output, Stdio};

fn rts_sim(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rts-sim"));
    command.args(args).stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> Output {
    rts_sim(args).output().expect("rts-sim runs")
}

#[test]
fn the_last_line_counts_what_was_played_and_ends_with_the_hash_of_all_traces() {
    let output = output(&["--seeds", "2", "--from", "3"]);
    let said = String::from_utf8(output.stdout).expect("text");
    let last = said.lines().last().expect("a line");
    assert!(last.starts_with("2 seeds from 3: ") && last.contains(", 0 failed, in "), "{last}");
    let [first, second] = [3, 4].map(|seed| rts_sim::run(seed).trace_hash.rotate_left(seed as u32));
    assert!(last.ends_with(&format!("; trace {:016x}", first ^ second)), "{last}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn it_ends_quietly_when_nobody_reads_what_it_prints() {
    for args in [&["--seed", "1", "--trace"][..], &["--seeds", "1"], &["--seeds", "1", "--json"]] {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let output = rts_sim(args).stdout(writer).output().expect("rts-sim runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!((said.as_str(), output.status.code()), ("", Some(0)), "{args:?}");
    }
}

/// Only an ordinary build: the other one would hunt.
#[cfg(not(rts_planted))]
#[test]
fn without_the_cfg_no_bug_can_be_planted() {
    let output = output(&["--planted"]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.starts_with("rts-sim: this build has no planted bugs"), "{said}");
    assert!(said.contains("--cfg rts_planted"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_it_does_not_understand_is_told_with_its_exit_code() {
    for (args, says) in [
        (&["--frob"][..], "unexpected argument '--frob'"),
        (&["--seeds", "x"], "--seeds"),
        (&["--trace"], "--seed"),
    ] {
        let output = output(args);
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(said.contains(says), "{args:?}: {said}");
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}
