//! HTTP CONNECT: RFC 9110, 9.3.6.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::credentials::Credentials;
use crate::address::Address;
use crate::error::{LayerError, ProxyFailure};
use crate::http::Head;
use crate::layer::Layer;

#[derive(Debug)]
pub(crate) enum HttpConnect {
    Begin(Request),
    Asked(Head),
    Open,
}

/// The request. It may contain a password.
pub(crate) struct Request(String);

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request")
    }
}

impl HttpConnect {
    pub(crate) fn new(target: &Address, credentials: Option<&Credentials>) -> Self {
        let authority = target.authority();
        let authorization = credentials.map_or_else(String::new, |credentials| {
            let pair = format!("{}:{}", credentials.user, credentials.password);
            format!("Proxy-Authorization: Basic {}\r\n", BASE64_STANDARD.encode(pair))
        });
        Self::Begin(Request(format!(
            "CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n{authorization}\r\n"
        )))
    }
}

impl Layer for HttpConnect {
    fn receive(
        &mut self,
        mut input: &mut [u8],
        up: &mut Vec<u8>,
        down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        if let Self::Begin(request) = self {
            down.extend_from_slice(request.0.as_bytes());
            *self = Self::Asked(Head::default());
        }
        if let Self::Asked(head) = self {
            let (taken, is_complete) = head.take(input)?;
            if !is_complete {
                return Ok(());
            }
            check(head.status())?;
            input = &mut input[taken..];
            *self = Self::Open;
        }
        up.extend_from_slice(input);
        Ok(())
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) -> Result<(), LayerError> {
        down.extend_from_slice(data);
        Ok(())
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    fn is_ended(&self) -> bool {
        false
    }

    fn close(&mut self, _: &mut Vec<u8>) {}
}

fn check(status: Option<u16>) -> Result<(), ProxyFailure> {
    match status {
        Some(200..=299) => Ok(()),
        Some(status) => Err(ProxyFailure::HttpStatus(status)),
        None => Err(ProxyFailure::NotHttp),
    }
}
