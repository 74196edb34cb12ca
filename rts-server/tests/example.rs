//! The example app server, as its reader runs it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

struct AppServer {
    child: Child,
    address: String,
}

impl AppServer {
    /// Cargo puts examples beside the folder that tests are in.
    fn start() -> Self {
        let test = std::env::current_exe().expect("this is a file");
        let folder: PathBuf = test.ancestors().nth(2).expect("target/debug").join("examples");
        let mut child = Command::new(folder.join("app_server"))
            .arg("127.0.0.1:0")
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo has built the example");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("it was piped");
        BufReader::new(out).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on http://").expect("its first line");
        let address = address.strip_suffix("/rts").expect("with the path").to_owned();
        Self { child, address }
    }

    fn ask(&self, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let head = format!("POST /rts HTTP/1.1\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }
}

impl Drop for AppServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_answers_texts_and_bytes_and_refuses_the_rest() {
    let server = AppServer::start();
    for (body, status, reply) in [
        (r#"{"message":"hello","binary":false,"signature":"s"}"#, "200 OK", "HELLO"),
        (r#"{"message":"AP8NCg==","binary":true,"signature":"s"}"#, "200 OK", "4 bytes"),
        (r#"{"message":"?","binary":true,"signature":"s"}"#, "400 Bad Request", ""),
        ("{", "400 Bad Request", ""),
    ] {
        let answer = server.ask(body);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(answer.ends_with(reply), "{answer}");
    }
}
