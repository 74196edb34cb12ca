//! `docs/protocol.md` and the code agree: cited rules exist, and tables have the numbers of the
//! constants.

#[path = "golden/document.rs"]
mod document;
#[path = "shard/sequenced.rs"]
mod sequenced;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use document::document;
use rts_proto::client::{Parameters, Timing};
use rts_proto::limits::*;
use rts_proto::{AppId, BusinessId, CloseCode, Retry, RoomId, UserId};
use sequenced::SEQUENCED;

/// Every `§n.m` and `§n` in a text.
fn cited(text: &str) -> BTreeSet<String> {
    let after_sign = text.split('§').skip(1);
    after_sign
        .map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            rest[..end].trim_end_matches('.').to_owned()
        })
        .filter(|rule| !rule.is_empty())
        .collect()
}

/// The rules and sections of the document.
fn stated() -> BTreeSet<String> {
    let document = document();
    let rules = document
        .lines()
        .filter_map(|line| line.strip_prefix("- **§")?.split_once("**"))
        .map(|(rule, _)| rule.to_owned());
    let sections = document
        .lines()
        .filter_map(|line| line.strip_prefix("## ")?.split_once(' '))
        .map(|(section, _)| section.to_owned());
    rules.chain(sections).collect()
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_rule_cited_in_code_exists() {
    let stated = stated();
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let mut citations = 0;
    for file in files {
        let text = fs::read_to_string(&file).expect("readable");
        for rule in cited(&text) {
            citations += 1;
            assert!(stated.contains(&rule), "{}: §{rule} does not exist", file.display());
        }
    }
    assert!(citations > 30, "only {citations} citations: are they still written as §n.m?");
}

#[test]
fn every_rule_cited_in_the_document_exists() {
    let stated = stated();
    for rule in cited(&document()) {
        assert!(stated.contains(&rule), "§{rule} does not exist");
    }
}

#[test]
fn the_document_names_the_sequenced_kinds() {
    let document = document();
    let rule = document.split("- **§").find_map(|rule| rule.strip_prefix("4.1** These kinds are"));
    let kinds: Vec<_> = rule.expect("the rule").split('`').skip(1).step_by(2).collect();
    assert_eq!(kinds, SEQUENCED);
}

#[test]
fn rules_are_numbered_without_gaps() {
    let stated = stated();
    for rule in stated.iter().filter(|rule| rule.contains('.')) {
        let (section, number) = rule.split_once('.').expect("has a dot");
        let number: u32 = number.parse().expect("a number");
        assert!(number == 1 || stated.contains(&format!("{section}.{}", number - 1)), "§{rule}");
    }
}

/// The cells of the first table after the rule `§number`, without its head.
fn table(rule: &str) -> Vec<Vec<String>> {
    let document = document();
    let (_, after) = document.split_once(rule).expect("the rule is there");
    after
        .lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// A number with separators: 65,536.
fn number(value: usize) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn rows<const N: usize>(rows: &[[String; N]]) -> Vec<Vec<String>> {
    rows.iter().map(|row| row.to_vec()).collect()
}

#[test]
fn table_of_limits_matches_the_constants() {
    let row = |what: &str, bound: String| [what.to_owned(), bound];
    let bytes = |value| format!("{} bytes", number(value));
    assert_eq!(WINDOW_BYTES_MAX, 1 << 20, "the table says 1 MiB");
    let expected = [
        row("payload of a message", bytes(PAYLOAD_BYTES_MAX)),
        row(
            "frame before login, after login",
            format!(
                "{}, {}, without the length prefix",
                bytes(FRAME_BYTES_MAX_BEFORE_LOGIN),
                bytes(FRAME_BYTES_MAX)
            ),
        ),
        row("token", bytes(TOKEN_BYTES_MAX)),
        row("user id, room id, business id", bytes(ID_BYTES_MAX)),
        row("app id", bytes(APP_ID_BYTES)),
        row("resume key", bytes(RESUME_KEY_BYTES)),
        row(
            "client's unacknowledged frames",
            format!("{}, and 1 MiB", number(CLIENT_WINDOW_FRAMES_MAX)),
        ),
        row(
            "server's unacknowledged frames, per session",
            format!("{}, and 1 MiB", number(SERVER_WINDOW_FRAMES_MAX)),
        ),
        row("rooms of one user, with those that wait for it", number(ROOMS_PER_USER_MAX)),
        row("members of one room", format!("{}, configurable", number(ROOM_MEMBERS_MAX))),
        row("largest room with join and leave notices", number(NOTICE_MEMBERS_MAX)),
        row("signature of `SetServerParams`", bytes(SIGNATURE_BYTES_MAX)),
        row("url of `SetServerParams`", bytes(URL_BYTES_MAX)),
        row("reply of the app server", bytes(REPLY_BYTES_MAX)),
        row(
            "posts under way for one user, for one app",
            format!("{POSTS_PER_USER_MAX}, {POSTS_PER_APP_MAX}"),
        ),
        row("posts that wait in one app", number(POSTS_WAITING_MAX)),
        row("logins of one user that wait for their turn", number(LOGINS_WAITING_MAX)),
        row("users whose rates are remembered without a session", number(USERS_REMEMBERED_MAX)),
    ];
    assert_eq!(table("**§8.1**"), rows(&expected));
}

#[test]
fn table_of_timers_matches_the_constants() {
    let parameters = Parameters::default();
    let expected = [
        ("login deadline", LOGIN_DEADLINE),
        ("connect time-out", parameters.get(Timing::Connect)),
        ("answer time-out", parameters.get(Timing::Login)),
        ("heartbeat", parameters.get(Timing::Heartbeat)),
        ("dead link", parameters.get(Timing::Reconnecting)),
        ("result time-out", parameters.get(Timing::Send)),
        ("unreachable", UNREACHABLE_AFTER),
        ("grace", SESSION_GRACE),
        ("post waits", POST_WAIT),
        ("post", POST_TIMEOUT),
    ];
    let table = table("**§8.2**");
    for (timer, length) in expected {
        let row = table.iter().find(|row| row[0] == timer).expect(timer);
        let seconds = row[2].split(' ').next().and_then(|seconds| seconds.parse().ok());
        assert_eq!(seconds.map(Duration::from_secs), Some(length), "{timer}");
    }
    let backoff = table.iter().find(|row| row[0] == "back-off").expect("there");
    assert!(
        backoff[2].contains(&format!("{} ... s", parameters.get(Timing::BackoffMax).as_secs()))
    );
    assert_eq!(table.len(), expected.len() + 1, "a timer that is not checked here");
}

#[test]
fn table_of_rates_matches_the_constants() {
    let row = |what: &str, rate: String| [what.to_owned(), rate];
    let expected = [
        row("`Send` of one user", format!("{SENDS_PER_SECOND}/s")),
        row("`Broadcast` of one user", format!("{BROADCASTS_PER_SECOND}/s")),
        row(
            "`ServerSend` of one user; `SetServerParams` as well, apart",
            format!("{SERVER_SENDS_PER_SECOND}/s"),
        ),
        row("`StatusQuery` of one user", format!("{STATUS_QUERIES_PER_SECOND}/s")),
        row(
            "rooms that one user enters (§6.13)",
            format!("{JOINS_PER_SECOND}/s, {JOINS_BURST_MIN} at once"),
        ),
        row(
            "bytes of answers to joins of one user (§6.3)",
            format!(
                "{}/s, {} at once",
                number(MEMBER_LIST_BYTES_PER_SECOND as usize),
                number(MEMBER_LIST_BYTES_BURST as usize)
            ),
        ),
        row("logins of one user (§3.9)", format!("{LOGINS_PER_SECOND}/s")),
        row(
            "broadcasts in one room, with those of the back end",
            format!(
                "{ROOM_BROADCASTS_PER_SECOND}/s; {LARGE_ROOM_BROADCASTS_PER_SECOND}/s from \
                 {NOTICE_MEMBERS_MAX} members on"
            ),
        ),
    ];
    assert_eq!(table("**§8.3**"), rows(&expected));
}

#[test]
fn the_table_of_close_codes_is_the_enum() {
    let table = table("\n## 9 ");
    let written: Vec<_> = table.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let known: Vec<_> = CloseCode::ALL
        .iter()
        .map(|code| (code.code().to_string(), format!("`{code:?}`")))
        .collect();
    assert_eq!(written, known);

    for (row, code) in table.iter().zip(CloseCode::ALL) {
        let client = row[3].as_str();
        match code.retry() {
            // The reaction of a client to a link that it has given up itself does not matter.
            Retry::WithBackoff => {
                assert!(
                    client.starts_with("reconnects") || client.starts_with("nothing"),
                    "{code:?}"
                );
            }
            Retry::LoggedOut(reason) => {
                assert_eq!(client, format!("is logged out, reason {}", reason.code()), "{code:?}");
            }
            Retry::Never => assert!(client.starts_with("gives up"), "{code:?}"),
            retry => panic!("{code:?}: the table has no word for {retry:?}"),
        }
    }
    let latest = format!("reconnects after {} s at the latest", RETRY_AFTER_MAX.as_secs());
    assert!(document().contains(&latest));
    assert_eq!(CloseCode::from_code(0), CloseCode::BadFrame);
    assert_eq!(CloseCode::from_code(17), CloseCode::BadFrame);
}

/// §1.6, for each kind of id: its length and its bytes.
#[test]
fn ids_have_their_lengths_and_their_alphabets() {
    type Accepts = fn(&str) -> bool;
    let kinds: [(Accepts, _, _, &str); 4] = [
        (|text| UserId::new(text).is_ok(), 1, 128, "_@-."),
        (|text| BusinessId::new(text).is_ok(), 1, 128, "_@-."),
        (|text| RoomId::new(text).is_ok(), 1, 128, "_@-"),
        (|text| AppId::new(text).is_ok(), 24, 24, ""),
    ];
    for (accepts, shortest, longest, signs) in kinds {
        for (len, is_id) in
            [(shortest - 1, false), (shortest, true), (longest, true), (longest + 1, false)]
        {
            assert_eq!(accepts(&"a".repeat(len)), is_id, "{len} bytes, with {signs:?}");
        }
        for byte in 0..=u8::MAX {
            let character = char::from(byte);
            let is_in = character.is_ascii_alphanumeric() || signs.contains(character);
            let text = format!("{}{character}", "a".repeat(shortest.max(2) - 1));
            assert_eq!(accepts(&text), is_in, "{text:?}, with {signs:?}");
        }
    }
}
