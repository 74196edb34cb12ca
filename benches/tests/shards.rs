//! The `shards` binary runs, and prints a row for each measurement. Its figures are not asserted.

use std::process::Command;

#[test]
fn every_work_is_measured_on_each_number_of_shards() {
    let output = Command::new(env!("CARGO_BIN_EXE_shards"))
        .args(["--rounds", "2", "--seconds", "0.01", "--pairs", "4", "--shards", "1,3"])
        .output()
        .expect("it starts");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = |shards: &str| stdout.lines().filter(|line| line.contains(shards)).count();
    assert_eq!([rows("| 1 | "), rows("|  | 3 | ")], [5, 4], "four works, and a mailbox: {stdout}");
    assert_eq!(rows("|  | 2 servers apart | "), 4, "{stdout}");
    assert_eq!(stdout.matches("µs CPU |").count(), 3, "bursts of three sizes: {stdout}");
    assert!(!stdout.contains("NaN") && !stdout.contains("inf"), "{stdout}");
}
