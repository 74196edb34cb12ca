//! Environment variables over a configuration file: `RTS__LIMITS__SENDS_PER_SECOND=0`.

use toml::{Table, Value};

use super::ConfigError;

/// Every variable that begins so is one of ours.
const PREFIX: &str = "RTS__";
/// Between the names of a section and of what is in it.
const SEPARATOR: &str = "__";
/// What is in this section has names with small and capital letters.
const APPS: &str = "apps";

/// Those of `variables` that are for the configuration.
pub(super) fn ours(variables: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect()
}

/// Puts one variable over what the file says. Its value is read as TOML, and as a text if it is none.
pub(super) fn overlay(table: &mut Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let error = |what: &str| ConfigError::Value {
        key: format!("environment variable {name}"),
        what: what.to_owned(),
    };
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
            return Err(error("this is a value, and has no keys inside"));
        };
        section = inner;
    }
    section.insert(last, parse(value));
    Ok(())
}

fn parse(value: &str) -> Value {
    let parsed: Result<Table, _> = toml::from_str(&format!("value = {value}"));
    let alone = parsed.ok().filter(|table| table.len() == 1);
    alone.and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::from(value))
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
    fn a_variable_replaces_one_value_and_leaves_the_rest() {
        let table = overlaid(&[("RTS__LIMITS__X", "7"), ("RTS__LISTEN", "127.0.0.1:1")]);
        let wanted = "listen = \"127.0.0.1:1\"\n[limits]\nx = 7\ny = 2";
        assert_eq!(table, toml::from_str(wanted).expect("TOML"));
    }

    #[test]
    fn sections_come_into_being_and_app_ids_keep_their_letters() {
        let table = overlaid(&[("RTS__APPS__abcDEF__KEYS", "[\"a\", \"b\"]")]);
        let keys = &table["apps"]["abcDEF"]["keys"];
        assert_eq!(keys, &Value::Array(vec!["a".into(), "b".into()]));
    }

    #[test]
    fn a_value_cannot_bring_other_keys_with_it() {
        let table = overlaid(&[("RTS__LISTEN", "1\nreserved_uids = []")]);
        assert_eq!(table["listen"], Value::from("1\nreserved_uids = []"));
        assert!(!table.contains_key("reserved_uids"));
    }

    #[test]
    fn a_name_that_names_nothing_is_said() {
        let mut table = Table::new();
        for name in ["RTS__", "RTS____X", "RTS__LIMITS__"] {
            let error = overlay(&mut table, name, "1").expect_err(name).to_string();
            assert!(error.contains(name), "{error}");
        }
        table.insert("listen".into(), "x".into());
        assert!(overlay(&mut table, "RTS__LISTEN__PORT", "1").is_err());
    }
}
