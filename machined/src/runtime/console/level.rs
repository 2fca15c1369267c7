//! Which messages of the kernel appear on its consoles, and which did before we were told.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::network::file;

/// The kernel's setting.
#[derive(Clone, Debug)]
pub struct Level {
    /// `/proc/sys/kernel/printk`: the first of its numbers is the one.
    setting: PathBuf,
    /// The number from before, across our death.
    kept: PathBuf,
}

impl Level {
    /// The setting in one file; the number from before in another, which is there only while it is needed.
    #[must_use]
    pub fn new(setting: PathBuf, kept: PathBuf) -> Self {
        Self { setting, kept }
    }

    /// Lets messages through that are at least this bad; `None` is as it was.
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn set(&self, least: Option<u32>) -> io::Result<()> {
        let Some(least) = least else {
            let Ok(before) = fs::read_to_string(&self.kept) else {
                return Ok(());
            };
            fs::write(&self.setting, before)?;
            return fs::remove_file(&self.kept);
        };
        let is = fs::read_to_string(&self.setting)?;
        let is = is.split_whitespace().next().unwrap_or_default().to_owned();
        // The kernel lets through what is below its number.
        let shall = (least + 1).to_string();
        if is == shall {
            return Ok(());
        }
        if !self.kept.exists() {
            file::replace(&self.kept, &is).map_err(io::Error::other)?;
        }
        fs::write(&self.setting, shall)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_comes_back_after_any_death() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("printk"), "4\t4\t1\t7\n").unwrap();
        // A new one every time, as after a death.
        let set = |least| Level::new(at("printk"), at("kept")).set(least).unwrap();
        let is = || fs::read_to_string(at("printk")).unwrap();
        set(None);
        assert_eq!(is(), "4\t4\t1\t7\n", "untouched");
        set(Some(3));
        assert_eq!(is(), "4\t4\t1\t7\n", "it is so");
        set(Some(7));
        assert_eq!(is(), "8");
        set(Some(0));
        assert_eq!(is(), "1");
        set(None);
        assert_eq!(is(), "4");
        assert!(!at("kept").exists());
        fs::remove_file(at("printk")).unwrap();
        assert!(Level::new(at("printk"), at("kept")).set(Some(1)).is_err());
    }
}
