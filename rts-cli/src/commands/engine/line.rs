//! One input line: its fields and its answer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, Visitor};
use serde::{Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

/// Deepest nesting of a `ref`. Many JSON parsers have a bound.
const REF_DEPTH_MAX: usize = 100;

/// The unparsed fields of a line. An error in one field does not affect the others.
#[derive(Default)]
pub(super) struct Fields<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

/// The answer to a line.
#[derive(Serialize)]
pub(super) struct Answer {
    /// Copied verbatim, because a number may have more digits than any type here.
    #[serde(rename = "ref")]
    reference: Box<RawValue>,
    #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
    returned: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Answer {
    pub(super) fn new(reference: Box<RawValue>, result: Result<Value, String>) -> Self {
        let (returned, error) = match result {
            Ok(value) => (Some(value), None),
            Err(error) => (None, Some(error)),
        };
        Self { reference, returned, error }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl<'a> Fields<'a> {
    /// Reads the fields of a line, up to the first error.
    pub(super) fn read(line: &'a str) -> (Self, Result<(), String>) {
        let mut fields = Self::default();
        // Some programs begin their output with a byte order mark.
        let line = line.strip_prefix('\u{feff}').unwrap_or(line);
        let mut json = serde_json::Deserializer::from_str(line);
        let read = Reading(&mut fields).deserialize(&mut json).and_then(|()| json.end());
        if read.is_err()
            && !fields.0.contains_key("ref")
            && let Some(reference) = reference_behind_a_mistake(line)
        {
            fields.0.insert("ref".into(), reference);
        }
        (fields, read.map_err(|error| format!("bad JSON: {error}")))
    }

    pub(super) fn reference(&self) -> Result<Box<RawValue>, String> {
        let Some(raw) = self.0.get("ref") else { return Ok(RawValue::NULL.to_owned()) };
        if depth(raw.get()) > REF_DEPTH_MAX {
            return Err(format!("field \"ref\" is nested deeper than {REF_DEPTH_MAX}"));
        }
        // A carriage return between values has no meaning, and would end a line for some readers.
        RawValue::from_string(raw.get().replace('\r', " ")).map_err(|error| error.to_string())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(super) fn text(&self, name: &str) -> Result<String, String> {
        let raw = self.0.get(name).ok_or_else(|| format!("field {name:?} is missing"))?;
        if !raw.get().starts_with('"') {
            return Err(format!("field {name:?} must be a string"));
        }
        parse(raw).map_err(|error| format!("field {name:?}: {error}"))
    }

    pub(super) fn bytes(&self, name: &str) -> Result<Vec<u8>, String> {
        let decoded = BASE64_STANDARD.decode(self.text(name)?);
        decoded.map_err(|error| format!("field {name:?}: {error}"))
    }

    /// A missing number counts as 0, and so does anything else.
    pub(super) fn number(&self, name: &str) -> i64 {
        self.0.get(name).and_then(|raw| parse(raw).ok()).unwrap_or_default()
    }

    /// A JSON object, or a string that holds one.
    pub(super) fn object(&self, name: &str) -> Result<String, String> {
        match self.0.get(name).map(|raw| raw.get()) {
            Some(object) if object.starts_with('{') => Ok(object.to_owned()),
            Some(text) if text.starts_with('"') => self.text(name),
            Some(_) => Err(format!("field {name:?} must be an object, or a string holding one")),
            None => Err(format!("field {name:?} is missing")),
        }
    }
}

fn parse<T: DeserializeOwned>(raw: &RawValue) -> Result<T, serde_json::Error> {
    serde_json::from_str(raw.get())
}

/// The nesting depth of a JSON text.
fn depth(json: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' if !in_text => depth += 1,
            b']' | b'}' if !in_text => depth -= 1,
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// The presumed `ref` of a line that is not JSON. It is answered, so that the caller does not wait
/// forever.
fn reference_behind_a_mistake(line: &str) -> Option<&RawValue> {
    const NAME: &str = "\"ref\"";
    let mut values = line.match_indices(NAME).filter_map(|(at, _)| {
        // Inside a string the quotes would be escaped.
        let is_name = line[..at].trim_ascii_end().ends_with([',', '{']);
        line[at + NAME.len()..].trim_ascii_start().strip_prefix(':').filter(|_| is_name)
    });
    serde_json::Deserializer::from_str(values.next()?).into_iter().next()?.ok()
}

/// Keeps the fields that were read before an error.
struct Reading<'f, 'a>(&'f mut Fields<'a>);

impl<'a> DeserializeSeed<'a> for Reading<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Reading<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a call, which is a JSON object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some((name, value)) = map.next_entry()? {
            self.0.0.insert(name, value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reference(line: &str) -> String {
        Fields::read(line).0.reference().expect("a ref").get().to_owned()
    }

    #[test]
    fn ref_is_copied_verbatim() {
        for raw in [
            "1",
            "18446744073709551617",
            "-0.10e+400",
            r#""\ud83d""#,
            r#""\u00e9 é""#,
            r#"{"b":1,"a":[1,2, 3]}"#,
            "null",
        ] {
            assert_eq!(reference(&format!(r#"{{"ref":{raw},"call":"logout"}}"#)), raw);
        }
        assert_eq!(reference("{}"), "null");
        assert_eq!(reference("{\"ref\":[1,\r2]}"), "[1, 2]");
    }

    #[test]
    fn answer_has_ref_then_result() {
        let reference = || RawValue::from_string("18446744073709551617".to_owned()).expect("JSON");
        let answer = |result| Answer::new(reference(), result).to_string();
        assert_eq!(answer(Ok(Value::Null)), r#"{"ref":18446744073709551617,"return":null}"#);
        assert_eq!(answer(Err("no".to_owned())), r#"{"ref":18446744073709551617,"error":"no"}"#);
    }

    #[test]
    fn ref_is_found_before_an_error() {
        for rest in [r#","a":"b"#, ",\"a\":\"\u{1}\"}", r#","a":1}}"#, r#","\ud83d":1}"#, ",", ""] {
            let line = format!(r#"{{"ref":7{rest}"#);
            let (fields, read) = Fields::read(&line);
            assert!(read.is_err_and(|error| error.starts_with("bad JSON: ")), "{line}");
            assert_eq!(fields.reference().expect("a ref").get(), "7", "{line}");
        }
    }

    #[test]
    fn ref_is_found_behind_an_error() {
        for mistake in ["\"a\":\"\t\"", "\"a\":01", "\"a\":NaN", r#""a":"\x41""#, r#""\ud83d":1"#] {
            let line = format!(r#"{{{mistake}, "ref" : "7" }}"#);
            let (fields, read) = Fields::read(&line);
            assert!(read.is_err(), "{line}");
            assert_eq!(fields.reference().expect("a ref").get(), "\"7\"", "{line}");
        }
        for line in [r#"{"a":01,"b":",\"ref\":7"}"#, r#"{"a":01,"ref":}"#, r#"{"a":01,"ref"}"#, "x"]
        {
            assert_eq!(reference(line), "null", "{line}");
        }
    }

    #[test]
    fn ref_depth_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + "\"[\\\"[\"" + &"]".repeat(depth);
        let line = |depth: usize| format!(r#"{{"ref":{}}}"#, nested(depth));
        assert_eq!(reference(&line(REF_DEPTH_MAX)), nested(REF_DEPTH_MAX));
        let deeper = line(REF_DEPTH_MAX + 1);
        assert!(Fields::read(&deeper).0.reference().is_err());
        assert!(
            Fields::read(&line(100_000)).0.reference().is_err(),
            "deep nesting does not exhaust the stack"
        );
    }

    #[test]
    fn error_names_its_field() {
        let line =
            r#"{"ref":1,"lone":"\ud83d","pair":"\ud83d\ude00","number":5,"twice":1,"twice":"2"}"#;
        let (fields, read) = Fields::read(line);
        read.expect("JSON");
        assert!(fields.text("lone").is_err_and(|error| error.starts_with("field \"lone\": ")));
        assert_eq!(fields.text("pair").as_deref(), Ok("\u{1f600}"));
        assert!(fields.text("number").is_err_and(|error| error.contains("must be a string")));
        assert!(fields.text("none").is_err_and(|error| error.contains("is missing")));
        assert_eq!(fields.text("twice").as_deref(), Ok("2"), "the last one counts");
    }

    #[test]
    fn anything_but_an_integer_is_number_0() {
        let number = |raw: &str| {
            let line = format!(r#"{{"config":{raw}}}"#);
            Fields::read(&line).0.number("config")
        };
        assert_eq!((number("2"), number("-1")), (2, -1));
        for raw in ["1.0", "1e400", "18446744073709551616", "null", "\"1\""] {
            assert_eq!(number(raw), 0, "{raw}");
        }
    }

    #[test]
    fn byte_order_mark_and_blanks_are_ignored() {
        for line in ["\u{feff}{\"ref\":1}", "{\"ref\":1}\r", "  {\"ref\":1}\t"] {
            assert_eq!(reference(line), "1", "{line:?}");
        }
    }
}
