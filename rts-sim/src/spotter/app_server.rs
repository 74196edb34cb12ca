//! Situations between the server and the app server.

use std::collections::{BTreeMap, BTreeSet};

use rts_proto::client::Event;
use rts_proto::limits::REPLY_BYTES_MAX;
use rts_proto::server::PostProgress;
use rts_proto::{CallId, Instant, SendCode, ServerParamsCode};
use rts_testkit::EngineIndex;

use super::Spotter;
use crate::model::Model;
use crate::situations::Situation;
use crate::trace::{Call, Entry, Line};

#[derive(Debug, Default)]
pub(super) struct AppServer {
    /// The time of each message, until its result.
    sent: BTreeMap<(EngineIndex, u64), Instant>,
    /// The time of each call of `setServerParams`, by its signature, and the caller.
    sets: BTreeMap<String, (EngineIndex, Instant)>,
    /// The open posts: their senders, and whether an answer has begun.
    under_way: BTreeMap<CallId, (EngineIndex, bool)>,
    given_up: BTreeSet<CallId>,
    restarted: Option<Instant>,
}

impl Spotter {
    pub(super) fn see_app_server(&mut self, model: &Model, line: &Line) {
        match &line.entry {
            Entry::Call { who, call: Call::SetServerParams { serial, .. }, .. } => {
                self.app_server.sets.insert(serial.to_string(), (*who, line.at));
            }
            Entry::Call { who, call: Call::ServerSend { .. }, returned } if *returned > 0 => {
                self.app_server.sent.insert((*who, returned.unsigned_abs()), line.at);
            }
            Entry::Event { event: Event::ServerParamsSetResult(code), .. } => match code {
                ServerParamsCode::Ok => self.met(Situation::ParamsSet),
                ServerParamsCode::Unknown => self.met(Situation::ParamsRefused),
                ServerParamsCode::NotLoggedIn => self.met(Situation::ParamsNotLoggedIn),
                ServerParamsCode::Timeout | ServerParamsCode::Broken => {
                    self.met(Situation::ParamsUnknown);
                }
                ServerParamsCode::OverRate => {}
            },
            Entry::Event { who, event: Event::ServerMessageSendResult { id, code, reply } } => {
                let sent_at = self.app_server.sent.remove(&(*who, id.0));
                if *code == SendCode::Ok && self.dialled_since(*who, sent_at) {
                    self.met(Situation::ReplyAfterReconnect);
                }
                if reply.len() == REPLY_BYTES_MAX {
                    self.met(Situation::LongestReply);
                }
                self.result_of_post(*code);
            }
            Entry::Posted { call, post, .. } => {
                let set = self.app_server.sets.get(&post.signature);
                let Some((who, set_at)) = set.copied() else { return };
                self.app_server.under_way.insert(*call, (who, false));
                self.app_server.given_up.remove(call);
                if self.app_server.restarted.is_some_and(|at| at > set_at) {
                    self.met(Situation::PostedAfterRestart);
                }
            }
            Entry::AppServerSaid { call, progress } => self.app_server_said(model, *call, progress),
            Entry::PostAbandoned { call } => {
                self.app_server.given_up.insert(*call);
                match self.app_server.under_way.remove(call) {
                    Some((_, true)) => self.met(Situation::PostGivenUpHalfway),
                    _ => self.met(Situation::PostGivenUp),
                }
            }
            Entry::Restarted => {
                if !self.app_server.under_way.is_empty() {
                    self.met(Situation::CrashWithPosts);
                }
                self.app_server.under_way.clear();
                self.app_server.given_up.clear();
                self.app_server.restarted = Some(line.at);
            }
            _ => {}
        }
    }

    fn app_server_said(&mut self, model: &Model, call: CallId, progress: &PostProgress) {
        if self.app_server.given_up.contains(&call) {
            return self.met(Situation::AnswerTooLate);
        }
        let Some((who, has_begun)) = self.app_server.under_way.get_mut(&call) else { return };
        *has_begun = true;
        if model.engines[*who].login.live().is_none() {
            self.met(Situation::AnswerForNobody);
        }
        if *progress != PostProgress::Begun {
            self.app_server.under_way.remove(&call);
        }
    }

    fn result_of_post(&mut self, code: SendCode) {
        match code {
            SendCode::Ok => self.met(Situation::PostOk),
            SendCode::Timeout => self.met(Situation::PostTimeout),
            SendCode::Broken => self.met(Situation::PostBroken),
            SendCode::OverRate => self.met(Situation::PostOverRate),
            SendCode::ServerNotReached => self.met(Situation::PostNotReached),
            SendCode::ServerBadAnswer => self.met(Situation::PostBadAnswer),
            SendCode::NoServerParams => self.met(Situation::PostWithoutParams),
            _ => {}
        }
    }
}
