//! The allow list of an operator.

use crate::target::{Origin, TargetUrl, UrlError};

/// The URLs to which the messages of one app may be posted. Empty by default.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    /// One entry for each origin, with the allowed paths. URLs below such a path are also allowed.
    origins: Vec<(Origin, Vec<String>)>,
    loopback: bool,
}

/// Why an entry of the list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The entry is not a URL.
    #[error("{0}")]
    Url(#[from] UrlError),
    /// The entry has a query, which only clients choose.
    #[error("an entry is an origin and a path, without a query")]
    Query,
    /// The entry is not encrypted.
    #[error("http is not encrypted: write https, or set allow_plain_http = true")]
    PlainHttp,
}

impl AllowList {
    /// Makes a list from entries such as `https://app.example/rts`. A URL is allowed if it has the
    /// same origin, and the same path or one below it. `http` is accepted only with
    /// `allow_plain_http`.
    ///
    /// # Errors
    ///
    /// The first invalid entry, and the reason.
    pub fn new<'a>(
        entries: impl IntoIterator<Item = &'a str>,
        allow_plain_http: bool,
    ) -> Result<Self, (&'a str, EntryError)> {
        let mut list = Self::default();
        for entry in entries {
            list.add(entry, allow_plain_http).map_err(|error| (entry, error))?;
        }
        Ok(list)
    }

    /// A list for development. It allows any port and path of this machine, also over `http`, if
    /// the host is written `127.0.0.1`, `localhost` or `[::1]`.
    #[must_use]
    pub fn with_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    fn add(&mut self, entry: &str, allow_plain_http: bool) -> Result<(), EntryError> {
        let url = TargetUrl::parse(entry)?;
        if url.has_query() {
            return Err(EntryError::Query);
        }
        if !url.is_tls() && !allow_plain_http {
            return Err(EntryError::PlainHttp);
        }
        let path = url.path().trim_end_matches('/').to_owned();
        match self.origins.iter_mut().find(|(origin, _)| *origin == url.origin()) {
            Some((_, paths)) => paths.push(path),
            None => self.origins.push((url.origin(), vec![path])),
        }
        Ok(())
    }

    /// Whether a url is on the list.
    #[must_use]
    pub fn permits(&self, url: &TargetUrl) -> bool {
        let is_loopback =
            self.loopback && matches!(url.host(), "127.0.0.1" | "localhost" | "[::1]");
        is_loopback || self.find(url).is_some()
    }

    /// The position of the URL's origin in the list, if the URL is allowed.
    #[must_use]
    pub fn find(&self, url: &TargetUrl) -> Option<usize> {
        let origin = url.origin();
        let place = self.origins.iter().position(|(listed, _)| *listed == origin)?;
        let paths = &self.origins.get(place)?.1;
        paths.iter().any(|listed| is_below(url.path(), listed)).then_some(place)
    }

    /// The number of listed origins.
    #[must_use]
    pub fn origins(&self) -> usize {
        self.origins.len()
    }

    /// Whether the list allows any `https` URL.
    #[must_use]
    pub fn may_use_tls(&self) -> bool {
        self.loopback || self.origins.iter().any(|(origin, _)| origin.is_tls())
    }

    /// Whether the list allows no URL.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty() && !self.loopback
    }
}

/// Compares by segments: `/rts-admin` is not below `/rts`.
fn is_below(path: &str, listed: &str) -> bool {
    path.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
