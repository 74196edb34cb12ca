//! A folder for temporary files.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

/// A folder for temporary files, which is removed when this is dropped.
pub(super) struct Folder(pub(super) PathBuf);

impl Folder {
    /// A folder of this process, with this name.
    pub(super) fn new(name: &str) -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("rts-{name}-{}", std::process::id()));
        fs::create_dir(&path).with_context(|| format!("the folder {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left lies where the system cleans up.
        let _ = fs::remove_dir_all(&self.0);
    }
}
