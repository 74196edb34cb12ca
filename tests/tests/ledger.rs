//! `docs/assurance.md` is the ledger of what is proved: every rule of the protocol is in it, every
//! test that it names exists, and every rule and law has a mutation in `tests/ledger/` that breaks
//! it, for `tests/ledger/check.py` to try.

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

/// What each row is about, which may be several laws, and its tests.
fn proofs(ledger: &str) -> Vec<(Vec<String>, BTreeSet<String>)> {
    let headings = ["Rules of the protocol", "Laws of the system"];
    let all = headings.into_iter().flat_map(|heading| rows(ledger, heading));
    all.map(|cells| {
        let about = cells[0].split(' ').map(str::to_owned).collect();
        let tests = cells.last().expect("a cell").split("<br>");
        (about, tests.map(|test| test.trim_matches('`').to_owned()).collect())
    })
    .collect()
}

/// One change that breaks a row, as `tests/ledger/check.py` reads it.
struct Mutation {
    row: String,
    file: String,
    find: String,
    replace: String,
    tests: Vec<String>,
}

fn mutations() -> Vec<Mutation> {
    let folder = fs::read_dir(root().join("tests/ledger")).expect("the mutations");
    let paths = folder.map(|entry| entry.expect("readable").path());
    let files = paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    files.flat_map(|path| in_file(&path)).collect()
}

fn in_file(path: &Path) -> Vec<Mutation> {
    let text = fs::read_to_string(path).expect("readable");
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let list = table["mutation"].as_array().expect("a list").iter();
    list.map(|entry| {
        let text = |key: &str| entry[key].as_str().expect("a text").to_owned();
        assert!(!text("breaks").is_empty(), "{entry}");
        let tests = entry["tests"].as_array().expect("a list").iter();
        Mutation {
            row: text("row"),
            file: text("file"),
            find: text("find"),
            replace: text("replace"),
            tests: tests.map(|test| test.as_str().expect("a text").to_owned()).collect(),
        }
    })
    .collect()
}

#[test]
fn every_rule_and_law_has_a_mutation_that_can_be_made_and_names_tests_of_its_row() {
    let proofs = proofs(&document("assurance.md"));
    let mutations = mutations();
    for Mutation { row, file, find, replace, tests } in &mutations {
        let proof = proofs.iter().find(|(about, _)| about.contains(row));
        let (_, of_row) = proof.unwrap_or_else(|| panic!("{row}: the ledger has no such row"));
        assert!(!tests.is_empty(), "{row}: a mutation that nothing has to notice");
        for test in tests {
            assert!(of_row.contains(test), "{row}: the ledger's row does not name {test}");
        }
        let code = fs::read_to_string(root().join(file));
        let code = code.unwrap_or_else(|error| panic!("{row}: {file}: {error}"));
        let count = code.matches(find.as_str()).count();
        assert_eq!(count, 1, "{row}: {file} is to have this once, mend the mutation: {find}");
        assert_ne!(find, replace, "{row}");
    }
    for what in proofs.iter().flat_map(|(about, _)| about) {
        let is_broken = mutations.iter().any(|mutation| mutation.row == *what);
        assert!(is_broken, "{what} has no mutation in tests/ledger/: add one, and see it noticed");
    }
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
    for (_, tests) in proofs(&ledger) {
        for test in tests {
            let (file, name) = test.split_once("::").unwrap_or((&test, ""));
            let code = fs::read_to_string(root().join(file));
            let code = code.unwrap_or_else(|error| panic!("{test}: {error}"));
            let is_there = name.is_empty() || code.contains(&format!("fn {name}("));
            assert!(is_there, "{file} has no test {name}");
            named += 1;
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

/// The names in `macro! { Name, ... }` of a source file: what its list has, in order.
fn listed(file: &str, begin: &str) -> Vec<String> {
    let code = fs::read_to_string(root().join(file)).expect("the source");
    let (_, list) = code.split_once(begin).expect("the list");
    let (list, _) = list.split_once("\n}\n").expect("its end");
    let lines = list.lines().map(str::trim).filter(|line| !line.starts_with("///"));
    lines.filter_map(|line| line.strip_suffix(',')).map(str::to_owned).collect()
}

#[test]
fn the_ledger_says_of_each_planted_bug_how_it_was_found() {
    let ledger = document("assurance.md");
    let (_, section) = ledger.split_once("\n### Planted bugs\n").expect("the heading");
    let (section, _) = section.split_once("\n## ").expect("the next heading");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let named: Vec<&str> =
        rows.map(|row| row.split_once('`').expect("the end of the name").0).collect();
    assert_eq!(named, listed("rts-proto/src/planted.rs", "\nbugs! {\n"));
}

#[test]
fn the_ledger_counts_the_situations_and_planted_bugs_of_its_last_run() {
    let ledger = document("assurance.md");
    let situations = listed("rts-testkit/src/sim/situations.rs", "\nsituations! {\n").len();
    let bugs = listed("rts-proto/src/planted.rs", "\nbugs! {\n").len();
    for words in [
        format!("each of the {situations} situations at least 10 times"),
        format!("It recognises {situations} named situations"),
        format!("all {bugs} were found"),
    ] {
        assert!(
            ledger.contains(&words),
            "the simulator has another one: play it again, and say {words:?}"
        );
    }
}
