//! The configuration of a core, as it is recorded at the beginning of a trace.

use std::num::NonZeroUsize;
use std::time::Duration;

use rts_proto::client::{self, Parameters, Timing};
use rts_proto::server::{Placement, ShardId};
use rts_proto::{AppId, UserId, server};
use serde::{Deserialize, Serialize};

use super::homes::Homes;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum CoreConfig {
    Client { app_id: String, parameters: Vec<Duration> },
    Server(ServerConfig),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ServerConfig {
    rates: Vec<u32>,
    room_members_max: usize,
    links_before_login_max: usize,
    users_remembered_max: usize,
    times: Vec<Duration>,
    reserved_uids: Vec<String>,
    reported_apps: Vec<String>,
    shard: ShardId,
    shards: usize,
    placement_seed: u64,
    homes: Option<Homes>,
    joins_cluster: bool,
}

impl CoreConfig {
    pub(crate) fn of_client(config: &client::Config) -> Self {
        // The level of the log has no influence on a core.
        let parameters = Timing::ALL.iter().map(|timing| config.parameters.get(*timing)).collect();
        Self::Client { app_id: config.app_id.as_str().to_owned(), parameters }
    }

    pub(crate) fn of_server(config: &server::Config) -> Self {
        let server::Config {
            sends_per_second,
            broadcasts_per_second,
            server_sends_per_second,
            status_queries_per_second,
            joins_per_second,
            logins_per_second,
            room_broadcasts_per_second,
            large_room_broadcasts_per_second,
            backend_sends_per_second,
            room_members_max,
            links_before_login_max,
            users_remembered_max,
            login_deadline,
            unreachable_after,
            session_grace,
            post_wait,
            post_timeout,
            reserved_uids,
            reported_apps,
            placement,
            homes,
            joins_cluster,
            // The test below fails if a field is not recorded.
            ..
        } = config;
        Self::Server(ServerConfig {
            rates: vec![
                *sends_per_second,
                *broadcasts_per_second,
                *server_sends_per_second,
                *status_queries_per_second,
                *room_broadcasts_per_second,
                *large_room_broadcasts_per_second,
                *backend_sends_per_second,
                *joins_per_second,
                *logins_per_second,
            ],
            room_members_max: room_members_max.get(),
            links_before_login_max: links_before_login_max.get(),
            users_remembered_max: *users_remembered_max,
            times: vec![
                *login_deadline,
                *unreachable_after,
                *session_grace,
                *post_wait,
                *post_timeout,
            ],
            reserved_uids: reserved_uids.iter().map(|uid| uid.as_str().to_owned()).collect(),
            reported_apps: reported_apps.iter().map(|id| id.as_str().to_owned()).collect(),
            shard: placement.own(),
            shards: placement.count(),
            placement_seed: placement.seed(),
            homes: homes.as_ref().map(Homes::of),
            joins_cluster: *joins_cluster,
        })
    }
}

/// The recorded configuration of a client. `None` if a field is missing or an id is invalid.
pub(crate) fn client_config(app_id: &str, times: &[Duration]) -> Option<client::Config> {
    let times = <&[Duration; Timing::ALL.len()]>::try_from(times).ok()?;
    let mut parameters = Parameters::default();
    for (timing, time) in Timing::ALL.iter().zip(times) {
        parameters.set(*timing, *time).ok()?;
    }
    let mut config = client::Config::new(AppId::new(app_id).ok()?);
    config.parameters = parameters;
    Some(config)
}

impl ServerConfig {
    /// The configuration. `None` if a field is missing, a bound is 0 or an id is
    /// invalid.
    pub(crate) fn config(&self) -> Option<server::Config> {
        let [
            sends,
            broadcasts,
            server_sends,
            status_queries,
            room_broadcasts,
            large_room,
            backend,
            joins,
            logins,
        ] = *<&[u32; 9]>::try_from(self.rates.as_slice()).ok()?;
        let [login_deadline, unreachable_after, session_grace, post_wait, post_timeout] =
            *<&[Duration; 5]>::try_from(self.times.as_slice()).ok()?;
        let reserved = self.reserved_uids.iter().map(|uid| UserId::new(uid));
        let reported = self.reported_apps.iter().map(|id| AppId::new(id));
        let mut config = server::Config::default();
        config.sends_per_second = sends;
        config.broadcasts_per_second = broadcasts;
        config.server_sends_per_second = server_sends;
        config.status_queries_per_second = status_queries;
        config.room_broadcasts_per_second = room_broadcasts;
        config.large_room_broadcasts_per_second = large_room;
        config.backend_sends_per_second = backend;
        config.joins_per_second = joins;
        config.logins_per_second = logins;
        config.room_members_max = NonZeroUsize::new(self.room_members_max)?;
        config.links_before_login_max = NonZeroUsize::new(self.links_before_login_max)?;
        config.users_remembered_max = self.users_remembered_max;
        config.login_deadline = login_deadline;
        config.unreachable_after = unreachable_after;
        config.session_grace = session_grace;
        config.post_wait = post_wait;
        config.post_timeout = post_timeout;
        config.reserved_uids = reserved.collect::<Result<_, _>>().ok()?;
        config.reported_apps = reported.collect::<Result<_, _>>().ok()?;
        config.placement = Placement::new(self.shard, self.shards, self.placement_seed)?;
        config.homes = match &self.homes {
            Some(homes) => Some(homes.table()?),
            None => None,
        };
        config.joins_cluster = self.joins_cluster;
        Some(config)
    }
}

#[cfg(test)]
mod tests {
    use rts_proto::server::{HomeTable, NodeNumber};

    use super::*;

    /// A configuration in which no field has its default value.
    fn changed() -> server::Config {
        let mut config = server::Config::default();
        let rates = [
            &mut config.sends_per_second,
            &mut config.broadcasts_per_second,
            &mut config.server_sends_per_second,
            &mut config.status_queries_per_second,
            &mut config.joins_per_second,
            &mut config.logins_per_second,
            &mut config.room_broadcasts_per_second,
            &mut config.large_room_broadcasts_per_second,
            &mut config.backend_sends_per_second,
        ];
        (1_001..).zip(rates).for_each(|(n, rate)| *rate = n);
        config.room_members_max = NonZeroUsize::new(2_001).expect("not 0");
        config.links_before_login_max = NonZeroUsize::new(2_002).expect("not 0");
        config.users_remembered_max = 2_003;
        let times = [
            &mut config.login_deadline,
            &mut config.unreachable_after,
            &mut config.session_grace,
            &mut config.post_wait,
            &mut config.post_timeout,
        ];
        (3_001..).zip(times).for_each(|(n, time)| *time = Duration::from_millis(n));
        config.reserved_uids = [UserId::new("shop").expect("well formed")].into();
        config.reported_apps = [AppId::new(&"a".repeat(24)).expect("well formed")].into();
        let shard = ShardId::new(1).expect("valid");
        config.placement = Placement::new(shard, 3, 7).expect("valid");
        let node = |number| NodeNumber::new(number).expect("valid");
        config.homes = HomeTable::new(5, [(node(0), 3), (node(7), 1)], |slot| node(slot % 2 * 7));
        config.joins_cluster = true;
        config
    }

    fn recorded(config: &server::Config) -> ServerConfig {
        let CoreConfig::Server(recorded) = CoreConfig::of_server(config) else {
            panic!("a server's configuration");
        };
        recorded
    }

    #[test]
    fn each_field_of_a_server_is_recorded() {
        let (default, changed) = (server::Config::default(), changed());
        let fields = |config: &server::Config| -> Vec<String> {
            let shown = format!("{config:#?}");
            // A field begins at the fifth column. What is deeper belongs to it.
            shown.split("\n    ").map(str::to_owned).fold(Vec::new(), |mut fields, part| {
                match fields.last_mut() {
                    Some(last) if !part.starts_with(char::is_alphabetic) => last.push_str(&part),
                    _ => fields.push(part),
                }
                fields
            })
        };
        for (default, changed) in fields(&default).iter().zip(&fields(&changed)).skip(1) {
            assert_ne!(default, changed, "`changed` has the default of a field");
        }
        assert_eq!(recorded(&changed).config(), Some(changed));
    }
}
