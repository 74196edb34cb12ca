//! Messages to users: each has one result, and it is true (I11 to I20).

use std::collections::BTreeMap;
use std::time::Duration;

use rts_proto::client::Event;
use rts_proto::limits::PAYLOAD_BYTES_MAX;
use rts_proto::{Instant, MessageConfig, Payload, SendCode, UserId};
use rts_testkit::EngineIndex;

use super::{Oracle, Violation, ensure, own_serial};
use crate::engine::Login;
use crate::model::Model;
use crate::names::BACK_END;
use crate::payload;
use crate::trace::{Call, Entry, Line, Phase};

/// The time by which a result may exceed its time-out.
const SLACK: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Sent {
    who: EngineIndex,
    app: usize,
    /// The sender's user at the time of the send.
    from: Option<String>,
    to: String,
    id: u64,
    /// The number of the sender's session.
    session: u64,
    at: Instant,
    timeout: Duration,
    bytes: usize,
    is_binary: bool,
    config: MessageConfig,
    result: Option<SendCode>,
    received: Option<Instant>,
    /// Whether the message was sent after the faults, with both ends up, and so must arrive.
    must_arrive: bool,
}

/// Messages that are too short for a serial: the number sent and not yet received.
type Unmarked = BTreeMap<(usize, String, String, usize, bool), i64>;

#[derive(Debug, Default)]
pub(super) struct Sends {
    sent: BTreeMap<u64, Sent>,
    /// Sends without a result, by engine and id.
    open: BTreeMap<(EngineIndex, u64), u64>,
    last_id: BTreeMap<EngineIndex, u64>,
    /// The newest received id, by receiver and its login, sender, and kind of message. And the
    /// sender's session at that moment.
    newest: BTreeMap<(EngineIndex, u64, EngineIndex, MessageConfig), (u64, u64)>,
    unmarked: Unmarked,
}

impl Oracle for Sends {
    fn see(&mut self, model: &Model, line: &Line) -> Result<(), Violation> {
        match &line.entry {
            Entry::Call {
                who,
                call: Call::Send { to, serial, bytes, is_binary, config },
                returned,
            } => {
                let (who, serial) = (*who, *serial);
                let engine = &model.engines[who];
                let wanted = match (engine.is_destroyed, to.is_empty()) {
                    (true, _) => Some(-1),
                    (false, true) => Some(-2),
                    (false, false) => None,
                };
                if let Some(wanted) = wanted {
                    return ensure(*returned == wanted, || {
                        format!("I11: the send returned {returned}, not {wanted}")
                    });
                }
                let id = self.id_is_next(who, *returned)?;
                let from = engine.login.live().map(str::to_owned);
                let must_arrive = model.is_asking()
                    && from.is_some()
                    && model.live(engine.app).any(|(_, uid)| uid == to);
                if *bytes < payload::MARKED_BYTES_MIN
                    && let Some(from) = &from
                {
                    let key = (engine.app, from.clone(), to.clone(), *bytes, *is_binary);
                    *self.unmarked.entry(key).or_default() += 1;
                }
                self.open.insert((who, id), serial);
                self.sent.insert(
                    serial,
                    Sent {
                        who,
                        app: engine.app,
                        from,
                        to: to.clone(),
                        id,
                        session: engine.sessions,
                        at: line.at,
                        timeout: Duration::from_millis(engine.send_timeout_ms),
                        bytes: *bytes,
                        is_binary: *is_binary,
                        config: *config,
                        result: None,
                        received: None,
                        must_arrive,
                    },
                );
                Ok(())
            }
            // Messages to the app server take their ids from the same sequence.
            Entry::Call { who, call: Call::ServerSend { .. }, returned } => {
                match model.engines[*who].is_destroyed {
                    true => {
                        ensure(*returned == -1, || format!("I11: the send returned {returned}"))
                    }
                    false => self.id_is_next(*who, *returned).map(drop),
                }
            }
            Entry::Event { who, event: Event::MessageSendResult { id, code } } => {
                self.result(model, line.at, *who, id.0, *code)
            }
            Entry::Event { who, event: Event::MessageReceived { from, payload } }
                if from.as_str() != BACK_END =>
            {
                self.received(model, line.at, *who, from, payload)
            }
            Entry::Phase(Phase::Empty) => self.at_the_end(),
            _ => Ok(()),
        }
    }
}

impl Sends {
    fn id_is_next(&mut self, who: EngineIndex, returned: i64) -> Result<u64, Violation> {
        let last = self.last_id.entry(who).or_default();
        *last += 1;
        let id = *last;
        ensure(i64::try_from(id) == Ok(returned), || {
            format!("I12: the send of #{who} returned {returned}, and {id} is next")
        })?;
        Ok(id)
    }

    fn result(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
        id: u64,
        code: SendCode,
    ) -> Result<(), Violation> {
        let Some(serial) = self.open.remove(&(who, id)) else {
            return Err(format!("I13: a result for message {id} of #{who}, which is not open"));
        };
        let sent = self.sent.get_mut(&serial).ok_or("I13: no such send")?;
        sent.result = Some(code);
        let engine = &model.engines[who];
        let waited = now.since(sent.at);
        let was_frozen = engine.last_thaw >= sent.at;
        ensure(was_frozen || waited <= sent.timeout + SLACK, || {
            format!("I13: the result of message {id} of #{who} took {waited:?}")
        })?;
        immediate_results(sent, &engine.login, now, code)?;
        if code == SendCode::Ok && sent.config.is_reliable() {
            let is_marked = sent.bytes >= payload::MARKED_BYTES_MIN;
            ensure(sent.received.is_some() || !is_marked, || {
                format!("I14: result 0 of message {id} of #{who}, and nobody has it")
            })?;
        }
        ensure(sent.received.is_none() || !is_definite(code), || {
            format!("I16: result {} of message {id} of #{who}, which was received", code.code())
        })?;
        ensure(!sent.must_arrive || code == SendCode::Ok, || {
            format!("I43: with nothing wrong, message {id} of #{who} got {}", code.code())
        })
    }

    fn received(
        &mut self,
        model: &Model,
        now: Instant,
        who: EngineIndex,
        from: &UserId,
        payload: &Payload,
    ) -> Result<(), Violation> {
        let engine = &model.engines[who];
        let Some(own) = engine.login.live() else {
            return Err(format!("I7: #{who} is not logged in, and received a message"));
        };
        let bytes = payload.as_bytes();
        let is_binary = matches!(payload, Payload::Binary(_));
        let Some(serial) = own_serial(model, who, payload)? else {
            ensure(*payload == payload::make(engine.app, 0, bytes.len(), is_binary), || {
                format!("I15: #{who} received something that nobody sent")
            })?;
            let key =
                (engine.app, from.as_str().to_owned(), own.to_owned(), bytes.len(), is_binary);
            let rest = self.unmarked.entry(key).or_default();
            *rest -= 1;
            return ensure(*rest >= 0, || {
                format!("I15: #{who} received a short message that nobody sent")
            });
        };
        let Some(sent) = self.sent.get_mut(&serial) else {
            return Err(format!("I15: #{who} received {serial}, which nobody sent to a user"));
        };
        let is_the_same = sent.to == own
            && sent.from.as_deref() == Some(from.as_str())
            && sent.bytes == bytes.len()
            && *payload == payload::make(sent.app, serial, sent.bytes, sent.is_binary);
        ensure(is_the_same, || {
            format!("I15: #{who}, {own}, received {serial} from {from} not as sent: {sent:?}")
        })?;
        ensure(sent.received.is_none(), || format!("I17: {serial} was received twice: {sent:?}"))?;
        sent.received = Some(now);
        if let Some(code) = sent.result {
            ensure(!is_definite(code), || {
                format!("I16: {serial} was received after result {}", code.code())
            })?;
        }
        if sent.config == MessageConfig::UnreliableUnordered {
            return Ok(());
        }
        let key = (who, engine.epoch, sent.who, sent.config);
        let (newest, session) = self.newest.entry(key).or_default();
        ensure(sent.id > *newest || !model.keeps_order(sent.session, *session), || {
            format!("I17: #{who} received message {} of #{} after {newest}", sent.id, sent.who)
        })?;
        if sent.id > *newest {
            (*newest, *session) = (sent.id, model.engines[sent.who].sessions);
        }
        Ok(())
    }

    fn at_the_end(&self) -> Result<(), Violation> {
        match self.open.iter().next() {
            Some(((who, id), _)) => Err(format!("I13: message {id} of #{who} never got a result")),
            None => Ok(()),
        }
    }
}

/// Whether the result means that the message was not delivered.
fn is_definite(code: SendCode) -> bool {
    !matches!(code, SendCode::Ok | SendCode::Timeout | SendCode::Unknown)
}

/// A result that is known at the call comes at the call, and only then.
fn immediate_results(
    sent: &Sent,
    login: &Login,
    now: Instant,
    code: SendCode,
) -> Result<(), Violation> {
    let is_now = now == sent.at;
    let wanted = sendable(sent.from.is_some(), login, sent.bytes);
    let is_user = UserId::new(&sent.to).is_ok();
    let wanted = wanted.or((!is_user).then_some(SendCode::ReceiverNotFound));
    let only_then = [SendCode::NotInitialised, SendCode::NotLoggedIn, SendCode::TooLong];
    let holds = match wanted {
        Some(wanted) => is_now && code == wanted,
        None => !only_then.contains(&code),
    };
    ensure(holds, || format!("result {} of {sent:?}, {wanted:?} is right", code.code()))
}

/// The result that a message of any kind must have at once.
pub(super) fn sendable(is_logged_in: bool, login: &Login, bytes: usize) -> Option<SendCode> {
    match (is_logged_in, login) {
        (false, Login::LoggingIn(_)) => Some(SendCode::NotInitialised),
        (false, _) => Some(SendCode::NotLoggedIn),
        (true, _) if bytes > PAYLOAD_BYTES_MAX => Some(SendCode::TooLong),
        (true, _) => None,
    }
}
