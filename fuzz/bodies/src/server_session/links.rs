//! Logins, resumes and lost links.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use rts_proto::server::Input;
use rts_proto::wire::{Accepted, Decoder, Frame, Login, Resume, ResumeKey};
use rts_proto::{AppId, LinkId, UserId};

use super::{End, EngineIndex, NAMES, Session, World};

impl World {
    pub(super) fn log_in(&mut self, who: EngineIndex) {
        self.end(who, End::Superseded);
        let accepted = self.open_link(who, None, 0).expect("every token is good");
        assert!(!accepted.resumed);
    }

    pub(super) fn resume(&mut self, who: EngineIndex) {
        let Some(session) = &self.sessions[who] else { return };
        let (received, sent) = (session.received, session.sent);
        let resume = Resume { session: session.number, key: session.key, received };
        let claim = session.claim;
        self.acknowledged(who, received);
        let accepted = self.open_link(who, Some(resume), claim).expect("a session is resumed");
        assert!(accepted.resumed, "its grace has not passed");
        assert_eq!(accepted.received, sent, "the server counts");
    }

    fn open_link(
        &mut self,
        who: EngineIndex,
        resume: Option<Resume>,
        claim: u64,
    ) -> Option<Accepted> {
        self.last_link += 1;
        let link = LinkId(self.last_link);
        let mut key = [0; 16];
        key[..8].copy_from_slice(&self.last_link.to_le_bytes());
        self.decoders.insert(link, (who, Decoder::new()));
        let login = Login {
            app_id: AppId::new("123456781234567812345678").expect("well formed"),
            uid: UserId::new(NAMES[who]).expect("well formed"),
            token: Bytes::from_static(b"token"),
            resume,
            claim,
            engine: who as u64 + 1,
            attempt: self.last_link,
        };
        self.server.handle_input(self.now, Input::Accepted(link, ResumeKey(key)));
        for frame in [Frame::Hello { version: 1, features: 0 }, Frame::Login(login)] {
            self.server.handle_input(self.now, Input::Received(link, frame.encode()));
        }
        if let Some(session) = &mut self.sessions[who] {
            session.link = Some(link);
            session.is_deaf = false;
            session.last_heard = self.now;
        }
        self.drain();
        self.answer.take()
    }

    pub(super) fn answered(&mut self, who: EngineIndex, link: LinkId, accepted: Accepted) {
        match &mut self.sessions[who] {
            Some(session) => session.key = accepted.key,
            None => {
                self.sessions[who] = Some(Session {
                    number: accepted.session,
                    key: accepted.key,
                    claim: accepted.claim,
                    link: Some(link),
                    is_deaf: false,
                    last_heard: self.now,
                    sent: 0,
                    received: 0,
                    is_in_room: false,
                    due: BTreeMap::new(),
                    unacknowledged: VecDeque::new(),
                    results: BTreeMap::new(),
                    others: Vec::new(),
                });
            }
        }
        self.answer = Some(accepted);
    }

    pub(super) fn cut(&mut self, who: EngineIndex) {
        let Some(session) = &mut self.sessions[who] else { return };
        if let Some(link) = session.link.take() {
            self.decoders.remove(&link);
            self.server.handle_input(self.now, Input::Disconnected(link));
        }
    }
}
