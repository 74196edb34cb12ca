//! Rules for the form of a request that are stricter than the HTTP parser. They refuse every
//! request that a proxy in front could interpret differently.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Request, Uri, Version, header};
use rts_openapi::{Error, ErrorCode};

/// Refuses a request that two HTTP implementations may interpret differently. The headers have no
/// `Content-Length` beside a `Transfer-Encoding`; `is_only_chunked` says that there was none.
pub(super) fn check<B>(request: &Request<B>, is_only_chunked: bool) -> Result<(), Error> {
    let headers = request.headers();
    check_host(request.version(), request.uri(), headers)?;
    if headers.get_all(header::AUTHORIZATION).iter().count() > 1 {
        return Err(malformed("Authorization is there more than once"));
    }
    let is_chunked = |coding: &str| coding.eq_ignore_ascii_case("chunked");
    let mut codings = tokens(headers, &header::TRANSFER_ENCODING);
    let others =
        codings.next().is_some_and(|first| !is_chunked(&first)) || codings.next().is_some();
    if others {
        let message = "Transfer-Encoding: a body is sent as it is, or chunked, and nothing else";
        return Err(Error::new(ErrorCode::TransferEncoding, message));
    }
    if headers.contains_key(header::TRANSFER_ENCODING) && !is_only_chunked {
        let message =
            "Transfer-Encoding and Content-Length both say where the body ends: send one of them";
        return Err(malformed(message));
    }
    let mut encodings = tokens(headers, &header::CONTENT_ENCODING);
    if encodings.any(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        let message = "Content-Encoding: a body is not compressed (gzip and others are not taken); send it as it is";
        return Err(Error::new(ErrorCode::ContentEncoding, message));
    }
    Ok(())
}

fn check_host(version: Version, uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host,
        (None, _) if version < Version::HTTP_11 => return Ok(()),
        (None, _) => return Err(malformed("Host is missing")),
        (Some(_), Some(_)) => return Err(malformed("Host is there more than once")),
    };
    let host = host.to_str().ok().filter(|host| is_host(host));
    let host = host.ok_or_else(|| malformed("Host is no host with a port"))?;
    // The target of a request to a proxy names the host too (RFC 9112, 3.2.2).
    match names(uri, host) {
        true => Ok(()),
        false => Err(malformed("the target is a whole url, and not one of this Host")),
    }
}

/// Whether a text is a host with an optional port, without a user, and not a list.
fn is_host(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let port = host.strip_prefix(authority.host());
    let port = port.map(|port| port.strip_prefix(':').unwrap_or(port));
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    !host.contains(['@', ',']) && port.is_some_and(|port| port.is_empty() || is_port(port))
}

/// Whether the target of a request names this host. The default port of the scheme is optional.
fn names(target: &Uri, host: &str) -> bool {
    let port = match target.scheme_str() {
        None => return true,
        Some("http") => ":80",
        Some("https") => ":443",
        Some(_) => return false,
    };
    let plain = |host: &str| host.strip_suffix(port).unwrap_or(host).to_ascii_lowercase();
    target.authority().is_some_and(|named| plain(named.as_str()) == plain(host))
}

/// The elements of a list header, over all its lines.
fn tokens(headers: &HeaderMap, name: &header::HeaderName) -> impl Iterator<Item = String> {
    let lines = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
    let words = |line: std::borrow::Cow<'_, str>| {
        line.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>()
    };
    lines.flat_map(words).filter(|word| !word.is_empty())
}

fn malformed(message: &str) -> Error {
    Error::new(ErrorCode::MalformedRequest, message)
}
