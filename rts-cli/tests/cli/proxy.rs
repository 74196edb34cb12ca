//! A TCP proxy that simulates a bad network.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The treatment of bytes on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Passes,
    /// Holds bytes back silently.
    Holds,
    Broken,
}

/// One connection through the proxy.
struct Link {
    mode: Mutex<Mode>,
    changed: Condvar,
    ends: [TcpStream; 2],
}

impl Link {
    fn set(&self, mode: Mode) {
        let mut now = self.mode.lock().expect("not poisoned");
        if *now != Mode::Broken {
            *now = mode;
        }
        self.changed.notify_all();
    }

    fn break_off(&self) {
        self.set(Mode::Broken);
        for end in &self.ends {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// Waits while bytes are held back. Returns whether they may pass.
    fn passes(&self) -> bool {
        let mode = self.mode.lock().expect("not poisoned");
        let mode = self.changed.wait_while(mode, |mode| *mode == Mode::Holds);
        *mode.expect("not poisoned") == Mode::Passes
    }

    fn is_alive(&self) -> bool {
        *self.mode.lock().expect("not poisoned") == Mode::Passes
    }

    fn pump(&self, from: usize) {
        let (mut from, mut to) = (&self.ends[from], &self.ends[1 - from]);
        let mut buffer = [0; 4_096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if !self.passes() || to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        // The end of a stream is held back like bytes.
        self.passes();
        self.break_off();
    }
}

/// The number of harms of each kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Harm {
    pub(crate) cuts: usize,
    pub(crate) stalls: usize,
    pub(crate) black_holes: usize,
}

/// A proxy in front of one address. Dropping it breaks all connections through it.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    links: Arc<Mutex<Vec<Arc<Link>>>>,
}

impl Proxy {
    pub(crate) fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let links = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&links);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(target) else { continue };
                let _ = (client.set_nodelay(true), server.set_nodelay(true));
                let link = Arc::new(Link {
                    mode: Mutex::new(Mode::Passes),
                    changed: Condvar::new(),
                    ends: [client, server],
                });
                for from in [0, 1] {
                    let link = Arc::clone(&link);
                    std::thread::spawn(move || link.pump(from));
                }
                known.lock().expect("not poisoned").push(link);
            }
        });
        Self { address, links }
    }

    fn alive(&self) -> Vec<Arc<Link>> {
        let mut links = self.links.lock().expect("not poisoned");
        links.retain(|link| *link.mode.lock().expect("not poisoned") != Mode::Broken);
        links.iter().filter(|link| link.is_alive()).cloned().collect()
    }

    /// Harms random links until stopped. Then stalled links continue, but silent ones stay silent:
    /// the engine must detect them.
    pub(crate) fn do_harm(self: &Arc<Self>, seed: u64, stop: Arc<Mutex<bool>>) -> JoinHandle<Harm> {
        let proxy = Arc::clone(self);
        std::thread::spawn(move || {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut harm = Harm::default();
            let mut stalled: Vec<(u32, Arc<Link>)> = Vec::new();
            while !*stop.lock().expect("not poisoned") {
                // The interval between harms. No test waits for it.
                std::thread::sleep(Duration::from_millis(random.u64(5..60)));
                stalled.retain_mut(|(turns, link)| {
                    *turns -= 1;
                    if *turns == 0 {
                        link.set(Mode::Passes);
                    }
                    *turns > 0
                });
                let alive = proxy.alive();
                let Some(link) = random.choice(alive) else { continue };
                match random.u32(0..20) {
                    0..11 => {
                        harm.cuts += 1;
                        link.break_off();
                    }
                    11..19 => {
                        harm.stalls += 1;
                        link.set(Mode::Holds);
                        // Up to about four seconds, which is often longer than an engine waits.
                        stalled.push((random.u32(1..120), link));
                    }
                    _ => {
                        harm.black_holes += 1;
                        link.set(Mode::Holds);
                    }
                }
            }
            stalled.iter().for_each(|(_, link)| link.set(Mode::Passes));
            harm
        })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        for link in self.links.lock().expect("not poisoned").iter() {
            link.break_off();
        }
    }
}
