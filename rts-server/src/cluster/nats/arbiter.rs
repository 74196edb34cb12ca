//! The register of a cluster: one subject of a JetStream stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::HeaderMap;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use rts_cluster::membership::{CasResult, Revision};
use rts_cluster::view::{Incarnation, View, ViewId};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::timeout;

use super::config::NatsConfig;
use super::error::NatsError;
use super::jetstream::{Answer, ApiError, Got, Info, PubAck, create, last_of};
use super::link::{Link, Reply};
use super::subjects;
use crate::cluster::arbiter::Arbiter;

/// The time for a read, with all its requests. Less than `REGISTER_TIMEOUT` of `rts-cluster`.
const READ_TIMEOUT: Duration = Duration::from_secs(4);
/// Reads of other nodes that may come between before a read fails.
const ATTEMPTS_MAX: usize = 8;
/// The subject of the view.
const VIEW: &str = "view";
/// The subject of the last vote.
const VOTE: &str = "vote";
/// The subject that reads write.
const FENCE: &str = "fence";

/// The register of a cluster in JetStream, and the vote in views of two members. Its revisions are
/// sequence numbers of the stream.
///
/// A server of NATS that was cut off or stopped may still take itself for the leader of the stream,
/// and answer with an old value. So a read ends with a write of an empty message to another subject
/// of the stream, which succeeds only if the stream has not changed since the value was read. That
/// takes a majority of the servers that store the stream.
///
/// A stream that has lost its last messages gives their numbers again. So a change looks at the
/// value of its expected number too.
#[derive(Debug)]
pub struct NatsArbiter {
    config: Arc<NatsConfig>,
    link: watch::Receiver<Option<Arc<Link>>>,
    /// The stream was there, and as it has to be.
    is_checked: AtomicBool,
}

/// What the stream must have at its end for a write to succeed.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// Anything.
    Any,
    /// This sequence number.
    Last(u64),
    /// This sequence number among those of the written subject; 0 for none.
    LastOfSubject(u64),
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    Done,
    Unexpected,
}

impl NatsArbiter {
    pub(super) fn new(config: Arc<NatsConfig>, link: watch::Receiver<Option<Arc<Link>>>) -> Self {
        Self { config, link, is_checked: AtomicBool::new(false) }
    }

    fn link(&self) -> Result<Arc<Link>, NatsError> {
        self.link.borrow().clone().ok_or(NatsError::Down)
    }

    async fn read_verified(&self) -> Result<Option<(Revision, View)>, NatsError> {
        let link = self.link()?;
        if !self.is_checked.load(Ordering::Relaxed) {
            self.check_stream(&link).await?;
            self.is_checked.store(true, Ordering::Relaxed);
        }
        for _ in 0..ATTEMPTS_MAX {
            let view = self.last(&link, VIEW).await?;
            let (vote, fence) = (self.last(&link, VOTE).await?, self.last(&link, FENCE).await?);
            let numbers = [&view, &vote, &fence].into_iter().flatten().map(|(number, _)| *number);
            // A number of 0 is not compared by JetStream, so a new stream gets its first message.
            let expected = numbers.max().map_or(Expected::Any, Expected::Last);
            let written = self.write(&link, FENCE, expected, Bytes::new()).await?;
            if let (Expected::Last(_), Written::Done) = (expected, written) {
                return view.map(|(number, bytes)| self.decoded(number, bytes)).transpose();
            }
        }
        Err(NatsError::Busy)
    }

    async fn change(&self, expected: Option<Revision>, view: View) -> Result<Written, NatsError> {
        let link = self.link()?;
        let number = expected.map_or(0, |revision| revision.0);
        if let Some((last, bytes)) = self.last(&link, VIEW).await?
            && last == number
            && Some(self.decoded(last, bytes)?.1.id()) != view.parent()
        {
            return Ok(Written::Unexpected);
        }
        self.write(&link, VIEW, Expected::LastOfSubject(number), view.encode()).await
    }

    /// A vote is never changed, so one that is read is valid, however old the answer is.
    async fn vote_once(&self, view: ViewId, remove: Incarnation) -> Result<Incarnation, NatsError> {
        let link = self.link()?;
        for _ in 0..ATTEMPTS_MAX {
            let last = self.last(&link, VOTE).await?;
            let given = last.as_ref().and_then(|(_, bytes)| vote_in(bytes, view));
            if let Some(given) = given {
                return Ok(given);
            }
            let expected = Expected::LastOfSubject(last.map_or(0, |(number, _)| number));
            let value = [&view.0.to_be_bytes()[..], &remove.0.to_be_bytes()].concat();
            if self.write(&link, VOTE, expected, value.into()).await? == Written::Done {
                return Ok(remove);
            }
        }
        Err(NatsError::Busy)
    }

    fn decoded(&self, revision: u64, bytes: Bytes) -> Result<(Revision, View), NatsError> {
        let stream = subjects::stream(&self.config.cluster);
        let view = View::decode(bytes);
        let view = view.map_err(|error| NatsError::Foreign { stream, revision, error })?;
        Ok((Revision(revision), view))
    }

    /// Makes the stream if it is missing.
    async fn check_stream(&self, link: &Link) -> Result<(), NatsError> {
        let stream = subjects::stream(&self.config.cluster);
        let subjects = subjects::register(&self.config.cluster, ">");
        let info = format!("$JS.API.STREAM.INFO.{stream}");
        let info: Info = match self.api(link, &info, String::new()).await? {
            Ok(info) => info,
            Err(error) if error.is_no_stream() => {
                let request = format!("$JS.API.STREAM.CREATE.{stream}");
                let config = create(&stream, &subjects, self.config.replicas);
                let made = self.api(link, &request, config).await?;
                made.map_err(|error| refusal(link, request, error))?
            }
            Err(error) => return Err(refusal(link, info, error)),
        };
        match info.config.fault(&subjects) {
            Some(what) => Err(NatsError::Stream { stream, what: what.to_owned() }),
            None => {
                let (has, wanted) = (info.config.num_replicas, self.config.replicas);
                if has != wanted {
                    tracing::warn!(
                        "the stream {stream} of NATS has {has} replicas, and {wanted} are \
                         configured, which counts only when the stream is made: \
                         `nats stream edit {stream} --replicas {wanted}` changes them"
                    );
                }
                Ok(())
            }
        }
    }

    /// The last message of a subject, with its number.
    async fn last(&self, link: &Link, which: &str) -> Result<Option<(u64, Bytes)>, NatsError> {
        let request = format!("$JS.API.STREAM.MSG.GET.{}", subjects::stream(&self.config.cluster));
        let subject = subjects::register(&self.config.cluster, which);
        let got: Got = match self.api(link, &request, last_of(&subject)).await? {
            Ok(got) => got,
            Err(error) if error.is_no_message() => return Ok(None),
            Err(error) => {
                // It was removed while this node ran.
                self.is_checked.store(!error.is_no_stream(), Ordering::Relaxed);
                return Err(refusal(link, request, error));
            }
        };
        let data = BASE64_STANDARD.decode(got.message.data);
        let data = data.map_err(|_| NatsError::Answer { server: link.server.clone(), request })?;
        Ok(Some((got.message.seq, data.into())))
    }

    async fn write(
        &self,
        link: &Link,
        which: &str,
        expected: Expected,
        value: Bytes,
    ) -> Result<Written, NatsError> {
        let (stream, subject) = (
            subjects::stream(&self.config.cluster),
            subjects::register(&self.config.cluster, which),
        );
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Stream", stream.as_str());
        match expected {
            Expected::Any => {}
            Expected::Last(number) => {
                headers.insert("Nats-Expected-Last-Sequence", number.to_string());
            }
            Expected::LastOfSubject(number) => {
                headers.insert("Nats-Expected-Last-Subject-Sequence", number.to_string());
            }
        }
        let answer = match link.request(&subject, headers, value).await? {
            Reply::Message(answer) => answer,
            Reply::Nobody => {
                self.is_checked.store(false, Ordering::Relaxed);
                return Err(NatsError::Stream { stream, what: "it is not there".to_owned() });
            }
        };
        match parsed::<PubAck>(link, &subject, &answer)? {
            Ok(ack) if ack.stream == stream => Ok(Written::Done),
            Ok(_) => Err(NatsError::Answer { server: link.server.clone(), request: subject }),
            Err(error) if error.is_wrong_sequence() => Ok(Written::Unexpected),
            Err(error) => Err(refusal(link, subject, error)),
        }
    }

    async fn api<T: DeserializeOwned>(
        &self,
        link: &Link,
        request: &str,
        payload: String,
    ) -> Result<Result<T, ApiError>, NatsError> {
        match link.request(request, HeaderMap::new(), payload.into()).await? {
            Reply::Message(answer) => parsed(link, request, &answer),
            Reply::Nobody => Err(NatsError::JetStreamOff { server: link.server.clone() }),
        }
    }
}

/// The vote in these bytes, if it is one in this view: the id of the view, and the incarnation of
/// the member.
fn vote_in(bytes: &[u8], view: ViewId) -> Option<Incarnation> {
    let (of, remove) = bytes.split_at_checked(16)?;
    let remove = u64::from_be_bytes(remove.try_into().ok()?);
    (of == view.0.to_be_bytes()).then_some(Incarnation(remove))
}

fn parsed<T: DeserializeOwned>(
    link: &Link,
    request: &str,
    answer: &[u8],
) -> Result<Result<T, ApiError>, NatsError> {
    match serde_json::from_slice(answer) {
        Ok(Answer::Good(answer)) => Ok(Ok(answer)),
        Ok(Answer::Error { error }) => Ok(Err(error)),
        Err(_) => {
            let (server, request) = (link.server.clone(), request.to_owned());
            Err(NatsError::Answer { server, request })
        }
    }
}

fn refusal(link: &Link, request: String, error: ApiError) -> NatsError {
    let server = link.server.clone();
    match error.is_off() {
        true => NatsError::JetStreamOff { server },
        false => NatsError::Api { server, request, error },
    }
}

impl Arbiter for NatsArbiter {
    type Error = NatsError;

    async fn read(&self) -> Result<Option<(Revision, View)>, NatsError> {
        match timeout(READ_TIMEOUT, self.read_verified()).await {
            Ok(read) => read,
            Err(_) => {
                let server = self.link()?.server.clone();
                Err(NatsError::Timeout {
                    server,
                    request: subjects::register(&self.config.cluster, VIEW),
                })
            }
        }
    }

    async fn cas(&self, expected: Option<Revision>, view: View) -> CasResult {
        match self.change(expected, view).await {
            Ok(Written::Done) => CasResult::Done,
            Ok(Written::Unexpected) => CasResult::Conflict,
            Err(error) => {
                tracing::warn!("a change of the members may have failed: {error}");
                CasResult::Unknown
            }
        }
    }

    async fn vote(&self, view: ViewId, remove: Incarnation) -> Option<Incarnation> {
        match timeout(READ_TIMEOUT, self.vote_once(view, remove)).await {
            Ok(Ok(vote)) => Some(vote),
            Ok(Err(error)) => {
                tracing::warn!("no vote to remove the other one of two nodes: {error}");
                None
            }
            Err(_) => None,
        }
    }
}
