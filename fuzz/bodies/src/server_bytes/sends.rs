//! Each accepted send of a session that goes on has exactly one result.

use std::collections::BTreeMap;

use bytes::Bytes;
use rts_proto::limits::FRAME_BYTES_MAX;
use rts_proto::wire::{Accepted, Decoder, Frame, Login, LoginAnswer, Resume};
use rts_proto::{LinkId, MessageId, RoomId};

/// A message to a user, or a broadcast to a room.
type Send = (Option<RoomId>, MessageId);

/// The clients. What they send is read as the server reads it, because scripts cut frames.
#[derive(Default)]
pub(super) struct Clients {
    links: BTreeMap<LinkId, Client>,
    sessions: BTreeMap<u64, Session>,
}

struct Client {
    spoken: Decoder,
    /// The login that has no answer yet, and the sends behind it.
    login: Option<Login>,
    early: Vec<Send>,
    session: Option<u64>,
}

/// A session, as a client knows it that reads every frame.
struct Session {
    login: Login,
    accepted: Accepted,
    /// The number of sequenced frames that arrived.
    received: u64,
    /// Sends without a result. A script may use an id several times.
    open: BTreeMap<Send, u32>,
}

impl Clients {
    pub(super) fn opened(&mut self, link: LinkId) {
        let spoken = Decoder::new();
        self.links.insert(link, Client { spoken, login: None, early: Vec::new(), session: None });
    }

    pub(super) fn closed(&mut self, link: LinkId) {
        self.links.remove(&link);
    }

    /// The client sends these bytes.
    pub(super) fn spoke(&mut self, link: LinkId, bytes: Bytes) {
        let Some(client) = self.links.get_mut(&link) else { return };
        client.spoken.push(bytes);
        loop {
            let Some(client) = self.links.get_mut(&link) else { return };
            match client.spoken.next(FRAME_BYTES_MAX) {
                Ok(Some(frame)) => self.said(link, frame),
                Ok(None) => return,
                // The session ends with the link.
                Err(_) => return self.forget(link),
            }
        }
    }

    fn said(&mut self, link: LinkId, frame: Frame) {
        let Some(client) = self.links.get_mut(&link) else { return };
        let send = match frame {
            Frame::Login(login) => {
                client.login = Some(login);
                return;
            }
            Frame::Logout | Frame::Close { .. } => return self.forget(link),
            Frame::Send { id, .. } => (None, id),
            Frame::Broadcast { id, room, .. } => (Some(room), id),
            _ => return,
        };
        match client.session.and_then(|number| self.sessions.get_mut(&number)) {
            Some(session) => *session.open.entry(send).or_default() += 1,
            None => client.early.push(send),
        }
    }

    /// The server's frame arrives.
    pub(super) fn heard(&mut self, link: LinkId, frame: Frame) {
        let Some(client) = self.links.get_mut(&link) else { return };
        if let Frame::LoginAnswer(LoginAnswer::Accepted(accepted)) = frame {
            let login = client.login.take().expect("it asked");
            let number = accepted.session;
            if !accepted.resumed {
                let (received, open) = (0, BTreeMap::new());
                let new = Session { login, accepted, received, open };
                assert!(self.sessions.insert(number, new).is_none(), "a number is used once");
            } else if let Some(session) = self.sessions.get_mut(&number) {
                session.accepted = accepted;
                // Frames between what this client knew and what arrived would count twice.
                if login.resume.is_none_or(|resume| resume.received != session.received) {
                    self.sessions.remove(&number);
                }
            }
            client.session = Some(number);
            for send in std::mem::take(&mut client.early) {
                if let Some(session) = self.sessions.get_mut(&number) {
                    *session.open.entry(send).or_default() += 1;
                }
            }
            return;
        }
        let Some(session) = client.session.and_then(|number| self.sessions.get_mut(&number)) else {
            return;
        };
        session.received += u64::from(frame.is_sequenced());
        match frame {
            Frame::SendResults { ids, .. } => ids.into_iter().for_each(|id| session.ends(None, id)),
            Frame::BroadcastResults { room, ids, .. } => {
                ids.into_iter().for_each(|id| session.ends(Some(room.clone()), id));
            }
            _ => {}
        }
    }

    /// The frames that resume a session, correctly.
    pub(super) fn resume(&self, index: usize) -> Option<Frame> {
        let count = self.sessions.len().max(1);
        let (number, session) = self.sessions.iter().nth(index % count)?;
        let Session { login, accepted, received, .. } = session;
        let resume = Resume { session: *number, key: accepted.key, received: *received };
        let (resume, claim) = (Some(resume), accepted.claim);
        Some(Frame::Login(Login { resume, claim, ..login.clone() }))
    }

    /// The acknowledgement of every frame; `None` if the client cannot continue: it has no session,
    /// does not know how many frames arrived, or is in the middle of a frame.
    pub(super) fn acknowledge(&self, link: LinkId) -> Option<Frame> {
        let client = self.links.get(&link)?;
        let session = self.sessions.get(&client.session?)?;
        let is_between_frames = client.spoken.buffered_bytes() == 0;
        is_between_frames.then_some(Frame::Ack { received: session.received })
    }

    /// After the last results, no send of a session with a link is open.
    pub(super) fn have_all_results(&self) {
        for client in self.links.values() {
            let session = client.session.and_then(|number| self.sessions.get(&number));
            let open = session.map(|session| &session.open);
            assert!(open.is_none_or(BTreeMap::is_empty), "no result: {open:?}");
        }
    }

    /// The link's session, if it has one, is not followed any more.
    fn forget(&mut self, link: LinkId) {
        let client = self.links.remove(&link);
        if let Some(number) = client.and_then(|client| client.session) {
            self.sessions.remove(&number);
        }
    }
}

impl Session {
    fn ends(&mut self, room: Option<RoomId>, id: MessageId) {
        let send = (room, id);
        let Some(times) = self.open.get_mut(&send) else {
            panic!("a result of {send:?}, which is not open");
        };
        *times -= 1;
        if *times == 0 {
            self.open.remove(&send);
        }
    }
}
