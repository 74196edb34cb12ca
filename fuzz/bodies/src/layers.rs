//! The layers between TCP and the frames: TLS, WebSocket, proxies.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::sync::OnceLock;

use bytes::Bytes;
use rts_stream::{
    Acceptor, ConnectOptions, Connector, End, Identity, LayerError, Layers, Origins, Proxy, Roots,
};

use crate::script::Script;

/// A valid request for a WebSocket.
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: rts.v1\r\n\r\n";
/// More bytes than a side may ever have to write unasked.
const ANSWER_BYTES_MAX: usize = 256 * 1_024;
/// The size of the drivers' reads.
const READ_BYTES: usize = 64 * 1_024;
/// Frames do not begin with these bytes, so they are not mistaken for another protocol.
const SENT: &[u8] = b"\x04\x0a\x02\x08\x01";

/// The first byte chooses a side of a transport, which receives the rest. Nothing panics, the
/// answers are bounded, and the output does not depend on the cuts. One of the transports is a
/// valid link with one byte changed.
pub fn layers(data: &[u8]) {
    let mut script = Script::new(data);
    match script.byte() % 8 {
        0 => same_however_cut(&mut script, true, || Acceptor::plain().layers(), b""),
        1 => same_however_cut(&mut script, true, web_socket, b""),
        2 => same_however_cut(&mut script, true, web_socket, REQUEST),
        3 => same_however_cut(&mut script, false, || tls("rtss").1.layers(), b""),
        4 => same_however_cut(&mut script, true, || through("http://p:1"), b""),
        5 => same_however_cut(&mut script, true, || through("socks5://u:p@p:1"), b""),
        6 => client_of_web_socket(&mut script),
        _ => changed(&mut script),
    }
}

fn same_however_cut(
    script: &mut Script<'_>,
    writes_the_same: bool,
    layers: impl Fn() -> Layers,
    first: &[u8],
) {
    let size = usize::from(script.byte()) + 1;
    let rest = script.bytes(usize::MAX);
    let results = [rest.len().max(1), size, 1].map(|size| {
        let mut side = Side::new(layers());
        side.read(first, first.len().max(1));
        side.read(rest, size);
        side
    });
    if results.iter().any(Side::was_flooded) {
        return;
    }
    for side in &results[1..] {
        assert_eq!(side.layers.end(), results[0].layers.end());
        assert!(side.received == results[0].received, "other bytes for other cuts");
        assert!(!writes_the_same || side.written == results[0].written, "other answers");
    }
}

/// A client's key is random, so its server's answer is random too.
fn client_of_web_socket(script: &mut Script<'_>) {
    let connector = Connector::new("ws://localhost", ConnectOptions::default());
    let connector = connector.expect("an address");
    let size = usize::from(script.byte()) + 1;
    let rest = script.bytes(usize::MAX);
    let results = [rest.len().max(1), size, 1].map(|size| {
        let mut client = Side::new(connector.layers());
        let mut server = Side::new(web_socket());
        server.read(&client.written, 1);
        client.read(&server.written, 1);
        assert!(client.layers.is_open());
        client.read(rest, size);
        client
    });
    if results.iter().any(Side::was_flooded) {
        return;
    }
    for client in &results[1..] {
        assert_eq!(client.layers.end(), results[0].layers.end());
        assert!(client.received == results[0].received, "other bytes for other cuts");
    }
}

/// A valid conversation, of which the server or the client receives some changed bytes.
fn changed(script: &mut Script<'_>) {
    let (connector, acceptor) = tls(script.pick(&["rtss", "wss"]));
    let (mut client, mut server) = (Side::new(connector.layers()), Side::new(acceptor.layers()));
    let mut to_skip = usize::from(script.short() % 4_096);
    for _ in 0..6 {
        client.send();
        server.send();
        let (mut up, mut down) = (client.take_written(), server.take_written());
        for wire in [&mut up, &mut down] {
            while let Some(byte) = wire.get_mut(to_skip) {
                *byte ^= script.byte();
                to_skip += 1 + usize::from(script.short() % 1_024);
            }
            to_skip -= wire.len();
        }
        let size = usize::from(script.byte()) + 1;
        server.read(&up, size);
        client.read(&down, size);
    }
    let honest = |received: &[u8]| received.chunks(SENT.len()).all(|chunk| chunk == SENT);
    assert!(honest(&server.received) && honest(&client.received), "TLS lets no change through");
}

fn web_socket() -> Layers {
    Acceptor::web_socket("/", Origins::Any).layers()
}

fn through(proxy: &str) -> Layers {
    let proxy: Proxy = proxy.parse().expect("a proxy");
    let options = ConnectOptions::default().with_proxy(proxy);
    Connector::new("rts://localhost", options).expect("an address").layers()
}

fn tls(scheme: &str) -> (Connector, Acceptor) {
    static CERTIFICATE: OnceLock<(String, String)> = OnceLock::new();
    let (certificate, key) = CERTIFICATE.get_or_init(|| {
        let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let certified = certified.expect("a certificate");
        (certified.cert.pem(), certified.signing_key.serialize_pem())
    });
    let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes());
    let identity = identity.expect("an identity");
    let options =
        ConnectOptions::default().with_roots(Roots::None).with_extra_roots(certificate.as_str());
    let acceptor = match scheme {
        "wss" => Acceptor::secure_web_socket("/", Origins::Any, &identity),
        _ => Acceptor::tls(&identity),
    };
    let connector = Connector::new(&format!("{scheme}://localhost"), options);
    (connector.expect("good options"), acceptor.expect("TLS"))
}

struct Side {
    layers: Layers,
    batch: VecDeque<Bytes>,
    received: Vec<u8>,
    written: Vec<u8>,
}

impl Side {
    fn new(layers: Layers) -> Self {
        let mut side =
            Self { layers, batch: VecDeque::new(), received: Vec::new(), written: Vec::new() };
        side.write();
        side
    }

    /// The link was given up because its answers were not read. When that is noticed depends on the
    /// size of the reads.
    fn was_flooded(&self) -> bool {
        self.layers.end() == Some(End::Failed(LayerError::DoesNotRead))
    }

    fn send(&mut self) {
        self.batch.push_back(Bytes::from_static(SENT));
        self.write();
    }

    fn take_written(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.written)
    }

    fn read(&mut self, wire: &[u8], size: usize) {
        for chunk in wire.chunks(size.min(READ_BYTES)) {
            if self.layers.end().is_some() {
                break;
            }
            let bytes = self.layers.receive(&mut chunk.to_vec());
            self.received.extend_from_slice(&bytes);
        }
        self.write();
        if matches!(self.layers.end(), Some(End::Failed(_))) {
            self.layers.close();
            self.write();
        }
    }

    fn write(&mut self) {
        loop {
            self.layers.fill(&mut self.batch);
            let mut slices = [IoSlice::new(&[]); 4];
            let count = self.layers.slices(&self.batch, &mut slices);
            if count == 0 {
                return;
            }
            let before = self.written.len();
            for slice in &slices[..count] {
                self.written.extend_from_slice(slice);
            }
            let bytes = self.written.len() - before;
            assert!(bytes <= ANSWER_BYTES_MAX, "{bytes} bytes to write at once");
            self.layers.wrote(bytes, &mut self.batch);
        }
    }
}
