//! The certificates of listeners, which are read again while links are open.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rts_transport_tokio::server::{Acceptor, Identity, IdentityError, Origins};
use tokio::time::{Instant, sleep};

use crate::causes::file_trouble;
use crate::config::{Listen, PageOrigin};
use crate::{ConfigError, expiry};

/// How often the files are read, apart from calls of [`Certificates::reload`].
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How often an expiring certificate is logged.
const LOG_EVERY: Duration = Duration::from_secs(86_400);

/// The certificates of a server's listeners. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    shown: Vec<Arc<Shown>>,
}

#[derive(Debug)]
struct Shown {
    /// The place of the listener in the configuration.
    place: String,
    listen: Listen,
    identity: Identity,
    files: Mutex<Files>,
}

/// The content of the files at the last read. It includes the private key, so `Debug` never shows
/// it.
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
    /// Reads all files again. Links accepted from now on get the new certificates; open links
    /// continue unchanged. Returns the number of listeners with a new certificate.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read or used. The listener of that file keeps its
    /// certificate, and the other listeners are still updated.
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

    /// Reads the files periodically, without end. Reports certificates that have expired or soon
    /// will, at once and then daily.
    pub(crate) async fn watch_files(&self, log: impl Fn(String)) {
        let mut logged_at = None::<Instant>;
        loop {
            if logged_at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
                logged_at = Some(Instant::now());
                self.shown.iter().filter_map(|shown| shown.concern()).for_each(&log);
            }
            sleep(LOOK_EVERY).await;
            match self.reload() {
                Ok(0) => {}
                Ok(changed) => tracing::info!(changed, "certificates replaced"),
                Err(error) => tracing::warn!(%error, "the previous certificate stays"),
            }
        }
    }

    /// The acceptor of a listener, whose certificate is from now on reloaded. `place` is the place
    /// of the listener in the configuration.
    pub(crate) fn acceptor(
        &mut self,
        listen: &Listen,
        place: &str,
    ) -> Result<Acceptor, ConfigError> {
        let (path, scheme) = (listen.url.address().path(), listen.scheme());
        if !scheme.has_tls() {
            return Ok(if scheme.has_web_socket() {
                Acceptor::web_socket(path, origins(listen))
            } else {
                Acceptor::plain()
            });
        }
        let files = Files::read(listen, place)?;
        let error = |error| value_error(listen, place, &error);
        let identity = Identity::from_pem(&files.certificate, &files.key).map_err(error)?;
        let acceptor = if scheme.has_web_socket() {
            Acceptor::secure_web_socket(path, origins(listen), &identity)
        } else {
            Acceptor::tls(&identity)
        };
        let (place, listen) = (place.to_owned(), listen.clone());
        let shown = Shown { place, listen, identity, files: Mutex::new(files) };
        self.shown.push(Arc::new(shown));
        acceptor.map_err(error)
    }
}

impl Shown {
    /// Returns whether the certificate has changed.
    fn reload(&self) -> Result<bool, ConfigError> {
        let read = Files::read(&self.listen, &self.place)?;
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if *files == read {
            return Ok(false);
        }
        let replaced = self.identity.replace(&read.certificate, &read.key);
        replaced.map_err(|error| value_error(&self.listen, &self.place, &error))?;
        *files = read;
        drop(files);
        if let Some(concern) = self.concern() {
            tracing::warn!("{concern}");
        }
        Ok(true)
    }

    /// A warning about the validity of the certificate, if there is one.
    fn concern(&self) -> Option<String> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_now = i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX);
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let concern = expiry::concern(&files.certificate, unix_now)?;
        let file = self.listen.certificate.as_deref().unwrap_or(Path::new(""));
        Some(format!("{}: the certificate {}: {concern}", self.place, file.display()))
    }
}

impl Files {
    fn read(listen: &Listen, place: &str) -> Result<Self, ConfigError> {
        let read = |what: &str, path: &Option<PathBuf>| {
            let path = path.as_deref().unwrap_or(Path::new(""));
            fs::read(path).map_err(|error| {
                let (path, why) = (path.display(), file_trouble(&error));
                let what = format!("the {what} file {path} cannot be read: {why}");
                ConfigError::Value { key: place.to_owned(), what }
            })
        };
        Ok(Self {
            certificate: read("certificate", &listen.certificate)?,
            key: read("key", &listen.key)?,
        })
    }
}

fn value_error(listen: &Listen, place: &str, error: &IdentityError) -> ConfigError {
    let path = match error {
        IdentityError::Certificate(_) => listen.certificate.as_deref(),
        IdentityError::Key(_) => listen.key.as_deref(),
        _ => None,
    };
    let what = match path {
        Some(path) => format!("{}: {error}", path.display()),
        None => error.to_string(),
    };
    ConfigError::Value { key: place.to_owned(), what }
}

fn origins(listen: &Listen) -> Origins {
    if listen.origins.iter().any(PageOrigin::is_any) {
        return Origins::Any;
    }
    let origins = listen.origins.iter().map(|origin| origin.as_str().to_owned());
    Origins::Only(origins.collect())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn write(folder: &Path, last_year: i32) {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params =
            rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(last_year, 1, 1);
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        fs::write(folder.join("c.pem"), certificate).expect("a file");
        fs::write(folder.join("k.pem"), key.serialize_pem()).expect("a file");
    }

    #[tokio::test(start_paused = true)]
    async fn expired_certificate_is_logged_daily_until_replaced() {
        let folder = tempfile::TempDir::new().expect("a folder");
        write(folder.path(), 2020);
        let file = |name| Some(folder.path().join(name));
        let mut listen = Listen::new("rtss://127.0.0.1:0".parse().expect("a URL"));
        (listen.certificate, listen.key) = (file("c.pem"), file("k.pem"));
        let mut certificates = Certificates::default();
        certificates.acceptor(&listen, "listen, entry 1").expect("a certificate and its key");
        let lines = RefCell::new(Vec::new());
        let watch = || certificates.watch_files(|concern| lines.borrow_mut().push(concern));
        let tick = Duration::from_millis(1);
        for (time, count) in [(tick, 1), (LOG_EVERY - tick, 1), (LOG_EVERY + tick, 2)] {
            lines.borrow_mut().clear();
            let _ = tokio::time::timeout(time, watch()).await;
            assert_eq!(lines.borrow().len(), count, "{time:?}");
        }
        let begin = "listen, entry 1: the certificate ";
        let first_line = lines.borrow()[0].clone();
        assert!(first_line.starts_with(begin) && first_line.contains("2020-01-01"), "{first_line}");
        lines.borrow_mut().clear();
        write(folder.path(), 4000);
        let _ = tokio::time::timeout(2 * LOG_EVERY, watch()).await;
        assert_eq!(lines.borrow().len(), 1, "before the files were read again");
    }
}
