//! Options for the address of a server.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};
use clap::Args;
use rts_client::contract::{ConnectOptions, Connector, ConnectorError, Proxy};

#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// A file of certificates (PEM) to trust beside the system's, for rtss:// and wss://
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The proxy: http://HOST:PORT or socks5://HOST:PORT, with USER:PASSWORD@ before the host if it
    /// requires a login
    #[arg(long, value_name = "URL", env = "RTS_PROXY", hide_env_values = true)]
    proxy: Option<String>,
}

impl Reach {
    pub(crate) fn is_direct(&self) -> bool {
        self.proxy().is_none()
    }

    /// The proxy. An empty value means no proxy, which turns the variable off for one command.
    fn proxy(&self) -> Option<&str> {
        self.proxy.as_deref().filter(|proxy| !proxy.is_empty())
    }

    /// The settings to connect to `url`.
    pub(crate) fn connector(&self, url: &str) -> anyhow::Result<Connector> {
        let proxy = self.proxy().map(str::parse::<Proxy>).transpose().context("--proxy")?;
        let mut options = ConnectOptions::default().with_proxy(proxy);
        if let Some(path) = &self.ca {
            let pem = std::fs::read(path).with_context(|| format!("--ca {}", path.display()))?;
            options = options.with_extra_roots(pem);
        }
        Connector::new(url, options).map_err(|error| match (error, &self.ca) {
            (error @ ConnectorError::Roots(_), Some(path)) => {
                anyhow!("--ca {}: {error}", path.display())
            }
            (error, _) => error.into(),
        })
    }
}
