//! `--trace` and related options, for all commands that record.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rts_server::Placement;
use rts_trace::{RecordError, Recorder, Secrets};

use crate::signals::survive_stray_signals;

/// A smaller recording would end before it has any content.
const BYTES_MIN: u64 = 1_024 * 1_024;
/// Units of `--trace-limit`, and their bytes.
const UNITS: [(&str, u64); 3] = [("KiB", 1_024), ("MiB", 1_048_576), ("GiB", 1_073_741_824)];

/// For commands that can record.
#[derive(Debug, clap::Args)]
pub(crate) struct TraceArgs {
    /// Record all input of the core to this file, for `rts trace`. It costs one write for each
    /// burst of input. A server of several shards writes FILE.shard-0, FILE.shard-1 and so on.
    /// Older recordings are renamed to FILE.1, FILE.2 and FILE.3
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// The largest size of the recording, such as 64MiB or 2GiB. The program continues without it
    #[arg(long, value_name = "SIZE", requires = "trace", default_value = "256MiB", value_parser = size)]
    trace_limit: u64,
    /// Record payloads and tokens too, instead of filler
    #[arg(long, requires = "trace")]
    trace_payloads: bool,
}

/// A recording that is ready to begin.
pub(crate) struct Recording<'a> {
    args: &'a TraceArgs,
    path: &'a Path,
}

impl TraceArgs {
    /// The recording, if it was requested.
    pub(crate) fn wanted(&self) -> anyhow::Result<Option<Recording<'_>>> {
        let Some(path) = &self.trace else { return Ok(None) };
        survive_stray_signals().context("signals cannot be caught")?;
        Ok(Some(Recording { args: self, path }))
    }
}

impl Recording<'_> {
    /// Begins the recording of one shard. If there are several, each has a file of its own:
    /// `FILE.shard-0`, `FILE.shard-1` and so on. An existing recording is renamed.
    pub(crate) fn begin_shard(&self, placement: Placement) -> Result<Recorder, RecordError> {
        if placement.count() == 1 {
            return self.begin();
        }
        let mut path = self.path.as_os_str().to_owned();
        path.push(format!(".shard-{}", placement.own().number()));
        Recording { args: self.args, path: Path::new(&path) }.begin()
    }

    /// Begins a new file. An existing recording is renamed.
    pub(crate) fn begin(&self) -> Result<Recorder, RecordError> {
        let secrets = match self.args.trace_payloads {
            true => Secrets::Kept,
            false => Secrets::Scrubbed,
        };
        let (path, limit) = (self.path, self.args.trace_limit);
        let recorder = Recorder::create(path, secrets, limit)?;
        tracing::info!(file = %path.display(), bytes_max = limit, "recording");
        Ok(recorder)
    }
}

fn size(text: &str) -> Result<u64, String> {
    let parts = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let size =
        parts.and_then(|(number, unit)| number.trim().parse::<u64>().ok()?.checked_mul(unit));
    match size {
        Some(bytes) if bytes >= BYTES_MIN => Ok(bytes),
        Some(_) => Err("at least 1MiB is needed".to_owned()),
        None => Err("a number with KiB, MiB or GiB behind it is needed, such as 256MiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_has_a_unit_and_is_at_least_a_mebibyte() {
        assert_eq!(size("256MiB"), Ok(Recorder::FILE_BYTES_DEFAULT), "the default of the option");
        assert_eq!(size("1024KiB"), Ok(1_048_576));
        assert_eq!(size("2 GiB"), Ok(2_147_483_648));
        assert!(size("1023KiB").expect_err("too small").contains("at least 1MiB"));
        for text in ["", "1", "MiB", "-1MiB", "1.5MiB", "1MB", "20000000000GiB", "1mib"] {
            assert!(size(text).expect_err(text).contains("such as 256MiB"), "{text}");
        }
    }
}
