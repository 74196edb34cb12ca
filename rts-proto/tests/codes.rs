//! `docs/codes.md` lists every code of the contract's enums, in order, and no other.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use rts_proto::client::WarningCode;
use rts_proto::{
    BroadcastCode, ConnectionState, LeaveReason, LoginCode, LogoutReason, OnlineStatus, RoomState,
    SendCode, ServerParamsCode,
};

/// Number and name in each row of the table below this heading.
fn table(heading: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/codes.md");
    let document = fs::read_to_string(path).expect("the document is there");
    let (_, below) = document.split_once(&format!("\n## {heading}\n")).expect(heading);
    let section = below.split("\n## ").next().unwrap_or(below);
    let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
    rows.map(|row| {
        let mut cells = row.split('|').skip(1).map(|cell| cell.trim().to_owned());
        (cells.next().expect("a number"), cells.next().expect("a name"))
    })
    .collect()
}

fn check<T: Copy + Debug>(heading: &str, all: &[T], code: impl Fn(T) -> i32) {
    let expected: Vec<_> =
        all.iter().map(|value| (code(*value).to_string(), format!("`{value:?}`"))).collect();
    assert_eq!(table(heading), expected, "{heading}");
}

fn signed(code: u32) -> i32 {
    i32::try_from(code).expect("small numbers")
}

#[test]
fn every_code_is_explained() {
    check("Result of a message", SendCode::ALL, |value| signed(value.code()));
    check("Result of setting the server params", ServerParamsCode::ALL, |v| signed(v.code()));
    check("Result of a broadcast", BroadcastCode::ALL, |value| signed(value.code()));
    check("Result of a login", LoginCode::ALL, LoginCode::code);
    check("End of a login", LogoutReason::ALL, LogoutReason::code);
    check("State of the connection", ConnectionState::ALL, |value| signed(value.code()));
    check("Status of a user", OnlineStatus::ALL, |value| signed(value.code()));
    check("State of a room", RoomState::ALL, RoomState::code);
    check("Warnings", WarningCode::ALL, |value| signed(value.code()));
    check("Why somebody left", LeaveReason::ALL, |value| signed(value.code()));
}
