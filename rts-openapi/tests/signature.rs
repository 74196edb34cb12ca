//! Signatures of Volcengine's own package are accepted, and similar ones are refused.

use proptest::prelude::*;
use rts_openapi::signature::{Parts, Signature, sign};
use rts_openapi::{ErrorCode, Method, Query};
use serde::Deserialize;

/// A request that `vectors/make.py` signed.
#[derive(Debug, Deserialize)]
struct Vector {
    name: String,
    method: String,
    query: String,
    body: String,
    secret: String,
    access_key: String,
    region: String,
    headers: std::collections::BTreeMap<String, String>,
}

impl Vector {
    fn method(&self) -> Method {
        match self.method.as_str() {
            "GET" => Method::Get,
            _ => Method::Post,
        }
    }

    fn headers(&self) -> Vec<(String, String)> {
        self.headers.iter().map(|(k, v)| (k.to_ascii_lowercase(), v.clone())).collect()
    }

    fn unix_time(&self) -> u64 {
        match self.headers["X-Date"].as_str() {
            "20231114T221320Z" => 1_700_000_000,
            "20000229T000000Z" => 951_782_400,
            "20231231T235959Z" => 1_704_067_199,
            other => panic!("{other} is new"),
        }
    }
}

fn vectors() -> Vec<Vector> {
    let vectors: Vec<Vector> =
        serde_json::from_str(include_str!("vectors/signed.json")).expect("JSON");
    assert_eq!(vectors.len(), 5);
    vectors
}

/// The parts of a request, which tests change.
#[derive(Clone)]
struct Request {
    method: Method,
    path: String,
    query: Query,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn of(vector: &Vector) -> Self {
        Self {
            method: vector.method(),
            path: "/".to_owned(),
            query: Query::parse(&vector.query),
            headers: vector.headers(),
            body: vector.body.clone().into_bytes(),
        }
    }

    fn parts(&self) -> Parts<'_> {
        let Self { method, path, query, headers, body } = self;
        Parts { method: *method, path, query, headers, body }
    }

    fn header(&mut self, name: &str) -> &mut String {
        let found = self.headers.iter_mut().find(|(other, _)| other == name);
        &mut found.expect("an existing header").1
    }

    fn check(&mut self, secret: &str, unix_now: u64) -> Result<(), ErrorCode> {
        let authorization = self.header("authorization").clone();
        let signature = Signature::parse(&authorization).map_err(|error| error.code)?;
        signature.verify(&self.parts(), secret, unix_now).map_err(|error| error.code)
    }
}

#[test]
fn accepts_signatures_of_volcengine_package() {
    for vector in vectors() {
        let signature = Signature::parse(&vector.headers["Authorization"]).expect(&vector.name);
        assert_eq!(signature.access_key(), vector.access_key);
        assert_eq!(signature.region(), vector.region);
        let checked = Request::of(&vector).check(&vector.secret, vector.unix_time());
        assert_eq!(checked, Ok(()), "{}", vector.name);
    }
}

#[test]
fn signs_like_volcengine_package() {
    for vector in vectors() {
        let mut request = Request::of(&vector);
        request.headers.retain(|(name, _)| name == "host" || name == "content-type");
        let Vector { access_key, secret, region, .. } = &vector;
        let signed = sign(&request.parts(), access_key, secret, region, vector.unix_time());
        for (name, value) in signed {
            assert_eq!(value, vector.headers[name], "{} {name}", vector.name);
        }
    }
}

#[test]
fn clock_skew_of_900_seconds_is_accepted_but_not_901() {
    for vector in vectors() {
        let at = vector.unix_time();
        let mut request = Request::of(&vector);
        for good in [at - 900, at + 900] {
            assert_eq!(request.check(&vector.secret, good), Ok(()), "{}", vector.name);
        }
        for bad in [at - 901, at + 901, 0, u64::MAX] {
            let checked = request.check(&vector.secret, bad);
            assert_eq!(checked, Err(ErrorCode::InvalidTimestamp), "{}", vector.name);
        }
    }
}

#[test]
fn malformed_time_or_other_day_is_refused() {
    let vector = &vectors()[0];
    for date in [
        "",
        "20231114",
        "20231114T221320",
        "2023-11-14T22:13:20Z",
        "20231115T000000Z",
        "20231314T221320Z",
    ] {
        let mut request = Request::of(vector);
        *request.header("x-date") = date.to_owned();
        let checked = request.check(&vector.secret, vector.unix_time());
        assert_eq!(checked, Err(ErrorCode::InvalidTimestamp), "{date:?}");
    }
    let mut request = Request::of(vector);
    request.headers.push(("x-date".to_owned(), "20231114T221320Z".to_owned()));
    let checked = request.check(&vector.secret, vector.unix_time());
    assert_eq!(checked, Err(ErrorCode::InvalidTimestamp), "twice");
}

#[test]
fn change_of_any_signed_part_is_refused() {
    type Change = fn(&mut Request);
    let changes: [(&str, Change); 8] = [
        ("method", |request| request.method = Method::Get),
        ("path", |request| request.path = "/other".to_owned()),
        ("query", |request| request.query = Query::parse("Action=DismissRoom&Version=2020-12-01")),
        ("body", |request| request.body.push(b' ')),
        ("body and its digest", |request| {
            request.body.clear();
            let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
            *request.header("x-content-sha256") = digest.to_owned();
        }),
        ("host", |request| *request.header("host") = "other.example.com".to_owned()),
        ("a header away", |request| request.headers.retain(|(name, _)| name != "content-type")),
        ("a header twice", |request| {
            request.headers.push(("content-type".to_owned(), "text/plain".to_owned()));
        }),
    ];
    let vector = &vectors()[0];
    for (what, change) in changes {
        let mut request = Request::of(vector);
        change(&mut request);
        let checked = request.check(&vector.secret, vector.unix_time());
        assert_eq!(checked, Err(ErrorCode::SignatureDoesNotMatch), "{what}");
    }
    let mut request = Request::of(vector);
    let checked = request.check("another secret", vector.unix_time());
    assert_eq!(checked, Err(ErrorCode::SignatureDoesNotMatch));
    request.headers.push(("user-agent".to_owned(), "not signed".to_owned()));
    assert_eq!(request.check(&vector.secret, vector.unix_time()), Ok(()));
}

#[test]
fn runs_of_blanks_are_signed_in_two_forms() {
    let (secret, now) = ("the-secret-of-this-test", 1_700_000_000);
    let query = Query::parse("Action=SendUnicast&Version=2023-07-20");
    for (signed, sent, is_good) in [
        ("text/plain; a=b", "text/plain; a=b", true),
        ("text/plain;   a=b", "text/plain;   a=b", true),
        ("text/plain; a=b", "text/plain; \t  a=b", true),
        ("text/plain; a=b", "  text/plain; a=b ", true),
        ("text/plain;  a=b", "text/plain; a=b", false),
        ("text/plain;  a=b", "text/plain;   a=b", false),
        ("text/plain;a=b", "text/plain; a=b", false),
    ] {
        let with = |value: &str| {
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            vec![pair("content-type", value), pair("host", "x")]
        };
        let signs = with(signed);
        let parts =
            Parts { method: Method::Post, path: "/", query: &query, headers: &signs, body: b"" };
        let [date, digest, authorization] = sign(&parts, "AK", secret, "cn-north-1", now);
        let mut headers = with(sent);
        headers.extend([date, digest].map(|(name, value)| (name.to_ascii_lowercase(), value)));
        let parts = Parts { headers: &headers, ..parts };
        let signature = Signature::parse(&authorization.1).expect("it was just made");
        let checked = signature.verify(&parts, secret, now).map_err(|error| error.code);
        let wanted = if is_good { Ok(()) } else { Err(ErrorCode::SignatureDoesNotMatch) };
        assert_eq!(checked, wanted, "{signed:?} {sent:?}");
    }
}

/// Signs a request with one query, and checks the signature as that of a request with another.
fn signed_as(signed: &str, sent: &str) -> Result<(), ErrorCode> {
    let (secret, now) = ("the-secret-of-this-test", 1_700_000_000);
    let mut headers = vec![("host".to_owned(), "x".to_owned())];
    let (signed, sent) = (Query::parse(signed), Query::parse(sent));
    let parts =
        Parts { method: Method::Get, path: "/", query: &signed, headers: &headers, body: b"" };
    let [date, digest, authorization] = sign(&parts, "AK", secret, "cn-north-1", now);
    headers.extend([date, digest].map(|(name, value)| (name.to_ascii_lowercase(), value)));
    let parts =
        Parts { method: Method::Get, path: "/", query: &sent, headers: &headers, body: b"" };
    let signature = Signature::parse(&authorization.1).expect("it was just made");
    signature.verify(&parts, secret, now).map_err(|error| error.code)
}

#[test]
fn repeated_query_values_are_signed_in_order_or_sorted() {
    let no = Err(ErrorCode::SignatureDoesNotMatch);
    for (signed, sent, wanted) in [
        ("a=2&a=1", "a=2&a=1", Ok(())),
        ("a=1&a=2", "a=2&a=1", Ok(())),
        ("a=1&a=10&a=9&b=0", "b=0&a=9&a=10&a=1", Ok(())),
        ("a=2&a=1", "a=1&a=2", no),
        ("a=1&a=2", "a=1&a=3", no),
        ("a=1&b=2", "a=2&b=1", no),
    ] {
        assert_eq!(signed_as(signed, sent), wanted, "{signed} {sent}");
    }
}

#[test]
fn other_service_or_region_does_not_match() {
    let vector = &vectors()[0];
    for (from, to) in [("/rtc/", "/rts/"), ("/cn-north-1/", "/cn-north-2/")] {
        let mut request = Request::of(vector);
        let authorization = request.header("authorization");
        *authorization = authorization.replace(from, to);
        let checked = request.check(&vector.secret, vector.unix_time());
        assert_eq!(checked, Err(ErrorCode::SignatureDoesNotMatch), "{to}");
    }
}

#[test]
fn malformed_signature_differs_from_wrong_one() {
    let good = &vectors()[0].headers["Authorization"];
    assert!(Signature::is_signature(good));
    assert!(!Signature::is_signature("Bearer x"));
    assert!(!Signature::is_signature(""));
    let long = format!("SignedHeaders={};", "x;".repeat(40));
    for (from, to) in [
        ("HMAC-SHA256 ", "HMAC-SHA512 "),
        ("Credential=", "Credentials="),
        ("/request", ""),
        ("/request", "/requests"),
        ("cn-north-1", ""),
        ("cn-north-1", "cn_north"),
        ("Signature=", "Signature=0"),
        ("Signature=01", "Signature=0x"),
        ("Signature=01e", "Signature=01E"),
        (", Signature=", ", S="),
        ("SignedHeaders=", long.as_str()),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(&bad, good);
        let error = Signature::parse(&bad).expect_err(&bad);
        assert_eq!(error.code, ErrorCode::InvalidAuthorization, "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A signed request is accepted. It is refused after a change of any bit of the signature or
    /// any byte of the body.
    #[test]
    fn signed_request_is_accepted_and_forgeries_refused(
        query in prop::collection::vec((".{0,8}", ".{0,8}"), 0..4),
        body in prop::collection::vec(any::<u8>(), 0..64),
        secret in ".{0,16}",
        host in "[a-z]{1,8}(:[0-9]{2,4})?",
        at in 0..4_000_000_000_u64,
        bit in 0..256_usize,
    ) {
        let headers = vec![("host".to_owned(), host)];
        let method = Method::Post;
        let mut request = Request { method, path: "/".to_owned(), query: Query::of(query), headers, body };
        for (name, value) in sign(&request.parts(), "AK", &secret, "any", at) {
            request.headers.push((name.to_ascii_lowercase(), value));
        }
        prop_assert_eq!(request.check(&secret, at), Ok(()));

        let mut forged = request.clone();
        let authorization = forged.header("authorization");
        let digit_at = authorization.len() - 64 + bit / 4;
        let digit = u8::from_str_radix(&authorization[digit_at..=digit_at], 16).expect("hex") ^ (1 << (bit % 4));
        authorization.replace_range(digit_at..=digit_at, &format!("{digit:x}"));
        prop_assert_eq!(forged.check(&secret, at), Err(ErrorCode::SignatureDoesNotMatch));

        request.body.push(0);
        prop_assert_eq!(request.check(&secret, at), Err(ErrorCode::SignatureDoesNotMatch));
    }

    #[test]
    fn no_header_causes_a_panic(text in ".{0,200}", date in ".{0,20}") {
        let body = b"".as_slice();
        let query = Query::parse(&text);
        let headers = [("x-date".to_owned(), date)];
        let parts = Parts { method: Method::Get, path: &text, query: &query, headers: &headers, body };
        for authorization in [text.clone(), format!("HMAC-SHA256 {text}")] {
            if let Ok(signature) = Signature::parse(&authorization) {
                prop_assert!(signature.verify(&parts, "", 0).is_err());
            }
        }
    }

    #[test]
    fn canonical_query_is_equivalent(text in "[a-c=&%+0-9~/]{0,40}") {
        let query = Query::parse(&text);
        prop_assert_eq!(Query::parse(&query.canonical()).canonical(), query.canonical());
    }
}
