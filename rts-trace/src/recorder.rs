//! Writes a trace while a core works.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rts_proto::Instant;

use crate::digest::Digest;
use crate::format::{write_head, write_record};
use crate::record::{CoreConfig, Record, Start};
use crate::scrub::{Scrubber, Secrets};

/// Where a core's recording goes. One recorder is for one core.
///
/// A recording must never do harm: when it cannot be written any more, it ends, an error is logged, and the core goes on.
/// Each record is written at once, so that the trace of a process that is killed is whole up to then.
pub struct Recorder {
    sink: Option<Box<dyn Write + Send>>,
    pub(crate) scrubber: Scrubber,
    pub(crate) digest: Digest,
    last: Instant,
    /// Whether something was recorded that was not drained yet.
    pub(crate) is_fresh: bool,
}

impl Recorder {
    /// A recorder into a new file.
    ///
    /// # Errors
    ///
    /// The file exists already, or cannot be made; no random numbers.
    pub fn create(path: &Path, secrets: Secrets) -> io::Result<Self> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(io::Error::other)?;
        let mut options = OpenOptions::new();
        options.append(true).create_new(true);
        // Even what is scrubbed says who talked to whom.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        Self::new(options.open(path)?, secrets, salt)
    }

    /// A recorder into anything. `salt` is secret and used once: it makes the pseudonyms of keys and tokens.
    ///
    /// # Errors
    ///
    /// The first bytes cannot be written.
    pub fn new(
        mut sink: impl Write + Send + 'static,
        secrets: Secrets,
        salt: [u8; 32],
    ) -> io::Result<Self> {
        write_head(&mut sink)?;
        Ok(Self {
            sink: Some(Box::new(sink)),
            scrubber: Scrubber::new(secrets, salt),
            digest: Digest::default(),
            last: Instant::ORIGIN,
            is_fresh: false,
        })
    }

    pub(crate) fn start(&mut self, seed: u64, core: CoreConfig) {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.write(&Record::Start(Start {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scrubbed: self.scrubber.is_scrubbing(),
            unix_micros: u64::try_from(unix.as_micros()).unwrap_or(u64::MAX),
            seed,
            core,
        }));
    }

    /// Something happened at `now`; an earlier one than before counts as the latest, as in the cores.
    pub(crate) fn happened(&mut self, now: Instant, record: impl FnOnce(u64) -> Record) {
        let now = self.last.max(now);
        let after_micros = now.as_micros() - self.last.as_micros();
        self.last = now;
        self.is_fresh = true;
        self.write(&record(after_micros));
    }

    /// The core waits.
    pub(crate) fn drained(&mut self) {
        if std::mem::take(&mut self.is_fresh) {
            let digest = self.digest.value();
            self.write(&Record::Drained { digest });
        }
    }

    fn write(&mut self, record: &Record) {
        let Some(sink) = &mut self.sink else { return };
        if let Err(error) = write_record(sink.as_mut(), record) {
            tracing::error!(%error, "the trace cannot be written and ends here");
            self.sink = None;
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("is_recording", &self.sink.is_some())
            .finish_non_exhaustive()
    }
}
