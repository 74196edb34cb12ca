//! The way of a node to the NATS server, which can be cut off.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

const BUFFER_BYTES: usize = 64 * 1_024;

/// Forwards TCP connections. While it is cut off, bytes wait as in a network without a way, and
/// nobody is told.
pub(super) struct Forwarder {
    pub(super) address: SocketAddr,
    switch: Arc<Switch>,
}

#[derive(Default)]
struct Switch {
    is_cut: Mutex<bool>,
    changed: Condvar,
}

impl Forwarder {
    /// Forwards to this address. Its threads end with their connections, and with the process.
    pub(super) fn start(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (address, switch) = (listener.local_addr()?, Arc::<Switch>::default());
        let of_listener = Arc::clone(&switch);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let switch = Arc::clone(&of_listener);
                // A connection that fails is closed, and its node tries again.
                let _ = near.and_then(|near| connect(near, to, switch));
            }
        });
        Ok(Self { address, switch })
    }

    pub(super) fn cut(&self, is_cut: bool) {
        *self.switch.is_cut.lock().unwrap_or_else(PoisonError::into_inner) = is_cut;
        self.switch.changed.notify_all();
    }
}

fn connect(near: TcpStream, to: SocketAddr, switch: Arc<Switch>) -> io::Result<()> {
    switch.wait();
    let far = TcpStream::connect(to)?;
    for stream in [&near, &far] {
        stream.set_nodelay(true)?;
    }
    for (from, to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        let switch = Arc::clone(&switch);
        std::thread::spawn(move || {
            // It ends when one side has gone, and then both have.
            let _ = forward(&from, &to, &switch);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        });
    }
    Ok(())
}

fn forward(mut from: &TcpStream, mut to: &TcpStream, switch: &Switch) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = from.read(&mut buffer)?;
        switch.wait();
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read])?;
    }
}

impl Switch {
    /// Waits while it is cut off.
    fn wait(&self) {
        let is_cut = self.is_cut.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_while(is_cut, |is_cut| *is_cut));
    }
}
