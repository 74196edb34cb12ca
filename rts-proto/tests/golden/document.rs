//! The text of `docs/protocol.md`.

use std::fs;
use std::path::Path;

/// The whole document.
pub(crate) fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md");
    fs::read_to_string(path).expect("the document is there")
}
