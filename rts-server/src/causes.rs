//! The causes of failures in few words.

use std::error::Error;
use std::io;

use rts_transport_tokio::explain_tls;

/// The innermost cause of an error; the outer ones are layers of a library. Known TLS errors are
/// explained.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |&error| error.source());
    let explained = chain.clone().find_map(explain_tls);
    let root = chain.last().unwrap_or(error);
    explained.unwrap_or_else(|| root.to_string())
}

/// Describes an IO error of a file or directory for people.
#[must_use]
pub fn file_trouble(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or directory".to_owned(),
        io::ErrorKind::IsADirectory => "this is a directory, and a file is needed".to_owned(),
        io::ErrorKind::NotADirectory => "a part of the path is not a directory".to_owned(),
        io::ErrorKind::InvalidData => "this is not text in UTF-8".to_owned(),
        io::ErrorKind::PermissionDenied => {
            format!("{error}: the user of this program needs the permission")
        }
        _ => error.to_string(),
    }
}
