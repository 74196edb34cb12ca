//! The validity of certificates.

use std::fmt;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::parse_x509_certificate;

/// A certificate that expires within this time should have been renewed. Automatic renewals take
/// place a month before the expiry.
const SOON_SECONDS: i64 = 14 * 86_400;

/// The time in which a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Validity {
    not_before: i64,
    not_after: i64,
}

/// A certificate that is not valid, or soon will not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    Expired { at: i64 },
    NotYet { from: i64 },
    Soon { at: i64, left_seconds: i64 },
}

/// The most urgent concern about a chain in PEM form, the server's certificate first. The
/// certificates of authorities in it expire as well.
pub(crate) fn concern(chain: &[u8], unix_now: i64) -> Option<Concern> {
    let certificates = CertificateDer::pem_slice_iter(chain).flatten();
    let concerns = certificates.filter_map(|certificate| {
        let (_, parsed) = parse_x509_certificate(&certificate).ok()?;
        let validity = Validity {
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
        };
        validity.concern(unix_now)
    });
    // A certificate that is invalid now is more urgent than one that expires soon.
    concerns.min_by_key(|concern| matches!(concern, Concern::Soon { .. }))
}

impl Validity {
    fn concern(self, unix_now: i64) -> Option<Concern> {
        let Self { not_before, not_after } = self;
        let left_seconds = not_after - unix_now;
        if left_seconds < 0 {
            Some(Concern::Expired { at: not_after })
        } else if unix_now < not_before {
            Some(Concern::NotYet { from: not_before })
        } else {
            (left_seconds < SOON_SECONDS).then_some(Concern::Soon { at: not_after, left_seconds })
        }
    }
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Expired { at } => {
                write!(f, "it expired on {}: clients refuse it; renew it", date(at))
            }
            Self::NotYet { from } => {
                write!(
                    f,
                    "it is good only from {}, says this machine's clock: clients refuse it",
                    date(from)
                )
            }
            Self::Soon { at, left_seconds } => {
                let (days, hours) = (left_seconds / 86_400, left_seconds / 3_600);
                let (left, unit) = if days > 1 { (days, "days") } else { (hours, "hours") };
                write!(f, "it expires on {}, in {left} {unit}; renew it", date(at))
            }
        }
    }
}

fn date(unix: i64) -> String {
    match OffsetDateTime::from_unix_timestamp(unix) {
        Ok(at) => format!("{} at {:02}:{:02} UTC", at.date(), at.hour(), at.minute()),
        Err(_) => format!("{unix} s after 1970"),
    }
}

/// Formats a second of Unix time like the timestamps of the log.
pub(crate) fn moment(unix: u64) -> String {
    let at = i64::try_from(unix).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let in_words = at.and_then(|at| at.format(&Rfc3339).ok());
    in_words.unwrap_or_else(|| format!("{unix} s after 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moment_has_the_format_of_the_log() {
        assert_eq!(moment(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(moment(u64::MAX), "18446744073709551615 s after 1970");
    }

    const DAY: i64 = 86_400;

    #[test]
    fn certificate_is_reported_below_two_weeks_left() {
        let end = 90 * DAY;
        let validity = Validity { not_before: 0, not_after: end };
        let soon = |left_seconds| Some(Concern::Soon { at: end, left_seconds });
        for (now, concern) in [
            (-1, Some(Concern::NotYet { from: 0 })),
            (0, None),
            (end - 14 * DAY, None),
            (end - 14 * DAY + 1, soon(14 * DAY - 1)),
            (end, soon(0)),
            (end + 1, Some(Concern::Expired { at: end })),
        ] {
            assert_eq!(validity.concern(now), concern, "{now}");
        }
    }

    #[test]
    fn concern_has_the_date() {
        let said = |concern: Concern| concern.to_string();
        assert!(
            said(Concern::Expired { at: 1_700_000_000 }).contains("on 2023-11-14 at 22:13 UTC")
        );
        assert!(said(Concern::NotYet { from: 0 }).contains("from 1970-01-01 at 00:00 UTC"));
        for (left_seconds, words) in [(2 * DAY, "in 2 days"), (2 * DAY - 1, "in 47 hours")] {
            assert!(said(Concern::Soon { at: 0, left_seconds }).contains(words));
        }
    }

    #[test]
    fn most_urgent_certificate_of_chain_is_reported() {
        let year = |first: i32, last: i32| {
            let key = rcgen::KeyPair::generate().expect("a key");
            let mut params =
                rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
            params.not_before = rcgen::date_time_ymd(first, 1, 1);
            params.not_after = rcgen::date_time_ymd(last, 1, 1);
            params.self_signed(&key).expect("a certificate").pem()
        };
        let now = 1_700_000_000; // In November 2023.
        assert_eq!(concern(year(2020, 2030).as_bytes(), now), None);
        let expired = Some(Concern::Expired { at: 1_672_531_200 });
        assert_eq!(concern(year(2020, 2023).as_bytes(), now), expired);
        let chain = format!("{}{}{}", year(2020, 2030), year(2023, 2024), year(2020, 2023));
        assert_eq!(concern(chain.as_bytes(), now + 40 * DAY), expired);
        assert_eq!(concern(b"no certificate", now), None);
    }
}
