//! The URLs that a server may post to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rts_egress::{AddressPolicy, AllowEntry, AllowList, Network, TargetUrl, is_public};

const LISTED: [&str; 3] =
    ["https://app.example/rts", "https://app.example:8443/", "https://10.0.0.1/a/b"];

/// The input is read as a URL, as a path behind a listed origin, as an entry of a list, as a
/// network, and as an address.
///
/// Nothing panics. An accepted URL is in its only spelling, and equals the URL assembled from its
/// parts. A permitted URL begins like an entry, up to the end of a segment. A vetted address is
/// public, however it is wrapped.
pub fn target_url(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data) {
        read(text);
        for listed in LISTED {
            read(&format!("{listed}{text}"));
        }
        let _ = text.parse::<AllowEntry>();
        let _ = text.parse::<Network>();
    }
    if let Some(bytes) = data.first_chunk::<16>() {
        judge(IpAddr::V6(Ipv6Addr::from(*bytes)));
    }
    if let Some(bytes) = data.first_chunk::<4>() {
        judge(IpAddr::V4(Ipv4Addr::from(*bytes)));
    }
}

fn read(text: &str) {
    let Ok(url) = TargetUrl::parse(text) else { return };
    assert!(url.as_str() == text || url.as_str().strip_suffix('/') == Some(text), "{text:?}");
    assert_eq!(TargetUrl::parse(url.as_str()).as_ref(), Ok(&url), "{text:?}");
    assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()), "{text:?}");
    let scheme = if url.is_tls() { "https" } else { "http" };
    let made = format!("{scheme}://{}{}", url.authority(), url.path_and_query());
    assert_eq!(made, url.as_str());
    assert!(!url.authority().contains(['@', '/', '\\', '?', '#']), "{text:?}");
    assert!(url.path_and_query().starts_with('/'), "{text:?}");
    assert!(!url.path().split('/').any(|segment| segment == ".." || segment == "."), "{text:?}");

    let entries = LISTED.map(|text| text.parse().expect("an entry"));
    let list = AllowList::new(entries, false).expect("https");
    if list.permits(&url) {
        let is_below = LISTED.iter().any(|listed| {
            let rest = url.as_str().strip_prefix(listed.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        });
        assert!(is_below, "{text:?}");
    }
    assert!(!AllowList::default().permits(&url), "nothing is listed");
    if AllowList::default().with_loopback().permits(&url) {
        assert!(["127.0.0.1", "localhost", "[::1]"].contains(&url.host()), "{text:?}");
    }
    if let Some(ip) = url.ip() {
        judge(ip);
    }
}

fn judge(ip: IpAddr) {
    let address = SocketAddr::new(ip, 443);
    let is_vetted = AddressPolicy::default().vet(&[address]).is_ok();
    assert_eq!(is_vetted, is_public(ip), "{ip}");
    assert_eq!(is_public(ip), is_public(ip.to_canonical()), "{ip}");
    assert!(AddressPolicy::default().without([address]).vet(&[address]).is_err(), "{ip}");
    if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() {
        assert!(!is_vetted, "{ip}");
    }
}
