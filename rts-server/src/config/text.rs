//! Deserialisation of values that are written as text: a value is parsed while it is read.
//!
//! Errors have the place and what is allowed. They never contain the text, which may be a secret.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rts_proto::AppId;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Longest name of a file, in bytes. A longer text may be the content of a key file.
const PATH_BYTES_MAX: usize = 255;

/// Deserialises a value from its text.
pub(super) fn one<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

/// Like [`one`], for a key that may be left out.
pub(super) fn optional<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    one(deserializer).map(Some)
}

/// Deserialises a list of texts. An error names the entry.
pub(super) fn list<'de, T, C, D>(deserializer: D) -> Result<C, D::Error>
where
    T: FromStr<Err: Display>,
    C: FromIterator<T>,
    D: Deserializer<'de>,
{
    let texts = Texts { may_be_one: false, of: PhantomData };
    Ok(deserializer.deserialize_seq(texts)?.into_iter().collect())
}

/// Like [`list`], but a text is a list of one.
pub(super) fn one_or_more<'de, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(Texts { may_be_one: true, of: PhantomData })
}

/// Deserialises a table whose names are app ids. An invalid name is not shown: it may be a key at
/// the wrong place.
pub(super) fn by_app_id<'de, T, D>(deserializer: D) -> Result<BTreeMap<AppId, T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_map(ByAppId(PhantomData))
}

/// Deserialises the name of a file. The content of a key file is refused, so that errors may show
/// the name.
pub(super) fn path<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PathBuf>, D::Error> {
    let path = PathBuf::from(String::deserialize(deserializer)?);
    if !is_path(&path) {
        return Err(D::Error::custom(
            "write the name of a file here, and not its content; only the server should be able to \
             read the file",
        ));
    }
    Ok(Some(path))
}

fn is_path(path: &Path) -> bool {
    let text = path.to_string_lossy();
    text.len() <= PATH_BYTES_MAX && !text.contains(char::is_control) && !text.contains("-----BEGIN")
}

struct Texts<T> {
    may_be_one: bool,
    of: PhantomData<T>,
}

impl<'de, T: FromStr<Err: Display>> Visitor<'de> for Texts<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.may_be_one { "a text, or a list of texts" } else { "a list of texts" })
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if !self.may_be_one {
            return Err(E::invalid_type(serde::de::Unexpected::Str(text), &self));
        }
        Ok(vec![text.parse().map_err(E::custom)?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Self::Value, A::Error> {
        let mut parsed = Vec::new();
        while let Some(value) =
            texts.next_element_seed(Entry { number: parsed.len() + 1, of: PhantomData })?
        {
            parsed.push(value);
        }
        Ok(parsed)
    }
}

/// An entry of a list, by its number from 1.
struct Entry<T> {
    number: usize,
    of: PhantomData<T>,
}

impl<'de, T: FromStr<Err: Display>> DeserializeSeed<'de> for Entry<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

// An error of the visitor has the line of the entry. Made later, it would have that of the list.
impl<T: FromStr<Err: Display>> Visitor<'_> for Entry<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(|error| E::custom(format!("entry {}: {error}", self.number)))
    }
}

struct ByAppId<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ByAppId<T> {
    type Value = BTreeMap<AppId, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table [apps.APPID] for each app")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut apps: A) -> Result<Self::Value, A::Error> {
        let mut parsed = BTreeMap::new();
        while let Some(app_id) = apps.next_key_seed(Name)? {
            parsed.insert(app_id, apps.next_value()?);
        }
        Ok(parsed)
    }
}

/// The name of an app's table.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = AppId;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<AppId, D::Error> {
        let text = String::deserialize(deserializer)?;
        AppId::new(&text).map_err(|error| D::Error::custom(format!("[apps.APPID]: {error}")))
    }
}
