//! Errors of a configuration never show its values: any value may be a secret, or a secret at the
//! wrong place.

use rts_server::Config;

/// A configuration in which each value has a recognisable mark.
const CONFIG: &str = r#"
listen = "127.0.0.1:0"
reserved_uids = ["Marked0uid"]
shards = 2
state_dir = "state"
[apps.123456781234567812345678]
keys = ["Marked1key-of-an-app", "Marked2key-of-an-app"]
[apps.123456781234567812345678.app_server]
allow = ["https://marked3.example/Marked3"]
networks = ["10.0.0.0/8"]
forwarding_key = "Marked4forwarding"
content_type = "text/Marked5"
[apps.123456781234567812345678.webhook]
url = "https://marked6.example/Marked6"
secret = "Marked7webhook-secret"
[limits]
sends_per_second = 100
[openapi]
listen = "127.0.0.1:0"
[[openapi.bearer_keys]]
name = "Marked8name"
key = "Marked9bearer-key"
apps = ["123456781234567812345678"]
[[openapi.access_keys]]
id = "Marked10id"
secret = "Marked11access-secret"
apps = ["123456781234567812345678"]
[cluster]
name = "marked12"
node = "node13"
nats = "nats://marked14.example:4222"
user = "Marked15user"
password = "Marked16password"
ca_file = "Marked17.pem"
arbiter = "static"
[cluster.set]
secret = "Marked18cluster-secret"
generation = 1
nodes = { node13 = 2 }
"#;

const APP: &str = "123456781234567812345678";

/// The error in all its formats. `None` if the configuration is valid.
fn error(text: &str, variables: &[(&str, &str)]) -> Option<String> {
    let variables = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
    let error = Config::parse_with(text, variables).err()?;
    Some(format!("{error}\n{error:?}"))
}

/// The errors after each of `others` has replaced this value.
fn instead(value: &str, others: &[&str]) -> Vec<String> {
    assert!(CONFIG.contains(value), "{value}");
    let texts = others.iter().map(|other| CONFIG.replacen(value, other, 1));
    texts.filter_map(|text| error(&text, &[])).collect()
}

#[test]
fn value_of_wrong_type_is_not_shown() {
    let shown = instead(
        "[\"Marked1key-of-an-app\", \"Marked2key-of-an-app\"]",
        &[
            "[[\"Marked\"]]",
            "[12345678]",
            "12345678",
            "[\"a\", \"b\", \"Marked\"]",
            "{ Marked = \"Marked\" }",
            "1979-05-27",
            "Marked",
            "\"Marked",
            "[\"Marked",
            "[\"Marked\" \"Marked\"]",
            "\"Marked\" Marked",
        ],
    );
    assert_eq!(shown.len(), 11);
    for error in &shown {
        assert!(!error.contains("Marked") && !error.contains("12345678,"), "{error}");
        assert!(
            error.contains("line 7, column ")
                || error.contains("line 8, column 1:")
                || error.contains("one key is needed"),
            "{error}"
        );
    }
    let kinds = "line 7, column 9, apps.123456781234567812345678.keys: invalid type: list, expected a string";
    assert!(shown[0].starts_with(kinds), "{}", shown[0]);
    for secret in ["Marked4forwarding", "Marked7webhook-secret", "Marked9bearer-key"] {
        let quoted = format!("{secret:?}");
        for error in instead(&quoted, &[&format!("[{quoted}]"), "12345678", "{ a = \"Marked\" }"]) {
            assert!(!error.contains("Marked") && !error.contains("12345678`"), "{error}");
            assert!(error.contains("invalid type: ") && error.contains("line "), "{error}");
        }
    }
}

#[test]
fn invalid_value_is_not_shown() {
    for (value, other) in [
        ("\"127.0.0.1:0\"", "\"Marked\""),
        ("\"Marked0uid\"", "\"a\", \"Marked uid\""),
        ("https://marked3.example", "http://marked3.example"),
        ("10.0.0.0/8", "Marked"),
        ("text/Marked5", "text/Marked\\n"),
        ("https://marked6.example", "ftp://marked6.example"),
        ("Marked7webhook-secret", "Marked"),
        ("Marked8name", "Marked name"),
        ("Marked9bearer-key", "Marked"),
        ("[\"123456781234567812345678\"]\n[[openapi.acc", "[\"Marked\"]\n[[openapi.acc"),
        (
            "[apps.123456781234567812345678]",
            "[apps.Marked-is-a-key-at-the-wrong-place]\nkeys = []\n[apps.123456781234567812345678]",
        ),
        // It could be the name of a key, but not of an app.
        (
            "[apps.123456781234567812345678]",
            "[apps.marked]\nkeys = []\n[apps.123456781234567812345678]",
        ),
        ("sends_per_second = 100", "sends_per_second = \"Marked\""),
        ("sends_per_second = 100", "Marked = 1"),
        ("sends_per_second = 100", "exempt_networks = [\"Marked\"]"),
        ("listen = \"127.0.0.1:0\"\nreserved", "listen = [{ url = \"Marked://x\" }]\nreserved"),
        (
            "listen = \"127.0.0.1:0\"\nreserved",
            "listen = [{ url = \"ws://127.0.0.1:0\", origins = [\"Marked\"] }]\nreserved",
        ),
        (
            "listen = \"127.0.0.1:0\"\nreserved",
            "listen = [{ url = \"rtss://127.0.0.1:0\", certificate = \"c\", key = \"-----BEGIN PRIVATE KEY-----Marked\" }]\nreserved",
        ),
    ] {
        let shown = instead(value, &[other]);
        assert_eq!(shown.len(), 1, "{other}");
        assert!(!shown[0].to_lowercase().contains("marked"), "{other}: {}", shown[0]);
    }
}

#[test]
fn entry_of_a_list_is_named_with_its_line() {
    for (value, other, place) in [
        (
            "\"Marked0uid\"",
            "\"a\",\n  \"b c\"",
            "line 4, column 3, reserved_uids: entry 2: the user id",
        ),
        (
            "\"10.0.0.0/8\"",
            "\"10.0.0.0/8\", \"10.0.0.1/8\"",
            "line 10, column 27, apps.123456781234567812345678.app_server.networks: entry 2: a network is written",
        ),
        (
            "\"Marked2key-of-an-app\"",
            "\"\"",
            "line 7, column 33, apps.123456781234567812345678.keys: entry 2: the key is empty",
        ),
    ] {
        let shown = instead(value, &[other]);
        assert!(shown[0].starts_with(place), "{}", shown[0]);
    }
    let variable = ("RTS__RESERVED_UIDS", "[\"a\", \"b c\"]");
    let place =
        "reserved_uids (the file, with RTS__RESERVED_UIDS of the environment over it): entry 2: ";
    assert!(error(CONFIG, &[variable]).expect("a space").starts_with(place));
}

#[test]
fn no_typing_error_shows_a_value() {
    assert_eq!(error(CONFIG, &[]), None);
    let mut count = 0;
    for (at, _) in CONFIG.char_indices() {
        for slip in ["", "\"", "'", "[", "]", "{", "=", ",", ".", "\n", " ", "#", "1"] {
            let rest = if slip.is_empty() { &CONFIG[at + 1..] } else { &CONFIG[at..] };
            let text = format!("{}{slip}{rest}", &CONFIG[..at]);
            if let Some(error) = error(&text, &[]) {
                assert!(!error.to_lowercase().contains("marked"), "{slip:?} at {at}: {error}");
                count += 1;
            }
        }
    }
    assert!(count > 1_000, "only {count} slips are errors");
}

#[test]
fn no_environment_variable_shows_its_value() {
    let keys = format!("RTS__APPS__{APP}__KEYS");
    let mut secret = format!("RTS__APPS__{APP}__WEBHOOK__SECRET");
    for (name, value, place) in [
        (keys.as_str(), "[\"Marked\", 5]", "apps.123456781234567812345678.keys"),
        (&keys, "[[\"Marked\"]]", "apps.123456781234567812345678.keys"),
        (&keys, "[\"Marked", "KEYS: the key alone is expected, or a list such as [\"KEY\"]"),
        (&keys, "{\"a\":\"Marked\"}", "KEYS: the key alone is expected"),
        (&secret, "{\"a\":\"Marked\"}", "SECRET: the text alone is expected"),
        (&keys, "", "KEYS of the environment over it): the key is empty"),
        (&secret, "[\"Marked\"]", "webhook.secret"),
        (&secret, "Marked", "WEBHOOK__SECRET of the environment over it): at least 16"),
        (
            "RTS__OPENAPI__BEARER_KEYS",
            "[{ name = \"Marked\", key = \"Marked-bearer-key\" }]",
            "missing field",
        ),
        ("RTS__OPENAPI__BEARER_KEYS", "Marked", "openapi.bearer_keys"),
        ("RTS__LIMITS__SENDS_PER_SECOND", "Marked", "limits.sends_per_second"),
        ("RTS__LIMITS__SENDS_PER_SECOND", "-1", "expected a whole number from 0 to 4294967295"),
        ("RTS__LIMITS", "Marked", "invalid type: string, expected a table"),
        ("RTS__OPENAPI__BEARER_KEYS", "[\"Marked\"]", "invalid type: string, expected a table"),
        ("RTS__OPENAPI__BEARER_KEYS", "{ a = 1 }", "invalid type: table, expected a list"),
        ("RTS__LISTEN", "Marked", "listen"),
        ("RTS__CLUSTER__NATS", "nats://Marked@host", "cluster.nats"),
        ("RTS__CLUSTER__PASSWORD", "[\"Marked\"", "PASSWORD: the text alone is expected"),
        ("RTS__CLUSTER__TOKEN", "Marked", "cluster: write one login for NATS"),
        ("RTS__CLUSTER__ARBITER", "Marked", "cluster.arbiter"),
        ("RTS__CLUSTER__SET__NODES", "{ Marked = 1 }", "cluster.set.nodes"),
    ] {
        let error = error(CONFIG, &[(name, value)]).expect(value);
        assert!(error.contains(place) && !error.contains("Marked"), "{value}: {error}");
    }
    let in_name = error(CONFIG, &[("RTS__APPS__marked__KEYS", "a key")]).expect("no app id");
    let place =
        "apps (the file, with RTS__APPS__…__KEYS of the environment over it): [apps.APPID]: ";
    assert!(in_name.starts_with(place) && !in_name.contains("marked"), "{in_name}");
    secret.push_str("__MORE");
    assert!(error(CONFIG, &[(&secret, "1")]).expect("no section").contains(&secret));
}

#[test]
fn single_key_is_a_list_of_one() {
    let text =
        CONFIG.replacen("[\"Marked1key-of-an-app\", \"Marked2key-of-an-app\"]", "\"one\"", 1);
    let keys = |config: &Config| -> Vec<String> {
        config.apps[APP].keys.iter().map(|key| key.expose().to_owned()).collect()
    };
    assert_eq!(keys(&Config::parse(&text).expect("a valid configuration")), ["one"]);
    for value in ["0123456789", "a key", "\"a key\"", "[\"a key\"]"] {
        let variable = (format!("RTS__APPS__{APP}__KEYS"), value.to_owned());
        let config = Config::parse_with(CONFIG, [variable]).expect("a valid configuration");
        let wanted = value.trim_matches(['[', ']']).trim_matches('"');
        assert_eq!(keys(&config), [wanted]);
    }
}

#[test]
fn key_of_two_apps_is_refused() {
    let other = "[apps.aaaaaaaaaaaaaaaaaaaaaaaa]\nkeys = ";
    for (keys, is_shared) in [("\"Marked2key-of-an-app\"", true), ("\"Marked2key\"", false)] {
        let text = CONFIG.replacen("[limits]", &format!("{other}{keys}\n[limits]"), 1);
        let error = error(&text, &[]);
        assert_eq!(error.is_some(), is_shared, "{error:?}");
        let error = error.unwrap_or_default();
        let ids = error.contains(APP) && error.contains("apps.aaaaaaaaaaaaaaaaaaaaaaaa.keys");
        assert!(!is_shared || ids, "{error}");
        assert!(!error.contains("Marked"), "{error}");
    }
}

#[test]
fn files_are_relative_to_the_configuration() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let path = folder.path().join("rts.toml");
    let listen =
        "[[listen]]\nurl = \"rtss://127.0.0.1:0\"\ncertificate = \"c.pem\"\nkey = \"/k.pem\"";
    let ca = format!("[apps.{APP}.app_server]\nca_file = \"../ca.pem\"");
    let cluster = "[cluster]\nname = \"c\"\nnode = \"a\"\nnats = \"nats://h\"\n\
                   creds_file = \"rts.creds\"\nca_file = \"/ca.pem\"";
    let top = "state_dir = \"state\"";
    let text = format!("{top}\n{listen}\n[apps.{APP}]\nkeys = \"k\"\n{ca}\n{cluster}");
    std::fs::write(&path, text).expect("a file");
    let config = Config::load(&path).expect("a valid configuration");
    let listen = &config.listen[0];
    assert_eq!(listen.certificate, Some(folder.path().join("c.pem")));
    assert_eq!(listen.key, Some("/k.pem".into()));
    assert_eq!(config.apps[APP].app_server.ca_file, Some(folder.path().join("../ca.pem")));
    assert_eq!(config.state_dir, Some(folder.path().join("state")));
    let cluster = config.cluster.expect("a node");
    assert_eq!(cluster.creds_file, Some(folder.path().join("rts.creds")));
    assert_eq!(cluster.ca_file, Some("/ca.pem".into()));
}
