//! The whole configuration: read from a file and the environment, then checked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rts_proto::server::Placement;
use rts_proto::{AppId, UserId, server};
use serde::Deserialize;
use toml::Table;

use super::app::{App, DEV_APP_ID};
use super::cluster::Cluster;
use super::limits::Limits;
use super::listen::{self, Listen};
use super::openapi::OpenApi;
use super::{ConfigError, ShardCount, TokenKey, environment, text};

/// A server's configuration. It is read from a TOML file and the environment, or made in code. The
/// type of a value refuses what is invalid. [`check`](Self::check) refuses values that contradict
/// each other.
///
/// [`Config::EXAMPLE`] has every key of the file:
///
/// ```
/// let config = rts_server::Config::parse(rts_server::Config::EXAMPLE)?;
/// assert_eq!(config.limits.sends_per_second, 100);
/// # Ok::<(), rts_server::ConfigError>(())
/// ```
///
/// A program that embeds a server can make the configuration in code:
///
/// ```
/// use rts_server::{App, Config, Listen, Server, TokenKey};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut app = App::new(TokenKey::new("a long random text: your app key")?);
/// app.app_server.allow.push("https://app.example/rts".parse()?);
///
/// let listen = Listen::plain("127.0.0.1:0".parse()?);
/// let mut config = Config::new(listen, "123456781234567812345678".parse()?, app);
/// config.reserved_uids.insert("system".parse()?);
/// config.limits.sends_per_second = 50;
///
/// let server = Server::bind(&config).await?;
/// println!("clients connect to rts://{}", server.local_addr());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Config {
    /// Listeners for clients. In TOML, `listen = "IP:PORT"` is short for one listener for plain
    /// TCP.
    #[serde(default, deserialize_with = "listen::listeners")]
    pub listen: Vec<Listen>,
    /// Allows listeners without TLS on an address that is not loopback.
    #[serde(default)]
    pub allow_public_plaintext: bool,
    /// The number of shards.
    #[serde(default)]
    pub shards: ShardCount,
    /// User ids that no client can log in with.
    #[serde(default, deserialize_with = "text::list")]
    pub reserved_uids: BTreeSet<UserId>,
    /// The directory for bans and revoked tokens, which then survive a restart. `None`: they are
    /// kept in memory only. [`Config::load`] takes a relative path as relative to the file.
    #[serde(default, deserialize_with = "text::path")]
    pub state_dir: Option<PathBuf>,
    /// The apps, by app id.
    #[serde(default, deserialize_with = "text::by_app_id")]
    pub apps: BTreeMap<AppId, App>,
    /// Rates and bounds.
    #[serde(default)]
    pub limits: Limits,
    /// The OpenAPI for back ends. `None`: there is none.
    pub openapi: Option<OpenApi>,
    /// The cluster of which the server is a node. `None`: it is in no cluster.
    pub cluster: Option<Cluster>,
    /// The file of the configuration, for [`concerns`](Self::concerns).
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

impl Config {
    /// A server with one listener and one app, and with defaults for everything else.
    #[must_use]
    pub fn new(listen: Listen, app_id: AppId, app: App) -> Self {
        Self {
            listen: vec![listen],
            allow_public_plaintext: false,
            shards: ShardCount::CORES,
            reserved_uids: BTreeSet::new(),
            state_dir: None,
            apps: BTreeMap::from([(app_id, app)]),
            limits: Limits::default(),
            openapi: None,
            cluster: None,
            file: None,
        }
    }

    /// The configuration of `rts serve --dev`: loopback, and one app whose key is public.
    #[must_use]
    pub fn development(listen: SocketAddr) -> Self {
        let app_id = AppId::new(DEV_APP_ID).expect("24 digits");
        let mut config = Self::new(Listen::plain(listen), app_id, App::development());
        // Only this machine can connect, and it may simulate a crowd.
        config.limits.exempt_networks =
            ["127.0.0.0/8", "::1/128"].map(|text| text.parse().expect("a network")).into();
        config
    }

    /// An example file with every key, its default and its meaning.
    pub const EXAMPLE: &str = include_str!("../../rts.toml");

    /// Reads a file, and overrides it with the environment of the process: `RTS__SECTION__KEY`.
    /// Names of files in it are relative to its folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(ConfigError::Read)?;
        let mut config = Self::parse_with(&text, environment::of_process()?)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in config.files_mut() {
            *file = folder.join(&*file);
        }
        config.file = Some(path.to_owned());
        Ok(config)
    }

    fn files_mut(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let listeners = self.listen.iter_mut();
        let of_listeners = listeners.flat_map(|listen| [&mut listen.certificate, &mut listen.key]);
        let of_apps = self.apps.values_mut().map(|app| &mut app.app_server.ca_file);
        let of_cluster = self.cluster.iter_mut().flat_map(Cluster::files_mut);
        of_listeners.chain(of_apps).chain(of_cluster).chain([&mut self.state_dir]).flatten()
    }

    /// Parses a TOML text, and checks the rules that TOML cannot express.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        Self::parse_with(text, [])
    }

    /// Parses a TOML text, overrides it with the `variables` whose names begin with `RTS__`, and
    /// checks the rules that TOML cannot express.
    pub fn parse_with(
        text: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let variables = environment::ours(variables);
        let in_text = |error| ConfigError::in_text(text, error);
        let config: Self = if variables.is_empty() {
            // Without variables the errors can name the line.
            toml::from_str(text).map_err(in_text)?
        } else {
            let mut table: Table = toml::from_str(text).map_err(in_text)?;
            for (name, value) in &variables {
                environment::overlay(&mut table, name, value)?;
            }
            let names = || variables.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>();
            table.try_into().map_err(|error| ConfigError::overlaid(&names(), error))?
        };
        config.check()?;
        Ok(config)
    }

    /// Refuses values that contradict each other, and a server without a listener or an app.
    /// [`Server::bind`](crate::Server::bind) does this too.
    pub fn check(&self) -> Result<(), ConfigError> {
        let error = |key: String, what: &str| ConfigError::Value { key, what: what.to_owned() };
        if self.listen.is_empty() {
            return Err(error("listen".to_owned(), "at least one is needed: listen = \"IP:PORT\""));
        }
        for (at, listen) in self.listen.iter().enumerate() {
            listen.check(at, self.allow_public_plaintext)?;
        }
        if self.apps.is_empty() {
            return Err(error("apps".to_owned(), "at least one app is needed: [apps.APPID]"));
        }
        for (id, app) in &self.apps {
            app.check(id.as_str())?;
        }
        self.check_that_no_key_is_shared()?;
        if let Some(openapi) = &self.openapi {
            openapi.check(&self.apps)?;
        }
        if let Some(cluster) = &self.cluster {
            cluster.check(self.state_dir.is_some(), self.shards.get())?;
        }
        Ok(())
    }

    /// Refuses a key of two apps. The signature of a token does not cover its app id, so a token of
    /// one app would be valid for the other.
    fn check_that_no_key_is_shared(&self) -> Result<(), ConfigError> {
        let mut owners: BTreeMap<&TokenKey, &AppId> = BTreeMap::new();
        for (id, app) in &self.apps {
            for key in app.keys.iter() {
                let owner = *owners.entry(key).or_insert(id);
                if owner != id {
                    let what = format!(
                        "the app {owner} has this key too, so its tokens would be valid here; \
                         each app needs keys of its own"
                    );
                    return Err(ConfigError::Value { key: format!("apps.{id}.keys"), what });
                }
            }
        }
        Ok(())
    }

    /// The configuration of the core at this place.
    pub(crate) fn core(&self, placement: Placement) -> server::Config {
        let reports = self.apps.iter().filter(|(_, app)| app.webhook.is_some());
        let mut core = self.limits.core();
        core.reserved_uids = self.reserved_uids.clone();
        core.reported_apps = reports.map(|(id, _)| id.clone()).collect();
        core.placement = placement;
        core
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Config::parse(text).expect_err(text).to_string()
    }

    #[test]
    fn errors_name_the_fault_and_its_place_in_toml() {
        let app = "[apps.123456781234567812345678]\nkeys = [\"k\"]\n";
        assert!(error(&format!("listen = \"0.0.0.0:1\"\n{app}")).contains("not a loopback"));
        assert!(error(&format!("listen = \"127.0.0.1:1\"\nlisen = 1\n{app}")).contains("lisen"));
        assert!(error("listen = \"127.0.0.1:1\"\n[apps.short]\nkeys = [\"k\"]").contains("24"));
        for apps in ["[apps]", ""] {
            let none = error(&format!("listen = \"127.0.0.1:1\"\n{apps}"));
            assert_eq!(none, "apps: at least one app is needed: [apps.APPID]");
        }
        for listen in ["listen = []\n", ""] {
            let none = error(&format!("{listen}{app}"));
            assert_eq!(none, "listen: at least one is needed: listen = \"IP:PORT\"");
        }
        let twice = error(&format!("listen = \"127.0.0.1:1\"\n{app}[[listen]]\nurl = \"\""));
        assert!(twice.starts_with("line 4, column 3: listen occurs twice"), "{twice}");
        assert!(twice.contains("[[listen]] for every listener"), "{twice}");
        assert!(error(&format!("{app}keys = []")).contains("keys occurs twice"));
        let no_key = "listen = \"127.0.0.1:1\"\n[apps.123456781234567812345678]\nkeys = []";
        assert!(error(no_key).contains("one key is needed"));
        for key in [
            "room_members_max",
            "links_before_login_max",
            "links_before_login_per_network_max",
            "links_per_network_max",
        ] {
            let limits = |max| format!("listen = \"127.0.0.1:1\"\n{app}[limits]\n{key} = {max}");
            let place = format!("line 5, column {}, limits.{key}: ", key.len() + 4);
            let what = "invalid value: integer, expected at least 1: 0 would admit nobody";
            assert!(
                error(&limits(0)).starts_with(&format!("{place}{what}")),
                "{}",
                error(&limits(0))
            );
            assert!(Config::parse(&limits(1)).is_ok());
        }
    }

    #[test]
    fn the_example_has_every_limit_with_its_default() {
        let example = Config::parse(Config::EXAMPLE).expect("a valid configuration");
        let defaults = format!("{:#?}", Limits::default());
        assert_eq!(format!("{:#?}", example.limits), defaults);
        let fields = defaults.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(':'));
        for (limit, _) in fields.clone() {
            let is_there =
                |line: &str| line.trim_start_matches("# ").starts_with(&format!("{limit} = "));
            assert!(Config::EXAMPLE.lines().any(is_there), "{limit}");
        }
        assert_eq!(fields.count(), 16);
    }

    #[test]
    fn environment_overrides_file() {
        let variables = [
            ("RTS__LIMITS__SENDS_PER_SECOND", "7"),
            ("RTS__APPS__123456781234567812345678__KEYS", "[\"a\", \"b\"]"),
            ("RTS_LOG", "debug"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::parse_with(Config::EXAMPLE, variables).expect("a valid configuration");
        assert_eq!(config.limits.sends_per_second, 7);
        let keys = config.apps["123456781234567812345678"].keys.iter().map(TokenKey::expose);
        assert_eq!(keys.collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(config.limits.broadcasts_per_second, 65);
    }

    #[test]
    fn misspelt_variable_is_named_in_error() {
        let variable = ("RTS__LIMITS__SENDS".to_owned(), "7".to_owned());
        let error = Config::parse_with(Config::EXAMPLE, [variable]).expect_err("unknown");
        let error = error.to_string();
        let place = "limits (the file, with RTS__LIMITS__SENDS of the environment over it)";
        assert!(error.starts_with(&format!("{place}: unknown field `sends`")), "{error}");
    }

    #[test]
    fn public_plaintext_address_needs_explicit_permission() {
        let app = "[apps.123456781234567812345678]\nkeys = [\"k\"]\n";
        let text = format!("listen = \"0.0.0.0:1\"\nallow_public_plaintext = true\n{app}");
        assert!(Config::parse(&text).is_ok());
    }
}
