//! The configuration of a core, as it is recorded at the beginning of a trace.

use std::time::Duration;

use rts_proto::client::{self, Parameters, Timing};
use rts_proto::{AppId, UserId, server};
use serde::{Deserialize, Serialize};

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
}

impl CoreConfig {
    pub(crate) fn of_client(config: &client::Config) -> Self {
        // The level of the log has no influence on a core.
        let parameters = Timing::ALL.map(|timing| config.parameters.get(timing)).into();
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
            room_members_max: *room_members_max,
            links_before_login_max: *links_before_login_max,
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
        })
    }
}

/// The recorded configuration of a client. `None` if a field is missing or an id is invalid.
pub(crate) fn client_config(app_id: &str, times: &[Duration]) -> Option<client::Config> {
    let times = <&[Duration; Timing::ALL.len()]>::try_from(times).ok()?;
    let mut parameters = Parameters::default();
    for (timing, time) in Timing::ALL.into_iter().zip(times) {
        parameters.set(timing, *time).ok()?;
    }
    Some(client::Config { app_id: AppId::new(app_id).ok()?, parameters })
}

impl ServerConfig {
    /// The configuration. `None` if a field is missing or an id is invalid.
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
        Some(server::Config {
            sends_per_second: sends,
            broadcasts_per_second: broadcasts,
            server_sends_per_second: server_sends,
            status_queries_per_second: status_queries,
            room_broadcasts_per_second: room_broadcasts,
            large_room_broadcasts_per_second: large_room,
            backend_sends_per_second: backend,
            joins_per_second: joins,
            logins_per_second: logins,
            room_members_max: self.room_members_max,
            links_before_login_max: self.links_before_login_max,
            users_remembered_max: self.users_remembered_max,
            login_deadline,
            unreachable_after,
            session_grace,
            post_wait,
            post_timeout,
            reserved_uids: reserved.collect::<Result<_, _>>().ok()?,
            reported_apps: reported.collect::<Result<_, _>>().ok()?,
        })
    }
}
