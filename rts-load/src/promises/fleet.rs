//! The clients: real engines, whose calls and events are recorded.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rts_client::contract::Membership;
use rts_client::{BuildError, Engine, MessageConfig, contract};

use super::history::{Client, History, Message, Room, To, User, What};
use super::record::{Links, Log, Moments, Recorder};
use crate::target::Target;

/// Users of one standing room.
const ROOM_USERS: u32 = 50;
/// The time until a user tries again to reach another one.
const REACH_AGAIN: Duration = Duration::from_millis(250);

/// One client, which logs in once.
pub(crate) struct Player {
    index: u32,
    pub(crate) user: User,
    engine: Engine,
    log: Arc<Log>,
    links: Links,
    /// The handles of its rooms.
    rooms: Mutex<BTreeMap<Room, contract::Room>>,
}

/// All clients.
pub(crate) struct Fleet {
    target: Target,
    moments: Arc<Moments>,
    /// In the order in which they were made.
    players: Mutex<Vec<Arc<Player>>>,
    /// The newest client of each user.
    newest: Mutex<BTreeMap<User, Arc<Player>>>,
    outages: Mutex<Vec<Range<u64>>>,
    faults: Mutex<Vec<Range<u64>>>,
}

impl Fleet {
    pub(crate) fn new(target: &Target) -> Self {
        Self {
            target: target.clone(),
            moments: Arc::default(),
            players: Mutex::default(),
            newest: Mutex::default(),
            outages: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    /// A moment after all records so far.
    pub(crate) fn now(&self) -> u64 {
        self.moments.next()
    }

    pub(crate) fn outage(&self, outage: Range<u64>) {
        locked(&self.outages).push(outage);
    }

    pub(crate) fn fault(&self, fault: Range<u64>) {
        locked(&self.faults).push(fault);
    }

    /// Makes a client of a user. Call it within the runtime.
    pub(crate) fn make(&self, user: User) -> Result<Arc<Player>, BuildError> {
        let addresses = self.target.addresses.iter();
        let urls: Vec<_> = addresses.map(|address| format!("rts://{address}")).collect();
        let links = Links::new(Arc::clone(&self.moments));
        let engine =
            Engine::builder(urls.join(","), self.target.app_id()).observer(Box::new(links.clone()));
        let engine = engine.build()?;
        let log = Arc::new(Log::new(Arc::clone(&self.moments)));
        engine.contract().set_event_handler(Recorder(Arc::clone(&log)));
        let mut players = locked(&self.players);
        let index = u32::try_from(players.len()).expect("fewer clients than file descriptors");
        let player = Player { index, user, engine, log, links, rooms: Mutex::default() };
        let player = Arc::new(player);
        players.push(Arc::clone(&player));
        Ok(player)
    }

    /// Logs a client in, as the newest one of its user.
    pub(crate) async fn enter(&self, player: &Arc<Player>) {
        let token = self.target.token(&player.user.uid());
        player.log_in(&token).await;
        locked(&self.newest).insert(player.user, Arc::clone(player));
    }

    pub(crate) fn newest(&self) -> Vec<Arc<Player>> {
        locked(&self.newest).values().cloned().collect()
    }

    pub(crate) fn newest_of(&self, user: User) -> Option<Arc<Player>> {
        locked(&self.newest).get(&user).cloned()
    }

    pub(crate) fn has_all_results(&self) -> bool {
        locked(&self.players).iter().all(|player| player.log.lock().has_all_results())
    }

    /// Looks at the history so far. Events wait meanwhile.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&History<'_>) -> T) -> T {
        let players = locked(&self.players);
        let logs: Vec<_> = players.iter().map(|player| player.log.lock()).collect();
        let links: Vec<_> = players.iter().map(|player| player.links.lock()).collect();
        let seen = logs.iter().zip(&links);
        let clients = players.iter().zip(seen).map(|(player, (log, links))| Client {
            user: player.user,
            records: &log.records,
            links,
        });
        let (outages, faults) = (&locked(&self.outages), &locked(&self.faults));
        look(&History { clients: clients.collect(), outages, faults })
    }

    /// Closes all engines.
    pub(crate) fn close(&self) {
        for player in locked(&self.players).iter() {
            player.engine.contract().destroy();
        }
    }
}

impl Player {
    /// The standing room of its user.
    pub(crate) fn home(&self) -> Room {
        Room(self.user.0 / ROOM_USERS)
    }

    async fn log_in(&self, token: &str) {
        let login = {
            let mut login = None;
            self.log.call(|_| {
                login = self.engine.contract().log_in(token, &self.user.uid()).ok();
                What::LoginCalled
            });
            login
        };
        let Some(mut login) = login else { return };
        while !matches!(login.status(), contract::LoginStatus::LoggedIn) {
            login.changed().await;
        }
    }

    /// Returns the id of the message. `None` if the call was refused.
    pub(crate) fn send(&self, to: User, bytes: usize) -> Option<u32> {
        let mut id = None;
        self.log.call(|entries| {
            let number = entries.next_number();
            let text = Message { client: self.index, number }.text(bytes);
            let engine = self.engine.contract();
            let sent = engine.send_message(&to.uid(), text, MessageConfig::ReliableOrdered);
            id = sent.ok().map(|sent| short(sent.id()));
            What::Sent { to: To::User(to), number, id }
        });
        id
    }

    /// Sends to a user again and again until one message has result 0.
    pub(crate) async fn reach(&self, to: User) {
        let mut ids = Vec::new();
        loop {
            ids.extend(self.send(to, 0));
            if self.log.one_arrives(&ids, REACH_AGAIN).await {
                return;
            }
        }
    }

    pub(crate) fn broadcast(&self, room: Room, bytes: usize) {
        let Some(handle) = self.room(room) else { return };
        self.log.call(|entries| {
            let number = entries.next_number();
            let text = Message { client: self.index, number }.text(bytes);
            let id = handle.send_message(text).ok().map(|sent| short(sent.id()));
            What::Sent { to: To::Room(room), number, id }
        });
    }

    pub(crate) fn join(&self, room: Room) {
        let Some(handle) = self.room(room) else { return };
        self.log.call(|_| What::JoinCalled(room, handle.join().is_ok()));
    }

    pub(crate) fn leave(&self, room: Room) {
        let Some(handle) = self.room(room) else { return };
        self.log.call(|_| {
            drop(handle.leave());
            What::LeaveCalled(room)
        });
    }

    /// See [`Log::answered`].
    pub(crate) async fn answered(&self, room: Room, patience: Duration) -> Option<bool> {
        self.log.answered(room, patience).await
    }

    pub(crate) fn sessions(&self) -> u64 {
        self.engine.contract().sessions_begun()
    }

    /// Whether its link is up, and it is in all rooms that it has not left.
    pub(crate) fn is_back(&self) -> bool {
        let rooms = locked(&self.rooms);
        let is_stable = |room: &contract::Room| {
            matches!(room.membership(), Membership::Joined | Membership::Out)
        };
        self.engine.is_online() && rooms.values().all(is_stable)
    }

    pub(crate) fn is_logged_out(&self) -> bool {
        self.log.lock().is_logged_out()
    }

    fn room(&self, room: Room) -> Option<contract::Room> {
        let mut rooms = locked(&self.rooms);
        if let Some(handle) = rooms.get(&room) {
            return Some(handle.clone());
        }
        let handle = self.engine.contract().create_room(&room.id()).ok()?;
        rooms.insert(room, handle.clone());
        Some(handle)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// No run has more than this type can count.
fn short(id: rts_client::MessageId) -> u32 {
    u32::try_from(id.0).unwrap_or(u32::MAX)
}
