//! Connection progress of an engine: compares the state of the core with the state logged last.

use std::error::Error as _;

use rts_proto::client::{Client, LastLogin, LostLink, NextAttempt, SessionStart, Timer};
use rts_proto::{Instant, LinkId};

use super::line::Said;

/// The values that were logged last.
#[derive(Default)]
pub(super) struct Progress {
    lost_link: Option<LostLink>,
    last_login: Option<LastLogin>,
    next_attempt: Option<NextAttempt>,
    /// Why a link ended, if the driver knows.
    ended: Option<(LinkId, String)>,
}

impl Progress {
    /// Records why a link ended. The first reason is the most precise, so later ones are ignored.
    pub(super) fn link_ended(&mut self, link: LinkId, why: &str) {
        if self.ended.as_ref().is_none_or(|(of, _)| *of != link) {
            self.ended = Some((link, why.to_owned()));
        }
    }

    /// The lines about values that have changed.
    pub(super) fn news(
        &mut self,
        client: &Client,
        now: Instant,
    ) -> impl Iterator<Item = Said> + use<> {
        let lost =
            news(&mut self.lost_link, client.lost_link()).map(|lost| self.lost(client, lost));
        let login = news(&mut self.last_login, client.last_login()).and_then(login);
        let attempt =
            news(&mut self.next_attempt, client.next_attempt()).map(|next| attempt(next, now));
        [lost, login, attempt].into_iter().flatten()
    }

    fn lost(&mut self, client: &Client, lost: LostLink) -> Said {
        let LostLink { link, why, timer } = lost;
        let by_driver = self.ended.take().filter(|(of, _)| *of == link).map(|(_, why)| why);
        let by_server = client.early_close().filter(|close| close.link == link);
        let why = match (by_driver, timer, by_server) {
            (Some(why), _, _) => why,
            (None, Some(timer), _) => format!("{why}: {}", waited_for(timer)),
            (None, None, Some(close)) if !close.reason.is_empty() => {
                format!("{why}, {}", close.reason)
            }
            (None, None, _) => match why.source() {
                Some(source) => format!("{why}: {source}"),
                None => why.to_string(),
            },
        };
        Said { text: "link lost", link: Some(link), why: Some(why), ..Said::default() }
    }
}

/// The value, if it has changed.
fn news<T: PartialEq + Copy>(known: &mut Option<T>, now: Option<T>) -> Option<T> {
    if *known == now {
        return None;
    }
    *known = now;
    now
}

/// The first session start is logged as the login result.
fn login(login: LastLogin) -> Option<Said> {
    let (text, frames_resent) = match login.start {
        SessionStart::First => return None,
        SessionStart::Resumed { frames_resent } => ("session resumed", Some(frames_resent)),
        SessionStart::Anew => ("session lost, and a new one begun", None),
    };
    let resumed = Some(frames_resent.is_some());
    Some(Said { text, link: Some(login.link), resumed, frames_resent, ..Said::default() })
}

fn attempt(next: NextAttempt, now: Instant) -> Said {
    let NextAttempt { at, attempts, asked_for } = next;
    let why = match asked_for.as_millis() {
        0 => "back-off".to_owned(),
        millis => format!("the server asked for {millis} ms; the rest is back-off"),
    };
    let in_ms = u64::try_from(at.since(now).as_millis()).ok();
    let text = "waiting for the next attempt to connect";
    Said { text, in_ms, attempts: Some(attempts), why: Some(why), ..Said::default() }
}

/// What did not come.
fn waited_for(timer: Timer) -> &'static str {
    match timer {
        Timer::Unanswered => "a heartbeat or a frame was not acknowledged (reconnectingAfterMs)",
        Timer::Probe => "the network changed, and carries nothing (probeTimeoutMs)",
        Timer::Connect => "no connection (connectTimeoutMs)",
        Timer::Login => "the login was not answered (loginTimeoutMs)",
        Timer::Silence => "nothing was heard (reconnectingAfterMs)",
        Timer::Flush | Timer::Pace | Timer::Answer | Timer::Heartbeat | Timer::Backoff => {
            "no timer of a link"
        }
    }
}

#[cfg(test)]
mod tests {
    use rts_proto::AppId;
    use rts_proto::client::{Config, Input, Output};

    use super::*;

    const NOW: Instant = Instant::from_millis(1_000);

    fn said(progress: &mut Progress, client: &Client) -> Vec<(&'static str, Option<String>)> {
        progress.news(client, NOW).map(|said| (said.text, said.why)).collect()
    }

    /// An engine that connects, and its link.
    fn connecting() -> (Client, LinkId) {
        let app_id = AppId::new("123456781234567812345678").expect("a valid id");
        let mut client = Client::new(Config::new(app_id), 1);
        client.login(NOW, "token", "alice").expect("not logged in");
        while !matches!(client.poll_output(), Output::Wait(_)) {}
        let link = client.link().expect("it connects");
        (client, link)
    }

    #[test]
    fn each_step_is_logged_once() {
        let (mut client, link) = connecting();
        let mut progress = Progress::default();
        assert_eq!(said(&mut progress, &client), []);
        // The first attempt after a loss is immediate, and the next one waits.
        let waiting = "waiting for the next attempt to connect";
        for (link, texts) in
            [(link, &["link lost"][..]), (LinkId(link.0 + 1), &["link lost", waiting])]
        {
            client.handle_input(NOW, Input::Disconnected(link));
            let lines = said(&mut progress, &client);
            assert_eq!(lines.iter().map(|(text, _)| *text).collect::<Vec<_>>(), texts);
            assert_eq!(said(&mut progress, &client), []);
        }
    }

    #[test]
    fn first_reason_of_a_link_is_logged_with_its_loss() {
        let (mut client, link) = connecting();
        let mut progress = Progress::default();
        progress.link_ended(LinkId(link.0 + 1), "of another link");
        progress.link_ended(link, "refused");
        progress.link_ended(link, "broken");
        client.handle_input(NOW, Input::Disconnected(link));
        let lines = said(&mut progress, &client);
        assert_eq!(lines.first(), Some(&("link lost", Some("refused".to_owned()))));
    }

    #[test]
    fn reason_of_another_link_is_not_logged() {
        let (mut client, link) = connecting();
        let mut progress = Progress::default();
        progress.link_ended(LinkId(link.0 + 1), "of another link");
        client.handle_input(NOW, Input::Disconnected(link));
        let lines = said(&mut progress, &client);
        let lost = client.lost_link().expect("it was lost");
        assert_eq!(lines.first(), Some(&("link lost", Some(lost.why.to_string()))));
    }
}
