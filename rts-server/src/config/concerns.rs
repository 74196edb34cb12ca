//! Warnings about a configuration that is valid but risky.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::app::{DEV_APP_KEY, EXAMPLE_APP_KEY};
use super::environment::SECRETS;
use super::{Cluster, Config, ForwardingKey};

/// Shorter keys can be guessed.
const KEY_BYTES_MIN: usize = 16;
/// Read and write permission for users other than the owner and the group.
#[cfg(unix)]
const OTHERS_MODE: u32 = 0o006;

impl Config {
    /// Warnings about values that are valid but risky. Each has the place and the remedy, and
    /// contains no key.
    #[must_use]
    pub fn concerns(&self) -> Vec<String> {
        let mut concerns = Vec::new();
        // Without an OpenAPI there are no bans.
        if self.openapi.is_some() && self.state_dir.is_none() {
            concerns.push(
                "state_dir: it is not set, so bans and revoked tokens are lost on restart; name a \
                 directory that this server may write to, such as state_dir = \"/var/lib/rts\""
                    .to_owned(),
            );
        }
        for (id, app) in &self.apps {
            let forwarding_key = app.app_server.forwarding_key.as_ref();
            let forwarding_key = forwarding_key.map(ForwardingKey::expose);
            let keys = app.keys.iter().map(|key| (key.expose(), "keys"));
            for (key, name) in
                keys.chain(forwarding_key.map(|key| (key, "app_server.forwarding_key")))
            {
                let place = format!("apps.{id}.{name}");
                if [EXAMPLE_APP_KEY, DEV_APP_KEY].contains(&key) {
                    concerns.push(format!("{place}: this key is public; set a key of your own"));
                } else if key.len() < KEY_BYTES_MIN {
                    concerns.push(format!(
                        "{place}: a key of {} bytes can be guessed; make one of {KEY_BYTES_MIN} or more, \
                         such as `openssl rand -hex 32` prints",
                        key.len()
                    ));
                }
            }
        }
        if self.cluster.as_ref().is_some_and(Cluster::may_be_plain) {
            concerns.push(
                "cluster.nats: without TLS others on the network can read all messages between \
                 nodes; write tls:// in place of nats://, unless the network is your own"
                    .to_owned(),
            );
        }
        let file = self.file.as_deref().filter(|file| holds_secrets(file));
        let keys = self.listen.iter().filter_map(|listen| listen.key.as_deref());
        // Listeners may share a key file.
        let of_cluster = self.cluster.iter().flat_map(Cluster::secret_files);
        let files: BTreeSet<&Path> = file.into_iter().chain(keys).chain(of_cluster).collect();
        for file in files {
            concerns.extend(open_to_others(file, "keys"));
        }
        concerns
    }
}

/// Describes the permissions of a file with secrets, if users other than the owner may read or
/// change it. `what` names the secrets, such as "keys". Returns `None` where the system has no such
/// permissions.
#[cfg(not(unix))]
#[must_use]
pub fn open_to_others(_: &Path, _: &str) -> Option<String> {
    None
}

/// Describes the permissions of a file with secrets, if users other than the owner may read or
/// change it. `what` names the secrets, such as "keys".
#[cfg(unix)]
#[must_use]
pub fn open_to_others(file: &Path, what: &str) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = fs::metadata(file).ok()?.permissions().mode() & OTHERS_MODE;
    let may = match mode {
        0 => return None,
        0o004 => "read",
        0o002 => "change",
        _ => "read and change",
    };
    let file = file.display();
    Some(format!(
        "{file}: every user of this machine may {may} it, and it contains {what}; chmod o= {file}"
    ))
}

/// Whether the file itself, without the environment, contains a key.
fn holds_secrets(file: &Path) -> bool {
    let table = fs::read_to_string(file).ok().and_then(|text| text.parse::<Table>().ok());
    table.is_some_and(|table| {
        // The `key` of a listener is the name of a file.
        let mut sections = table.iter().filter(|(name, _)| *name != "listen");
        sections.any(|(_, value)| has_secret(value))
    })
}

fn has_secret(value: &Value) -> bool {
    match value {
        Value::Table(table) => {
            table.iter().any(|(name, value)| SECRETS.contains(&name.as_str()) || has_secret(value))
        }
        Value::Array(values) => values.iter().any(has_secret),
        _ => false,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const APP: &str = "123456781234567812345678";

    fn concerns(keys: &str) -> Vec<String> {
        let text = format!("listen = \"127.0.0.1:1\"\n[apps.{APP}]\nkeys = {keys}\n");
        Config::parse(&text).expect("a valid configuration").concerns()
    }

    #[test]
    fn public_key_causes_warning() {
        for (keys, count) in [
            (r#"["a key of my own"]"#, 1),
            (r#"["a key of my own."]"#, 0),
            (r#"["a key of my own.", "replace this"]"#, 1),
            (&format!("[{DEV_APP_KEY:?}, \"replace this\"]"), 2),
        ] {
            assert_eq!(concerns(keys).len(), count, "{keys}");
        }
        let example = Config::parse(Config::EXAMPLE).expect("a valid configuration");
        assert!(example.concerns()[0].contains("this key is public"));
    }

    #[test]
    fn short_key_causes_warning_without_the_key() {
        assert_eq!(concerns("\"sixteen-bytes-16\""), Vec::<String>::new());
        let short = concerns("\"sixteen-bytes16\"");
        assert_eq!(short.len(), 1);
        assert!(short[0].starts_with(&format!("apps.{APP}.keys: a key of 15 bytes")), "{short:?}");
        assert!(!short[0].contains("sixteen-bytes"), "{short:?}");
        let text =
            format!("\"sixteen-bytes-16\"\n[apps.{APP}.app_server]\nforwarding_key = \"short\"");
        assert!(concerns(&text)[0].starts_with(&format!("apps.{APP}.app_server.forwarding_key: ")));
    }

    #[test]
    fn readable_key_files_cause_warnings() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let (config, key) = (folder.path().join("rts.toml"), folder.path().join("key.pem"));
        let listen = "[[listen]]\nurl = \"rtss://127.0.0.1:0\"\ncertificate = \"c.pem\"\nkey = \"key.pem\"\n";
        let app = format!("[apps.{APP}]\nkeys = \"sixteen-bytes-16\"\n");
        fs::write(&config, format!("{listen}{app}")).expect("a file");
        fs::write(&key, "").expect("a file");
        let chmod = |file: &Path, mode| {
            fs::set_permissions(file, fs::Permissions::from_mode(mode))
                .expect("a file of this user");
        };
        for (mode, may) in [(0o640, None), (0o644, Some("read")), (0o642, Some("change"))] {
            for (file, other) in [(&config, &key), (&key, &config)] {
                chmod(other, 0o600);
                chmod(file, mode);
                let concerns = Config::load(&config).expect("a valid configuration").concerns();
                assert_eq!(concerns.len(), usize::from(may.is_some()), "{concerns:?}");
                if let Some(may) = may {
                    let begin =
                        format!("{}: every user of this machine may {may} it", file.display());
                    assert!(concerns[0].starts_with(&begin), "{concerns:?}");
                }
            }
        }
    }

    #[test]
    fn missing_state_dir_with_openapi_causes_warning() {
        let openapi = format!(
            "[openapi]\nlisten = \"127.0.0.1:1\"\n[[openapi.bearer_keys]]\nname = \"b\"\n\
             key = \"sixteen-bytes-or-more\"\napps = [\"{APP}\"]\n"
        );
        for (state_dir, openapi, count) in
            [("", &*openapi, 1), ("state_dir = \"state\"\n", &openapi, 0), ("", "", 0)]
        {
            let text = format!(
                "listen = \"127.0.0.1:1\"\n{state_dir}[apps.{APP}]\nkeys = \"sixteen-bytes-16\"\n{openapi}"
            );
            let concerns = Config::parse(&text).expect("a valid configuration").concerns();
            assert_eq!(concerns.len(), count, "{concerns:?}");
            assert!(concerns.iter().all(|concern| concern.starts_with("state_dir: ")));
        }
    }

    #[test]
    fn shared_key_file_causes_one_warning() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let (config, key) = (folder.path().join("rts.toml"), folder.path().join("key.pem"));
        let listen = |port| {
            format!(
                "[[listen]]\nurl = \"rtss://127.0.0.1:{port}\"\ncertificate = \"c.pem\"\nkey = \"key.pem\"\n"
            )
        };
        let app = format!("[apps.{APP}]\nkeys = \"sixteen-bytes-16\"\n");
        fs::write(&config, format!("{}{}{app}", listen(1), listen(2))).expect("a file");
        fs::write(&key, "").expect("a file");
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600))
            .expect("a file of this user");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("a file of this user");
        assert_eq!(Config::load(&config).expect("a valid configuration").concerns().len(), 1);
    }

    #[test]
    fn nats_without_tls_causes_warning_unless_it_is_on_this_machine() {
        let with = |url: &str, more: &str| {
            let text = format!(
                "listen = \"127.0.0.1:1\"\nstate_dir = \"s\"\n[apps.{APP}]\n\
                 keys = \"a key of my own.\"\n[cluster]\nname = \"c\"\nnode = \"a\"\n\
                 nats = {url:?}\n{more}"
            );
            Config::parse(&text).expect("a valid configuration").concerns()
        };
        for url in ["nats://127.0.0.1", "nats://[::1]:4222", "tls://10.0.0.5"] {
            assert_eq!(with(url, ""), Vec::<String>::new(), "{url}");
        }
        for url in ["nats://10.0.0.5", "nats://nats.internal:4222"] {
            assert!(with(url, "")[0].starts_with("cluster.nats: without TLS"), "{url}");
        }
        assert_eq!(with("nats://10.0.0.5", "ca_file = \"ca.pem\""), Vec::<String>::new());
    }

    #[test]
    fn login_file_for_nats_that_others_may_read_causes_warning() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("nats.creds");
        fs::write(&file, "").expect("a file");
        let text = format!(
            "listen = \"127.0.0.1:1\"\nstate_dir = \"s\"\n[apps.{APP}]\n\
             keys = \"a key of my own.\"\n[cluster]\nname = \"c\"\nnode = \"a\"\n\
             nats = \"tls://10.0.0.5\"\ncreds_file = {file:?}\n"
        );
        let config = Config::parse(&text).expect("a valid configuration");
        for (mode, count) in [(0o600, 0), (0o644, 1)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("an own file");
            assert_eq!(config.concerns().len(), count, "{mode:o}");
        }
    }

    #[test]
    fn file_without_keys_may_be_readable() {
        for (text, has) in [
            ("listen = \"x\"\n[[listen_]]\nname = \"k\"", false),
            ("[[listen]]\nkey = \"key.pem\"", false),
            ("[apps.A]\nkeys = []", true),
            ("[apps.A.webhook]\nsecret = \"x\"", true),
            ("[[openapi.bearer_keys]]\nkey = \"x\"", true),
        ] {
            let folder = tempfile::TempDir::new().expect("a folder");
            let file = folder.path().join("rts.toml");
            fs::write(&file, text).expect("a file");
            assert_eq!(holds_secrets(&file), has, "{text}");
        }
    }
}
