//! The sources of a client's token.

use std::env::VarError;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use rts_server::{DEV_APP_KEY, open_to_others};
use rts_token::limits::MAX_TOKEN_BYTES;

use crate::dev_token::{dev_expiry, dev_token};
use crate::out::eprint_line;

/// The environment variable with a token, read if no option names one.
const VARIABLE: &str = "RTS_TOKEN";
/// Largest token file. Blanks around the token are allowed; a larger file is probably another one.
const TOKEN_FILE_BYTES_MAX: usize = MAX_TOKEN_BYTES + 1_024;

/// One of these; without any, the variable `RTS_TOKEN` of the environment.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct Credentials {
    /// A token, as `rts token new` prints it. All users of this machine can see it in the list of
    /// processes. Prefer --token-file, or RTS_TOKEN in the environment
    #[arg(long)]
    token: Option<String>,
    /// A file that contains only the token
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A user id: makes a token for a server on this machine that runs `rts serve --dev`
    #[arg(long, value_name = "UID")]
    dev: Option<String>,
}

/// Shows no token.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { token, token_file, dev } = self;
        f.debug_struct("Credentials")
            .field("has_token", &token.is_some())
            .field("token_file", token_file)
            .field("dev", dev)
            .finish()
    }
}

impl Credentials {
    /// Whether the token is one for a server that `rts serve --dev` started.
    pub(crate) fn are_dev(&self) -> bool {
        self.dev.is_some()
    }

    /// The token, if there is a source. It is read again each time, because files change.
    pub(crate) fn find(&self) -> anyhow::Result<Option<String>> {
        match &self.dev {
            Some(uid) => dev_token(DEV_APP_KEY, uid, dev_expiry()?).map(Some),
            None => token_from(self.token.as_deref(), self.token_file.as_deref()),
        }
    }

    /// The token, for commands that need one.
    pub(crate) fn require(&self) -> anyhow::Result<String> {
        self.find()?.with_context(|| {
            format!(
                "there is no token: give --token-file FILE, or {VARIABLE} in the environment, or for a server \
                 that `rts serve --dev` started on this machine --dev UID"
            )
        })
    }
}

/// The token of the argument, or of the file, or else of the environment.
pub(crate) fn token_from(
    token: Option<&str>,
    file: Option<&Path>,
) -> anyhow::Result<Option<String>> {
    match (token, file) {
        (Some(token), _) => Ok(Some(token.to_owned())),
        (None, Some(file)) => token_in(file).map(Some),
        (None, None) => match std::env::var(VARIABLE) {
            Ok(token) if !token.is_empty() => Ok(Some(token)),
            Ok(_) | Err(VarError::NotPresent) => Ok(None),
            Err(VarError::NotUnicode(_)) => bail!("{VARIABLE} is not text"),
        },
    }
}

/// The token in a file, without surrounding blanks. Errors show no content of the file.
fn token_in(path: &Path) -> anyhow::Result<String> {
    let place = || format!("--token-file {}", path.display());
    if let Some(concern) = open_to_others(path, "a token") {
        eprint_line(format_args!("rts: warning: {concern}"));
    }
    let mut bytes = Vec::new();
    // The size is not checked in advance, because a pipe has none.
    let file = File::open(path).with_context(place)?;
    file.take(TOKEN_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).with_context(place)?;
    if bytes.len() > TOKEN_FILE_BYTES_MAX {
        bail!("{}: over {TOKEN_FILE_BYTES_MAX} bytes, more than any token has", place());
    }
    let Ok(text) = String::from_utf8(bytes) else { bail!("{}: this is not text", place()) };
    match text.trim() {
        "" => bail!("{}: the file is empty", place()),
        token if token.contains(char::is_whitespace) => {
            bail!("{}: the file must contain one token and nothing else", place())
        }
        token => Ok(token.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn file_has_one_token_with_blanks_around() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let file = folder.path().join("token");
        let largest = format!("{}\n", "t".repeat(TOKEN_FILE_BYTES_MAX - 1));
        let read = |text: &[u8]| {
            std::fs::write(&file, text).expect("a file");
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&file, private).expect("a file of this user");
            token_in(&file).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(read(b" secret\r\n\n"), Ok("secret".to_owned()));
        assert_eq!(read(largest.as_bytes()), Ok(largest.trim().to_owned()));
        for (text, why) in [
            (&b""[..], "the file is empty"),
            (b" \n", "the file is empty"),
            (b"secret secret", "one token and nothing else"),
            (b"secret\xff", "not text"),
            (format!("{largest}\n").as_bytes(), "more than any token has"),
        ] {
            let error = read(text).expect_err(why);
            assert!(error.contains(why) && error.contains("--token-file"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
