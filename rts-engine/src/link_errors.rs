//! Why links did not come up, as the application learns it.

use std::error::Error;
use std::sync::Arc;

use rts_proto::CloseCode;
use rts_proto::client::{EarlyClose, Event, WarningCode};

/// Why an attempt to connect did not lead to a login.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkFailure {
    /// The engine's driver got no link, or lost it. This is the driver's error.
    #[error(transparent)]
    NoLink(Arc<dyn Error + Send + Sync>),
    /// The server closed the link before the login over it was answered, with a reason.
    #[error(
        "the server ended the connection before the login was answered: {}",
        close_in_words(*.code, *.number, .reason)
    )]
    ClosedByServer {
        /// The code. A number outside of its table counts as `BadFrame`.
        code: CloseCode,
        /// The number that the server sent.
        number: u32,
        /// The reason in the server's words, which may be empty.
        reason: String,
    },
    /// The link ended before the login over it was answered.
    #[error("the connection was closed before the login was answered")]
    ClosedEarly,
}

impl From<&EarlyClose> for LinkFailure {
    fn from(close: &EarlyClose) -> Self {
        let EarlyClose { link: _, code, number, reason } = close;
        Self::ClosedByServer { code: *code, number: *number, reason: reason.clone() }
    }
}

fn close_in_words(code: CloseCode, number: u32, reason: &str) -> String {
    let code = match code.code() == number {
        true => format!("{code:?} ({number})"),
        false => format!("code {number}"),
    };
    if reason.is_empty() { code } else { format!("{code}, {reason}") }
}

/// The last reason. It is reported once, until a link is up again.
#[derive(Default)]
pub(crate) struct LinkErrors {
    last: Option<LinkFailure>,
}

impl LinkErrors {
    /// A link did not come up. Returns the warning, unless this reason was the last one too.
    pub(crate) fn failed(&mut self, why: LinkFailure) -> Option<Event> {
        let message = why.to_string();
        let before = self.last.replace(why);
        if before.is_some_and(|before| before.to_string() == message) {
            return None;
        }
        Some(Event::Warning { code: WarningCode::LinkFailed, message })
    }

    /// A login has its link.
    pub(crate) fn link_is_up(&mut self) {
        self.last = None;
    }

    pub(crate) fn last(&self) -> Option<&LinkFailure> {
        self.last.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_reported_once_until_a_link_is_up() {
        let mut errors = LinkErrors::default();
        let failed = |errors: &mut LinkErrors, why: &str| {
            let why: Box<dyn Error + Send + Sync> = why.into();
            errors.failed(LinkFailure::NoLink(why.into()))
        };
        let message = "refused".to_owned();
        let warning = Some(Event::Warning { code: WarningCode::LinkFailed, message });
        assert_eq!(failed(&mut errors, "refused"), warning);
        assert_eq!(failed(&mut errors, "refused"), None);
        assert!(failed(&mut errors, "no route").is_some());
        assert_eq!(errors.last().map(LinkFailure::to_string).as_deref(), Some("no route"));
        assert_eq!(failed(&mut errors, "refused"), warning);
        errors.link_is_up();
        assert!(errors.last().is_none());
        assert_eq!(failed(&mut errors, "refused"), warning);
    }
}
