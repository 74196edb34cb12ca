//! Payloads of messages.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

use bytes::Bytes;

/// UTF-8 text in shared memory. Received text aliases the buffer in which it arrived.
///
/// `{}` prints the text; `{:?}` prints its length only, because messages do not belong in logs.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(Bytes);

impl Text {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // `forbid(unsafe_code)` makes this a second check; the constructors have checked it.
        core::str::from_utf8(&self.0).expect("every constructor checks UTF-8")
    }

    /// The UTF-8 bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, text: &str) -> bool {
        *self.0 == *text.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, text: &&str) -> bool {
        *self == **text
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes().into())
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl TryFrom<Bytes> for Text {
    type Error = core::str::Utf8Error;

    fn try_from(bytes: Bytes) -> Result<Self, Self::Error> {
        core::str::from_utf8(&bytes)?;
        Ok(Self(bytes))
    }
}

/// Serializes as a string.
#[cfg(feature = "serde")]
impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self::from)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
    }
}

/// Text or bytes. The receiver gets the same kind.
///
/// `Debug` shows the length only: payloads do not belong in logs. [`as_text`](Self::as_text) is
/// the text.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum Payload {
    /// UTF-8 text.
    Text(Text),
    /// Any bytes.
    Binary(Bytes),
}

impl Payload {
    /// A text payload.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::Text(text.into())
    }

    /// A binary payload.
    pub fn binary(bytes: impl Into<Bytes>) -> Self {
        Self::Binary(bytes.into())
    }

    /// The text; `None` for a binary payload.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.as_str()),
            Self::Binary(_) => None,
        }
    }

    /// A copy in its own memory, for storage. A received payload keeps the whole buffer alive in
    /// which it arrived.
    pub(crate) fn detached(&self) -> Self {
        match self {
            Self::Text(text) => Self::Text(Text(Bytes::copy_from_slice(&text.0))),
            Self::Binary(bytes) => Self::Binary(Bytes::copy_from_slice(bytes)),
        }
    }

    /// A view of the payload.
    pub(crate) fn borrowed(&self) -> PayloadRef<'_> {
        match self {
            Self::Text(text) => PayloadRef::Text(text.as_str()),
            Self::Binary(bytes) => PayloadRef::Binary(bytes),
        }
    }

    /// The bytes of either kind; for a text, its UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => &text.0,
            Self::Binary(bytes) => bytes,
        }
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

impl From<Text> for Payload {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<&String> for Payload {
    fn from(text: &String) -> Self {
        Self::text(text.as_str())
    }
}

impl From<Cow<'_, str>> for Payload {
    fn from(text: Cow<'_, str>) -> Self {
        Self::text(text.into_owned())
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

impl From<&[u8]> for Payload {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl<const N: usize> From<&[u8; N]> for Payload {
    fn from(bytes: &[u8; N]) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<&Vec<u8>> for Payload {
    fn from(bytes: &Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => write!(f, "Text({} bytes)", self.len()),
            Self::Binary(_) => write!(f, "Binary({} bytes)", self.len()),
        }
    }
}

/// A view of a [`Payload`], for payloads that are passed on and not stored.
#[derive(Clone, Copy)]
pub(crate) enum PayloadRef<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

impl<'a> PayloadRef<'a> {
    pub(crate) fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// A payload that shares ownership of `memory`, in which this one lies.
    pub(crate) fn kept_in(self, memory: &Bytes) -> Payload {
        match self {
            Self::Text(text) => Payload::Text(Text(memory.slice_ref(text.as_bytes()))),
            Self::Binary(bytes) => Payload::Binary(memory.slice_ref(bytes)),
        }
    }
}

/// Shows the length only, as [`Payload`] does.
impl fmt::Debug for PayloadRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(bytes) => write!(f, "Binary({} bytes)", bytes.len()),
        }
    }
}

/// The answer of an app server: any bytes.
///
/// `Debug` shows the length only.
#[derive(Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Reply(Bytes);

impl Reply {
    /// An answer with these bytes.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self(bytes.into())
    }

    /// The answer as text; `None` if it is not UTF-8.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        core::str::from_utf8(&self.0).ok()
    }

    /// The bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl Deref for Reply {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reply({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn display_prints_the_text_and_debug_its_length() {
        let text = Text::from("hi bob");
        assert_eq!((&*format!("{text}"), &*format!("{text:>8}")), ("hi bob", "  hi bob"));
        assert_eq!(format!("{text:?}"), "Text(6 bytes)");
        let payload = Payload::text(text);
        assert_eq!(format!("{payload:?}"), "Text(6 bytes)");
        assert_eq!(payload.as_text(), Some("hi bob"));
        assert_eq!(Payload::binary(&b"hi"[..]).as_text(), None);
    }

    #[test]
    fn payload_is_made_of_every_kind_of_text_and_bytes() {
        let text = String::from("hi");
        for payload in [Payload::from(&text), Cow::Borrowed("hi").into(), text.clone().into()] {
            assert_eq!(payload, "hi".into());
        }
        for payload in [Payload::from(b"hi"), (&Vec::from("hi")).into(), Bytes::from(text).into()] {
            assert_eq!(payload, Payload::binary("hi".as_bytes()));
        }
    }

    #[test]
    fn reply_is_text_if_it_is_utf_8() {
        assert_eq!(Reply::new("hé").as_text(), Some("hé"));
        let reply = Reply::new(b"\xff".as_slice());
        assert_eq!(reply.as_text(), None);
        assert_eq!(&*reply.into_bytes(), b"\xff");
    }

    #[test]
    fn text_and_binary_of_equal_bytes_differ_in_kind() {
        let (text, bytes) = (Payload::text("hé"), Payload::binary("hé".as_bytes()));
        assert_ne!(text, bytes);
        assert_eq!((text.as_bytes(), text.len()), (bytes.as_bytes(), 3));
        assert!(!text.is_empty() && !bytes.is_empty());
        assert!(Payload::text("").is_empty() && Payload::binary("").is_empty());
        let text = Text::from("hé");
        assert!(text == "hé" && text == *"hé" && text != "he");
    }
}
