//! The state of a chat, and its reactions to commands and events. It does not depend on a terminal.

mod events;
mod place;

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use rts_client::contract::{Engine, JoinError, MessageConfig, MessageId};

use super::command::{Command, To, help};
use super::complete::Names;
use super::line::{Line, Mark};
use place::{Place, Standing, not_in};

/// Users that are remembered for completion.
const SEEN_MAX: usize = 1_000;

/// Users named in one report of joins.
const NAMED_MAX: usize = 10;

pub(super) struct Talk {
    engine: Engine,
    to: Option<To>,
    rooms: BTreeMap<String, Place>,
    /// Users that sent or received a message, or were seen in a room.
    seen: BTreeSet<String>,
    /// Own messages without a result, by room and message id.
    open: BTreeMap<(Option<String>, MessageId), (To, String)>,
    /// The number of pending status queries.
    statuses: usize,
    /// Users who joined a room and are not reported yet, by room.
    arrivals: BTreeMap<String, Vec<String>>,
    is_linked: bool,
}

impl Talk {
    pub(super) fn new(engine: Engine, to: Option<To>) -> Self {
        let mut talk = Self {
            engine,
            to: None,
            rooms: BTreeMap::new(),
            seen: BTreeSet::new(),
            open: BTreeMap::new(),
            statuses: 0,
            arrivals: BTreeMap::new(),
            is_linked: true,
        };
        if let Some(to) = to {
            talk.turn_to(to);
        }
        talk
    }

    /// The prompt, which names the receiver of the next line.
    pub(super) fn prompt(&self) -> String {
        self.to.as_ref().map_or_else(|| "to nobody> ".to_owned(), |to| format!("to {to}> "))
    }

    /// Whether the next line could not be delivered now.
    pub(super) fn is_cut(&self) -> bool {
        let is_out = match &self.to {
            Some(To::Room(id)) => self.rooms.get(id).is_none_or(|p| p.standing != Standing::In),
            Some(To::User(_)) | None => false,
        };
        is_out || !self.is_linked
    }

    /// Own messages without a result.
    pub(super) fn open(&self) -> impl DoubleEndedIterator<Item = &(To, String)> {
        self.open.values()
    }

    /// Whether an answer of the server is pending.
    pub(super) fn is_waiting(&self) -> bool {
        let is_joining = |place: &Place| place.standing == Standing::Joining;
        !self.open.is_empty() || self.statuses > 0 || self.rooms.values().any(is_joining)
    }

    /// Names for completion.
    pub(super) fn names(&self) -> Names {
        Names {
            users: self.seen.iter().cloned().collect(),
            rooms: self.rooms.keys().cloned().collect(),
        }
    }

    /// Reports the users who have joined since the last report.
    pub(super) fn report_arrivals(&mut self) -> Vec<Line> {
        let line = |(room, who): (String, Vec<String>)| {
            let named = who[..who.len().min(NAMED_MAX)].join(", ");
            let is = if who.len() == 1 { "is" } else { "are" };
            Line::Note(match who.len().saturating_sub(NAMED_MAX) {
                0 => format!("#{room}: {named} {is} here"),
                more => format!("#{room}: {named} and {more} more are here; /who names them"),
            })
        };
        mem::take(&mut self.arrivals).into_iter().map(line).collect()
    }

    pub(super) fn run(&mut self, command: &Command) -> Vec<Line> {
        let mut lines = self.report_arrivals();
        lines.extend(match command {
            Command::Nothing | Command::Quit => Vec::new(),
            Command::Help => vec![Line::Page(help())],
            Command::Say(text) => match self.to.clone() {
                Some(to) => self.send(&to, text),
                None => problem("to whom? /to USER or /join ROOM"),
            },
            Command::Message(to, text) => self.send(to, text),
            Command::To(To::Room(id)) if !self.rooms.contains_key(id) => problem(not_in(id)),
            Command::To(to) => self.turn_to(to.clone()),
            Command::Join(id) => self.join(id),
            Command::Leave(id) => self.leave(id.as_deref()),
            Command::Members(id) => self.members(id.as_deref()),
            Command::Online(uid) => {
                self.statuses += 1;
                self.engine.get_peer_online_status(uid);
                Vec::new()
            }
            Command::Rooms if self.rooms.is_empty() => note("you are in no room"),
            Command::Rooms => self.rooms.values().flat_map(|p| note(p.described())).collect(),
            Command::Token(token) => {
                self.engine.update_login_token(token);
                note("the token is used when one is needed next")
            }
        });
        lines
    }

    /// Reports own messages whose result can no longer arrive.
    pub(super) fn give_up(&mut self) -> Vec<Line> {
        self.give_up_in(|_| true)
    }

    fn turn_to(&mut self, to: To) -> Vec<Line> {
        if let To::User(uid) = &to {
            self.see(uid);
        }
        self.to = Some(to);
        Vec::new()
    }

    fn send(&mut self, to: &To, text: &str) -> Vec<Line> {
        let sent = match to {
            To::User(uid) => {
                self.see(uid);
                let sent = self.engine.send_message(uid, text, MessageConfig::ReliableOrdered);
                sent.map(|sent| (None, sent.id())).map_err(|error| error.to_string())
            }
            To::Room(id) => match self.rooms.get(id) {
                Some(place) if place.standing == Standing::In => {
                    let sent = place.room.send_message(text);
                    sent.map(|sent| (Some(id.clone()), sent.id())).map_err(|e| e.to_string())
                }
                Some(place) => Err(place.described()),
                None => Err(not_in(id)),
            },
        };
        match sent {
            Ok(number) => {
                self.open.insert(number, (to.clone(), text.to_owned()));
                Vec::new()
            }
            Err(why) => problem(format!("not sent: {why}")),
        }
    }

    fn join(&mut self, id: &str) -> Vec<Line> {
        if !self.rooms.contains_key(id) {
            match self.engine.create_room(id) {
                Ok(room) => self.rooms.insert(id.to_owned(), Place::new(room)),
                Err(error) => return problem(format!("no room: {error}")),
            };
        }
        let Some(place) = self.rooms.get_mut(id) else { return Vec::new() };
        // Also if the join fails: the following lines are meant for nobody else.
        self.to = Some(To::Room(id.to_owned()));
        match place.room.join() {
            Ok(_) => {
                place.standing = Standing::Joining;
                place.forget_members();
                Vec::new()
            }
            Err(JoinError::AlreadyJoined) => Vec::new(),
            Err(error) => problem(format!("not joined: {error}")),
        }
    }

    /// The named room. Without a name, the current room, or the only one.
    fn room_or_own(&self, id: Option<&str>) -> Result<String, &'static str> {
        match (id, &self.to, self.rooms.len()) {
            (Some(id), ..) => Ok(id.to_owned()),
            (_, Some(To::Room(id)), _) => Ok(id.clone()),
            (.., 0) => Err("you are in no room; /join ROOM enters one"),
            (.., 1) => Ok(self.rooms.keys().next().cloned().unwrap_or_default()),
            _ => Err("which room? /rooms lists them"),
        }
    }

    fn leave(&mut self, id: Option<&str>) -> Vec<Line> {
        let id = match self.room_or_own(id) {
            Ok(id) => id,
            Err(why) => return problem(why),
        };
        let Some(place) = self.rooms.remove(&id) else {
            return problem(format!("you are not in #{id}"));
        };
        place.room.destroy();
        // A destroyed room has no callbacks, not even results.
        let mut lines = self.give_up_in(|room| room == Some(&id));
        lines.extend(note(format!("left #{id}")));
        if self.to == Some(To::Room(id)) {
            self.to = None;
        }
        lines
    }

    fn give_up_in(&mut self, is_over: impl Fn(Option<&String>) -> bool) -> Vec<Line> {
        let (over, open): (BTreeMap<_, _>, _) = mem::take(&mut self.open)
            .into_iter()
            .partition(|((room, _), _)| is_over(room.as_ref()));
        self.open = open;
        let unknown = |(to, text)| {
            let mark = Mark::Unknown("you left before the result came".to_owned());
            Line::Sent { to, text, mark }
        };
        over.into_values().map(unknown).collect()
    }

    fn members(&self, id: Option<&str>) -> Vec<Line> {
        match self.room_or_own(id) {
            Ok(id) => match self.rooms.get(&id) {
                Some(place) => note(place.described()),
                None => problem(not_in(&id)),
            },
            Err(why) => problem(format!("{why}; /who USER asks for a user")),
        }
    }

    fn see(&mut self, uid: &str) {
        if self.seen.len() < SEEN_MAX && !self.seen.contains(uid) {
            self.seen.insert(uid.to_owned());
        }
    }
}

fn note(text: impl Into<String>) -> Vec<Line> {
    vec![Line::Note(text.into())]
}

fn problem(text: impl Into<String>) -> Vec<Line> {
    vec![Line::Problem(text.into())]
}

#[cfg(test)]
mod tests;
