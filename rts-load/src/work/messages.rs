//! Messages in pairs and of a bot, and broadcasts in a room. All have senders with a window, and
//! receivers.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::crowd::{AT_ONCE, LOOK_UP, Sweeper};
use super::error::RunError;
use super::job::{Bot, P2p, Pace, Room};
use super::presence::Snapshot;
use super::running::Run;
use crate::client::{Client, PAYLOAD_HEAD_BYTES, Role};
use crate::net::{Happened, LinkIndex};
use crate::report::{Report, Times};

/// Open loop: the most open messages of a sender, fewer than RTS allows a client. Further messages
/// wait, and the wait counts.
const OPEN_LOOP_WINDOW: usize = 512;
/// The time for open messages when the sending ends.
const DRAIN: Duration = Duration::from_secs(5);
/// The place holder of a message that is done.
const DONE: u64 = u64::MAX;

/// A sender.
struct Sender {
    link: LinkIndex,
    has_results: bool,
    /// The number of deliveries of each message.
    receivers: u64,
    sent: u64,
    delivered: u64,
    results: u64,
    /// The planned moments of open messages. The first has the id `first_open`.
    open: VecDeque<u64>,
    first_open: u64,
    /// Open loop: the planned moments of messages that wait for the window.
    waiting: VecDeque<u64>,
}

/// The counts of a measurement.
struct Tally {
    is_measuring: bool,
    sent: u64,
    results: u64,
    deliveries: u64,
    delivery: Times,
    result: Times,
    lateness: Times,
    /// The codes of the whole run.
    codes: BTreeMap<u32, u64>,
}

/// The part of the work that pairs, bots and rooms share.
struct Plan {
    senders: Vec<Sender>,
    /// The sender whose messages each link receives.
    sender_of: Vec<usize>,
    pace: Pace,
    payload: Vec<u8>,
    /// Whether a delivery counts as done, as in a room.
    counts_deliveries: bool,
    /// The number of receivers that a bot sends to, one after the other.
    receivers_in_turn: Option<u64>,
    is_sending: bool,
    /// A list for reuse in the next turn.
    happened: Vec<(LinkIndex, Happened)>,
}

impl Plan {
    fn new(senders: Vec<Sender>, sender_of: Vec<usize>, pace: Pace, payload_bytes: usize) -> Self {
        Self {
            senders,
            sender_of,
            pace,
            payload: vec![b'x'; payload_bytes],
            counts_deliveries: false,
            receivers_in_turn: None,
            is_sending: false,
            happened: Vec::new(),
        }
    }
}

impl<C: Client> Run<'_, C> {
    pub(super) fn p2p(&mut self, job: &P2p) -> Result<Report, RunError> {
        let pair = |pair: usize| {
            // The number after a receiver's is its sender.
            [Role::Receiver, Role::Sender { to: 2 * pair as u32 }]
        };
        let roles: Vec<_> = (0..job.pairs).flat_map(pair).collect();
        let idle = std::iter::repeat_n(Role::Receiver, job.idle);
        let roles: Vec<_> = roles.into_iter().chain(idle).collect();
        let clients = roles.len();
        self.gather(roles.into_iter(), AT_ONCE)?;
        let senders = (0..job.pairs).map(|pair| self.sender(2 * pair + 1, 1)).collect();
        let sender_of = (0..clients).map(|link| link / 2).collect();
        let plan = Plan::new(senders, sender_of, job.pace, job.payload_bytes);
        self.play(plan, job.warm_up, job.duration)
    }

    pub(super) fn room(&mut self, job: &Room) -> Result<Report, RunError> {
        let members = std::iter::repeat_n(Role::Member, job.members);
        let roles: Vec<_> = members.chain([Role::Speaker]).collect();
        let clients = roles.len();
        self.gather(roles.into_iter(), AT_ONCE)?;
        let speaker = self.sender(job.members, job.members as u64);
        let mut plan = Plan::new(vec![speaker], vec![0; clients], job.pace, job.payload_bytes);
        plan.counts_deliveries = true;
        self.play(plan, job.warm_up, job.duration)
    }

    pub(super) fn bot(&mut self, job: &Bot) -> Result<Report, RunError> {
        let users = std::iter::repeat_n(Role::Receiver, job.users);
        let roles: Vec<_> = users.chain([Role::Sender { to: 0 }]).collect();
        let clients = roles.len();
        self.gather(roles.into_iter(), AT_ONCE)?;
        let bot = self.sender(job.users, 1);
        let mut plan = Plan::new(vec![bot], vec![0; clients], job.pace, job.payload_bytes);
        plan.receivers_in_turn = Some(job.users as u64);
        self.play(plan, job.warm_up, job.duration)
    }

    fn sender(&mut self, link: LinkIndex, receivers: u64) -> Sender {
        Sender {
            link,
            has_results: self.net.say(link, |client, _| client.has_results()),
            receivers,
            sent: 0,
            delivered: 0,
            results: 0,
            open: VecDeque::new(),
            first_open: 1,
            waiting: VecDeque::new(),
        }
    }

    fn play(
        &mut self,
        mut plan: Plan,
        warm_up: Duration,
        duration: Duration,
    ) -> Result<Report, RunError> {
        let mut tally = Tally::new();
        self.phase("warming up", &mut plan, &mut tally, warm_up)?;
        tally.is_measuring = true;
        let before: Snapshot = self.snapshot();
        self.phase("measuring", &mut plan, &mut tally, duration)?;
        tally.is_measuring = false;
        let used = self.since(&before);
        self.drain(&mut plan, &mut tally)?;
        let has_results = plan.senders.iter().all(|sender| sender.has_results);
        let done = match has_results && !plan.counts_deliveries {
            true => tally.results,
            false => tally.deliveries,
        };
        Ok(Report {
            clients: plan.sender_of.len(),
            sent: tally.sent,
            done,
            lost: plan.senders.iter().map(Sender::under_way).sum(),
            results: tally.codes,
            delivery: tally.delivery.spread(),
            result: tally.result.spread(),
            lateness: tally.lateness.spread(),
            ..used
        })
    }

    /// Sends at the plan's pace for this time.
    fn phase(
        &mut self,
        name: &'static str,
        plan: &mut Plan,
        tally: &mut Tally,
        duration: Duration,
    ) -> Result<(), RunError> {
        let started = Instant::now();
        let started_ns = self.net.nanos();
        let mut sweeper = Sweeper::new();
        let mut shown = Instant::now();
        let mut due_count = 0;
        plan.is_sending = true;
        for index in 0..plan.senders.len() {
            self.send_more(plan, index, tally);
        }
        while started.elapsed() < duration {
            let patience = match plan.pace {
                Pace::Window(_) => LOOK_UP.min(duration),
                Pace::PerSecond(rate) => {
                    self.send_due(plan, tally, started_ns, &mut due_count, rate);
                    // The next message may be due before a timer could fire.
                    Duration::ZERO
                }
            };
            self.net.turn(Some(patience))?;
            self.take_in(plan, tally)?;
            sweeper.sweep(self);
            if shown.elapsed() >= LOOK_UP {
                shown = Instant::now();
                (self.progress)(name, started.elapsed().as_secs_f64() / duration.as_secs_f64());
            }
        }
        plan.is_sending = false;
        Ok(())
    }

    /// Waits for open messages.
    fn drain(&mut self, plan: &mut Plan, tally: &mut Tally) -> Result<(), RunError> {
        let started = Instant::now();
        while plan.senders.iter().any(|sender| sender.under_way() > 0) && started.elapsed() < DRAIN
        {
            self.net.turn(Some(LOOK_UP))?;
            self.take_in(plan, tally)?;
        }
        Ok(())
    }

    /// Open loop: sends all messages that are due, distributed over the senders in turn.
    fn send_due(
        &mut self,
        plan: &mut Plan,
        tally: &mut Tally,
        started_ns: u64,
        due_count: &mut u64,
        rate: u32,
    ) {
        let now = self.net.nanos();
        loop {
            let due = started_ns + *due_count * 1_000_000_000 / u64::from(rate);
            if due > now {
                break;
            }
            let index = (*due_count % plan.senders.len() as u64) as usize;
            *due_count += 1;
            plan.senders[index].waiting.push_back(due);
            self.send_more(plan, index, tally);
        }
    }

    /// Sends as the sender's window allows: any number in a closed loop, waiting messages in an
    /// open loop.
    fn send_more(&mut self, plan: &mut Plan, index: usize, tally: &mut Tally) {
        match plan.pace {
            Pace::Window(window) => {
                while plan.is_sending && plan.senders[index].has_room(window) {
                    let now = self.net.nanos();
                    self.send(plan, index, now, tally);
                }
            }
            Pace::PerSecond(_) => {
                while plan.senders[index].has_room(OPEN_LOOP_WINDOW)
                    && let Some(due) = plan.senders[index].waiting.pop_front()
                {
                    if tally.is_measuring {
                        tally.lateness.record(self.net.nanos() - due);
                    }
                    self.send(plan, index, due, tally);
                }
            }
        }
    }

    fn send(&mut self, plan: &mut Plan, index: usize, due_ns: u64, tally: &mut Tally) {
        let sender = &mut plan.senders[index];
        sender.sent += 1;
        sender.open.push_back(due_ns);
        tally.sent += u64::from(tally.is_measuring);
        let id = sender.sent;
        plan.payload[..8].copy_from_slice(&due_ns.to_le_bytes());
        plan.payload[8..PAYLOAD_HEAD_BYTES].copy_from_slice(&id.to_le_bytes());
        let to = plan.receivers_in_turn.map(|receivers| ((id - 1) % receivers) as u32);
        self.net.say(sender.link, |client, out| {
            to.into_iter().for_each(|to| client.aim(to));
            client.send(id, &plan.payload, out);
        });
    }

    fn take_in(&mut self, plan: &mut Plan, tally: &mut Tally) -> Result<(), RunError> {
        let mut happened = self.net.take_happened(std::mem::take(&mut plan.happened));
        let now = self.net.nanos();
        for (link, what) in happened.drain(..) {
            let index = plan.sender_of[link];
            match what {
                Happened::Delivered { due_ns } => {
                    let Some(sender) = plan.senders.get_mut(index) else { continue };
                    sender.delivered += 1;
                    if !sender.has_results && sender.delivered.is_multiple_of(sender.receivers) {
                        sender.open.pop_front();
                    }
                    tally.delivered(now.saturating_sub(due_ns));
                }
                Happened::Result { id, code } => {
                    let Some(sender) = plan.senders.get_mut(index) else { continue };
                    if let Some(due_ns) = sender.resolve(id) {
                        tally.resulted(code, now.saturating_sub(due_ns));
                    }
                }
                Happened::Lost(why) => return Err(self.lost(link, why)),
                Happened::Ready => continue,
            }
            self.send_more(plan, index, tally);
        }
        plan.happened = happened;
        Ok(())
    }
}

impl Sender {
    /// The number of open messages.
    fn under_way(&self) -> u64 {
        let undelivered = self.sent - (self.delivered / self.receivers).min(self.sent);
        let unanswered = self.sent - self.results;
        match self.has_results {
            true if self.receivers > 1 => unanswered.max(undelivered),
            true => unanswered,
            false => undelivered,
        }
    }

    fn has_room(&self, window: usize) -> bool {
        self.under_way() < window as u64
    }

    /// The planned moment of the message with this id, if it has no result yet.
    fn resolve(&mut self, id: u64) -> Option<u64> {
        let place = usize::try_from(id.checked_sub(self.first_open)?).ok()?;
        let due = std::mem::replace(self.open.get_mut(place)?, DONE);
        while self.open.front() == Some(&DONE) {
            self.open.pop_front();
            self.first_open += 1;
        }
        (due != DONE).then(|| {
            self.results += 1;
            due
        })
    }
}

impl Tally {
    fn new() -> Self {
        Self {
            is_measuring: false,
            sent: 0,
            results: 0,
            deliveries: 0,
            delivery: Times::new(),
            result: Times::new(),
            lateness: Times::new(),
            codes: BTreeMap::new(),
        }
    }

    fn delivered(&mut self, ns: u64) {
        if self.is_measuring {
            self.deliveries += 1;
            self.delivery.record(ns);
        }
    }

    fn resulted(&mut self, code: u32, ns: u64) {
        *self.codes.entry(code).or_default() += 1;
        if self.is_measuring {
            self.results += 1;
            self.result.record(ns);
        }
    }
}
