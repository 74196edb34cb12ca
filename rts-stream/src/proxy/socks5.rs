//! SOCKS5: RFC 1928, with user and password by RFC 1929. The proxy resolves the server's name.

use std::net::IpAddr;

use super::credentials::Credentials;
use crate::address::Address;
use crate::error::{LayerError, ProxyFailure, Socks5Reply};
use crate::layer::Layer;

const VERSION: u8 = 5;
const NO_LOGIN: u8 = 0;
const USER_AND_PASSWORD: u8 = 2;
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

pub(crate) struct Socks5 {
    state: State,
    /// The bytes of an incomplete answer.
    held: Vec<u8>,
    target: Vec<u8>,
    credentials: Option<Credentials>,
}

/// The answer that is expected next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Begin,
    Method,
    Login,
    Connection,
    Open,
}

impl Socks5 {
    pub(crate) fn new(target: &Address, credentials: Option<Credentials>) -> Self {
        let mut bytes = Vec::new();
        match target.host().parse() {
            Ok(IpAddr::V4(ip)) => {
                bytes.push(IPV4);
                bytes.extend(ip.octets());
            }
            Ok(IpAddr::V6(ip)) => {
                bytes.push(IPV6);
                bytes.extend(ip.octets());
            }
            Err(_) => bytes.extend([&[NAME], &with_length(target.host())[..]].concat()),
        }
        bytes.extend(target.port().to_be_bytes());
        Self { state: State::Begin, held: Vec::new(), target: bytes, credentials }
    }

    /// Advances the state by one complete answer. Returns whether there was one.
    fn step(&mut self, down: &mut Vec<u8>) -> Result<bool, ProxyFailure> {
        match (self.state, &self.held[..]) {
            (State::Begin, _) => {
                match self.credentials {
                    None => down.extend([VERSION, 1, NO_LOGIN]),
                    Some(_) => down.extend([VERSION, 2, NO_LOGIN, USER_AND_PASSWORD]),
                }
                self.state = State::Method;
            }
            (State::Method, [version, ..]) if *version != VERSION => {
                return Err(ProxyFailure::NotSocks5);
            }
            (State::Method, [_, NO_LOGIN, ..]) => self.connect(2, down),
            (State::Method, [_, USER_AND_PASSWORD, ..]) if self.credentials.is_some() => {
                if let Some(Credentials { user, password }) = self.credentials.take() {
                    down.push(LOGIN_VERSION);
                    down.extend([with_length(&user), with_length(&password)].concat());
                }
                self.held.drain(..2);
                self.state = State::Login;
            }
            (State::Method, [_, _, ..]) => {
                return Err(ProxyFailure::NoCommonLogin);
            }
            (State::Login, [LOGIN_VERSION, 0, ..]) => self.connect(2, down),
            (State::Login, [_, _, ..]) => {
                return Err(ProxyFailure::LoginRefused);
            }
            (State::Connection, [version, code, ..]) if *version != VERSION || *code != 0 => {
                let reply = Socks5Reply::from_number(*code).filter(|_| *version == VERSION);
                return Err(reply.map_or(ProxyFailure::BadSocks5, ProxyFailure::Socks5));
            }
            (State::Connection, [_, _, _, kind, first, ..]) => {
                let address_bytes = match *kind {
                    IPV4 => 4,
                    IPV6 => 16,
                    NAME => 1 + usize::from(*first),
                    _ => return Err(ProxyFailure::BadSocks5),
                };
                let answer_bytes = 4 + address_bytes + 2;
                if self.held.len() < answer_bytes {
                    return Ok(false);
                }
                self.held.drain(..answer_bytes);
                self.state = State::Open;
            }
            (State::Method | State::Login | State::Connection | State::Open, _) => {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Asks for the connection, after an answer of `answered` bytes.
    fn connect(&mut self, answered: usize, down: &mut Vec<u8>) {
        self.held.drain(..answered);
        down.extend([VERSION, CONNECT, 0]);
        down.extend_from_slice(&self.target);
        self.state = State::Connection;
    }
}

impl Layer for Socks5 {
    fn receive(
        &mut self,
        input: &mut [u8],
        up: &mut Vec<u8>,
        down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        if self.state == State::Open {
            up.extend_from_slice(input);
            return Ok(());
        }
        self.held.extend_from_slice(input);
        while self.step(down)? {}
        if self.state == State::Open {
            up.append(&mut self.held);
        }
        Ok(())
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) -> Result<(), LayerError> {
        down.extend_from_slice(data);
        Ok(())
    }

    fn is_open(&self) -> bool {
        self.state == State::Open
    }

    fn is_ended(&self) -> bool {
        false
    }

    fn close(&mut self, _: &mut Vec<u8>) {}
}

/// Shows no password.
impl std::fmt::Debug for Socks5 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Socks5({:?})", self.state)
    }
}

/// `Address` and `Proxy` make sure that names, users and passwords have at most 255 bytes.
fn with_length(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    [&[length], text.as_bytes()].concat()
}
