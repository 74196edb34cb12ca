//! The `rts-sim` command, called as a script does.

use std::io::pipe;
use std::process::{Command, Output, Stdio};

use rts_sim::Size;

fn rts_sim(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rts-sim"));
    command.args(args).stdin(Stdio::null());
    command
}

fn output(args: &[&str]) -> Output {
    rts_sim(args).output().expect("rts-sim runs")
}

#[test]
fn last_line_has_counts_and_trace_hash() {
    let output = output(&["--seeds", "2", "--from", "3"]);
    let said = String::from_utf8(output.stdout).expect("text");
    let last = said.lines().last().expect("a line");
    assert!(last.starts_with("2 seeds from 3: ") && last.contains(", 0 failed, in "), "{last}");
    let [first, second] =
        [3, 4].map(|seed| rts_sim::run(seed, Size::default()).trace_hash.rotate_left(seed as u32));
    assert!(last.ends_with(&format!("; trace {:016x}", first ^ second)), "{last}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn ends_quietly_when_stdout_is_closed() {
    for args in [&["--seed", "1", "--trace"][..], &["--seeds", "1"], &["--seeds", "1", "--json"]] {
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        let output = rts_sim(args).stdout(writer).output().expect("rts-sim runs");
        let said = String::from_utf8(output.stderr).expect("text");
        assert_eq!((said.as_str(), output.status.code()), ("", Some(0)), "{args:?}");
    }
}

/// A build with the cfg `rts_planted` would search for bugs instead.
#[cfg(not(rts_planted))]
#[test]
fn planted_needs_its_cfg() {
    let output = output(&["--planted"]);
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.starts_with("rts-sim: this build has no planted bugs"), "{said}");
    assert!(said.contains("--cfg rts_planted"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn bad_arguments_get_error_and_exit_code() {
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
