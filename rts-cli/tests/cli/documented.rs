//! What README.md and `docs/tokens.md` show, run and compared with what this tree does.

use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{APP_ID, rts};

const README: &str = include_str!("../../../README.md");
const TOKENS: &str = include_str!("../../../docs/tokens.md");
const KEY: &str = "app key";
/// Of the tokens that are made here and now.
const TTL_SECONDS: u64 = 3_600;

/// The code blocks of a document in this language.
fn blocks(document: &'static str, language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    let rest = document.split(&*begin).skip(1);
    rest.map(|text| text.split("```").next().expect("a block ends")).collect()
}

/// Runs the only block of a language with these lines behind it, and gives what it prints.
fn run(language: &str, file: &str, interpreter: &str, lines: &str) -> Option<String> {
    let [block] = blocks(TOKENS, language)[..] else { panic!("one block of {language}") };
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join(file);
    std::fs::write(&file, format!("{block}\n{lines}\n")).expect("a file");
    let Ok(output) = Command::new(interpreter).arg(&file).output() else {
        println!("NOT CHECKED: there is no {interpreter} on this machine");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(text(output))
}

fn text(output: Output) -> String {
    String::from_utf8(output.stdout).expect("text")
}

/// The fields of a token that is valid.
fn inspect(token: &str) -> Value {
    let output = rts(&["token", "inspect", "--json", "--app-key", KEY, token]);
    let fields: Value = serde_json::from_str(&text(output)).expect("JSON");
    assert_eq!(fields["verdict"], "valid", "{fields}");
    fields
}

/// The first line is the example's token, the second one that a back end would make now.
fn check(printed: &str) {
    let tokens: Vec<_> = printed.lines().collect();
    let [example, fresh] = tokens[..] else { panic!("two lines: {printed}") };
    assert_eq!(example, example_token());
    let fields = inspect(fresh);
    assert_eq!(fields["user_id"], "bob@x.y-z_1");
    assert_eq!((&fields["room_id"], &fields["privileges"]), (&json!(""), &json!({})));
    let at = |name: &str| fields[name].as_u64().expect("a number");
    assert_eq!(at("expire_at") - at("issued_at"), TTL_SECONDS);
}

fn example_token() -> &'static str {
    let texts = blocks(TOKENS, "text");
    texts.iter().find(|block| block.starts_with("001")).expect("the example").trim()
}

#[test]
fn the_python_of_the_document_makes_tokens() {
    let lines = format!(
        "print(login_token('{APP_ID}', '{KEY}', 'alice', 86400, 12345678, 1700000000))\n\
         print(login_token('{APP_ID}', '{KEY}', 'bob@x.y-z_1', {TTL_SECONDS}))"
    );
    if let Some(printed) = run("python", "mint.py", "python3", &lines) {
        check(&printed);
    }
}

#[test]
fn the_javascript_of_the_document_makes_tokens() {
    let lines = format!(
        "console.log(loginToken('{APP_ID}', '{KEY}', 'alice', 86400, 12345678, 1700000000));\n\
         console.log(loginToken('{APP_ID}', '{KEY}', 'bob@x.y-z_1', {TTL_SECONDS}));"
    );
    if let Some(printed) = run("js", "mint.mjs", "node", &lines) {
        check(&printed);
    }
}

#[test]
fn the_bytes_of_the_document_are_those_of_its_token() {
    use base64::Engine as _;

    let texts = blocks(TOKENS, "text");
    let hex = texts.iter().find(|block| block.starts_with("17 00")).expect("the bytes");
    // Words stand behind the bytes; none of them is two hexadecimal digits long.
    let is_byte = |word: &&str| word.len() == 2 && u8::from_str_radix(word, 16).is_ok();
    let bytes: Vec<_> = hex
        .lines()
        .flat_map(|line| line.split_whitespace().take_while(is_byte))
        .map(|word| u8::from_str_radix(word, 16).expect("it is one"))
        .collect();
    let encoded = base64::prelude::BASE64_STANDARD.encode(bytes);
    assert_eq!(format!("001{APP_ID}{encoded}"), example_token());
    let args = ["--uid", "alice", "--nonce", "12345678", "--issued-at", "1700000000"];
    let new = ["token", "new", "--app-id", APP_ID, "--app-key", KEY, "--expire-at", "1700086400"];
    assert_eq!(text(rts(&[&new[..], &args].concat())).trim(), example_token());
}

#[test]
fn the_configuration_of_the_readme_is_a_whole_one() {
    let toml = blocks(README, "toml");
    let text = toml.iter().find(|block| block.contains("[[listen]]")).expect("it is shown");
    let config = rts_server::Config::parse(text).expect("it can be served with");
    assert_eq!((config.listen.len(), config.apps.len()), (2, 1));
    assert_eq!(config.concerns().len(), 0, "nothing in it should be otherwise");
}
