//! The format of the file: a magic and a version, then records. A record is one part or several. A
//! length precedes each part, and a checksum follows it.
//!
//! ```text
//! head:          "RTSTRACE"  u16 version
//! each part:     u24 length  u8 its check  bytes  u32 CRC-32
//! each record:   parts of the greatest length, and a shorter one; their bytes are postcard
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
pub(crate) const VERSION: u16 = 12;
/// The length of a part with its check, before the part.
const LENGTH_BYTES: usize = 4;
/// The checksum, after the part.
const SUM_BYTES: usize = 4;
const AROUND_BYTES: usize = LENGTH_BYTES + SUM_BYTES;
/// Longest part in bytes; its length has three bytes. The entries of one burst may be
/// longer.
const PART_BYTES_MAX: usize = (1 << 24) - 1;
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
    /// It was to be read together with another trace.
    #[error("this trace and one before it are not of two shards of one node")]
    OtherNode,
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
    let record = postcard::to_stdvec(record).map_err(io::Error::other)?;
    Ok(in_parts(&record))
}

fn in_parts(record: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(record.len() + AROUND_BYTES);
    let mut rest = record;
    loop {
        let (part, behind) = rest.split_at(rest.len().min(PART_BYTES_MAX));
        whole.extend_from_slice(&length(part.len()));
        whole.extend_from_slice(part);
        whole.extend_from_slice(&crc32fast::hash(part).to_le_bytes());
        if part.len() < PART_BYTES_MAX {
            return whole;
        }
        rest = behind;
    }
}

/// A length with its check. A damaged length must not look like a torn record.
fn length(len: usize) -> [u8; LENGTH_BYTES] {
    let [a, b, c, ..] = len.to_le_bytes();
    [a, b, c, a ^ b ^ c ^ LENGTH_CHECK]
}

/// Reads records one after the other.
pub(crate) struct Reader<R> {
    input: R,
    /// Where the next record begins.
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
        let (record, _) = self.next_bytes().ok()??;
        let ((0, version), _) = postcard::take_from_bytes::<(u32, &str)>(&record).ok()? else {
            return None;
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
        let is_version = (1..=RECORDED_BY_BYTES_MAX).contains(&version.len());
        (is_version && version.bytes().all(is_plain)).then(|| version.to_owned())
    }

    /// The next record with its number; `None` at the end, or where the last one is torn.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, Record)>, TraceError> {
        let Some((bytes, in_file)) = self.next_bytes()? else { return Ok(None) };
        let record = postcard::from_bytes(&bytes)
            .map_err(|_| self.damaged("its fields are not those of a record"))?;
        let number = self.records;
        self.records += 1;
        self.offset += in_file as u64;
        Ok(Some((number, record)))
    }

    /// The bytes of the next record, and how many it has in the file.
    fn next_bytes(&mut self) -> Result<Option<(Vec<u8>, usize)>, TraceError> {
        let (mut record, mut in_file) = (Vec::new(), 0);
        loop {
            let Some(mut part) = self.next_part()? else {
                self.torn_bytes += in_file;
                return Ok(None);
            };
            in_file += part.len() + AROUND_BYTES;
            let is_last = part.len() < PART_BYTES_MAX;
            record.append(&mut part);
            if is_last {
                return Ok(Some((record, in_file)));
            }
        }
    }

    fn next_part(&mut self) -> Result<Option<Vec<u8>>, TraceError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A trace of a long record, and one of two bytes.
    fn trace(long_bytes: usize) -> Vec<u8> {
        let mut trace = Vec::new();
        write_head(&mut trace).expect("memory takes all");
        trace.extend(in_parts(&vec![7; long_bytes]));
        trace.extend(in_parts(&[1, 2]));
        trace
    }

    #[test]
    fn record_longer_than_a_part_is_read_back() {
        for (bytes, parts) in [
            (PART_BYTES_MAX - 1, 1),
            (PART_BYTES_MAX, 2),
            (PART_BYTES_MAX + 1, 2),
            (2 * PART_BYTES_MAX, 3),
        ] {
            let trace = trace(bytes);
            let mut reader = Reader::new(trace.as_slice()).expect("a head");
            let (record, in_file) = reader.next_bytes().expect("not damaged").expect("a record");
            assert!(record == vec![7; bytes], "{bytes} bytes");
            assert_eq!(in_file, bytes + parts * AROUND_BYTES);
            let second = reader.next_bytes().expect("not damaged");
            assert_eq!(second, Some((vec![1, 2], 2 + AROUND_BYTES)));
            assert_eq!(reader.next_bytes().expect("not damaged"), None);
            assert_eq!(reader.torn_bytes(), 0);
        }
    }

    #[test]
    fn record_that_is_torn_in_or_between_its_parts_is_left_out() {
        let trace = trace(PART_BYTES_MAX + 100);
        let first_part = PART_BYTES_MAX + AROUND_BYTES;
        for torn_bytes in [1, first_part - 1, first_part, first_part + 1, first_part + 50] {
            let mut reader = Reader::new(&trace[..HEAD_BYTES + torn_bytes]).expect("a head");
            assert_eq!(reader.next_bytes().expect("not damaged"), None);
            assert_eq!(reader.torn_bytes(), torn_bytes);
        }
    }
}
