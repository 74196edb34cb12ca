//! What clients and back ends are allowed: rates and bounds.

use rts_proto::server;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Rates and bounds. A rate of 0 means no limit.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Messages to users a second from one user.
    pub sends_per_second: u32,
    /// Broadcasts a second from one user.
    pub broadcasts_per_second: u32,
    /// Messages to the app's server a second from one user.
    pub server_sends_per_second: u32,
    /// Status queries a second from one user.
    pub status_queries_per_second: u32,
    /// Rooms a second that one user may enter. At least 256 may be entered at once after quiet.
    pub joins_per_second: u32,
    /// Logins a second of one user.
    pub logins_per_second: u32,
    /// Broadcasts a second in a room of fewer than 500 members.
    pub room_broadcasts_per_second: u32,
    /// The same from 500 members on.
    pub large_room_broadcasts_per_second: u32,
    /// Messages a second from the back end of one app, all kinds together; one to n members of a
    /// room counts n.
    pub backend_sends_per_second: u32,
    /// Members of one room.
    pub room_members_max: usize,
    /// Links that have not logged in.
    pub links_before_login_max: usize,
    /// The same from one network, which is an IPv4 address or 64 bits of an IPv6 address; a quarter
    /// of all if it is absent.
    pub links_before_login_per_network_max: Option<usize>,
    /// Links from one network.
    pub links_per_network_max: usize,
    /// New links a second from one network, five times as many at once after quiet.
    pub links_per_network_per_second: u32,
    /// Handshakes of TLS and WebSocket that begin a second, of all networks together, five times as
    /// many at once after quiet. More wait for their turn.
    pub handshakes_per_second: u32,
    /// Networks from which any number of links may come, at any rate, up to the bounds of all, such
    /// as those of proxies.
    pub exempt_networks: Vec<String>,
}

/// Links from one network, unless configured otherwise.
const LINKS_PER_NETWORK_MAX: usize = 10_000;
/// New ones a second, unless configured otherwise. With TLS each costs the server a signature.
const LINKS_PER_NETWORK_PER_SECOND: u32 = 200;
/// Handshakes that begin a second, unless configured otherwise: no limit. They give way to messages
/// in any case, and after a restart all users make theirs at once.
const HANDSHAKES_PER_SECOND: u32 = 0;

impl Default for Limits {
    fn default() -> Self {
        let core = server::Config::default();
        Self {
            sends_per_second: core.sends_per_second,
            broadcasts_per_second: core.broadcasts_per_second,
            server_sends_per_second: core.server_sends_per_second,
            status_queries_per_second: core.status_queries_per_second,
            joins_per_second: core.joins_per_second,
            logins_per_second: core.logins_per_second,
            room_broadcasts_per_second: core.room_broadcasts_per_second,
            large_room_broadcasts_per_second: core.large_room_broadcasts_per_second,
            backend_sends_per_second: core.backend_sends_per_second,
            room_members_max: core.room_members_max,
            links_before_login_max: core.links_before_login_max,
            links_before_login_per_network_max: None,
            links_per_network_max: LINKS_PER_NETWORK_MAX,
            links_per_network_per_second: LINKS_PER_NETWORK_PER_SECOND,
            handshakes_per_second: HANDSHAKES_PER_SECOND,
            exempt_networks: Vec::new(),
        }
    }
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, value) in [
            ("room_members_max", self.room_members_max),
            ("links_before_login_max", self.links_before_login_max),
            ("links_before_login_per_network_max", self.before_login_per_network()),
            ("links_per_network_max", self.links_per_network_max),
        ] {
            if value == 0 {
                let what =
                    "at least 1 is needed: 0 would let nobody in, and only a rate of 0 is no limit";
                return Err(ConfigError::Value {
                    key: format!("limits.{key}"),
                    what: what.to_owned(),
                });
            }
        }
        self.link_bounds(None).map(drop)
    }

    /// As the core has them.
    pub(super) fn core(&self) -> server::Config {
        server::Config {
            sends_per_second: self.sends_per_second,
            broadcasts_per_second: self.broadcasts_per_second,
            server_sends_per_second: self.server_sends_per_second,
            status_queries_per_second: self.status_queries_per_second,
            joins_per_second: self.joins_per_second,
            logins_per_second: self.logins_per_second,
            room_broadcasts_per_second: self.room_broadcasts_per_second,
            large_room_broadcasts_per_second: self.large_room_broadcasts_per_second,
            backend_sends_per_second: self.backend_sends_per_second,
            room_members_max: self.room_members_max,
            links_before_login_max: self.links_before_login_max,
            ..server::Config::default()
        }
    }
}
