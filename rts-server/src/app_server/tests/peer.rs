//! A scripted server: it reads one request, and then follows its script.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What the server does on each connection, after it has read the request.
#[derive(Clone)]
pub(super) enum Script {
    /// Sends these bytes, then closes.
    Says(Vec<u8>),
    /// Sends these bytes, then keeps the connection open and idle.
    Hangs(Vec<u8>),
    /// Sends the first bytes, then the second ones repeatedly.
    Repeats(Vec<u8>, Vec<u8>),
}

/// An event of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Saw {
    Connection,
    Request(String),
    /// The script is carried out as far as possible.
    Said,
    /// The connection was closed by the other side.
    End,
}

pub(super) struct Peer {
    pub(super) address: SocketAddr,
    saw: mpsc::UnboundedReceiver<Saw>,
}

impl Peer {
    pub(super) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let (report, saw) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = report.send(Saw::Connection);
                tokio::spawn(play(stream, script.clone(), report.clone()));
            }
        });
        Self { address, saw }
    }

    pub(super) async fn says(text: impl Into<Vec<u8>>) -> Self {
        Self::start(Script::Says(text.into())).await
    }

    pub(super) fn url(&self) -> String {
        format!("http://app.test:{}/rts", self.address.port())
    }

    pub(super) async fn next(&mut self) -> Saw {
        let next = tokio::time::timeout(super::PATIENCE, self.saw.recv()).await;
        next.expect("an event in time").expect("the peer runs")
    }

    /// Waits for this event, and skips others.
    pub(super) async fn until(&mut self, wanted: Saw) {
        while self.next().await != wanted {}
    }

    pub(super) async fn request(&mut self) -> String {
        loop {
            if let Saw::Request(request) = self.next().await {
                return request;
            }
        }
    }

    pub(super) fn saw_nothing(&mut self) -> bool {
        self.saw.try_recv().is_err()
    }
}

async fn play(mut stream: TcpStream, script: Script, report: mpsc::UnboundedSender<Saw>) {
    let Some(request) = read_request(&mut stream).await else {
        let _ = report.send(Saw::End);
        return;
    };
    let _ = report.send(Saw::Request(request));
    let (first, again) = match script {
        Script::Says(text) => {
            let _ = stream.write_all(&text).await;
            let _ = report.send(Saw::Said);
            return;
        }
        Script::Hangs(text) => (text, None),
        Script::Repeats(first, again) => (first, Some(again)),
    };
    let _ = stream.write_all(&first).await;
    let _ = report.send(Saw::Said);
    if let Some(again) = again {
        while stream.write_all(&again).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
    let mut rest = [0; 64];
    while stream.read(&mut rest).await.is_ok_and(|bytes| bytes > 0) {}
    let _ = report.send(Saw::End);
}

/// Reads a request, head and body.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        let bytes = stream.read(&mut chunk).await.ok().filter(|bytes| *bytes > 0)?;
        request.extend_from_slice(&chunk[..bytes]);
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.and_then(|length| length.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            return Some(text.into_owned());
        }
    }
}
