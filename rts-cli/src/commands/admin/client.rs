//! A client of the OpenAPI, with a bearer key or signed requests.

use std::error::Error;
use std::io;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{RequestBuilder, Url};
use rts_openapi::signature::{Parts, sign};
use rts_openapi::{Action, Envelope, Method, Query};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::dev_token::unix_now;

/// Timeout of a request. The server answers at once if it is reachable.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The region of signatures. A server accepts any, because it has the same keys for all regions.
const REGION: &str = "rts";
/// Characters quoted from an answer that is not one of the OpenAPI.
const SHOWN_CHARS_MAX: usize = 200;

/// The key of requests.
pub(super) enum Credentials {
    Bearer(String),
    Signing { id: String, secret: String },
}

pub(super) struct Client {
    url: Url,
    credentials: Credentials,
    http: reqwest::Client,
}

impl Client {
    pub(super) fn new(url: &str, credentials: Credentials) -> anyhow::Result<Self> {
        let Some(url) = Url::parse(url).ok().filter(is_base) else {
            // The URL may contain a password, so the error does not show it.
            bail!(
                "--url has the form http://HOST:PORT or https://HOST, with nothing after it; a key \
                 is given by --key or RTS_ADMIN_KEY"
            );
        };
        // Installs the process-wide provider, which only this command needs. The call fails if
        // there is one already, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // A key goes only to the named server, not through a proxy.
            .no_proxy()
            .build()
            .context("HTTP")?;
        Ok(Self { url, credentials, http })
    }

    pub(super) async fn ask(
        &self,
        action: Action,
        fields: &Value,
    ) -> anyhow::Result<Envelope<Value>> {
        let mut pairs = vec![
            ("Action".to_owned(), action.name().to_owned()),
            ("Version".to_owned(), action.version().to_owned()),
        ];
        let body = match action.method() {
            Method::Post => fields.to_string(),
            Method::Get => {
                let texts = fields.as_object().into_iter().flatten();
                let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
                pairs.extend(texts.map(|(k, v)| (k.clone(), text(v))));
                String::new()
            }
        };
        let query = Query::of(pairs);
        let mut url = self.url.clone();
        url.set_path("/");
        url.set_query(Some(&query.canonical()));
        let request = match action.method() {
            Method::Get => self.http.get(url),
            Method::Post => self.http.post(url).header(CONTENT_TYPE, "application/json"),
        };
        let request = match &self.credentials {
            Credentials::Bearer(key) => request.header(AUTHORIZATION, bearer(key)),
            Credentials::Signing { id, secret } => {
                let signed = self.sign(action.method(), &query, &body, id, secret);
                signed
                    .into_iter()
                    .fold(request, |request, (name, value)| request.header(name, value))
            }
        };
        self.answer(request.body(body)).await
    }

    /// Gets a page beside the OpenAPI, which needs no key.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let mut url = self.url.clone();
        url.set_path(path);
        self.answer(self.http.get(url)).await
    }

    /// Gives the server itself an order.
    pub(super) async fn order(&self, path: &str, query: Option<&str>) -> anyhow::Result<Value> {
        let Credentials::Bearer(key) = &self.credentials else {
            bail!("orders to a node are not signed: say --key, with a bearer key for all apps");
        };
        let mut url = self.url.clone();
        url.set_path(path);
        url.set_query(query);
        self.answer(self.http.post(url).header(AUTHORIZATION, bearer(key))).await
    }

    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let unreachable = |error: reqwest::Error| {
            let advice = match self.url.scheme() {
                "https" => "a server itself has no TLS there: say http://, if no proxy is in front",
                _ => "start one with `rts serve --dev`, or say --url",
            };
            anyhow!("no server answers at {}: {}; {advice}", self.url, why(&error))
        };
        let answer = request.send().await.map_err(unreachable)?;
        let text = answer.text().await.map_err(unreachable)?;
        serde_json::from_str(&text).map_err(|_| {
            let shown: String =
                text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARS_MAX).collect();
            anyhow!("{} is not the OpenAPI of an RTS server; it answers {shown:?}", self.url)
        })
    }

    fn sign(
        &self,
        method: Method,
        query: &Query,
        body: &str,
        id: &str,
        secret: &str,
    ) -> [(&'static str, String); 3] {
        let host = self.url.host_str().unwrap_or_default();
        let host = match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let headers = [("host".to_owned(), host)];
        let body = body.as_bytes();
        let parts = Parts { method, path: "/", query, headers: &headers, body };
        sign(&parts, id, secret, REGION, unix_now())
    }
}

fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

/// Whether the URL is a bare base URL. Other parts would be ignored.
fn is_base(url: &Url) -> bool {
    let is_http = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
    let has_user = !url.username().is_empty() || url.password().is_some();
    let has_more = url.path() != "/" || url.query().is_some() || url.fragment().is_some();
    is_http && !has_user && !has_more
}

/// The innermost cause. The outer ones are layers of the library, and contain the whole request.
fn why(error: &reqwest::Error) -> String {
    let chain = || std::iter::successors(Some(error as &dyn Error), |&error| error.source());
    let refused = chain().filter_map(|error| error.downcast_ref::<io::Error>());
    let is_refused = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    match chain().last() {
        _ if error.is_timeout() => format!("no answer for {} s", TIMEOUT.as_secs()),
        _ if refused.clone().any(is_refused) => "the connection was refused".to_owned(),
        Some(root) => root.to_string(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_with_more_than_a_host_is_refused_unshown() {
        let new = |url: &str| Client::new(url, Credentials::Bearer("key".to_owned()));
        for url in ["http://127.0.0.1:7601", "https://rts.example", "http://[::1]:7601/"] {
            assert!(new(url).is_ok(), "{url}");
        }
        for url in [
            "http://operator:secret@127.0.0.1:7601",
            "http://secret@127.0.0.1:7601",
            "https://rts.example/secret",
            "https://rts.example/?key=secret",
            "https://rts.example/#secret",
            "ftp://secret",
            "secret",
        ] {
            let error = new(url).err().expect(url).to_string();
            assert!(error.contains("http://HOST:PORT") && !error.contains("secret"), "{error}");
        }
    }
}
