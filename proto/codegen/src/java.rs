//! The Java files of the table of calls and events.

use std::fmt::Write as _;

use rts_flat::{CallKind, EventKind, Field};

use crate::names::{constant, wrapped};

const HEAD: &str = "// Generated from rts-flat/src/table.rs by `cargo run -p rts-codegen`. Do not edit.\n\
                    package io.rts.client;\n\n";

/// Each file with its content.
pub(crate) fn files() -> [(&'static str, String); 3] {
    [
        ("bindings/java/client/io/rts/client/RtsHandler.java", handler("RtsHandler", false)),
        ("bindings/java/client/io/rts/client/RtsRoomHandler.java", handler("RtsRoomHandler", true)),
        ("bindings/java/client/io/rts/client/Table.java", table()),
    ]
}

/// The type of a field, its value in a record, and its name.
fn field((name, field): (&'static str, Field)) -> (&'static str, &'static str, &'static str) {
    match field {
        Field::Code => ("int", "(int) numbers[0]", name),
        Field::Number => ("long", "numbers[1]", name),
        Field::Uid => ("String", "text(texts[0])", name),
        Field::RoomId => ("String", "text(texts[1])", "roomId"),
        Field::Text => ("String", "text(texts[2])", name),
        Field::Bytes => ("byte[]", "texts[2]", "bytes"),
    }
}

fn handler(name: &str, of_room: bool) -> String {
    let what = if of_room { "of a room" } else { "of an engine" };
    let mut java = format!(
        "{HEAD}/**\n * The callbacks {what}. They come on the engine's own thread, one at a time and in \
         order, and\n * may make any call. A callback that is not overridden does nothing.\n */\n\
         public interface {name} {{\n"
    );
    for kind in EventKind::ALL.iter().filter(|kind| kind.is_of_room() == of_room) {
        let parameters: Vec<_> = kind
            .fields()
            .iter()
            .map(|of| field(*of))
            .map(|(of, _, name)| format!("{of} {name}"))
            .collect();
        let lines = wrapped(kind.meaning());
        let _ = write!(
            java,
            "    /**\n{lines}     */\n    default void {}({}) {{\n    }}\n\n",
            kind.name(),
            parameters.join(", ")
        );
    }
    java.truncate(java.len() - 1);
    java + "}\n"
}

fn table() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let mut java = format!(
        "{HEAD}import java.nio.charset.StandardCharsets;\n\n\
         /** The numbers of calls, and the callback of each event. */\nfinal class Table {{\n    \
         static final String VERSION = \"{version}\";\n\n"
    );
    for kind in CallKind::ALL {
        let _ =
            writeln!(java, "    static final int {} = {};", constant(kind.name()), *kind as u32);
    }
    java += "\n    private Table() {\n    }\n\n    /** Whether an event is of a room. */\n    \
             static boolean isOfRoom(int kind) {\n        switch (kind) {\n";
    for kind in EventKind::ALL.iter().filter(|kind| kind.is_of_room()) {
        let _ = writeln!(java, "            case {}:", *kind as u32);
    }
    java += "                return true;\n            default:\n                return false;\n        \
             }\n    }\n";
    for (of_room, of) in [(false, "RtsHandler"), (true, "RtsRoomHandler")] {
        let _ = write!(
            java,
            "\n    /** Calls back for an event; one of a later version has no callback. */\n    \
             static void dispatch(int kind, long[] numbers, byte[][] texts, {of} to) {{\n        \
             switch (kind) {{\n"
        );
        for kind in EventKind::ALL.iter().filter(|kind| kind.is_of_room() == of_room) {
            let values: Vec<_> = kind.fields().iter().map(|of| field(*of).1).collect();
            let call = format!("to.{}({});", kind.name(), values.join(", "));
            let number = *kind as u32;
            let _ = write!(
                java,
                "            case {number}:\n                {call}\n                break;\n"
            );
        }
        java += "            default:\n                break;\n        }\n    }\n";
    }
    java + "\n    private static String text(byte[] utf8) {\n        \
            return new String(utf8, StandardCharsets.UTF_8);\n    }\n}\n"
}
