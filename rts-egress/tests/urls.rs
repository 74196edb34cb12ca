//! The strict form of URL, and the allow list.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use rts_egress::{AllowEntry, AllowList, EntryError, TargetUrl, UrlError};

fn list(entries: &[&str]) -> AllowList {
    let entries = entries.iter().map(|text| text.parse().expect("an entry"));
    AllowList::new(entries, true).expect("http is allowed")
}

fn permits(entries: &[&str], url: &str) -> bool {
    TargetUrl::parse(url).is_ok_and(|url| list(entries).permits(&url))
}

#[test]
fn spellings_that_hide_a_host_are_refused() {
    for url in [
        // Numbers that are 127.0.0.1, and other forms of it.
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://017700000001/",
        "https://127.1/",
        "https://127.0.0.1./",
        "https://①②⑦.0.0.1/",
        "https://[::0001]/",
        "https://[0:0:0:0:0:0:0:1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        // A user before the host, or something that looks like one.
        "https://app.example@evil.example/",
        "https://app.example:x@evil.example/",
        "https://@app.example/",
        "https://:@app.example/",
        "https://app.example%40evil.example/",
        "https://app.example\\@evil.example/",
        "https:\\\\app.example/",
        "https:/app.example/",
        "https:app.example/",
        "https:///app.example/",
        // Letters.
        "HTTPS://app.example/",
        "https://APP.example/",
        "https://app.exam\u{440}le/",
        "https://app\u{3002}example/",
        "https://app.example./",
        "https://%61pp.example/",
        "https://app.example:443/",
        "https://app.example:/",
        "https://app.example:0443/",
        "https://app.example:65536/",
        "https://app.example:-1/",
        // Paths that some servers read differently.
        "https://app.example/../admin",
        "https://app.example/rts/../admin",
        "https://app.example/rts/./x",
        "https://app.example/rts/%2e%2e/admin",
        "https://app.example/rts/%2E./admin",
        "https://app.example/rts/.%2e/admin",
        "https://app.example/rts%2fadmin",
        "https://app.example/rts%2Fadmin",
        "https://app.example/rts%5cadmin",
        "https://app.example/rts\\admin",
        "https://app.example/a b",
        "https://app.example/a\tb",
        "https://app.example/a\r\nHost: x",
        "https://app.example/a\0",
        " https://app.example/",
        "https://app.example/ ",
        // No server can be there.
        "https://app.example:0/",
        "http://127.0.0.1:0/",
        "https://[::1]:00/",
        "https://app..example/",
        "https://.example/",
        // Not for a server.
        "https://app.example/#x",
        "https://app.example/#",
        "ftp://app.example/",
        "file:///etc/passwd",
        "gopher://app.example/",
        "javascript:x",
        "unix:/run/x",
        "//app.example/",
        "app.example",
        "https://",
        "",
    ] {
        assert!(TargetUrl::parse(url).is_err(), "{url:?}");
    }
}

#[test]
fn plain_urls_are_accepted_unchanged() {
    for (url, host, port, sent) in [
        ("https://app.example", "app.example", 443, "/"),
        ("https://app.example/", "app.example", 443, "/"),
        ("https://app.example/rts/in?room=1&x=%20", "app.example", 443, "/rts/in?room=1&x=%20"),
        ("https://app.example:8443/a//b", "app.example", 8_443, "/a//b"),
        ("http://10.0.0.1:80/x", "", 0, ""),
        ("http://10.0.0.1/x", "10.0.0.1", 80, "/x"),
        ("https://[2001:db8::1]/x", "[2001:db8::1]", 443, "/x"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
    ] {
        match TargetUrl::parse(url) {
            Ok(target) => {
                assert_eq!((target.host(), target.port()), (host, port), "{url}");
                assert_eq!(target.path_and_query(), sent, "{url}");
            }
            Err(error) => assert_eq!((error, port), (UrlError::NotPlain, 0), "{url}"),
        }
    }
}

#[test]
fn names_have_an_exact_bound() {
    let label = |bytes: usize| "a".repeat(bytes);
    let name = |last: usize| [label(63), label(63), label(63), label(last)].join(".");
    let parse = |host: &str| TargetUrl::parse(&format!("https://{host}/"));
    assert!(parse(&name(61)).is_ok());
    assert_eq!(parse(&name(62)), Err(UrlError::Name));
    assert!(parse(&format!("{}.example", label(63))).is_ok());
    assert_eq!(parse(&format!("{}.example", label(64))), Err(UrlError::Name));
}

#[test]
fn urls_have_an_exact_bound() {
    let url = |bytes: usize| format!("{:x<bytes$}", "https://app.example/");
    assert!(TargetUrl::parse(&url(2_048)).is_ok());
    assert_eq!(TargetUrl::parse(&url(2_049)), Err(UrlError::TooLong));
}

#[test]
fn origin_and_path_decide_segment_by_segment() {
    let entries = ["https://app.example/rts", "https://other.example:8443/a/b/"];
    for url in [
        "https://app.example/rts",
        "https://app.example/rts/",
        "https://app.example/rts/deep/er?q=1",
        "https://app.example/rts?q=1",
        "https://other.example:8443/a/b",
        "https://other.example:8443/a/b/c",
    ] {
        assert!(permits(&entries, url), "{url}");
    }
    for url in [
        "https://app.example/",
        "https://app.example/rts-admin",
        "https://app.example/rtsx/",
        "https://app.example/RTS",
        "https://app.example//rts",
        "https://app.example:8443/rts",
        "http://app.example/rts",
        "https://app.example.evil.example/rts",
        "https://sub.app.example/rts",
        "https://evil.example/https://app.example/rts",
        "https://other.example/a/b",
        "https://other.example:8443/a",
    ] {
        assert!(!permits(&entries, url), "{url}");
    }
    assert!(permits(&["https://app.example"], "https://app.example/anything"));
}

#[test]
fn an_empty_list_permits_nothing() {
    assert!(AllowList::default().is_empty());
    for url in ["https://app.example/", "http://127.0.0.1/", "http://localhost:1/"] {
        assert!(!permits(&[], url), "{url}");
    }
}

#[test]
fn development_is_loopback_in_three_spellings() {
    let list = AllowList::default().with_loopback();
    let permits = |url: &str| TargetUrl::parse(url).is_ok_and(|url| list.permits(&url));
    for url in ["http://127.0.0.1:8080/x", "http://localhost/", "https://[::1]:1/a?b"] {
        assert!(permits(url), "{url}");
    }
    for url in [
        "http://127.0.0.2/",
        "http://127.1/",
        "http://LOCALHOST/",
        "http://localhost./",
        "http://localhost.evil.example/",
        "http://[::ffff:7f00:1]/",
        "http://0.0.0.0/",
        "http://[::]/",
        "http://ip6-localhost/",
        "http://app.example/",
    ] {
        assert!(!permits(url), "{url}");
    }
}

#[test]
fn invalid_entries_have_a_reason() {
    let entry = str::parse::<AllowEntry>;
    assert_eq!(entry("https://app.example/?q"), Err(EntryError::Query));
    assert_eq!(entry("https://App.example/"), Err(EntryError::Url(UrlError::NotPlain)));
    let entries = ["https://app.example/rts", "http://app.example/"];
    let entries = entries.map(|text| entry(text).expect("an entry"));
    assert!(AllowList::new(entries.clone(), true).is_ok());
    let error = AllowList::new(entries, false).expect_err("http is not allowed");
    assert_eq!(error.entry(), 1);
}

#[test]
fn a_url_is_shown_by_its_origin() {
    let url = TargetUrl::parse("https://app.example:8443/secret?secret").expect("plain");
    for shown in [format!("{url}"), format!("{url:?}")] {
        assert!(shown.contains("https://app.example:8443"), "{shown}");
        assert!(!shown.contains("secret"), "{shown}");
    }
}

/// Pieces from which URLs are made, many of them invalid.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "https",
        "http",
        "HTTPS",
        "://",
        ":",
        "/",
        "//",
        "\\",
        "@",
        "#",
        "?",
        "%",
        "%2f",
        "%2e",
        ".",
        "..",
        "app",
        "example",
        "evil",
        "127",
        "0",
        "1",
        "0x7f",
        "localhost",
        "[::1]",
        "[",
        "]",
        ":80",
        ":443",
        ":8443",
        " ",
        "\t",
        "\u{e9}",
        "rts",
        "A",
        "-",
        "xn--",
        ";",
        "&",
        "=",
    ]);
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// Texts that begin like the listed URLs below, or differ from them in the middle; and any other
/// texts.
fn nearly_listed() -> impl Strategy<Value = String> {
    prop_oneof![
        pieces(),
        pieces().prop_map(|rest| format!("https://app.example/rts{rest}")),
        pieces().prop_map(|rest| format!("https://app.example{rest}")),
        pieces().prop_map(|host| format!("https://app.example{host}/rts")),
        pieces().prop_map(|scheme| format!("{scheme}://app.example/rts")),
    ]
}

/// Checks many texts. `check` returns whether the check applied to a text, and these are counted.
fn check_many(
    texts: impl Strategy<Value = String>,
    check: impl Fn(&str) -> Result<bool, TestCaseError>,
) {
    let count = Cell::new(0);
    let config =
        ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&texts, |text| {
        count.set(count.get() + u32::from(check(&text)?));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    assert!(count.get() > 40, "only {} of 4000 were accepted", count.get());
}

#[test]
fn accepted_urls_parse_to_themselves() {
    let below = pieces().prop_map(|rest| format!("https://app.example/{rest}"));
    check_many(prop_oneof![pieces(), below], |text| {
        let Ok(url) = TargetUrl::parse(text) else { return Ok(false) };
        let with_slash = format!("{text}/");
        prop_assert!([text, &with_slash].contains(&url.as_str()), "{}", url.as_str());
        let again = TargetUrl::parse(url.as_str());
        prop_assert_eq!(again.as_ref(), Ok(&url));
        prop_assert!(url.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        // Put together from its parts, the URL is unchanged.
        let scheme = if url.is_tls() { "https" } else { "http" };
        let made = format!("{scheme}://{}{}", url.authority(), url.path_and_query());
        prop_assert_eq!(made.as_str(), url.as_str());
        prop_assert!(url.path().split('/').all(|segment| segment != ".." && segment != "."));
        prop_assert!(!url.host().is_empty() && !url.authority().contains('@'));
        Ok(true)
    });
}

#[test]
fn only_listed_urls_are_permitted() {
    let prefixes = ["https://app.example/rts"];
    check_many(nearly_listed(), |text| {
        let is_permitted = permits(&prefixes, text);
        if is_permitted {
            let rest = text.strip_prefix(prefixes[0]);
            let is_below = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
            prop_assert!(is_below, "{}", text);
        }
        Ok(is_permitted)
    });
}
