//! TLS to app servers.

use std::path::Path;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::ConfigError;

/// Trusts the certificates of the system, or only those of a file.
pub(crate) fn client_config(
    app_id: &str,
    ca_file: Option<&Path>,
) -> Result<Arc<ClientConfig>, ConfigError> {
    let mut config = crate::tls::client_config(ca_file, None).map_err(|what| {
        ConfigError::Value { key: format!("apps.{app_id}.app_server.ca_file"), what }
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
