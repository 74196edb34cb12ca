//! Names of sections and keys, as errors may show them: a name at the wrong place may be a secret.

use rts_proto::AppId;

/// The section whose names are case-sensitive.
pub(super) const APPS: &str = "apps";
/// Separates the names of sections and keys in a variable.
pub(super) const SEPARATOR: &str = "__";
/// Longest word that may name a section or a key, in bytes: `links_before_login_per_network_max`.
const WORD_BYTES_MAX: usize = 34;

/// The name of a variable for errors. An invalid app id in it may be a key at the wrong place.
pub(super) fn shown_variable(name: &str) -> String {
    let mut below = "";
    let known = name.split(SEPARATOR).map(|part| {
        let is_known = !below.eq_ignore_ascii_case(APPS) || AppId::check(part).is_ok();
        below = part;
        if is_known { part } else { "…" }
    });
    known.collect::<Vec<_>>().join(SEPARATOR)
}

/// The path without segments that can be values: a name below `apps` is an app id, and another name
/// is a word.
pub(super) fn shown_path(path: &str) -> String {
    let mut below = "";
    let known = path.split('.').map(|segment| {
        let is_known = match below {
            APPS => AppId::check(segment).is_ok(),
            _ => is_word(segment),
        };
        below = segment;
        if is_known { segment } else { "…" }
    });
    known.collect::<Vec<_>>().join(".")
}

pub(super) fn is_word(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (1..=WORD_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_letter)
}
