//! Explains errors of TLS in messages that say what to change.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, Error};

/// Explains an error of TLS in a message that says what to change. `None` if the error is neither
/// one of rustls nor an IO error that contains one. Further causes of the error are not searched.
#[must_use]
pub fn explain_tls(error: &(dyn StdError + 'static)) -> Option<String> {
    let carried = || error.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref();
    error.downcast_ref().or_else(carried).map(explain)
}

pub(crate) fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(certificate) => {
            format!("the server's certificate {}", explain_certificate(certificate))
        }
        Error::AlertReceived(alert) => explain_alert(*alert),
        Error::NoApplicationProtocol => {
            "TLS works, but the other side speaks no RTS inside of it: rtss:// and wss:// were mixed \
             up, or the port is a wrong one"
                .to_owned()
        }
        other => format!("TLS failed: {other}"),
    }
}

/// Explains why the content of a file cannot be used.
pub(super) fn explain_content(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(certificate) => {
            format!("a certificate in it {}", explain_certificate(certificate))
        }
        other => other.to_string(),
    }
}

fn explain_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::ExpiredContext { time, not_after } => format!(
            "has expired, {} ago by the clock of this machine",
            days(time.as_secs().saturating_sub(not_after.as_secs()))
        ),
        CertificateError::Expired => "has expired, by the clock of this machine".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => format!(
            "is not valid yet, and will be in {} by the clock of this machine",
            days(seconds_between(*time, *not_before))
        ),
        CertificateError::NotValidYet => {
            "is not valid yet, by the clock of this machine".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "was issued by an authority that is not trusted here; one that an operator made can be \
             trusted by its file (--ca FILE)"
                .to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names = bare_names(presented);
            let names = if names.is_empty() { "none" } else { names.as_str() };
            format!("is for another name: {names}, and not for {}", expected.to_str())
        }
        CertificateError::NotValidForName => "is for another name".to_owned(),
        // An error of webpki that rustls has no variant for. A certificate of `openssl req -x509`
        // causes it by default.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            "is that of an authority (CA) and not of a server: make one with the extension \
             basicConstraints=CA:FALSE"
                .to_owned()
        }
        CertificateError::Revoked => "was revoked by its authority".to_owned(),
        // The authority has another key, which is often of another kind.
        CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "was not signed with the key of the trusted authority of that name: it is signed by \
             itself, or the authority was made anew; one that an operator made can be trusted by its \
             file (--ca FILE)"
                .to_owned()
        }
        other => format!("is not valid: {other}"),
    }
}

/// The names of hosts, as they are written in the certificate. The verifier presents a host as
/// `DnsName("a.example")` or `IpAddress(192.0.2.1)`. Other kinds of names, such as those of people,
/// have other forms.
fn bare_names(presented: &[String]) -> String {
    let bare = presented.iter().filter_map(|name| {
        let inner = name.strip_prefix("DnsName(").or(name.strip_prefix("IpAddress("))?;
        Some(inner.strip_suffix(')')?.trim_matches('"'))
    });
    bare.collect::<Vec<_>>().join(", ")
}

fn explain_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::NoApplicationProtocol => explain(&Error::NoApplicationProtocol),
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown => {
            format!("the other side does not accept the certificate ({alert:?})")
        }
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            format!("the other side has no version or cipher of TLS in common ({alert:?})")
        }
        other => format!("the other side gave up TLS with the alert {other:?}"),
    }
}

fn seconds_between(earlier: UnixTime, later: UnixTime) -> u64 {
    later.as_secs().saturating_sub(earlier.as_secs())
}

fn days(seconds: u64) -> String {
    const DAY: u64 = 86_400;
    match seconds {
        0..DAY => format!("{:?}", Duration::from_secs(seconds)),
        _ => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;

    use super::*;

    fn for_others(presented: &[&str]) -> Error {
        Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("localhost").expect("a name"),
            presented: presented.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    #[test]
    fn only_names_of_hosts_are_shown() {
        for (presented, shown) in [
            (
                &["DnsName(\"a.example\")", "IpAddress(192.0.2.1)"][..],
                ": a.example, 192.0.2.1, and",
            ),
            (&["Unsupported(0x01)", "DnsName(\"*.b.example\")"], ": *.b.example, and"),
            (&["Unsupported(0x01)"], ": none, and"),
            (&[], ": none, and"),
        ] {
            let said = explain(&for_others(presented));
            assert!(said.contains(shown), "{said}");
        }
    }

    #[test]
    fn explains_authority_of_same_name_with_other_key() {
        for error in [
            CertificateError::BadSignature,
            CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
                signature_algorithm_id: vec![6, 8],
                public_key_algorithm_id: vec![6, 9],
            },
        ] {
            let said = explain(&Error::InvalidCertificate(error));
            assert!(said.contains("not signed with the key of the trusted authority"), "{said}");
        }
    }

    #[test]
    fn explains_errors_inside_of_io_errors() {
        let name = || for_others(&["DnsName(\"a.example\")"]);
        let said = "the server's certificate is for another name: a.example, and not for localhost";
        assert_eq!(explain_tls(&name()).as_deref(), Some(said));
        assert_eq!(explain_tls(&io::Error::other(name())).as_deref(), Some(said));
        assert_eq!(explain_tls(&io::Error::other("something else")), None);
    }
}
