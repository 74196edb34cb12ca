//! The user and the password for a proxy.

/// The longest user, and the longest password, in bytes: SOCKS5 has one byte for their length.
pub(super) const CREDENTIAL_BYTES_MAX: usize = 255;

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

impl Credentials {
    /// From `USER:PASSWORD`, or `USER` alone, percent-encoded as in a URL.
    pub(super) fn decode(text: &str) -> Option<Self> {
        let (user, password) = text.split_once(':').unwrap_or((text, ""));
        let (user, password) = percent_decode(user).zip(percent_decode(password))?;
        let is_user = !user.is_empty() && !user.contains(':');
        is_user.then_some(Self { user, password })
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            let digit =
                |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
            digit(digits[0])? * 16 + digit(digits[1])?
        } else {
            byte
        });
    }
    String::from_utf8(decoded).ok().filter(|text| {
        text.len() <= CREDENTIAL_BYTES_MAX && !text.bytes().any(|byte| byte.is_ascii_control())
    })
}
