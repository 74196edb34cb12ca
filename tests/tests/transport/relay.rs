//! The network between an engine and its server, for stories about bad ones. It knows nothing of
//! what it carries, so it works for every kind of link.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use smol::channel::{Receiver, Sender};
use smol::future::or;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use smol::net::{Shutdown, TcpListener, TcpStream};

/// Passes on what arrives at its address, until a fault is set.
pub(crate) struct Relay {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _accepting: smol::Task<()>,
}

struct State {
    target: SocketAddr,
    /// For each link to come: the bytes after which it is cut. Then links hold.
    cuts: std::vec::IntoIter<usize>,
    links: Vec<Link>,
    accepted: usize,
}

/// To the two tasks of one link.
struct Link {
    upstream: Sender<Order>,
    downstream: Sender<Order>,
    /// Not an order: what is written after it was set must not overtake it.
    is_stalled: Arc<AtomicBool>,
}

#[derive(Clone, Copy)]
enum Order {
    /// Both directions end at once, wherever they are.
    Cut,
    /// Nothing passes any more, and both links stay open.
    Stall,
    /// This direction ends properly; the other continues.
    End,
}

impl Relay {
    pub(crate) async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = State { target, cuts: Vec::new().into_iter(), links: Vec::new(), accepted: 0 };
        let state = Arc::new(Mutex::new(state));
        let accepting = smol::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, _accepting: accepting }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Later links go there.
    pub(crate) fn retarget(&self, target: SocketAddr) {
        self.lock().target = target;
    }

    /// Each later link is cut after its number of bytes, counted in both directions together.
    pub(crate) fn cut_after(&self, bytes: Vec<usize>) {
        self.lock().cuts = bytes.into_iter();
    }

    /// Whether all links that were to be cut were made.
    pub(crate) fn has_no_more_cuts(&self) -> bool {
        self.lock().cuts.as_slice().is_empty()
    }

    /// Links that were made so far.
    pub(crate) fn accepted(&self) -> usize {
        self.lock().accepted
    }

    pub(crate) fn cut(&self) {
        self.order(Order::Cut, |link| [&link.upstream, &link.downstream].into());
    }

    /// Nothing that is written from now on passes over the links that there are.
    pub(crate) fn stall(&self) {
        for link in &self.lock().links {
            link.is_stalled.store(true, Ordering::Relaxed);
        }
    }

    /// The server reads an end, and can still write.
    pub(crate) fn end_upstream(&self) {
        self.order(Order::End, |link| [&link.upstream].into());
    }

    /// The engine reads an end, and can still write.
    pub(crate) fn end_downstream(&self) {
        self.order(Order::End, |link| [&link.downstream].into());
    }

    fn order(&self, order: Order, to: impl Fn(&Link) -> Vec<&Sender<Order>>) {
        for link in &self.lock().links {
            for sender in to(link) {
                // Refused by a link that has ended by itself.
                let _ = sender.try_send(order);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("nobody panics with it")
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((near, _)) = listener.accept().await {
        let target = lock(&state).target;
        let Ok(far) = TcpStream::connect(target).await else { continue };
        for stream in [&near, &far] {
            stream.set_nodelay(true).expect("an open stream");
        }
        let (upstream, up_orders) = smol::channel::unbounded();
        let (downstream, down_orders) = smol::channel::unbounded();
        let is_stalled = Arc::new(AtomicBool::new(false));
        let bytes_left = {
            let mut state = lock(&state);
            state.accepted += 1;
            state.links.push(Link { upstream, downstream, is_stalled: Arc::clone(&is_stalled) });
            AtomicUsize::new(state.cuts.next().unwrap_or(usize::MAX))
        };
        let limits = Arc::new(Limits { bytes_left, is_stalled });
        let up = carry(near.clone(), far.clone(), up_orders, Arc::clone(&limits));
        let down = carry(far, near, down_orders, limits);
        smol::spawn(up).detach();
        smol::spawn(down).detach();
    }
}

/// Of both directions of a link together.
struct Limits {
    bytes_left: AtomicUsize,
    is_stalled: Arc<AtomicBool>,
}

/// One direction of a link.
async fn carry(from: TcpStream, to: TcpStream, orders: Receiver<Order>, limits: Arc<Limits>) {
    let passing = pass(from.clone(), to.clone(), &limits);
    let ordered = async { orders.recv().await.unwrap_or(Order::Cut) };
    let mut order = or(passing, ordered).await;
    while let Order::Stall = order {
        order = orders.recv().await.unwrap_or(Order::Cut);
    }
    // Either may be closed already.
    if let Order::Cut = order {
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    } else {
        let _ = to.shutdown(Shutdown::Write);
    }
}

async fn pass(mut from: TcpStream, mut to: TcpStream, limits: &Limits) -> Order {
    let mut buffer = vec![0; 16 * 1_024];
    loop {
        let Ok(length) = from.read(&mut buffer).await else { return Order::Cut };
        if length == 0 {
            return Order::End;
        }
        if limits.is_stalled.load(Ordering::Relaxed) {
            return Order::Stall;
        }
        let left = limits
            .bytes_left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(if left == usize::MAX { left } else { left.saturating_sub(length) })
            })
            .expect("it always gives a number");
        let passed = to.write_all(&buffer[..length.min(left)]).await;
        if passed.is_err() || length > left {
            return Order::Cut;
        }
    }
}
