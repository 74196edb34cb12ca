//! One strict form of URL.

use std::fmt;
use std::str::FromStr;

use url::{Host, Position, Url};

/// Longest URL, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// Longest name of a host, in bytes, without the dot at its end.
const NAME_BYTES_MAX: usize = 253;
/// Longest label of a name, in bytes.
const LABEL_BYTES_MAX: usize = 63;

/// A URL in its only accepted form.
///
/// URLs that the standard's parser would normalise are refused: capital letters in the host,
/// numbers that are IP addresses, default ports, `..`, backslashes, tabs, names that are not ASCII.
/// So every parser, here or elsewhere, gets the same origin and the same path.
///
/// `Debug` and `Display` show only the origin, because the rest may contain a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct TargetUrl {
    url: Url,
}

/// Scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    is_tls: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }
}

/// Why a text is not the URL of an app server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Longer than the limit.
    #[error("a URL has at most 2,048 bytes")]
    TooLong,
    /// Not a URL.
    #[error("this is not a URL; write https://host/path")]
    Malformed,
    /// Neither `https` nor `http`.
    #[error("the scheme must be https, or http where that is allowed")]
    Scheme,
    /// A user name or a password.
    #[error("a URL must not contain a user name or a password")]
    UserInfo,
    /// A fragment, which is for browsers.
    #[error("a URL must not contain a fragment (#)")]
    Fragment,
    /// A host that ends with a dot.
    #[error("the host ends with a dot; remove the dot")]
    TrailingDot,
    /// An encoded separator or dot in the path, which some servers decode before they look at it.
    #[error("the path has an encoded slash, backslash or dot; write it unencoded")]
    EncodedSeparator,
    /// Nothing listens on port 0.
    #[error("port 0 is not valid; write the port of the app server")]
    PortZero,
    /// A name that no resolver can look up.
    #[error("the host name is invalid: it has 1 to 253 bytes, with 1 to 63 between dots")]
    Name,
    /// The URL is not in the accepted form.
    #[error(
        "the URL is not in plain form: small letters, no .., no default port, nothing to normalise"
    )]
    NotPlain,
}

impl TargetUrl {
    /// Accepts only the plain form. A URL without a path may omit its last slash.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if text.len() > URL_BYTES_MAX {
            return Err(UrlError::TooLong);
        }
        let url = Url::parse(text).map_err(|_| UrlError::Malformed)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(UrlError::Scheme);
        }
        // The parsed value does not show "user@" without a name. The comparison below finds it.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(UrlError::Fragment);
        }
        if url.port() == Some(0) {
            return Err(UrlError::PortZero);
        }
        let host = url.host_str().ok_or(UrlError::Malformed)?;
        if host.ends_with('.') {
            return Err(UrlError::TrailingDot);
        }
        if matches!(url.host(), Some(Host::Domain(name)) if !is_name(name)) {
            return Err(UrlError::Name);
        }
        let path = url.path().to_ascii_lowercase();
        if ["%2f", "%5c", "%2e"].iter().any(|encoded| path.contains(encoded)) {
            return Err(UrlError::EncodedSeparator);
        }
        let is_plain = text == url.as_str() || text == &url[..Position::BeforePath];
        if is_plain { Ok(Self { url }) } else { Err(UrlError::NotPlain) }
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin { is_tls: self.is_tls(), host: self.host().to_owned(), port: self.port() }
    }

    /// Whether the scheme is `https`.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// A name, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().expect("`parse` found one")
    }

    /// The host, if it is an IP address and not a name.
    #[must_use]
    pub fn ip(&self) -> Option<std::net::IpAddr> {
        match self.url.host()? {
            Host::Domain(_) => None,
            Host::Ipv4(ip) => Some(ip.into()),
            Host::Ipv6(ip) => Some(ip.into()),
        }
    }

    /// The port of the URL, or the default port of the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().expect("both schemes have one")
    }

    /// The value of HTTP's `Host`: the host, and the port if it is not the scheme's default.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.url[Position::BeforeHost..Position::AfterPort]
    }

    /// The path. It begins with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// The target of HTTP's request line.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.url[Position::BeforePath..]
    }

    /// Whether there is a query.
    #[must_use]
    pub fn has_query(&self) -> bool {
        self.url.query().is_some()
    }

    /// The whole URL. It may contain a secret.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }
}

/// Like [`TargetUrl::parse`].
impl FromStr for TargetUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

/// RFC 1035, 2.3.4: the lengths that fit into a DNS question.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.split('.').all(|label| (1..=LABEL_BYTES_MAX).contains(&label.len()))
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url[..Position::BeforePath])
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TargetUrl({self}/..)")
    }
}
