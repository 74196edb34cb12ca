//! Why links did not come up, as the application learns it.

use rts_proto::client::{EarlyClose, Event, WarningCode};

/// The reason when a link ends before the login over it is answered.
pub(crate) const CLOSED_TOO_EARLY: &str = "the connection was closed before the login was answered";

/// The last reason. It is reported once, until a link is up again.
#[derive(Default)]
pub(crate) struct LinkErrors {
    last: Option<String>,
}

impl LinkErrors {
    /// A link did not come up. Returns the warning, unless this reason was the last one too.
    pub(crate) fn failed(&mut self, why: String) -> Option<Event> {
        if self.last.as_ref() == Some(&why) {
            return None;
        }
        self.last = Some(why.clone());
        Some(Event::Warning { code: WarningCode::LinkFailed, message: why })
    }

    /// A login has its link.
    pub(crate) fn link_is_up(&mut self) {
        self.last = None;
    }

    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }
}

/// The reason when the server closed a link before the login over it was answered.
pub(crate) fn closed_early(close: &EarlyClose) -> String {
    let EarlyClose { link: _, code, number, reason } = close;
    let code = match code.code() == *number {
        true => format!("{code:?} ({number})"),
        false => format!("code {number}"),
    };
    let why = if reason.is_empty() { String::new() } else { format!(", {reason}") };
    format!("the server ended the connection before the login was answered: {code}{why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_is_reported_once_until_a_link_is_up() {
        let mut errors = LinkErrors::default();
        let failed = |errors: &mut LinkErrors, why: &str| errors.failed(why.to_owned());
        let message = "refused".to_owned();
        let warning = Some(Event::Warning { code: WarningCode::LinkFailed, message });
        assert_eq!(failed(&mut errors, "refused"), warning);
        assert_eq!(failed(&mut errors, "refused"), None);
        assert!(failed(&mut errors, "no route").is_some());
        assert_eq!(errors.last(), Some("no route"));
        assert_eq!(failed(&mut errors, "refused"), warning);
        errors.link_is_up();
        assert_eq!(errors.last(), None);
        assert_eq!(failed(&mut errors, "refused"), warning);
    }
}
