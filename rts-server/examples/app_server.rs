//! A small app server. It answers a message of `sendServerMessage` in capital letters.
//! After `push TEXT` it also sends TEXT to the user, through the OpenAPI.
//!
//! ```sh
//! cargo run -p rts-server --example app_server    # listens on http://127.0.0.1:8080/rts
//! # On a free port, with the address of the OpenAPI:
//! cargo run -p rts-server --example app_server -- 127.0.0.1:0 127.0.0.1:7601
//! ```
//!
//! `docs/app-server.md` builds on this example.

use std::env;
use std::io;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rts_server::{DEV_APP_ID, DEV_BEARER_KEY};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The longest body of a post: 64 KiB, with each byte as `\u0000` at worst, and the signature.
const BODY_BYTES_MAX: usize = 512 * 1_024;
/// The longest head that is read, in bytes.
const HEAD_BYTES_MAX: u64 = 16 * 1_024;

/// The address of the OpenAPI of `rts serve --dev`.
const OPENAPI: &str = "127.0.0.1:7601";

/// The body of a post.
#[derive(Deserialize)]
struct Message {
    message: String,
    binary: bool,
    signature: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let openapi = env::args().nth(2).unwrap_or_else(|| OPENAPI.to_owned());
    let listener = TcpListener::bind(&address).await.map_err(|error| {
        let what = format!("cannot listen on {address}: {error}; another address can be given");
        io::Error::new(error.kind(), what)
    })?;
    println!("listening on http://{}/rts", listener.local_addr()?);
    run(listener, openapi).await
}

/// Accepts posts forever.
pub(crate) async fn run(listener: TcpListener, openapi: String) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let openapi = openapi.clone();
        tokio::spawn(async move {
            if let Err(error) = serve(stream, &openapi).await {
                eprintln!("a post failed: {error}");
            }
        });
    }
}

/// Serves one connection. RTS sends one post on each connection.
async fn serve(stream: TcpStream, openapi: &str) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (status, reply) = match read_body(&mut stream).await? {
        Some(body) => answer(&body, openapi).await,
        None => ("400 Bad Request", "a POST with content-length is wanted".to_owned()),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", reply.len());
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await
}

/// Answers a message. Your app puts its own logic here.
async fn answer(body: &[u8], openapi: &str) -> (&'static str, String) {
    let message: Message = match serde_json::from_slice(body) {
        Ok(message) => message,
        Err(error) => return ("400 Bad Request", error.to_string()),
    };
    // Here your app finds the user by `signature`. In this example it is the user's id.
    println!("{:?} from {:?}", message.message, message.signature);
    if let Some(text) = message.message.strip_prefix("push ")
        && !message.binary
    {
        match push(openapi, &message.signature, text).await {
            Ok(answer) => ("200 OK", answer),
            Err(error) => ("502 Bad Gateway", error.to_string()),
        }
    } else if message.binary {
        match BASE64_STANDARD.decode(&message.message) {
            Ok(bytes) => ("200 OK", format!("{} bytes", bytes.len())),
            Err(error) => ("400 Bad Request", error.to_string()),
        }
    } else {
        ("200 OK", message.message.to_uppercase())
    }
}

/// Sends a text to a user, and returns the first line of the answer.
async fn push(openapi: &str, uid: &str, text: &str) -> io::Result<String> {
    let body = json!({
        "AppId": DEV_APP_ID, "From": "app-server", "To": uid, "Binary": false, "Message": text,
    });
    let body = body.to_string();
    let request = format!(
        "POST /?Action=SendUnicast&Version=2020-12-01 HTTP/1.1\r\nhost: {openapi}\r\n\
         authorization: Bearer {DEV_BEARER_KEY}\r\ncontent-type: application/json\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = BufReader::new(TcpStream::connect(openapi).await?);
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end().to_owned())
}

async fn read_body(stream: &mut BufReader<TcpStream>) -> io::Result<Option<Vec<u8>>> {
    let mut length = None;
    let mut head = (&mut *stream).take(HEAD_BYTES_MAX);
    loop {
        let mut line = String::new();
        head.read_line(&mut line).await?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok();
        }
    }
    let Some(length) = length.filter(|length| *length <= BODY_BYTES_MAX) else { return Ok(None) };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some(body))
}
