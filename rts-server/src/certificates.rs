//! The certificates of listeners, which are read again while links are open.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rts_transport_tokio::{Acceptor, Identity, IdentityError, Origins};

use crate::ConfigError;
use crate::config::Listen;

/// The certificates of a server's listeners. Clones are of the same.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    shown: Vec<Arc<Shown>>,
}

#[derive(Debug)]
struct Shown {
    listen: Listen,
    identity: Identity,
    files: Mutex<Files>,
}

/// What the files held when they were read last. The key is among it, so it is never shown.
#[derive(PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Files")
    }
}

impl Certificates {
    /// Reads all files again. What has changed is shown to links that are accepted from now on; open links go on. Returns
    /// how many listeners got another certificate.
    ///
    /// # Errors
    ///
    /// Files that cannot be read or used: their listener goes on with what it has, and the others are seen to.
    pub fn reload(&self) -> Result<usize, ConfigError> {
        let mut changed = Ok(0);
        for shown in &self.shown {
            match shown.reload() {
                Ok(true) => changed = changed.map(|changed| changed + 1),
                Ok(false) => {}
                Err(error) => changed = Err(error),
            }
        }
        changed
    }

    /// What a listener speaks; its certificate is now one of these.
    pub(crate) fn acceptor(&mut self, listen: &Listen) -> Result<Acceptor, ConfigError> {
        let (path, scheme) = (listen.url.path(), listen.scheme());
        if !scheme.has_tls() {
            return Ok(if scheme.has_web_socket() {
                Acceptor::web_socket(path, origins(listen))
            } else {
                Acceptor::plain()
            });
        }
        let files = Files::read(listen)?;
        let error = |error| value_error(listen, &error);
        let identity = Identity::from_pem(&files.certificate, &files.key).map_err(error)?;
        let acceptor = if scheme.has_web_socket() {
            Acceptor::secure_web_socket(path, origins(listen), &identity)
        } else {
            Acceptor::tls(&identity)
        };
        let shown = Shown { listen: listen.clone(), identity, files: Mutex::new(files) };
        self.shown.push(Arc::new(shown));
        acceptor.map_err(error)
    }
}

impl Shown {
    /// Whether the certificate is another one now.
    fn reload(&self) -> Result<bool, ConfigError> {
        let read = Files::read(&self.listen)?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if *files == read {
            return Ok(false);
        }
        let replaced = self.identity.replace(&read.certificate, &read.key);
        replaced.map_err(|error| value_error(&self.listen, &error))?;
        *files = read;
        Ok(true)
    }
}

impl Files {
    fn read(listen: &Listen) -> Result<Self, ConfigError> {
        let read = |what: &str, path: &Option<PathBuf>| {
            let path = path.as_deref().unwrap_or(Path::new(""));
            fs::read(path).map_err(|error| {
                let what = format!("the {what} file {} cannot be read: {error}", path.display());
                ConfigError::Value { key: listen.key_in_words(), what }
            })
        };
        Ok(Self {
            certificate: read("certificate", &listen.certificate)?,
            key: read("key", &listen.key)?,
        })
    }
}

fn value_error(listen: &Listen, error: &IdentityError) -> ConfigError {
    let path = match error {
        IdentityError::Certificate(_) => listen.certificate.as_deref(),
        IdentityError::Key(_) => listen.key.as_deref(),
        IdentityError::Mismatch | IdentityError::Tls(_) => None,
    };
    let what = match path {
        Some(path) => format!("{}: {error}", path.display()),
        None => error.to_string(),
    };
    ConfigError::Value { key: listen.key_in_words(), what }
}

fn origins(listen: &Listen) -> Origins {
    if listen.origins.iter().any(|origin| origin == "*") {
        Origins::Any
    } else {
        Origins::Only(listen.origins.clone().into())
    }
}
