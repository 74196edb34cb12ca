//! Why something failed, in few words.

use std::error::Error;
use std::io;

use rts_transport_tokio::explain_tls;

/// What lies at the bottom of an error of a library, which says it last: what is above are the
/// library's own layers. What is known of TLS is explained.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    let explained = chain.clone().find_map(explain_tls);
    let root = chain.last().unwrap_or(error);
    explained.unwrap_or_else(|| root.to_string())
}

/// What is wrong with a file or directory of the configuration.
pub(crate) fn file_trouble(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            format!("{error}: the user that this server runs as needs the right to it")
        }
        _ => error.to_string(),
    }
}
