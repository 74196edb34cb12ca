//! [`Recorder`]: writes a trace while a core works.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use rts_proto::Instant;

use crate::digest::Digest;
use crate::file::{self, RecordError};
use crate::format::{HEAD_BYTES, encode_record, write_head};
use crate::record::{CoreConfig, Record, Start};
use crate::scrub::{Scrubber, Secrets};

/// Writes the recording of one core.
///
/// A recording must never do harm. If it cannot be written, or reaches its bound of bytes, it ends.
/// The log reports this once, and the core continues.
///
/// Each record is written at once. So the trace of a killed process is complete up to the end.
pub struct Recorder {
    sink: Option<Sink>,
    pub(crate) origin: Origin,
    pub(crate) scrubber: Scrubber,
    pub(crate) digest: Digest,
    last: Instant,
    /// Whether records were written since the last drain.
    pub(crate) is_fresh: bool,
}

/// The origin of a recording. It is fixed in golden files.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// The version of RTS.
    pub(crate) version: &'static str,
    pub(crate) began: SystemTime,
}

/// The target of a recording, until the recording ends.
struct Sink {
    out: Box<dyn Write + Send>,
    /// The name for the log.
    name: String,
    bytes: u64,
    bytes_max: u64,
}

/// Why a recording ends before its core does.
enum End {
    Full,
    Failed(io::Error),
}

impl Recorder {
    /// The default bound of a file, in bytes.
    pub const FILE_BYTES_DEFAULT: u64 = 256 * 1_024 * 1_024;

    /// Makes a recorder into a new file of at most `bytes_max` bytes. The record that would exceed
    /// the bound ends the recording.
    ///
    /// An older recording with this name is renamed, so that a service can be restarted: it gets
    /// the suffix `.1`. An older one with `.1` gets `.2`, one with `.2` gets `.3`, and one with
    /// `.3` is removed. A recording cannot continue the file of another process, because a replay
    /// needs all inputs of a core from its beginning.
    ///
    /// # Errors
    ///
    /// A file with such a name is not a recording, or another process records to it; the file
    /// cannot be created or written; the random source failed. No file was changed.
    pub fn create(path: &Path, secrets: Secrets, bytes_max: u64) -> Result<Self, RecordError> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(RecordError::Random)?;
        let sink = Sink {
            out: Box::new(file::create(path)?),
            name: path.display().to_string(),
            bytes: 0,
            bytes_max,
        };
        let error = |error| RecordError::Io { path: path.to_owned(), error };
        Self::into_sink(sink, secrets, salt).map_err(error)
    }

    /// Makes a recorder into any writer, without a bound. `salt` is secret and used once: the
    /// pseudonyms of keys and tokens are made with it.
    ///
    /// # Errors
    ///
    /// The first bytes cannot be written.
    pub fn new(
        sink: impl Write + Send + 'static,
        secrets: Secrets,
        salt: [u8; 32],
    ) -> io::Result<Self> {
        let (out, name) = (Box::new(sink), "the trace".to_owned());
        Self::into_sink(Sink { out, name, bytes: 0, bytes_max: u64::MAX }, secrets, salt)
    }

    fn into_sink(mut sink: Sink, secrets: Secrets, salt: [u8; 32]) -> io::Result<Self> {
        write_head(&mut *sink.out)?;
        sink.bytes = HEAD_BYTES as u64;
        Ok(Self {
            sink: Some(sink),
            origin: Origin { version: env!("CARGO_PKG_VERSION"), began: SystemTime::now() },
            scrubber: Scrubber::new(secrets, salt),
            digest: Digest::default(),
            last: Instant::ORIGIN,
            is_fresh: false,
        })
    }

    pub(crate) fn start(&mut self, seed: u64, core: CoreConfig) {
        let unix = self.origin.began.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.write(&Record::Start(Start {
            version: self.origin.version.to_owned(),
            scrubbed: self.scrubber.is_scrubbing(),
            unix_micros: u64::try_from(unix.as_micros()).unwrap_or(u64::MAX),
            seed,
            core,
        }));
    }

    /// Records something that happened at `now`. A moment before the latest one counts as the
    /// latest, as in the cores.
    pub(crate) fn happened(&mut self, now: Instant, record: impl FnOnce(u64) -> Record) {
        let now = self.last.max(now);
        let after_micros = now.as_micros() - self.last.as_micros();
        self.last = now;
        self.is_fresh = true;
        self.write(&record(after_micros));
    }

    /// The core was drained, and waits.
    pub(crate) fn drained(&mut self) {
        if std::mem::take(&mut self.is_fresh) {
            let digest = self.digest.value();
            self.write(&Record::Drained { digest });
        }
    }

    fn write(&mut self, record: &Record) {
        let Some(sink) = &mut self.sink else { return };
        let Err(end) = sink.write(record) else { return };
        let (file, bytes) = (&sink.name, sink.bytes);
        match end {
            End::Full => tracing::warn!(
                file,
                bytes,
                "the recording has reached its size limit and ends here; the core continues"
            ),
            End::Failed(error) => tracing::error!(
                file,
                bytes,
                %error,
                "the recording cannot be written and ends here; the core continues"
            ),
        }
        self.sink = None;
    }
}

impl Sink {
    fn write(&mut self, record: &Record) -> Result<(), End> {
        let record = encode_record(record).map_err(End::Failed)?;
        let bytes = self.bytes + record.len() as u64;
        if bytes > self.bytes_max {
            return Err(End::Full);
        }
        self.out.write_all(&record).map_err(End::Failed)?;
        self.bytes = bytes;
        Ok(())
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("is_recording", &self.sink.is_some())
            .finish_non_exhaustive()
    }
}
