//! Writes `rts-proto/src/wire/generated.rs` from `proto/rts/v1/rts.proto`.
//!
//! ```text
//! cargo run -p rts-codegen              write the file
//! cargo run -p rts-codegen -- --check   exit 1 when the file differs from its schema
//! ```
//!
//! The output is committed, so that a build of RTS needs no protobuf compiler.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let check = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--check") => true,
        Some(other) => bail!("unknown argument {other:?}; the only one is --check"),
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = root.join("rts-proto/src/wire/generated.rs");
    let fresh = generate(&root.join("proto"))?;
    if !check {
        return fs::write(&target, fresh).with_context(|| format!("write {}", target.display()));
    }
    let committed =
        fs::read_to_string(&target).with_context(|| format!("read {}", target.display()))?;
    if committed != fresh {
        bail!("rts-proto/src/wire/generated.rs is out of date: run `cargo run -p rts-codegen`");
    }
    Ok(())
}

fn generate(schema_root: &Path) -> anyhow::Result<String> {
    let files = protox::compile(["rts/v1/rts.proto"], [schema_root])?;
    let out_dir: PathBuf = std::env::temp_dir().join(format!("rts-codegen-{}", std::process::id()));
    fs::create_dir_all(&out_dir)?;
    prost_build::Config::new().bytes(["."]).out_dir(&out_dir).compile_fds(files)?;
    let code = fs::read_to_string(out_dir.join("rts.v1.rs"))?;
    fs::remove_dir_all(&out_dir)?;
    Ok(code)
}
