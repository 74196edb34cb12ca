//! The format of the file: a magic and a version, then records. A length precedes each record, and
//! a checksum follows it.
//!
//! ```text
//! head:          "RTSTRACE"  u16 version
//! each record:   u24 length  u8 its check  record (postcard)  u32 CRC-32
//! ```
//!
//! All numbers are little-endian. Files are only appended to. A crash of the process may tear the
//! last record, which a reader leaves out.
//!
//! # Versions
//!
//! [`VERSION`] grows with each change of the bytes: a new, removed, moved or retyped field or
//! variant of a record, another framing, another digest. The encoding does not describe itself, so
//! a reader cannot skip unknown fields. The files in `tests/golden` make such a change visible.
//!
//! A reader reads its own version and no other. An older file and a newer one give the same error,
//! [`TraceError::Version`]. It names the version of RTS that recorded the file and can replay it.
//! Three things therefore stay the same in all versions: the head, the framing of the first record,
//! and the beginning of that record, which is a zero and then the version of RTS as a string.
//!
//! The behaviour of a core is not part of the format. If it changes, an older recording can still
//! be read, and its replay reports the difference.

use std::io::{self, Read, Write};

use crate::record::Record;

const MAGIC: [u8; 8] = *b"RTSTRACE";
/// The magic and the version.
pub(crate) const HEAD_BYTES: usize = MAGIC.len() + 2;
/// Grows with each change of the bytes; see above.
pub(crate) const VERSION: u16 = 3;
/// The length of a record with its check, before the record.
const LENGTH_BYTES: usize = 4;
/// The checksum, after the record.
const SUM_BYTES: usize = 4;
const AROUND_BYTES: usize = LENGTH_BYTES + SUM_BYTES;
/// Longest record in bytes; its length has three bytes.
const RECORD_BYTES_MAX: usize = (1 << 24) - 1;
/// The check of a length. With it, zeros are not a valid length.
const LENGTH_CHECK: u8 = 0xA5;
/// Longest version of RTS that an error names, in bytes.
const RECORDED_BY_BYTES_MAX: usize = 64;

/// Why a trace cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// The file cannot be read.
    #[error("the trace cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is not a trace.
    #[error("this is not a trace: it does not begin with \"RTSTRACE\"")]
    NoTrace,
    /// The file has another format version, older or newer.
    #[error(
        "this trace has format version {found}, and this program reads version {VERSION}: replay it \
         with {}",
        recorder_in_words(recorded_by.as_deref())
    )]
    Version {
        /// The version of the file.
        found: u16,
        /// The version of RTS that recorded it, if it can be read.
        recorded_by: Option<String>,
    },
    /// A record in the middle is damaged.
    #[error("record {record}, at byte {offset}, is damaged: {what}")]
    Damaged {
        /// Its number, from 0.
        record: u64,
        /// Where it begins.
        offset: u64,
        /// The kind of damage.
        what: &'static str,
    },
    /// The records are not those of a recording.
    #[error("record {record} is not valid at this place: {what}")]
    Misplaced {
        /// Its number, from 0.
        record: u64,
        /// The reason.
        what: String,
    },
}

fn recorder_in_words(recorded_by: Option<&str>) -> String {
    match recorded_by {
        Some(version) => format!("RTS {version}, which recorded it"),
        None => "the version of RTS that recorded it".into(),
    }
}

pub(crate) fn write_head(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())
}

/// Whether a file with this beginning is a recording, of any version.
pub(crate) fn is_recording(begin: &[u8]) -> bool {
    begin.starts_with(&MAGIC)
}

/// The bytes of a record in the file. They are written at once, so a crash tears at most this
/// record.
pub(crate) fn encode_record(record: &Record) -> io::Result<Vec<u8>> {
    let body = postcard::to_stdvec(record).map_err(io::Error::other)?;
    if body.len() > RECORD_BYTES_MAX {
        return Err(io::Error::other("a record that is too long"));
    }
    let mut whole = Vec::with_capacity(body.len() + AROUND_BYTES);
    whole.extend_from_slice(&length(body.len()));
    whole.extend_from_slice(&body);
    whole.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    Ok(whole)
}

/// A length with its check. A damaged length must not look like a torn record.
fn length(len: usize) -> [u8; LENGTH_BYTES] {
    let [a, b, c, ..] = len.to_le_bytes();
    [a, b, c, a ^ b ^ c ^ LENGTH_CHECK]
}

/// Reads records one after the other.
pub(crate) struct Reader<R> {
    input: R,
    offset: u64,
    records: u64,
    torn_bytes: usize,
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(mut input: R) -> Result<Self, TraceError> {
        let mut head = [0; HEAD_BYTES];
        let got = fill(&mut input, &mut head)?;
        let (magic, version) = head.split_at(MAGIC.len());
        if got < head.len() || magic != MAGIC {
            return Err(TraceError::NoTrace);
        }
        let found = u16::from_le_bytes([version[0], version[1]]);
        let mut reader = Self { input, offset: HEAD_BYTES as u64, records: 0, torn_bytes: 0 };
        if found != VERSION {
            return Err(TraceError::Version { found, recorded_by: reader.recorded_by() });
        }
        Ok(reader)
    }

    /// The version of RTS that recorded a file of any format version. An error shows it on a
    /// terminal, so it must look like a version.
    fn recorded_by(&mut self) -> Option<String> {
        let record = self.next_bytes().ok()??;
        let ((0, version), _) = postcard::take_from_bytes::<(u32, &str)>(&record).ok()? else {
            return None;
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
        let is_version = (1..=RECORDED_BY_BYTES_MAX).contains(&version.len());
        (is_version && version.bytes().all(is_plain)).then(|| version.to_owned())
    }

    /// The next record with its number; `None` at the end, or where the last one is torn.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Record)>, TraceError> {
        let Some(bytes) = self.next_bytes()? else { return Ok(None) };
        let record = postcard::from_bytes(&bytes)
            .map_err(|_| self.damaged("its fields are not those of a record"))?;
        let number = self.records;
        self.records += 1;
        self.offset += (bytes.len() + AROUND_BYTES) as u64;
        Ok(Some((number, record)))
    }

    /// The bytes of the next record.
    fn next_bytes(&mut self) -> Result<Option<Vec<u8>>, TraceError> {
        let mut len = [0; LENGTH_BYTES];
        let got = fill(&mut self.input, &mut len)?;
        if got < len.len() {
            self.torn_bytes = got;
            return Ok(None);
        }
        let body_len = u32::from_le_bytes([len[0], len[1], len[2], 0]) as usize;
        if length(body_len) != len {
            return Err(self.damaged("its length is damaged"));
        }
        let mut body = vec![0; body_len + SUM_BYTES];
        let got = fill(&mut self.input, &mut body)?;
        if got < body.len() {
            self.torn_bytes = len.len() + got;
            return Ok(None);
        }
        let sum = body.split_off(body_len);
        if crc32fast::hash(&body).to_le_bytes() != *sum {
            return Err(self.damaged("its checksum is wrong"));
        }
        Ok(Some(body))
    }

    /// Bytes of a torn last record, known when the end is reached.
    pub(crate) fn torn_bytes(&self) -> usize {
        self.torn_bytes
    }

    fn damaged(&self, what: &'static str) -> TraceError {
        TraceError::Damaged { record: self.records, offset: self.offset, what }
    }
}

/// Reads until the buffer is full or the input ends. Returns the number of bytes read.
fn fill(input: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match input.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
