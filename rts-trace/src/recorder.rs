//! Writes a trace while a core works.

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

/// Where a core's recording goes. One recorder is for one core.
///
/// A recording must never do harm: when it cannot be written any more, or has all the bytes that it
/// may have, it ends, the log says so once, and the core goes on. Each record is written at once,
/// so that the trace of a process that is killed is whole up to then.
pub struct Recorder {
    sink: Option<Sink>,
    pub(crate) origin: Origin,
    pub(crate) scrubber: Scrubber,
    pub(crate) digest: Digest,
    last: Instant,
    /// Whether something was recorded that was not drained yet.
    pub(crate) is_fresh: bool,
}

/// Where a recording comes from. It is fixed in golden files.
#[derive(Clone, Copy)]
pub(crate) struct Origin {
    /// The version of RTS.
    pub(crate) version: &'static str,
    pub(crate) began: SystemTime,
}

/// What is written to, until it ends.
struct Sink {
    out: Box<dyn Write + Send>,
    /// For the log.
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
    /// Bytes of a file, unless more or fewer are wanted.
    pub const FILE_BYTES_DEFAULT: u64 = 256 * 1_024 * 1_024;

    /// A recorder into a new file, which has at most `bytes_max` bytes: the record that would be
    /// beyond them ends the recording.
    ///
    /// A recording that has this name makes way, so that a service can be restarted: it gets the
    /// name with `.1` behind it, one that has that gets `.2`, that gets `.3`, and that is removed.
    /// A recording cannot go on in the file of another process, since all that a core does follows
    /// from its beginning.
    ///
    /// # Errors
    ///
    /// A file of such a name is no recording, or another process records to it; the file cannot be
    /// made or written; no random numbers. Then no file was changed.
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

    /// A recorder into anything, without end. `salt` is secret and used once: it makes the
    /// pseudonyms of keys and tokens.
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

    /// Something happened at `now`; an earlier one than before counts as the latest, as in the
    /// cores.
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
        let Err(end) = sink.write(record) else { return };
        let (file, bytes) = (&sink.name, sink.bytes);
        match end {
            End::Full => tracing::warn!(
                file,
                bytes,
                "the recording has as many bytes as it may have, and ends here; all else goes on"
            ),
            End::Failed(error) => tracing::error!(
                file,
                bytes,
                %error,
                "the recording cannot be written, and ends here; all else goes on"
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
