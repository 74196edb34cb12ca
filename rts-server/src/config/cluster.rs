//! The cluster of which the server is a node.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use rts_cluster::view::{ClusterName, NodeName};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{ClusterSecret, ConfigError, NatsPassword, text};
use crate::cluster::{NatsConfig, NatsLogin, NatsUrl, StaticSet};

/// The section `[cluster]`. Without it the server is in no cluster.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Cluster {
    /// The name of the cluster, which all its nodes have. It is part of subjects and of a stream
    /// in NATS.
    #[serde(deserialize_with = "cluster_name")]
    pub name: ClusterName,
    /// The name of this node, which no other node of the cluster has.
    #[serde(deserialize_with = "node_name")]
    pub node: NodeName,
    /// The servers of one NATS cluster. In TOML, one URL or a list.
    #[serde(deserialize_with = "text::one_or_more")]
    pub nats: Vec<NatsUrl>,
    /// The NATS user.
    pub user: Option<String>,
    /// The password of the NATS user.
    #[serde(default, deserialize_with = "text::optional")]
    pub password: Option<NatsPassword>,
    /// A token in place of user and password.
    #[serde(default, deserialize_with = "text::optional")]
    pub token: Option<NatsPassword>,
    /// A file with the seed of an NKey.
    #[serde(default, deserialize_with = "text::path")]
    pub nkey_seed_file: Option<PathBuf>,
    /// A file with a JWT and its key.
    #[serde(default, deserialize_with = "text::path")]
    pub creds_file: Option<PathBuf>,
    /// The certificate authorities to trust, in PEM; those of the system without a file. A file
    /// demands TLS.
    #[serde(default, deserialize_with = "text::path")]
    pub ca_file: Option<PathBuf>,
    /// The certificate of this node for NATS, with its chain, in PEM.
    #[serde(default, deserialize_with = "text::path")]
    pub certificate_file: Option<PathBuf>,
    /// The private key of the certificate, in PEM.
    #[serde(default, deserialize_with = "text::path")]
    pub key_file: Option<PathBuf>,
    /// The NATS servers that store the register, if this node makes it: 1, 3 or 5.
    #[serde(default = "one_replica")]
    pub replicas: u8,
    /// What keeps the view of the cluster.
    #[serde(default)]
    pub arbiter: ArbiterKind,
    /// What a node does that a majority does not hear.
    #[serde(default, deserialize_with = "isolation")]
    pub isolation: Isolation,
    /// At a drain, the links that the node closes in a second.
    #[serde(default = "drain_links_per_second")]
    pub drain_links_per_second: NonZeroU32,
    /// The longest time of a drain before the end of the process, in seconds. 0 does not drain.
    #[serde(default = "drain_seconds_max")]
    pub drain_seconds_max: u32,
    /// The members, for [`ArbiterKind::Static`] only.
    pub set: Option<FixedSet>,
}

/// What keeps the view of a cluster.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ArbiterKind {
    /// A stream of JetStream.
    #[default]
    Nats,
    /// Nothing: the members are fixed. A node that ends cannot come back before all start anew.
    Static,
}

/// What a node does that a majority of its cluster does not hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Isolation {
    /// It does nothing until it is heard again, and ends its sessions after 25 s.
    #[default]
    Freeze,
}

/// The section `[cluster.set]`: the members of a fixed cluster. All nodes have the same one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FixedSet {
    /// Text that users do not know.
    #[serde(deserialize_with = "text::one")]
    pub secret: ClusterSecret,
    /// A number that is greater each time all nodes start anew.
    pub generation: u64,
    /// The number of shards of each node, by the node's name.
    #[serde(deserialize_with = "nodes")]
    pub nodes: BTreeMap<NodeName, u8>,
}

impl Cluster {
    /// A node of a cluster whose register is in NATS. It does not log in to NATS.
    #[must_use]
    pub fn new(name: ClusterName, node: NodeName, nats: Vec<NatsUrl>) -> Self {
        Self {
            name,
            node,
            nats,
            user: None,
            password: None,
            token: None,
            nkey_seed_file: None,
            creds_file: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            replicas: one_replica(),
            arbiter: ArbiterKind::Nats,
            isolation: Isolation::Freeze,
            drain_links_per_second: drain_links_per_second(),
            drain_seconds_max: drain_seconds_max(),
            set: None,
        }
    }

    pub(super) fn files_mut(&mut self) -> impl Iterator<Item = &mut Option<PathBuf>> {
        [
            &mut self.nkey_seed_file,
            &mut self.creds_file,
            &mut self.ca_file,
            &mut self.certificate_file,
            &mut self.key_file,
        ]
        .into_iter()
    }

    /// Files with secrets.
    pub(super) fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.nkey_seed_file, &self.creds_file, &self.key_file];
        files.into_iter().flatten().map(PathBuf::as_path)
    }

    /// Whether what nodes send each other, and a password, may be readable on the network.
    pub(super) fn may_be_plain(&self) -> bool {
        self.ca_file.is_none() && self.nats.iter().any(NatsUrl::may_be_plain)
    }

    /// Checks what concerns several keys. `shards` is the number of shards of this node.
    pub(super) fn check(&self, has_state_dir: bool, shards: usize) -> Result<(), ConfigError> {
        let error = |key: &str, what: &str| {
            Err(ConfigError::Value { key: key.to_owned(), what: what.to_owned() })
        };
        if self.nats.is_empty() {
            return error("cluster.nats", "at least one is needed: nats = \"nats://HOST:PORT\"");
        }
        if !has_state_dir {
            return error(
                "state_dir",
                "a node of a cluster needs it, for the proof that its process before has ended: \
                 name a directory that only this node uses, such as state_dir = \"/var/lib/rts\"",
            );
        }
        self.login()?;
        if self.certificate_file.is_some() != self.key_file.is_some() {
            let what = "certificate_file and key_file belong together: write both, or neither";
            return error("cluster.certificate_file", what);
        }
        if !matches!(self.replicas, 1 | 3 | 5) {
            let what = "1, 3 or 5: not more than there are NATS servers";
            return error("cluster.replicas", what);
        }
        match (self.arbiter, &self.set) {
            (ArbiterKind::Nats, None) => Ok(()),
            (ArbiterKind::Nats, Some(_)) => error(
                "cluster.set",
                "only arbiter = \"static\" uses it; remove the section, or set the arbiter",
            ),
            (ArbiterKind::Static, None) => error(
                "cluster.set",
                "arbiter = \"static\" needs it: secret, generation, and nodes with their shards",
            ),
            (ArbiterKind::Static, Some(set)) => self.check_set(set, shards),
        }
    }

    fn check_set(&self, set: &FixedSet, shards: usize) -> Result<(), ConfigError> {
        let key = "cluster.set.nodes".to_owned();
        let what = match set.nodes.get(&self.node).copied().map(usize::from) {
            Some(count) if count == shards => {
                let invalid = set.members().view(rts_cluster::wire::VERSION).err();
                return match invalid {
                    Some(error) => Err(ConfigError::Value { key, what: error.to_string() }),
                    None => Ok(()),
                };
            }
            Some(_) => {
                "the number of this node's shards is another one than its key shards, which must be \
                 a number here"
            }
            None => "this node is not among them: the key node is its name",
        };
        Err(ConfigError::Value { key, what: what.to_owned() })
    }

    /// How the node logs in to NATS.
    fn login(&self) -> Result<NatsLogin, ConfigError> {
        let Self { user, password, token, nkey_seed_file, creds_file, .. } = self;
        let logins = [
            user.is_some() || password.is_some(),
            token.is_some(),
            nkey_seed_file.is_some(),
            creds_file.is_some(),
        ];
        let error = |what: &str| {
            Err(ConfigError::Value { key: "cluster".to_owned(), what: what.to_owned() })
        };
        if logins.into_iter().filter(|login| *login).count() > 1 {
            return error(
                "write one login for NATS: user and password, token, nkey_seed_file or creds_file",
            );
        }
        Ok(match (user, password, token, nkey_seed_file, creds_file) {
            (Some(user), Some(password), ..) => {
                NatsLogin::User { user: user.clone(), password: password.clone() }
            }
            (Some(_), None, ..) | (None, Some(_), ..) => {
                return error("user and password belong together: write both, or neither");
            }
            (_, _, Some(token), ..) => NatsLogin::Token(token.clone()),
            (_, _, _, Some(file), _) => NatsLogin::NkeySeedFile(file.clone()),
            (.., Some(file)) => NatsLogin::CredsFile(file.clone()),
            (None, None, None, None, None) => NatsLogin::None,
        })
    }

    /// How the node gets to NATS.
    pub(crate) fn nats_config(&self) -> Result<NatsConfig, ConfigError> {
        Ok(NatsConfig {
            cluster: self.name.clone(),
            servers: self.nats.clone(),
            login: self.login()?,
            ca_file: self.ca_file.clone(),
            identity: self.certificate_file.clone().zip(self.key_file.clone()),
            replicas: self.replicas,
        })
    }
}

impl FixedSet {
    /// The members of a fixed cluster.
    #[must_use]
    pub fn new(secret: ClusterSecret, generation: u64, nodes: BTreeMap<NodeName, u8>) -> Self {
        Self { secret, generation, nodes }
    }

    pub(crate) fn members(&self) -> StaticSet {
        let nodes = self.nodes.iter().map(|(name, shards)| (name.clone(), *shards));
        StaticSet::new(self.secret.expose().as_bytes(), self.generation, nodes.collect())
    }
}

fn one_replica() -> u8 {
    1
}

fn drain_links_per_second() -> NonZeroU32 {
    const { NonZeroU32::new(500).expect("not 0") }
}

fn drain_seconds_max() -> u32 {
    60
}

fn cluster_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ClusterName, D::Error> {
    ClusterName::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn node_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NodeName, D::Error> {
    NodeName::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

fn isolation<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Isolation, D::Error> {
    match &*String::deserialize(deserializer)? {
        "freeze" => Ok(Isolation::Freeze),
        "serve" => Err(D::Error::custom(
            "\"serve\" is not there, because two parts of a cluster would decide about one user: \
             only \"freeze\" is allowed",
        )),
        other => Err(D::Error::unknown_variant(other, &["freeze"])),
    }
}

fn nodes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<NodeName, u8>, D::Error> {
    let nodes = BTreeMap::<String, u8>::deserialize(deserializer)?;
    let named = nodes.into_iter().map(|(name, shards)| Ok((NodeName::new(&name)?, shards)));
    named
        .collect::<Result<_, _>>()
        .map_err(|error: rts_cluster::view::BadName| D::Error::custom(error))
}

#[cfg(test)]
mod tests;
