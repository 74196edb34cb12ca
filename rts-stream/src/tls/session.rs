//! One TLS session. It keeps only incomplete records and messages, so an idle session holds no
//! buffers.

use std::fmt;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};
use rustls::{ClientConfig, Error, ServerConfig};

use crate::error::LayerError;
use crate::http;
use crate::layer::Layer;
use crate::sniff::{Found, Sniffer};

/// First guesses for the needed space: the bytes that encryption adds to a record, and the bytes of
/// a record.
const RECORD_OVERHEAD_BYTES: usize = 64;
const RECORD_BYTES: usize = 16 * 1_024;

/// The alert for a peer that does not speak TLS, unencrypted. It shows that this side does.
const UNEXPECTED_MESSAGE: [u8; 7] = [0x15, 3, 1, 0, 2, 2, 10];

pub(crate) struct Tls {
    side: Side,
    /// The beginning of a record, or of a handshake message.
    held: Vec<u8>,
    /// The check for TLS, until the first bytes are clear.
    first_bytes: Option<Sniffer>,
    is_open: bool,
    is_ended: bool,
}

enum Side {
    Client(UnbufferedClientConnection),
    Server(UnbufferedServerConnection),
}

/// The result of one step of rustls.
enum Flow {
    /// There may be more to do with the present bytes.
    Go,
    /// More bytes are needed.
    Wait,
    /// Application data can be sent.
    Open,
}

impl Tls {
    pub(crate) fn client(
        config: &Arc<ClientConfig>,
        name: &ServerName<'static>,
    ) -> Result<Self, LayerError> {
        let connection = UnbufferedClientConnection::new(Arc::clone(config), name.clone());
        Ok(Self::new(Side::Client(connection.map_err(LayerError::Tls)?)))
    }

    pub(crate) fn server(config: &Arc<ServerConfig>) -> Result<Self, LayerError> {
        let connection = UnbufferedServerConnection::new(Arc::clone(config));
        Ok(Self::new(Side::Server(connection.map_err(LayerError::Tls)?)))
    }

    fn new(side: Side) -> Self {
        Self {
            side,
            held: Vec::new(),
            first_bytes: Some(Sniffer::default()),
            is_open: false,
            is_ended: false,
        }
    }

    /// Whether the peer speaks TLS, as far as the bytes show. If it speaks another protocol, it
    /// gets an answer where possible.
    fn is_tls(&mut self, input: &[u8], down: &mut Vec<u8>) -> Result<bool, LayerError> {
        let Some(sniffer) = &mut self.first_bytes else { return Ok(true) };
        match sniffer.look_at(input) {
            Found::TooLittle => return Ok(false),
            Found::Tls => {}
            Found::Http { is_request: true } => {
                down.extend(http::not_here());
                return Err(LayerError::NotTls);
            }
            Found::ProxyProtocol => {
                down.extend(UNEXPECTED_MESSAGE);
                return Err(LayerError::SpeaksProxyProtocol);
            }
            Found::Http { is_request: false } | Found::Frames => {
                down.extend(UNEXPECTED_MESSAGE);
                return Err(LayerError::NotTls);
            }
        }
        self.first_bytes = None;
        Ok(true)
    }

    /// Lets rustls process `input` until it needs more. Returns the number of bytes processed.
    fn work(
        &mut self,
        input: &mut [u8],
        up: &mut Vec<u8>,
        down: &mut Vec<u8>,
    ) -> Result<usize, LayerError> {
        let mut done = 0;
        loop {
            let (discard, flow) = self.step(&mut input[done..], up, down);
            done += discard;
            match flow {
                Ok(Flow::Go) => {}
                Ok(Flow::Wait) => return Ok(done),
                Ok(Flow::Open) => {
                    self.is_open = true;
                    return Ok(done);
                }
                Err(error) => {
                    // The alert is the last output. No more steps are made after it, so that rustls
                    // does not meet another error.
                    while self.has_words_left() {
                        let _ = self.step(&mut input[done..], up, down);
                    }
                    return Err(LayerError::Tls(error));
                }
            }
        }
    }

    fn has_words_left(&self) -> bool {
        match &self.side {
            Side::Client(connection) => connection.wants_write(),
            Side::Server(connection) => connection.wants_write(),
        }
    }

    fn step(
        &mut self,
        input: &mut [u8],
        up: &mut Vec<u8>,
        down: &mut Vec<u8>,
    ) -> (usize, Result<Flow, Error>) {
        let is_ended = &mut self.is_ended;
        match &mut self.side {
            Side::Client(connection) => {
                handle(connection.process_tls_records(input), up, down, is_ended)
            }
            Side::Server(connection) => {
                handle(connection.process_tls_records(input), up, down, is_ended)
            }
        }
    }

    /// Runs an action in the state in which application data can be sent.
    fn write(
        &mut self,
        down: &mut Vec<u8>,
        room: usize,
        write: impl Fn(&mut dyn Writer, &mut [u8]) -> Result<usize, EncryptError>,
    ) -> Result<(), LayerError> {
        // Answers of TLS itself come first, and lead to that state.
        let mut held = std::mem::take(&mut self.held);
        let done = self.work(&mut held, &mut Vec::new(), down)?;
        held.drain(..done);
        self.held = held;
        let written = match &mut self.side {
            Side::Client(connection) => {
                match connection.process_tls_records(&mut self.held).state {
                    Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                        grow(down, room, |room| write(&mut traffic, room))
                    }
                    _ => return Ok(()),
                }
            }
            Side::Server(connection) => {
                match connection.process_tls_records(&mut self.held).state {
                    Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                        grow(down, room, |room| write(&mut traffic, room))
                    }
                    _ => return Ok(()),
                }
            }
        };
        written.map_err(|error| LayerError::Tls(Error::General(error.to_string())))
    }
}

impl Layer for Tls {
    fn receive(
        &mut self,
        input: &mut [u8],
        up: &mut Vec<u8>,
        down: &mut Vec<u8>,
    ) -> Result<(), LayerError> {
        if !input.is_empty() && !self.is_tls(input, down)? {
            self.held.extend_from_slice(input);
            return Ok(());
        }
        if self.held.is_empty() {
            let done = self.work(input, up, down)?;
            self.held.extend_from_slice(&input[done..]);
            return Ok(());
        }
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(input);
        let done = self.work(&mut held, up, down)?;
        if done < held.len() {
            held.drain(..done);
            self.held = held;
        }
        Ok(())
    }

    fn send(&mut self, data: &[u8], down: &mut Vec<u8>) -> Result<(), LayerError> {
        let room = data.len() + (data.len() / RECORD_BYTES + 1) * RECORD_OVERHEAD_BYTES;
        self.write(down, room, |traffic, room| traffic.encrypt(data, room))
    }

    fn is_open(&self) -> bool {
        self.is_open
    }

    fn is_ended(&self) -> bool {
        self.is_ended
    }

    fn close(&mut self, down: &mut Vec<u8>) {
        if self.is_open {
            // Without this alert, the end of the TCP stream has the same meaning.
            let _ = self.write(down, RECORD_OVERHEAD_BYTES, |traffic, room| {
                traffic.queue_close_notify(room)
            });
        }
    }
}

/// The actions in the state in which application data can be sent, for both sides.
trait Writer {
    fn encrypt(&mut self, data: &[u8], room: &mut [u8]) -> Result<usize, EncryptError>;
    fn queue_close_notify(&mut self, room: &mut [u8]) -> Result<usize, EncryptError>;
}

impl<D> Writer for WriteTraffic<'_, D> {
    fn encrypt(&mut self, data: &[u8], room: &mut [u8]) -> Result<usize, EncryptError> {
        WriteTraffic::encrypt(self, data, room)
    }

    fn queue_close_notify(&mut self, room: &mut [u8]) -> Result<usize, EncryptError> {
        WriteTraffic::queue_close_notify(self, room)
    }
}

/// Carries out the request of rustls. Returns the number of input bytes processed, and what
/// follows.
fn handle<D>(
    status: UnbufferedStatus<'_, '_, D>,
    up: &mut Vec<u8>,
    down: &mut Vec<u8>,
    is_ended: &mut bool,
) -> (usize, Result<Flow, Error>) {
    let UnbufferedStatus { discard, state } = status;
    let flow = state.and_then(|state| match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                up.extend_from_slice(record?.payload);
            }
            Ok(Flow::Go)
        }
        ConnectionState::EncodeTlsData(mut data) => {
            let encoded = grow(down, RECORD_OVERHEAD_BYTES, |room| data.encode(room));
            encoded.map_err(|error| Error::General(error.to_string()))?;
            Ok(Flow::Go)
        }
        ConnectionState::TransmitTlsData(data) => {
            // The bytes are in `down`, and are sent before any later ones.
            data.done();
            Ok(Flow::Go)
        }
        ConnectionState::PeerClosed => {
            *is_ended = true;
            Ok(Flow::Go)
        }
        ConnectionState::WriteTraffic(_) => Ok(Flow::Open),
        // Data before the end of the handshake is not offered, so there is none.
        _ => Ok(Flow::Wait),
    });
    (discard, flow)
}

/// Appends the output of `write`, with more space if it needs more.
fn grow<E: WantsRoom>(
    down: &mut Vec<u8>,
    mut room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Result<(), E> {
    let start = down.len();
    loop {
        down.resize(start + room, 0);
        match write(&mut down[start..]) {
            Ok(written) => {
                down.truncate(start + written);
                return Ok(());
            }
            Err(error) => match error.wanted() {
                Some(wanted) if wanted > room => room = wanted,
                _ => {
                    down.truncate(start);
                    return Err(error);
                }
            },
        }
    }
}

/// An error that may mean too little space.
trait WantsRoom {
    fn wanted(&self) -> Option<usize>;
}

impl WantsRoom for EncodeError {
    fn wanted(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::AlreadyEncoded => None,
        }
    }
}

impl WantsRoom for EncryptError {
    fn wanted(&self) -> Option<usize> {
        match self {
            Self::InsufficientSize(InsufficientSizeError { required_size }) => Some(*required_size),
            Self::EncryptExhausted => None,
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_open { "Tls(open)" } else { "Tls(handshake)" })
    }
}
