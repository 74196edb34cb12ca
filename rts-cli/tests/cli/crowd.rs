//! Engines that all send to each other, and a record of every message.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Engine;

/// Most messages of one engine without a result.
const IN_FLIGHT_MAX: usize = 40;
/// Only a fault delays all results for this long.
const STANDSTILL_MAX: Duration = Duration::from_secs(60);
/// The time between two messages of an engine that sends until it is told to stop.
const PAUSE: Duration = Duration::from_millis(5);
/// The text of the last message from one engine to another.
const END: &str = "end";

/// The number of results of all engines together.
#[derive(Default)]
pub(crate) struct Progress {
    results: Mutex<usize>,
    changed: Condvar,
}

impl Progress {
    fn count(&self) {
        *self.results.lock().expect("not poisoned") += 1;
        self.changed.notify_all();
    }

    /// Waits until there are `wanted` results.
    pub(crate) fn wait_for(&self, wanted: usize) {
        let mut results = self.results.lock().expect("not poisoned");
        while *results < wanted {
            let before = *results;
            let has_not_grown = |results: &mut usize| *results == before;
            let waited = self.changed.wait_timeout_while(results, STANDSTILL_MAX, has_not_grown);
            results = waited.expect("not poisoned").0;
            assert!(*results > before, "only {before} of {wanted} results came");
        }
    }
}

/// Tells talkers that it is over when it is dropped, also by a test that fails.
pub(crate) struct Over<'a>(pub(crate) &'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Sender and receiver, by index.
type Pair = (usize, usize);

/// The record of one engine.
#[derive(Default)]
struct Seen {
    /// By receiver: the results in the order of sending.
    results: BTreeMap<usize, Vec<Option<u64>>>,
    /// By sender: the numbers in the order of arrival.
    received: BTreeMap<usize, Vec<usize>>,
}

/// The records of all engines.
pub(crate) struct Account {
    results: BTreeMap<Pair, Vec<u64>>,
    received: BTreeMap<Pair, Vec<usize>>,
}

impl Account {
    /// The number of results by code.
    pub(crate) fn codes(&self) -> BTreeMap<u64, usize> {
        let mut codes = BTreeMap::new();
        for code in self.results.values().flatten() {
            *codes.entry(*code).or_default() += 1;
        }
        codes
    }

    /// Asserts that every result is correct, and that no message arrived twice or out of order.
    /// (The engines have checked that each send has exactly one result.)
    pub(crate) fn assert_true(&self, replay: &str) {
        for (pair, codes) in &self.results {
            let received = self.received.get(pair).map_or(&[][..], Vec::as_slice);
            assert!(
                received.is_sorted_by(|a, b| a < b),
                "{pair:?}: doubled or out of order: {received:?}; {replay}"
            );
            for (number, code) in codes.iter().enumerate() {
                let has_arrived = received.binary_search(&number).is_ok();
                match code {
                    0 => assert!(has_arrived, "{pair:?}: {number} was lost; {replay}"),
                    1 => {}
                    _ => assert!(!has_arrived, "{pair:?}: {number} has {code} and came; {replay}"),
                }
            }
        }
    }
}

/// Each engine, logged in under its name, sends this many messages to random others. Returns when
/// all have their result and have arrived, as far as they ever will. `progress` counts results.
pub(crate) fn talk(
    engines: &mut [Engine],
    names: &[String],
    messages: usize,
    seed: u64,
    progress: &Progress,
) -> Account {
    talk_while(engines, names, &|sent| sent < messages, seed, progress)
}

/// Like [`talk`], at a rate and until it is told to stop.
pub(crate) fn talk_until(
    engines: &mut [Engine],
    names: &[String],
    is_over: &AtomicBool,
    seed: u64,
    progress: &Progress,
) -> Account {
    let goes_on = |_| {
        std::thread::sleep(PAUSE);
        !is_over.load(Ordering::Relaxed)
    };
    talk_while(engines, names, &goes_on, seed, progress)
}

/// `goes_on` is asked before each message of an engine, with the number of those before.
fn talk_while(
    engines: &mut [Engine],
    names: &[String],
    goes_on: &(dyn Fn(usize) -> bool + Sync),
    seed: u64,
    progress: &Progress,
) -> Account {
    let all_answered = Barrier::new(engines.len());
    let seen: Vec<Seen> = std::thread::scope(|scope| {
        let talking: Vec<_> = engines
            .iter_mut()
            .enumerate()
            .map(|(own, engine)| {
                let all_answered = &all_answered;
                scope.spawn(move || {
                    let mut talker = Talker::new(own, engine, names, progress);
                    let seed = seed.wrapping_add(own as u64);
                    talker.send_all(goes_on, &mut fastrand::Rng::with_seed(seed));
                    all_answered.wait();
                    talker.end_all();
                    talker.seen
                })
            })
            .collect();
        talking.into_iter().map(|thread| thread.join().expect("a talker fails by itself")).collect()
    });
    let mut account = Account { results: BTreeMap::new(), received: BTreeMap::new() };
    for (own, seen) in seen.into_iter().enumerate() {
        for (to, codes) in seen.results {
            let codes = codes.into_iter().map(|code| code.expect("each has its result"));
            account.results.insert((own, to), codes.collect());
        }
        for (from, numbers) in seen.received {
            account.received.insert((from, own), numbers);
        }
    }
    account
}

struct Talker<'a> {
    own: usize,
    engine: &'a mut Engine,
    names: &'a [String],
    progress: &'a Progress,
    /// Sends without a result: receiver and number. No number marks the end message.
    open: BTreeMap<u64, (usize, Option<usize>)>,
    /// Calls that have not returned, in order.
    called: VecDeque<(usize, Option<usize>)>,
    seen: Seen,
    ends_acknowledged: BTreeSet<usize>,
    ends_received: BTreeSet<usize>,
}

impl<'a> Talker<'a> {
    fn new(
        own: usize,
        engine: &'a mut Engine,
        names: &'a [String],
        progress: &'a Progress,
    ) -> Self {
        Self {
            own,
            engine,
            names,
            progress,
            open: BTreeMap::new(),
            called: VecDeque::new(),
            seen: Seen::default(),
            ends_acknowledged: BTreeSet::new(),
            ends_received: BTreeSet::new(),
        }
    }

    fn send_all(&mut self, goes_on: &dyn Fn(usize) -> bool, random: &mut fastrand::Rng) {
        let mut sent = 0;
        while goes_on(sent) {
            sent += 1;
            while self.open.len() + self.called.len() >= IN_FLIGHT_MAX {
                self.hear();
            }
            let others = self.names.len() - 1;
            let to = (self.own + 1 + random.usize(0..others)) % self.names.len();
            let results = self.seen.results.entry(to).or_default();
            results.push(None);
            let number = results.len() - 1;
            let filler = "x".repeat(random.usize(0..200));
            self.send(to, &format!("{} {number} {filler}", self.own), Some(number));
        }
        while !self.open.is_empty() || !self.called.is_empty() {
            self.hear();
        }
    }

    /// Sends the end message to all others, repeats it where it failed, and waits for the end
    /// messages of all others.
    fn end_all(&mut self) {
        let others: Vec<usize> = (0..self.names.len()).filter(|who| *who != self.own).collect();
        for to in &others {
            self.send(*to, &format!("{} {END}", self.own), None);
        }
        while self.ends_acknowledged.len() < others.len() || self.ends_received.len() < others.len()
        {
            self.hear();
        }
    }

    fn send(&mut self, to: usize, text: &str, number: Option<usize>) {
        let call = json!({"ref": 0, "call": "sendMessage", "uid": self.names[to], "message": text});
        self.engine.write(call.to_string());
        self.called.push_back((to, number));
    }

    fn hear(&mut self) {
        let line = self.engine.read();
        if let Some(id) = line.get("return") {
            let id = id.as_u64().expect("sends are accepted");
            let what = self.called.pop_front().expect("something was called");
            assert!(self.open.insert(id, what).is_none(), "id {id} came twice");
            return;
        }
        match line["on"].as_str() {
            Some("onMessageSendResult") => self.result(&line),
            Some("onMessageReceived") => self.received(&line),
            Some("onConnectionStateChanged") => {}
            // A warning with the reason why a link failed.
            Some("onWarning") if line["code"] == 5 => {}
            _ => panic!("{}: {line}", self.names[self.own]),
        }
    }

    fn result(&mut self, line: &Value) {
        let id = line["msgid"].as_u64().expect("a number");
        let code = line["code"].as_u64().expect("a number");
        let (to, number) = self.open.remove(&id).expect("one result for each send");
        match number {
            Some(number) => {
                self.seen.results.get_mut(&to).expect("was sent to")[number] = Some(code);
                self.progress.count();
            }
            None if code == 0 => drop(self.ends_acknowledged.insert(to)),
            None => self.send(to, &format!("{} {END}", self.own), None),
        }
    }

    fn received(&mut self, line: &Value) {
        let text = line["message"].as_str().expect("text");
        let mut words = text.split(' ');
        let from: usize = words.next().and_then(|word| word.parse().ok()).expect("a number");
        assert_eq!(line["uid"], json!(self.names[from]), "the sender is the one in the text");
        match words.next().expect("a second word") {
            END => drop(self.ends_received.insert(from)),
            number => {
                let number = number.parse().expect("a number");
                self.seen.received.entry(from).or_default().push(number);
            }
        }
    }
}
