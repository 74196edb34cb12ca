//! `docs/assurance/` is the ledger of proofs. It must hold every rule of the protocol, and every
//! test that it names must exist. Every rule and law must have a mutation in `tests/ledger/` that
//! breaks it, for `tests/ledger/check.py`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn document(name: &str) -> String {
    fs::read_to_string(root().join("docs").join(name)).expect("the document")
}

/// The rules of the protocol. Each begins with its number in bold.
fn rules() -> BTreeSet<String> {
    let protocol = document("protocol.md");
    let bold = protocol.split("**§").skip(1).filter_map(|rest| rest.split_once("**"));
    bold.map(|(number, _)| format!("§{number}")).collect()
}

/// Rules or laws with common proof, and the tests that prove them.
struct Proof {
    about: Vec<String>,
    text: String,
    tests: BTreeSet<String>,
}

/// The proofs of a page. Each begins with a heading of this level, which names its rules or laws.
fn proofs_of(page: &str, level: &str) -> Vec<Proof> {
    let document = document(page);
    let heading = format!("\n{level} ");
    document.split(&heading).skip(1).map(proof).collect()
}

fn proof(section: &str) -> Proof {
    let (heading, text) = section.split_once('\n').expect("a line ends");
    let about = heading.split(' ').map(str::to_owned).collect();
    let text = text.split("\n## ").next().expect("there is a first part").to_owned();
    let tests = tests_in(&text);
    Proof { about, text, tests }
}

/// The tests of a list of files with test names below them, as `FILE::NAME`. A file without names
/// stands for all of its tests.
fn tests_in(text: &str) -> BTreeSet<String> {
    let files = text.split("\n- `").skip(1);
    let tests = files.flat_map(|entry| {
        let (file, names) = entry.split_once('`').expect("a file ends");
        let names: Vec<_> = names.lines().filter_map(|line| line.strip_prefix("  - `")).collect();
        let test = |name: &str| format!("{file}::{}", name.trim_end_matches('`'));
        match &names[..] {
            [] => vec![file.to_owned()],
            names => names.iter().map(|name| test(name)).collect(),
        }
    });
    tests.collect()
}

fn rule_proofs() -> Vec<Proof> {
    proofs_of("assurance/rules.md", "###")
}

fn law_proofs() -> Vec<Proof> {
    proofs_of("assurance/laws.md", "##")
}

fn all_proofs() -> impl Iterator<Item = Proof> {
    rule_proofs().into_iter().chain(law_proofs())
}

/// A change that breaks a row, in the format of `tests/ledger/check.py`.
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
fn each_row_has_mutations_that_apply_and_name_its_tests() {
    let proofs: Vec<Proof> = all_proofs().collect();
    let mutations = mutations();
    for Mutation { row, file, find, replace, tests } in &mutations {
        let proof = proofs.iter().find(|proof| proof.about.contains(row));
        let proof = proof.unwrap_or_else(|| panic!("{row}: the ledger has no such row"));
        assert!(!tests.is_empty(), "{row}: a mutation that nothing has to notice");
        for test in tests {
            assert!(proof.tests.contains(test), "{row}: the ledger's row does not name {test}");
        }
        let code = fs::read_to_string(root().join(file));
        let code = code.unwrap_or_else(|error| panic!("{row}: {file}: {error}"));
        let count = code.matches(find.as_str()).count();
        assert_eq!(count, 1, "{row}: {file} is to have this once, mend the mutation: {find}");
        assert_ne!(find, replace, "{row}");
    }
    for what in proofs.iter().flat_map(|proof| &proof.about) {
        let is_broken = mutations.iter().any(|mutation| mutation.row == *what);
        assert!(is_broken, "{what} has no mutation in tests/ledger/: add one, and see it noticed");
    }
}

#[test]
fn each_protocol_rule_is_in_the_ledger_with_a_test() {
    let proofs = rule_proofs();
    let with_test = proofs.iter().filter(|proof| !proof.tests.is_empty());
    let in_ledger: BTreeSet<String> = with_test.map(|proof| proof.about.join(" ")).collect();
    assert_eq!(in_ledger, rules());
    assert_eq!(proofs.len(), in_ledger.len(), "a rule is there twice, or without a test");
}

#[test]
fn tests_named_in_the_ledger_exist() {
    let mut named = 0;
    for test in all_proofs().flat_map(|proof| proof.tests) {
        let (file, name) = test.split_once("::").unwrap_or((&test, ""));
        let code = fs::read_to_string(root().join(file));
        let code = code.unwrap_or_else(|error| panic!("{test}: {error}"));
        let is_there = name.is_empty() || code.contains(&format!("fn {name}("));
        assert!(is_there, "{file} has no test {name}");
        named += 1;
    }
    assert!(named > 250, "{named} tests are named");
}

#[test]
fn each_law_has_its_text_and_tests() {
    let mut numbers = BTreeSet::new();
    for Proof { about, text, tests } in law_proofs() {
        assert!(!tests.is_empty(), "{about:?} has no test");
        for law in about {
            assert!(text.contains(&format!("\n- **{law}** ")), "what {law} says is not there");
            let number: u32 = law.strip_prefix('I').and_then(|law| law.parse().ok()).expect("I1");
            assert!(numbers.insert(number), "{law} is there twice");
        }
    }
    assert_eq!(numbers, (1..=48).collect());
}

/// The names in `macro! { Name, ... }` of a source file, in order.
fn listed(file: &str, begin: &str) -> Vec<String> {
    let code = fs::read_to_string(root().join(file)).expect("the source");
    let (_, list) = code.split_once(begin).expect("the list");
    let (list, _) = list.split_once("\n}\n").expect("its end");
    let lines = list.lines().map(str::trim).filter(|line| !line.starts_with("///"));
    lines.filter_map(|line| line.strip_suffix(',')).map(str::to_owned).collect()
}

/// The planted bugs that the simulator looks for.
fn bugs_of_simulator() -> Vec<String> {
    let code = fs::read_to_string(root().join("rts-proto/src/planted.rs")).expect("the source");
    let (_, list) = code.split_once("OF_LEASE_MODEL: &'static [Self] = &[").expect("the list");
    let (list, _) = list.split_once("];").expect("its end");
    let of_model: Vec<&str> =
        list.split(',').filter_map(|bug| bug.trim().strip_prefix("Self::")).collect();
    let mut bugs = listed("rts-proto/src/planted.rs", "\nbugs! {\n");
    bugs.retain(|bug| !of_model.contains(&bug.as_str()));
    bugs
}

#[test]
fn ledger_lists_each_planted_bug() {
    let page = document("assurance/simulator.md");
    let (_, section) = page.split_once("\n## Planted bugs\n").expect("the heading");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let named: Vec<&str> =
        rows.map(|row| row.split_once('`').expect("the end of the name").0).collect();
    assert_eq!(named, bugs_of_simulator());
}

#[test]
fn ledger_counts_situations_and_planted_bugs() {
    let situations = listed("rts-sim/src/situations.rs", "\nsituations! {\n").len();
    let bugs = bugs_of_simulator().len();
    for (page, words) in [
        ("assurance.md", format!("each of the {situations} situations at least 10 times")),
        ("assurance/simulator.md", format!("recognises {situations} named situations")),
        ("assurance/simulator.md", format!("All {bugs} were found")),
    ] {
        // Joins lines, because the wrapping may be anywhere.
        let text = document(page).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains(&words),
            "the simulator has another number: run it again, and write {words:?} in {page}"
        );
    }
}
