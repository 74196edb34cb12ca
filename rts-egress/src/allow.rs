//! What an operator lists.

use crate::target::{Origin, TargetUrl, UrlError};

/// The urls to which the messages of one app may be posted. Empty unless the operator says
/// otherwise.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    /// One for each origin, with the paths below which a url may be.
    origins: Vec<(Origin, Vec<String>)>,
    loopback: bool,
}

/// Why an entry of the list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Not a url.
    #[error("{0}")]
    Url(#[from] UrlError),
    /// A query, which is the client's to choose.
    #[error("an entry is an origin and a path, without a query")]
    Query,
    /// Not encrypted.
    #[error("http is not encrypted: write https, or set allow_plain_http = true")]
    PlainHttp,
}

impl AllowList {
    /// Entries such as `https://app.example/rts`: the origin has to be the same, and the path the
    /// same or below. `http` only with `allow_plain_http`.
    ///
    /// # Errors
    ///
    /// The first entry that cannot be used, and why.
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

    /// For development: any port and path of this machine, `http` too, as long as the host is
    /// written `127.0.0.1`, `localhost` or `[::1]`.
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

    /// The place of the url's origin in the list, if the url is on it.
    #[must_use]
    pub fn find(&self, url: &TargetUrl) -> Option<usize> {
        let origin = url.origin();
        let place = self.origins.iter().position(|(listed, _)| *listed == origin)?;
        let paths = &self.origins.get(place)?.1;
        paths.iter().any(|listed| is_below(url.path(), listed)).then_some(place)
    }

    /// Origins that are listed.
    #[must_use]
    pub fn origins(&self) -> usize {
        self.origins.len()
    }

    /// Whether some url of the list may be `https`.
    #[must_use]
    pub fn may_use_tls(&self) -> bool {
        self.loopback || self.origins.iter().any(|(origin, _)| origin.is_tls())
    }

    /// Whether nothing may be posted at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty() && !self.loopback
    }
}

/// Segment by segment: `/rts-admin` is not below `/rts`.
fn is_below(path: &str, listed: &str) -> bool {
    path.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
