//! Request signing, version 4: HMAC-SHA256 over the method, the query, some headers and the body.
//! Its key is derived from the secret for a day, a region and the service. The secret is never
//! sent.
//!
//! ```text
//! Authorization: HMAC-SHA256 Credential=ID/20231114/cn-north-1/rtc/request,
//!                SignedHeaders=host;x-date, Signature=HEX
//! X-Date: 20231114T221320Z
//! ```

use std::collections::BTreeSet;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::query::canonical_path;
use crate::{CLOCK_SKEW_SECONDS_MAX, Error, ErrorCode, Method, Query, SERVICE};

const ALGORITHM: &str = "HMAC-SHA256";
/// The last part of every credential scope.
const TERMINATOR: &str = "request";
const DATE_FORMAT: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");
const SIGNATURE_BYTES: usize = 32;
/// Most signed headers.
const SIGNED_HEADERS_MAX: usize = 32;
const REGION_BYTES_MAX: usize = 64;

/// The signed parts of a request.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The HTTP method.
    pub method: Method,
    /// The path of the URL.
    pub path: &'a str,
    /// The query of the URL.
    pub query: &'a Query,
    /// All headers, with lower-case names and trimmed values.
    pub headers: &'a [(String, String)],
    /// The body.
    pub body: &'a [u8],
}

impl Parts<'_> {
    /// The value of a header that occurs once.
    fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(other, _)| other == name);
        match (values.next(), values.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }
}

/// A parsed `Authorization` header with a signature. Its content is untrusted before
/// [`verify`](Self::verify).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    access_key: String,
    date: String,
    region: String,
    service: String,
    signed_headers: Vec<String>,
    signature: [u8; SIGNATURE_BYTES],
}

impl Signature {
    /// Whether a header's value has the scheme of signatures.
    #[must_use]
    pub fn is_signature(authorization: &str) -> bool {
        authorization.split_whitespace().next() == Some(ALGORITHM)
    }

    /// Parses a header's value.
    ///
    /// # Errors
    ///
    /// `InvalidAuthorization` if the value is malformed.
    pub fn parse(authorization: &str) -> Result<Self, Error> {
        let invalid = |what: &str| {
            let form = "HMAC-SHA256 Credential=ID/DATE/REGION/rtc/request, \
                        SignedHeaders=NAMES, Signature=HEX";
            let message = format!("Authorization: {what}; it has the form {form}");
            Error::new(ErrorCode::InvalidAuthorization, message)
        };
        let rest = authorization.trim().strip_prefix(ALGORITHM).unwrap_or_default();
        let (mut credential, mut names, mut signature) = (None, None, None);
        for field in rest.split(',') {
            match field.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => names = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                _ => return Err(invalid("a field is not one of the three")),
            }
        }
        let credential = credential.ok_or_else(|| invalid("Credential is missing"))?;
        let names = names.ok_or_else(|| invalid("SignedHeaders is missing"))?;
        let signature = signature.ok_or_else(|| invalid("Signature is missing"))?;
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key, date, region, service, TERMINATOR] = parts[..] else {
            return Err(invalid("Credential does not have its five parts"));
        };
        let region_is_good = (1..=REGION_BYTES_MAX).contains(&region.len())
            && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !region_is_good {
            return Err(invalid("the region has 1 to 64 letters, digits and hyphens"));
        }
        let signed_headers: Vec<String> = match names {
            "" => Vec::new(),
            _ => names.split(';').map(str::to_ascii_lowercase).collect(),
        };
        if signed_headers.len() > SIGNED_HEADERS_MAX {
            return Err(invalid("SignedHeaders has more than 32 names"));
        }
        Ok(Self {
            access_key: access_key.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            signed_headers,
            signature: hex_decode(signature).ok_or_else(|| {
                invalid("Signature is not 64 hexadecimal digits in small letters")
            })?,
        })
    }

    /// The id of the access key, whose secret verifies the signature.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The region of the scope. Any is valid, because a server has the same keys for all regions.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Checks the time, then the signature, in constant time.
    ///
    /// # Errors
    ///
    /// `InvalidTimestamp` if the request's `X-Date` is malformed, is more than 15 minutes from
    /// `unix_now`, or is on another day than the credential. `SignatureDoesNotMatch` for every
    /// other flaw.
    pub fn verify(&self, parts: &Parts<'_>, secret: &str, unix_now: u64) -> Result<(), Error> {
        let date = parts.header("x-date").unwrap_or_default();
        let signed_at = unix_time(date).filter(|_| date.starts_with(&self.date));
        let is_recent = signed_at.is_some_and(|at| at.abs_diff(unix_now) <= CLOCK_SKEW_SECONDS_MAX);
        if !is_recent {
            let message = "X-Date: it is of the form 20231114T221320Z, of the credential's day, and \
                           within 15 minutes of the server's clock";
            return Err(Error::new(ErrorCode::InvalidTimestamp, message));
        }
        let does_not_match = || {
            let message = "the signature is not the one of this request under this key: look at the \
                           secret, the service (rtc), and whether a proxy changes headers";
            Error::new(ErrorCode::SignatureDoesNotMatch, message)
        };
        if self.service != SERVICE {
            return Err(does_not_match());
        }
        let digest = hex_digest(parts.body);
        let said = parts.header("x-content-sha256");
        if said.is_some_and(|said| said != digest) {
            return Err(does_not_match());
        }
        let names: Vec<&str> = self.signed_headers.iter().map(String::as_str).collect();
        let key = signing_key(secret, &self.date, &self.region);
        let is_good = |canonical: &String| {
            let text = string_to_sign(date, &self.scope(), canonical);
            mac(&key).chain_update(text).verify_slice(&self.signature).is_ok()
        };
        let canonical = |form| canonical_request(parts, &names, form, &digest);
        // For most requests all forms are equal.
        let requests: BTreeSet<String> = Form::all().filter_map(canonical).collect();
        if requests.iter().any(is_good) { Ok(()) } else { Err(does_not_match()) }
    }

    fn scope(&self) -> String {
        scope(&self.date, &self.region)
    }
}

/// Signs a request. Returns the headers to add: `X-Date`, `X-Content-Sha256` and `Authorization`.
/// The headers `host` and `content-type` of the request are signed too.
///
/// # Panics
///
/// After the year 9999.
#[must_use]
pub fn sign(
    parts: &Parts<'_>,
    access_key: &str,
    secret: &str,
    region: &str,
    unix_now: u64,
) -> [(&'static str, String); 3] {
    let date = date_of(unix_now);
    let day = date.get(..8).unwrap_or_default();
    let digest = hex_digest(parts.body);
    let mut headers: Vec<(String, String)> = parts.headers.to_vec();
    headers.retain(|(name, _)| name == "host" || name == "content-type");
    headers.push(("x-content-sha256".to_owned(), digest.clone()));
    headers.push(("x-date".to_owned(), date.clone()));
    headers.sort();
    let parts = Parts { headers: &headers, ..*parts };
    let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
    let canonical = canonical_request(&parts, &names, Form::default(), &digest)
        .expect("each header is there once");
    let scope = scope(day, region);
    let text = string_to_sign(&date, &scope, &canonical);
    let signature = mac(&signing_key(secret, day, region)).chain_update(text).finalize();
    let authorization = format!(
        "{ALGORITHM} Credential={access_key}/{scope}, SignedHeaders={}, Signature={}",
        names.join(";"),
        hex_encode(&signature.into_bytes())
    );
    [("X-Date", date), ("X-Content-Sha256", digest), ("Authorization", authorization)]
}

/// Differences between clients in the canonical form. The default is the form of Volcengine's SDKs
/// for Go and Python.
#[derive(Clone, Copy, Default)]
struct Form {
    /// Replaces a run of blanks inside a header's value by one space, as the SDK for Node does.
    folds_blanks: bool,
    /// Sorts the values of one name in the query, as the SDK for Node does.
    sorts_values: bool,
}

impl Form {
    fn all() -> impl Iterator<Item = Self> {
        let bools = [(false, false), (true, false), (false, true), (true, true)];
        bools.into_iter().map(|(folds_blanks, sorts_values)| Self { folds_blanks, sorts_values })
    }
}

/// The text that is hashed. `None` if a signed header is missing or occurs twice.
fn canonical_request(
    parts: &Parts<'_>,
    signed_headers: &[&str],
    form: Form,
    digest: &str,
) -> Option<String> {
    let mut headers = String::new();
    let mut sorted = signed_headers.to_vec();
    sorted.sort_unstable();
    for name in &sorted {
        let mut value = parts.header(name)?;
        if *name == "host" {
            // Clients leave the default ports out of the signed `host`.
            value = value.strip_suffix(":80").or(value.strip_suffix(":443")).unwrap_or(value);
        }
        headers.push_str(name);
        headers.push(':');
        if form.folds_blanks {
            headers.push_str(&value.split_whitespace().collect::<Vec<_>>().join(" "));
        } else {
            headers.push_str(value.trim());
        }
        headers.push('\n');
    }
    let method = match parts.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let path = if parts.path.is_empty() { "/" } else { parts.path };
    let path = canonical_path(path);
    let query = if form.sorts_values {
        parts.query.canonical_with_sorted_values()
    } else {
        parts.query.canonical()
    };
    let names = signed_headers.join(";");
    Some(format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{digest}"))
}

fn string_to_sign(date: &str, scope: &str, canonical_request: &str) -> String {
    let digest = hex_digest(canonical_request.as_bytes());
    format!("{ALGORITHM}\n{date}\n{scope}\n{digest}")
}

fn scope(day: &str, region: &str) -> String {
    format!("{day}/{region}/{SERVICE}/{TERMINATOR}")
}

fn signing_key(secret: &str, day: &str, region: &str) -> Vec<u8> {
    [day, region, SERVICE, TERMINATOR].iter().fold(secret.as_bytes().to_vec(), |key, part| {
        mac(&key).chain_update(part).finalize().into_bytes().to_vec()
    })
}

fn mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn hex_digest(bytes: &[u8]) -> String {
    hex_encode(&Sha256::digest(bytes))
}

fn hex_encode(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hex_decode(text: &str) -> Option<[u8; SIGNATURE_BYTES]> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * SIGNATURE_BYTES || !text.bytes().all(is_digit) {
        return None;
    }
    let mut bytes = [0; SIGNATURE_BYTES];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn unix_time(date: &str) -> Option<u64> {
    let moment = PrimitiveDateTime::parse(date, DATE_FORMAT).ok()?.assume_utc();
    u64::try_from(moment.unix_timestamp()).ok()
}

fn date_of(unix_now: u64) -> String {
    let seconds = i64::try_from(unix_now).unwrap_or(i64::MAX);
    let moment = time::OffsetDateTime::from_unix_timestamp(seconds).expect("before the year 10000");
    moment.format(DATE_FORMAT).expect("a date has all parts")
}
