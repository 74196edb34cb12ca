//! `docs/engine.md` lists all calls and callbacks of `rts engine`, and no others.

use rts_flat::{CallKind, EventKind};
use rts_proto::client::{Parameters, Timing};
use serde_json::{Value, json};

use crate::support::Engine;

/// The rows of a table of `docs/engine.md`: the words in backticks of each row's first two cells.
fn documented(heading: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/engine.md");
    let document = std::fs::read_to_string(path).expect("the document is there");
    let (_, below) = document.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = below.split("\n## ").next().unwrap_or(below);
    let rows = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .skip_while(|row| row.starts_with("| `on` "));
    let words = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    rows.map(|row| {
        let mut cells = row.split('|').skip(1);
        (words(cells.next().unwrap_or_default()), words(cells.next().unwrap_or_default()))
    })
    .collect()
}

#[test]
fn every_documented_call_exists_with_its_fields() {
    let mut engine = Engine::start("rts://127.0.0.1:1", &[]);
    let calls = documented("Calls");
    assert!(calls.len() > 10, "{calls:?}");
    for (call, fields) in calls {
        let given =
            |field: String| (field.clone(), if field == "params" { json!({}) } else { json!("") });
        let fields: serde_json::Map<_, _> = fields.into_iter().map(given).collect();
        let answer = engine.answer(&call[0], Value::Object(fields));
        assert!(answer.get("error").is_none(), "{call:?}: {answer}");
    }
}

#[test]
fn documented_parameters_are_those_of_an_engine() {
    let keys = documented("Parameters").into_iter().flat_map(|(names, _)| names);
    let known = Timing::ALL.iter().map(|timing| timing.key()).chain([Parameters::LOG_LEVEL_KEY]);
    assert_eq!(keys.collect::<Vec<_>>(), known.collect::<Vec<_>>());
}

#[test]
fn every_call_and_every_callback_is_documented() {
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let names = |heading| documented(heading).into_iter().flat_map(|(names, _)| names).collect();
    let calls = CallKind::ALL.iter().map(|kind| kind.name()).chain(["getSdkVersion"]);
    assert_eq!(sorted(names("Calls")), sorted(calls.map(str::to_owned).collect()));
    let callbacks = EventKind::ALL.iter().map(|kind| kind.name().to_owned());
    assert_eq!(sorted(names("Callbacks")), sorted(callbacks.collect()));
}
