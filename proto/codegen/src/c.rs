//! The headers for C: the functions of `rts-ffi`, and the numbers of the table.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use rts_flat::{CallKind, EventKind, Field, Parameter};

use crate::names::{constant, wrapped};

pub(crate) const HEADER: &str = "bindings/c/include/rts.h";
pub(crate) const TABLE: &str = "bindings/c/include/rts_table.h";

const ABOUT: &str = "/* RTS for C. Generated from rts-ffi/src/lib.rs by `cargo run -p rts-codegen`: do not edit. */";

pub(crate) fn header(root: &Path) -> anyhow::Result<String> {
    let config = cbindgen::Config {
        language: cbindgen::Language::C,
        header: Some(ABOUT.to_owned()),
        include_guard: Some("RTS_H".to_owned()),
        includes: vec!["rts_table.h".to_owned()],
        cpp_compat: true,
        documentation_style: cbindgen::DocumentationStyle::C,
        ..cbindgen::Config::default()
    };
    let source = cbindgen::Builder::new()
        .with_config(config)
        .with_src(root.join("rts-ffi/src/lib.rs"))
        .generate()
        .context("the header of rts-ffi")?;
    let mut header = Vec::new();
    source.write(&mut header);
    Ok(String::from_utf8(header)?)
}

pub(crate) fn table() -> String {
    let mut header =
        "/* The numbers of calls and events. Generated from rts-flat/src/table.rs by\n * \
                      `cargo run -p rts-codegen`: do not edit. */\n#ifndef RTS_TABLE_H\n#define \
                      RTS_TABLE_H\n\n/* The calls for rts_call, with their arguments. */\nenum {\n"
            .to_owned();
    for kind in CallKind::ALL {
        let arguments: Vec<_> = kind.parameters().iter().map(|of| argument(*of)).collect();
        let with = match arguments.is_empty() {
            true => String::new(),
            false => format!(" Arguments: {}.", arguments.join(", ")),
        };
        let comment = comment(&format!("{}{with}", kind.meaning().trim()));
        let (name, number) = (constant(kind.name()), *kind as u32);
        let _ = writeln!(header, "{comment}    RTS_CALL_{name} = {number},");
    }
    header += "};\n\n/* The events, with the fields of RtsEvent that have a meaning. */\nenum {\n";
    for kind in EventKind::ALL {
        let fields: Vec<_> = kind.fields().iter().map(|of| field(*of)).collect();
        let comment = comment(&format!("{} Fields: {}.", kind.meaning().trim(), fields.join(", ")));
        let (name, number) = (constant(kind.name()), *kind as u32);
        let _ = writeln!(header, "{comment}    RTS_{name} = {number},");
    }
    header +=
        "};\n\n/* All calls: CALL(number, name, \"field:place ...\"). */\n#define RTS_CALLS(CALL)";
    for kind in CallKind::ALL {
        let fields = kind.parameters().iter().map(|(name, place)| format!("{name}:{place:?}"));
        header += &row("CALL", *kind as u32, kind.name(), fields);
    }
    header += "\n\n/* All events: EVENT(number, name, \"field:place ...\"). */\n#define RTS_EVENTS(EVENT)";
    for kind in EventKind::ALL {
        let fields = kind.fields().iter().map(|(name, place)| format!("{name}:{place:?}"));
        header += &row("EVENT", *kind as u32, kind.name(), fields);
    }
    header + "\n\n#endif\n"
}

fn row(of: &str, number: u32, name: &str, fields: impl Iterator<Item = String>) -> String {
    let fields = fields.collect::<Vec<_>>().join(" ");
    format!(" \\\n    {of}({number}, \"{name}\", \"{fields}\")")
}

fn comment(text: &str) -> String {
    format!("    /*\n{}     */\n", wrapped(text))
}

fn argument((name, parameter): (&str, Parameter)) -> String {
    let place = match parameter {
        Parameter::Room => "room",
        Parameter::Number => "number",
        Parameter::First | Parameter::Json => "first",
        Parameter::Second | Parameter::Text | Parameter::Bytes => "second",
    };
    let name = if name == "base64" { "bytes" } else { name };
    if name == place { name.to_owned() } else { format!("{name} as {place}") }
}

fn field((name, field): (&str, Field)) -> String {
    let place = match field {
        Field::Code => "code",
        Field::Number => "number",
        Field::Uid => "uid",
        Field::RoomId => "room_id",
        Field::Text | Field::Bytes => "data",
    };
    let name = if name == "base64" { "bytes" } else { name };
    if name == place { name.to_owned() } else { format!("{name} as {place}") }
}
