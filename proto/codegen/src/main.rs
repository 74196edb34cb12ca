//! Writes the wire types of the crates from the schemas in `proto/`, and files of bindings from the
//! table of calls and events in `rts-flat`.
//!
//! ```text
//! cargo run -p rts-codegen              write the files
//! cargo run -p rts-codegen -- --check   exit 1 when a file differs from its source
//! ```
//!
//! The output is committed, so that a build of RTS needs no protobuf compiler.

mod c;
mod java;
mod names;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Each schema, the name of the generated file, and where it goes.
const SCHEMAS: [[&str; 3]; 2] = [
    ["rts/v1/rts.proto", "rts.v1.rs", "rts-proto/src/wire/generated.rs"],
    ["rts/bus/v1/bus.proto", "rts.bus.v1.rs", "rts-cluster/src/wire/generated.rs"],
];

fn main() -> anyhow::Result<()> {
    let check = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => bail!("unknown argument {other:?}; the only one is --check"),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut files = Vec::from(java::files());
    files.extend([(c::HEADER, c::header(&root)?), (c::TABLE, c::table())]);
    for [schema, generated, target] in SCHEMAS {
        files.push((target, generate(&root.join("proto"), schema, generated)?));
    }
    for (target, fresh) in files {
        let path = root.join(target);
        if !check {
            fs::write(&path, fresh).with_context(|| format!("write {target}"))?;
        } else if fs::read_to_string(&path).with_context(|| format!("read {target}"))? != fresh {
            bail!("{target} differs from its source: run `cargo run -p rts-codegen`");
        }
    }
    Ok(())
}

fn generate(schema_root: &Path, schema: &str, generated: &str) -> anyhow::Result<String> {
    let files = protox::compile([schema], [schema_root])?;
    let out_dir: PathBuf = std::env::temp_dir().join(format!("rts-codegen-{}", std::process::id()));
    fs::create_dir_all(&out_dir)?;
    prost_build::Config::new().bytes(["."]).out_dir(&out_dir).compile_fds(files)?;
    let code = fs::read_to_string(out_dir.join(generated))?;
    fs::remove_dir_all(&out_dir)?;
    Ok(code)
}
