//! The server of `rts serve --dev`: its listeners, its keys, and commands to try it.

use std::net::SocketAddr;

use anyhow::{anyhow, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rts_server::{
    AppServer, Config, DEV_APP_ID, DEV_APP_KEY, DEV_BEARER_KEY, Limits, Listen, OpenApi,
    OpenApiSecret, TokenKey,
};

use crate::dev_token::{dev_expiry, dev_token};
use crate::out::say;

/// The port for back ends, 7601, minus the port for clients, 7600.
const OPENAPI_PORTS_BEHIND: u16 = 1;
/// The port for browsers, 7680, minus the port for clients.
const WEB_SOCKET_PORTS_BEHIND: u16 = 80;
/// Bytes of a generated key.
const KEY_BYTES: usize = 32;

/// The users of the commands that are printed.
const PLAYERS: [(&str, &str); 2] = [("alice", "bob"), ("bob", "alice")];

pub(super) struct DevServer {
    listen: SocketAddr,
    openapi: SocketAddr,
    web_socket: SocketAddr,
    /// Generated keys. They replace the public keys if other machines can connect.
    own_keys: Option<Keys>,
}

struct Keys {
    app: TokenKey,
    bearer: OpenApiSecret,
}

impl DevServer {
    pub(super) fn new(
        listen: SocketAddr,
        openapi: Option<SocketAddr>,
        web_socket: Option<SocketAddr>,
    ) -> anyhow::Result<Self> {
        let behind = |ports: u16, option: &str| match listen.port() {
            // Port 0 chooses a free port, as for clients.
            0 => Ok(SocketAddr::new(listen.ip(), 0)),
            port => match port.checked_add(ports) {
                Some(port) => Ok(SocketAddr::new(listen.ip(), port)),
                None => bail!(
                    "--listen {listen} has no port {ports} above it: choose a lower port, or add {option} IP:PORT"
                ),
            },
        };
        let openapi = openapi.map_or_else(|| behind(OPENAPI_PORTS_BEHIND, "--openapi"), Ok)?;
        let web_socket =
            web_socket.map_or_else(|| behind(WEB_SOCKET_PORTS_BEHIND, "--web-socket"), Ok)?;
        let is_private = [listen, openapi, web_socket].iter().all(|at| at.ip().is_loopback());
        let own_keys = (!is_private).then(Keys::make).transpose()?;
        Ok(Self { listen, openapi, web_socket, own_keys })
    }

    /// Whether no other machine can reach it.
    pub(super) fn is_local(&self) -> bool {
        self.own_keys.is_none()
    }

    pub(super) fn config(&self) -> Config {
        let mut config = Config::development(self.listen);
        config.listen.push(Listen::development_web_socket(self.web_socket));
        let mut openapi = OpenApi::development(self.openapi);
        if let Some(keys) = &self.own_keys {
            config.allow_public_plaintext = true;
            config.limits = Limits::default();
            openapi.allow_public_plaintext = true;
            openapi.access_keys.clear();
            for bearer in &mut openapi.bearer_keys {
                bearer.key.clone_from(&keys.bearer);
            }
            for app in config.apps.values_mut() {
                app.keys = keys.app.clone().into();
                // Clients on other machines must not reach services on this machine.
                app.app_server = AppServer::default();
            }
        }
        config.openapi = Some(openapi);
        config
    }

    /// Prints how to use the server, which listens at `address`.
    pub(super) fn introduce(&self, address: SocketAddr) -> anyhow::Result<()> {
        // The program's name as it was called, so that the commands can be pasted.
        let rts = std::env::args().next().unwrap_or_else(|| "rts".to_owned());
        let url = format!("rts://{}", reachable(address));
        let (key, bearer) = match &self.own_keys {
            Some(keys) => (keys.app.expose(), keys.bearer.expose()),
            None => (DEV_APP_KEY, DEV_BEARER_KEY),
        };
        say(format_args!("app id     {DEV_APP_ID}\napp key    {key:?}\nbearer key {bearer}\n"))?;
        if self.own_keys.is_some() {
            tracing::warn!(
                "others can reach this server, and nothing is encrypted. It has generated its keys and prints \
                 them; for more than an experiment, use `rts serve --config FILE`"
            );
        }
        say("Two other terminals:\n")?;
        for (uid, peer) in PLAYERS {
            let token = dev_token(key, uid, dev_expiry()?)?;
            say(match &self.own_keys {
                None => format!("{rts} chat --url {url} --uid {uid} --to {peer} --token {token}\n"),
                Some(_) => format!("RTS_TOKEN={token} \\\n  {rts} chat --url {url} --to {peer}\n"),
            })?;
        }
        say(match &self.own_keys {
            None => format!(
                "Somebody else: {rts} chat --url {url} --dev carol --to alice\n\
                 A token alone: {rts} token new --dev carol"
            ),
            Some(_) => format!(
                "From another machine, write its name or address in --url. A token for somebody else:\n\n\
                 RTS_APP_KEY={key} \\\n  {rts} token new --app-id {DEV_APP_ID} --uid carol"
            ),
        })
    }
}

impl Keys {
    fn make() -> anyhow::Result<Self> {
        let key = || {
            let mut bytes = [0; KEY_BYTES];
            getrandom::fill(&mut bytes).map_err(|error| anyhow!("no random numbers: {error}"))?;
            anyhow::Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
        };
        Ok(Self { app: TokenKey::new(key()?)?, bearer: OpenApiSecret::new(key()?)? })
    }
}

/// An address that clients on this machine can connect to. The unspecified address is not one.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    match address {
        SocketAddr::V4(at) if at.ip().is_unspecified() => {
            address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        SocketAddr::V6(at) if at.ip().is_unspecified() => {
            address.set_ip(std::net::Ipv6Addr::LOCALHOST.into());
        }
        SocketAddr::V4(_) | SocketAddr::V6(_) => {}
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(listen: &str) -> DevServer {
        DevServer::new(listen.parse().expect("an address"), None, None).expect("random numbers")
    }

    #[test]
    fn reachable_server_has_generated_keys() {
        let keys_of = |server: &DevServer| {
            let config = server.config();
            config.check().expect("it can be served");
            let openapi = config.openapi.expect("it is there");
            assert_eq!(openapi.bearer_keys.len(), 1);
            let keys = config.apps[DEV_APP_ID].keys.iter().map(|key| key.expose().to_owned());
            (keys.collect::<Vec<_>>(), openapi.bearer_keys[0].key.expose().to_owned())
        };
        let known = (vec![DEV_APP_KEY.to_owned()], DEV_BEARER_KEY.to_owned());
        assert_eq!(keys_of(&at("127.0.0.1:7600")), known);
        assert_eq!(keys_of(&at("[::1]:7600")), known);
        let (public, again) = (keys_of(&at("0.0.0.0:7600")), keys_of(&at("0.0.0.0:7600")));
        for (app, bearer) in [&public, &again] {
            // 32 bytes as base64.
            assert!(
                app.len() == 1 && app[0].len() == 43 && bearer.len() == 43 && app[0] != *bearer
            );
        }
        assert!(public.0 != again.0 && public.1 != again.1, "each start generates new keys");
        assert!(at("0.0.0.0:7600").config().openapi.expect("it is there").access_keys.is_empty());
        let config = at("[::]:7600").config();
        assert!(!config.apps[DEV_APP_ID].app_server.allow_loopback);
    }

    #[test]
    fn ports_of_back_ends_and_browsers_follow_clients() {
        for (clients, back_ends, pages) in
            [(7600, 7601, 7680), (9000, 9001, 9080), (65455, 65456, 65535), (0, 0, 0)]
        {
            let config = at(&format!("127.0.0.1:{clients}")).config();
            let listeners: Vec<_> =
                config.listen.iter().map(|listen| listen.url.socket_addr().port()).collect();
            assert_eq!(listeners, [clients, pages]);
            assert_eq!(config.openapi.map(|openapi| openapi.listen.port()), Some(back_ends));
        }
        let highest = "127.0.0.1:65456".parse().expect("an address");
        let refused = DevServer::new(highest, None, None).map(drop).expect_err("no such port");
        assert!(refused.to_string().contains("add --web-socket IP:PORT"), "{refused}");
        let free = Some("127.0.0.1:0".parse().expect("an address"));
        assert!(DevServer::new(highest, None, free).is_ok());
    }

    #[test]
    fn one_public_listener_suffices_for_generated_keys() {
        let loopback = "127.0.0.1:7600".parse().expect("an address");
        let public = Some("192.0.2.1:80".parse().expect("an address"));
        for (openapi, web_socket) in [(public, None), (None, public)] {
            let server = DevServer::new(loopback, openapi, web_socket).expect("random numbers");
            assert!(server.own_keys.is_some());
        }
    }

    #[test]
    fn unspecified_address_is_shown_as_loopback() {
        for (listens, connects) in [
            ("0.0.0.0:7600", "127.0.0.1:7600"),
            ("[::]:7600", "[::1]:7600"),
            ("127.0.0.2:1", "127.0.0.2:1"),
        ] {
            let listens: SocketAddr = listens.parse().expect("an address");
            assert_eq!(reachable(listens).to_string(), connects);
        }
    }
}
