//! `docs/assurance.md` is the ledger of what is proved: every rule of the protocol is in it, and every test that it names
//! exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).expect("the document")
}

/// The rules of the protocol: each begins with its number in bold.
fn rules() -> BTreeSet<String> {
    let protocol = document("protocol.md");
    let bold = protocol.split("**§").skip(1).filter_map(|rest| rest.split_once("**"));
    bold.map(|(number, _)| format!("§{number}")).collect()
}

/// The rows of the table under a heading, without its head: the cells of each.
fn rows(ledger: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, section) = ledger.split_once(&format!("\n## {heading}\n")).expect("the heading");
    let section = section.split_once("\n## ").map_or(section, |(section, _)| section);
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn every_rule_of_the_protocol_is_in_the_ledger_with_a_test() {
    let rows = rows(&document("assurance.md"), "Rules of the protocol");
    let with_test = rows.iter().filter(|cells| cells.len() == 2 && cells[1].starts_with('`'));
    let in_ledger: BTreeSet<String> = with_test.map(|cells| cells[0].clone()).collect();
    assert_eq!(in_ledger, rules());
}

#[test]
fn every_test_that_the_ledger_names_exists() {
    let ledger = document("assurance.md");
    let mut named = 0;
    for heading in ["Rules of the protocol", "Laws of the system"] {
        for cells in rows(&ledger, heading) {
            let tests = cells.last().expect("a cell").split("<br>");
            for test in tests.map(|test| test.trim_matches('`')) {
                let (file, name) = test.split_once("::").unwrap_or((test, ""));
                let code = fs::read_to_string(root().join(file));
                let code = code.unwrap_or_else(|error| panic!("{test}: {error}"));
                let is_there = name.is_empty() || code.contains(&format!("fn {name}("));
                assert!(is_there, "{file} has no test {name}");
                named += 1;
            }
        }
    }
    assert!(named > 80, "{named} tests are named");
}

#[test]
fn every_law_has_its_place() {
    let rows = rows(&document("assurance.md"), "Laws of the system");
    let numbers: BTreeSet<u32> = rows
        .iter()
        .flat_map(|cells| cells[0].split(' '))
        .map(|law| law.strip_prefix('I').and_then(|law| law.parse().ok()).expect("a number"))
        .collect();
    assert_eq!(numbers, (1..=48).collect());
}
