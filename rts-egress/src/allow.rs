//! The allow list of an operator.

use std::str::FromStr;

use crate::target::{Origin, TargetUrl, UrlError};

/// The URLs to which the messages of one app may be posted. Empty by default.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    /// One entry for each origin, with the allowed paths. URLs below such a path are also allowed.
    origins: Vec<(Origin, Vec<String>)>,
    loopback: bool,
}

/// An entry of an allow list: an origin and the beginning of a path, such as
/// `https://app.example/rts`. A URL matches if it has the same origin, and the same path or one
/// below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowEntry(TargetUrl);

/// Why a text is not an entry of an allow list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The entry is not a URL.
    #[error("{0}")]
    Url(#[from] UrlError),
    /// The entry has a query, which only clients choose.
    #[error("an entry is an origin and a path, without a query")]
    Query,
}

impl FromStr for AllowEntry {
    type Err = EntryError;

    fn from_str(text: &str) -> Result<Self, EntryError> {
        let url = TargetUrl::parse(text)?;
        if url.has_query() { Err(EntryError::Query) } else { Ok(Self(url)) }
    }
}

/// An entry of the list is not encrypted, and the operator did not allow that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("http is not encrypted: write https, or set allow_plain_http = true")]
pub struct PlainHttpError {
    entry: usize,
}

impl PlainHttpError {
    /// The index of the entry, from 0.
    #[must_use]
    pub fn entry(&self) -> usize {
        self.entry
    }
}

impl AllowList {
    /// Makes a list. `http` is accepted only with `allow_plain_http`.
    pub fn new(
        entries: impl IntoIterator<Item = AllowEntry>,
        allow_plain_http: bool,
    ) -> Result<Self, PlainHttpError> {
        let mut list = Self::default();
        for (entry, AllowEntry(url)) in entries.into_iter().enumerate() {
            if !url.is_tls() && !allow_plain_http {
                return Err(PlainHttpError { entry });
            }
            list.add(&url);
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

    fn add(&mut self, url: &TargetUrl) {
        let path = url.path().trim_end_matches('/').to_owned();
        match self.origins.iter_mut().find(|(origin, _)| *origin == url.origin()) {
            Some((_, paths)) => paths.push(path),
            None => self.origins.push((url.origin(), vec![path])),
        }
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
