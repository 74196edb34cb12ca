//! Messages to the app server: each has one true result, and is posted at most once, to an allowed
//! target with the params in force (I29 to I31).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rts_proto::client::Event;
use rts_proto::limits::{POST_TIMEOUT, POSTS_PER_USER_MAX, REPLY_BYTES_MAX};
use rts_proto::server::PostProgress;
use rts_proto::{CallId, Instant, Reply, SendCode, ServerParamsCode};
use rts_testkit::EngineIndex;

use super::sends::sendable;
use super::{Oracle, Violation, ensure};
use crate::model::Model;
use crate::payload;
use crate::plan::ParamsKind;
use crate::trace::{Call, Entry, Line, Phase, Posted};

/// The time by which a result may exceed its time-out.
const SLACK: Duration = Duration::from_secs(1);

/// One call of `setServerParams`.
#[derive(Debug)]
struct Set {
    who: EngineIndex,
    app: usize,
    /// The engine's login. Params end with it.
    login: u64,
    kind: ParamsKind,
    url: String,
}

/// The application's knowledge of its engine's params.
#[derive(Debug, Default)]
struct Known {
    /// Calls without a result. A result has no number of its call.
    open: BTreeSet<u64>,
    results_open: usize,
    /// The login that the other fields belong to.
    login: u64,
    /// The newest call with result 200.
    confirmed: Option<u64>,
    /// The newest call that was not refused at once.
    newest: Option<u64>,
}

#[derive(Debug)]
struct Sent {
    app: usize,
    uid: Option<String>,
    login: u64,
    at: Instant,
    timeout: Duration,
    serial: u64,
    bytes: usize,
    is_binary: bool,
    /// The params in force are those of one of these two calls, or of a call between them.
    confirmed: Option<u64>,
    newest: Option<u64>,
    result: Option<SendCode>,
    post: Option<Fate>,
    /// What else may have become of the post, in a cluster: the clock of a frozen node stands
    /// still, so an answer may be in time that seems to be late.
    or_else: Option<Fate>,
    must_be_answered: bool,
}

/// The state of a post at the app server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    UnderWay { since: Instant, has_begun: bool },
    Answered(Reply),
    AnsweredBadly,
    NotReached,
}

type Key = (EngineIndex, u64);

#[derive(Debug, Default)]
pub(super) struct AppServer {
    sets: BTreeMap<u64, Set>,
    known: BTreeMap<EngineIndex, Known>,
    allowed: BTreeMap<(usize, String), bool>,
    sent: BTreeMap<Key, Sent>,
    open: BTreeSet<Key>,
    /// The posts by their number at the present server.
    posts: BTreeMap<CallId, Key>,
    /// By the number of a node, its posts.
    of_node: BTreeMap<usize, Vec<CallId>>,
    /// The number of open posts of each user: neither answered nor abandoned.
    under_way: BTreeMap<(usize, String), usize>,
    /// The newest posted message of each engine.
    newest_post: BTreeMap<EngineIndex, u64>,
}

impl Oracle for AppServer {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Call { who, call: Call::SetServerParams { serial, kind, url }, .. } => {
                self.set(model, *who, *serial, *kind, url);
                Ok(())
            }
            Entry::Call { who, call: Call::ServerSend { serial, bytes, is_binary }, returned }
                if *returned > 0 =>
            {
                let id = returned.unsigned_abs();
                let sent = self.send(model, line.at, *who, (*serial, *bytes, *is_binary));
                self.open.insert((*who, id));
                self.sent.insert((*who, id), sent);
                Ok(())
            }
            Entry::Event { who, event: Event::ServerParamsSetResult(code) } => {
                self.set_result(model, *who, *code)
            }
            Entry::Event { who, event: Event::ServerMessageSendResult { id, code, reply } } => {
                self.result(model, line.at, (*who, id.0), *code, reply)
            }
            Entry::TargetChecked { app, url, is_allowed } => {
                self.allowed.insert((*app, url.clone()), *is_allowed);
                Ok(())
            }
            Entry::Posted { call, node, post } => {
                self.of_node.entry(*node).or_default().push(*call);
                self.posted(model, line.at, *call, post)
            }
            Entry::AppServerSaid { call, progress } => self.said(model, line.at, *call, progress),
            Entry::PostAbandoned { call } => self.abandoned(model, line.at, *call),
            Entry::Restarted => {
                // The server that posted is gone, and gets no answers.
                self.posts.clear();
                self.of_node.clear();
                self.under_way.clear();
                Ok(())
            }
            Entry::NodeEnded { number: Some(number), .. } => {
                self.node_ended(*number);
                Ok(())
            }
            Entry::Phase(Phase::Settled | Phase::Empty) => self.nothing_is_open(),
            _ => Ok(()),
        }
    }
}

impl AppServer {
    fn known(&mut self, model: &Model, who: EngineIndex) -> &mut Known {
        let login = model.engines[who].logins;
        let known = self.known.entry(who).or_default();
        if known.login != login {
            *known = Known { login, results_open: known.results_open, ..Known::default() };
        }
        known
    }

    fn set(&mut self, model: &Model, who: EngineIndex, serial: u64, kind: ParamsKind, url: &str) {
        let engine = &model.engines[who];
        if engine.is_destroyed {
            return;
        }
        let is_live = engine.login.live().is_some();
        let known = self.known(model, who);
        known.results_open += 1;
        known.open.insert(serial);
        if is_live && !kind.is_malformed() {
            known.newest = Some(serial);
        }
        let (app, login) = (engine.app, engine.logins);
        self.sets.insert(serial, Set { who, app, login, kind, url: url.to_owned() });
    }

    fn set_result(
        &mut self,
        model: &Model,
        who: EngineIndex,
        code: ServerParamsCode,
    ) -> Result<(), Violation> {
        let is_live = model.engines[who].login.live().is_some();
        let known = self.known(model, who);
        ensure(known.results_open > 0, || {
            format!("I29: #{who} got {code:?} for params, and no question is open")
        })?;
        known.results_open -= 1;
        let asked = std::mem::take(&mut known.open);
        let (serial, is_sure) = match (asked.len(), asked.last()) {
            (1, Some(serial)) => (Some(*serial), true),
            (_, newest) => (newest.copied(), false),
        };
        if known.results_open > 0 {
            known.open = asked.clone();
        }
        let kinds = asked.iter().filter_map(|serial| self.sets.get(serial)).map(|set| set.kind);
        let kinds: Vec<ParamsKind> = kinds.collect();
        let is_possible = match code {
            ServerParamsCode::Ok => kinds.iter().any(|kind| kind.is_listed()),
            ServerParamsCode::Unknown => kinds.iter().any(|kind| !kind.is_listed()),
            ServerParamsCode::NotLoggedIn => !is_live,
            ServerParamsCode::Timeout | ServerParamsCode::Broken | ServerParamsCode::OverRate => {
                true
            }
        };
        ensure(is_possible, || format!("I30: #{who} got {code:?} for params {kinds:?}"))?;
        ensure(!model.is_asking() || code == ServerParamsCode::Ok, || {
            format!("I43: with nothing wrong #{who} got {code:?} for params")
        })?;
        if code == ServerParamsCode::Ok && is_sure {
            self.known(model, who).confirmed = serial;
        }
        Ok(())
    }

    fn send(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
        (serial, bytes, is_binary): (u64, usize, bool),
    ) -> Sent {
        let engine = &model.engines[who];
        let uid = engine.login.live().map(str::to_owned);
        let known = self.known(model, who);
        let (confirmed, newest) = (known.confirmed, known.newest);
        Sent {
            app: engine.app,
            or_else: None,
            must_be_answered: model.is_asking() && uid.is_some(),
            uid,
            login: engine.logins,
            at: now,
            timeout: Duration::from_millis(engine.send_timeout_ms),
            serial,
            bytes,
            is_binary,
            confirmed,
            newest,
            result: None,
            post: None,
        }
    }

    fn result(
        &mut self,
        model: &Model,
        now: Instant,
        key: Key,
        code: SendCode,
        reply: &Reply,
    ) -> Result<(), Violation> {
        let (who, id) = key;
        let engine = &model.engines[who];
        let is_open = self.open.remove(&key);
        let Some(sent) = self.sent.get_mut(&key).filter(|_| is_open) else {
            return Err(format!(
                "I29: a result for message {id} of #{who} to the app server, which is not open"
            ));
        };
        sent.result = Some(code);
        let waited = now.since(sent.at);
        ensure(engine.last_thaw >= sent.at || waited <= sent.timeout + SLACK, || {
            format!("I13: the result of message {id} of #{who} took {waited:?}")
        })?;
        let no_params = sent.newest.is_none().then_some(SendCode::NoServerParams);
        let wanted = sendable(sent.uid.is_some(), &engine.login, sent.bytes).or(no_params);
        ensure(wanted.is_none_or(|wanted| code == wanted && now == sent.at), || {
            format!("I30: result {} of {sent:?}, {wanted:?} is right", code.code())
        })?;
        let is_true_after = |post: &Option<Fate>| match (code, post) {
            (SendCode::Ok, Some(Fate::Answered(answer))) => reply == answer,
            (SendCode::ServerBadAnswer, post) => *post == Some(Fate::AnsweredBadly),
            // A node that was frozen does not know that the answer had begun in time.
            (SendCode::ServerNotReached, Some(Fate::AnsweredBadly)) => {
                model.was_frozen_since(sent.at)
            }
            (SendCode::ServerNotReached, post) => {
                matches!(post, None | Some(Fate::NotReached))
            }
            (SendCode::Timeout, _) => true,
            (SendCode::Ok, _) => false,
            // While params are in force, this result is wrong.
            (SendCode::NoServerParams, None) => sent.confirmed.is_none(),
            (_, post) => post.is_none(),
        };
        let is_true =
            is_true_after(&sent.post) || sent.or_else.is_some() && is_true_after(&sent.or_else);
        ensure(is_true && (code == SendCode::Ok || reply.is_empty()), || {
            format!("I29: result {} with {reply:?} of {sent:?}", code.code())
        })?;
        ensure(!sent.must_be_answered || code == SendCode::Ok, || {
            format!("I43: with nothing wrong, message {id} of #{who} got {}", code.code())
        })
    }

    fn posted(
        &mut self,
        model: &Model,
        now: Instant,
        call: CallId,
        post: &Posted,
    ) -> Result<(), Violation> {
        let serial = post.signature.parse().unwrap_or(0);
        let Some(set) = self.sets.get(&serial) else {
            return Err(format!("I30: posted with a signature that nobody gave: {post:?}"));
        };
        let is_allowed = self.allowed.get(&(post.app, post.url.clone())).copied().unwrap_or(false);
        ensure(is_allowed && set.kind.is_listed(), || {
            format!("I31: posted to where messages of the app may not go: {post:?}")
        })?;
        let key = (set.who, post.id);
        let Some(sent) = self.sent.get_mut(&key) else {
            return Err(format!("I29: posted what #{} did not send: {post:?}", set.who));
        };
        let is_the_same = (sent.app, sent.uid.as_deref()) == (post.app, Some(&*post.uid))
            && set.app == post.app
            && post.payload == payload::make(sent.app, sent.serial, sent.bytes, sent.is_binary);
        ensure(is_the_same, || format!("I29: posted not as sent: {post:?} of {sent:?}"))?;
        let is_in_force = set.login == sent.login
            && sent.confirmed.is_none_or(|confirmed| serial >= confirmed)
            && sent.newest.is_some_and(|newest| serial <= newest)
            && set.url == post.url;
        ensure(is_in_force, || format!("I30: posted with the params of {set:?}: {sent:?}"))?;
        ensure(sent.post.is_none(), || format!("I29: posted twice: {sent:?}"))?;
        ensure(sent.result.is_none_or(|code| code == SendCode::Timeout), || {
            format!("I29: posted after its result: {sent:?}")
        })?;
        sent.post = Some(Fate::UnderWay { since: now, has_begun: false });
        let newest = self.newest_post.entry(set.who).or_default();
        ensure(*newest < post.id, || {
            format!("I29: message {} of #{} was posted after {newest}", post.id, set.who)
        })?;
        *newest = post.id;
        self.posts.insert(call, key);
        let under_way = self.under_way.entry((post.app, post.uid.clone())).or_default();
        *under_way += 1;
        // A node of a cluster does not know of posts of an earlier session in another node.
        ensure(*under_way <= POSTS_PER_USER_MAX * model.nodes, || {
            format!("I38: {under_way} posts of {} are under way", post.uid)
        })
    }

    /// An answer to an abandoned post has no effect, also when it comes at the moment of the
    /// abandonment.
    fn said(
        &mut self,
        model: &Model,
        now: Instant,
        call: CallId,
        progress: &PostProgress,
    ) -> Result<(), Violation> {
        let Some(key) = self.posts.get(&call) else { return Ok(()) };
        let Some(sent) = self.sent.get_mut(key) else { return Ok(()) };
        let Some(Fate::UnderWay { since, has_begun }) = &mut sent.post else { return Ok(()) };
        if now.since(*since) >= POST_TIMEOUT {
            if !model.is_cluster() {
                return Ok(());
            }
            let if_late = if *has_begun { Fate::AnsweredBadly } else { Fate::NotReached };
            sent.or_else = Some(if_late);
        }
        let fate = match progress {
            PostProgress::Begun => {
                *has_begun = true;
                return Ok(());
            }
            PostProgress::Answered(reply) if reply.len() <= REPLY_BYTES_MAX => {
                Fate::Answered(reply.clone())
            }
            PostProgress::Answered(_) | PostProgress::AnsweredBadly => Fate::AnsweredBadly,
            PostProgress::NotReached => Fate::NotReached,
        };
        self.ended(call, fate)
    }

    fn abandoned(&mut self, model: &Model, now: Instant, call: CallId) -> Result<(), Violation> {
        let key = self.posts.get(&call);
        let post = key.and_then(|key| self.sent.get(key)).and_then(|sent| sent.post.as_ref());
        let is_late = |key| self.sent.get(key).is_some_and(|sent: &Sent| sent.or_else.is_some());
        let Some(Fate::UnderWay { since, has_begun }) = post else {
            if key.is_some_and(is_late) {
                return Ok(());
            }
            return Err(format!("I29: {call:?} was given up, and is not under way: {post:?}"));
        };
        let lasted = now.since(*since);
        // The clock of a frozen node stands still.
        let is_late = model.is_cluster() && lasted > POST_TIMEOUT;
        ensure(lasted == POST_TIMEOUT || is_late, || {
            format!("I29: {call:?} was given up after {lasted:?}")
        })?;
        let fate = if *has_begun { Fate::AnsweredBadly } else { Fate::NotReached };
        self.ended(call, fate)
    }

    /// The posts of a node end with it. Nobody knows what becomes of their messages.
    fn node_ended(&mut self, number: usize) {
        for call in self.of_node.remove(&number).unwrap_or_default() {
            let key = self.posts.remove(&call);
            let Some(sent) = key.and_then(|key| self.sent.get(&key)) else { continue };
            let owner = (sent.app, sent.uid.clone().unwrap_or_default());
            if let Some(Fate::UnderWay { .. }) = sent.post
                && let Some(under_way) = self.under_way.get_mut(&owner)
            {
                *under_way -= 1;
            }
        }
    }

    fn ended(&mut self, call: CallId, fate: Fate) -> Result<(), Violation> {
        let sent = self.posts.get(&call).and_then(|key| self.sent.get_mut(key));
        let sent = sent.ok_or("I29: no such post")?;
        sent.post = Some(fate);
        let owner = (sent.app, sent.uid.clone().unwrap_or_default());
        if let Some(under_way) = self.under_way.get_mut(&owner) {
            *under_way -= 1;
        }
        Ok(())
    }

    fn nothing_is_open(&self) -> Result<(), Violation> {
        if let Some((who, id)) = self.open.first() {
            return Err(format!("I29: message {id} of #{who} never got a result"));
        }
        let params = self.known.iter().find(|(_, known)| known.results_open > 0);
        ensure(params.is_none(), || format!("I29: params never got a result: {params:?}"))?;
        let under_way = self.under_way.iter().find(|(_, count)| **count > 0);
        ensure(under_way.is_none(), || format!("I42: posts go on for ever: {under_way:?}"))
    }
}
