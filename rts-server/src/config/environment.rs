//! Environment variables that override a configuration file: `RTS__LIMITS__SENDS_PER_SECOND=0`.

use std::ffi::OsString;

use toml::{Table, Value};

use super::ConfigError;
use super::names::{APPS, SEPARATOR, shown_variable};

/// The prefix of all variables of the configuration.
const PREFIX: &str = "RTS__";

/// The keys of an app are a string or a list. Every other secret is a string.
const KEYS: &str = "keys";

/// Names of secrets. A secret is always a string, even if it looks like another TOML value.
pub(super) const SECRETS: [&str; 6] =
    [KEYS, "key", "secret", "forwarding_key", "password", "token"];

/// The variables of this process.
pub(super) fn of_process() -> Result<Vec<(String, String)>, ConfigError> {
    let of_ours = |(name, value): (OsString, OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with(PREFIX))?;
        let is_no_text = |_| error(&name, "its value is not UTF-8");
        let value = value.into_string().map_err(is_no_text);
        Some(value.map(|value| (name, value)))
    };
    std::env::vars_os().filter_map(of_ours).collect()
}

/// The `variables` that belong to the configuration.
pub(super) fn ours(variables: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect()
}

/// Overrides a value of the file with one variable. Its value is parsed as TOML, and is a string if
/// it is not valid TOML.
pub(super) fn overlay(table: &mut Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let error = |what: &str| error(name, what);
    let path = name.strip_prefix(PREFIX).unwrap_or(name);
    let mut keys: Vec<String> = Vec::new();
    for key in path.split(SEPARATOR) {
        if key.is_empty() {
            return Err(error("a name is missing; write RTS__SECTION__KEY"));
        }
        match keys.last() {
            Some(section) if section == APPS => keys.push(key.to_owned()),
            _ => keys.push(key.to_ascii_lowercase()),
        }
    }
    let Some(last) = keys.pop() else { return Err(error("a name is missing")) };
    let mut section = table;
    for key in keys {
        let entry = section.entry(key).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = entry else {
            return Err(error("this is a value and not a table of keys"));
        };
        section = inner;
    }
    let value = match SECRETS.contains(&last.as_str()) {
        true => secret(value).ok_or_else(|| {
            let wanted = match last == KEYS {
                true => "the key alone is expected, or a list such as [\"KEY\"]",
                false => "the text alone is expected, or in quotes, \"TEXT\"",
            };
            error(&format!(
                "{wanted}; this begins like another value of TOML or JSON, or is incomplete"
            ))
        })?,
        false => toml(value).unwrap_or_else(|| Value::from(value)),
    };
    section.insert(last, value);
    Ok(())
}

fn error(name: &str, what: &str) -> ConfigError {
    let name = shown_variable(name);
    ConfigError::Value { key: format!("environment variable {name}"), what: what.to_owned() }
}

/// The value of a secret. Digits are a string here too. Returns `None` for a table, an object, or
/// an unfinished list or quoted string: as a key it would match no token.
fn secret(value: &str) -> Option<Value> {
    match toml(value) {
        Some(value @ (Value::String(_) | Value::Array(_))) => Some(value),
        _ if value.trim_start().starts_with(['[', '{', '"', '\'']) => None,
        _ => Some(Value::from(value)),
    }
}

fn toml(value: &str) -> Option<Value> {
    let parsed: Result<Table, _> = toml::from_str(&format!("value = {value}"));
    let alone = parsed.ok().filter(|table| table.len() == 1);
    alone.and_then(|mut table| table.remove("value"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaid(variables: &[(&str, &str)]) -> Table {
        let mut table: Table =
            toml::from_str("listen = \"a\"\n[limits]\nx = 1\ny = 2").expect("TOML");
        for (name, value) in variables {
            overlay(&mut table, name, value).expect(name);
        }
        table
    }

    #[test]
    fn variable_replaces_one_value_only() {
        let table = overlaid(&[("RTS__LIMITS__X", "7"), ("RTS__LISTEN", "127.0.0.1:1")]);
        let wanted = "listen = \"127.0.0.1:1\"\n[limits]\nx = 7\ny = 2";
        assert_eq!(table, toml::from_str(wanted).expect("TOML"));
    }

    #[test]
    fn creates_sections_and_keeps_case_of_app_ids() {
        let table = overlaid(&[("RTS__APPS__abcDEF__KEYS", "[\"a\", \"b\"]")]);
        let keys = &table["apps"]["abcDEF"]["keys"];
        assert_eq!(keys, &Value::Array(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn value_cannot_add_other_keys() {
        let table = overlaid(&[("RTS__LISTEN", "1\nreserved_uids = []")]);
        assert_eq!(table["listen"], Value::from("1\nreserved_uids = []"));
        assert!(!table.contains_key("reserved_uids"));
    }

    #[test]
    fn secret_is_always_a_string() {
        for key in ["0123456789012345", "true", "1979-05-27", "6.02e23", "a=b", "a{b}"] {
            let table = overlaid(&[("RTS__APPS__A__KEYS", key), ("RTS__LIMITS__X", "7")]);
            assert_eq!(table["apps"]["A"]["keys"], Value::from(key));
            assert_eq!(table["limits"]["x"], Value::from(7));
        }
        for broken in [
            "[\"the-secret-itself",
            "[the-secret-itself]",
            "\"the-secret-itself",
            "'x",
            "{\"a\":\"the-secret-itself\"}",
            " { a = 'the-secret-itself' }",
            "{the-secret-itself",
        ] {
            for (name, expected) in [
                ("WEBHOOK__SECRET", "the text alone is expected, or in quotes, \"TEXT\""),
                ("KEYS", "the key alone is expected, or a list such as [\"KEY\"]"),
            ] {
                let name = format!("RTS__APPS__123456781234567812345678__{name}");
                let error = overlay(&mut Table::new(), &name, broken).expect_err(broken);
                let error = error.to_string();
                assert!(error.contains(&format!("{name}: {expected}")), "{error}");
                assert!(!error.contains("itself"), "{error}");
            }
        }
        // A key that begins with `{` must be put into a list.
        let table = overlaid(&[("RTS__APPS__A__KEYS", "['{\"a\"}']")]);
        assert_eq!(table["apps"]["A"]["keys"], Value::Array(vec!["{\"a\"}".into()]));
    }

    #[test]
    fn invalid_variable_name_is_named_in_error() {
        let mut table = Table::new();
        for name in ["RTS__", "RTS____X", "RTS__LIMITS__"] {
            let error = overlay(&mut table, name, "1").expect_err(name).to_string();
            assert!(error.contains(name), "{error}");
        }
        table.insert("listen".into(), "x".into());
        assert!(overlay(&mut table, "RTS__LISTEN__PORT", "1").is_err());
    }
}
