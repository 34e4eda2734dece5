//! User as whom geth runs, to whom everything belongs that an adoption makes.

use maidenlane_service::files;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Test of a directory in which files are to be made; the kernel knows its modes, lists of access and mounts.
const MAY_WRITE: &str = "test -w \"$1\" && test -x \"$1\"";

/// Numbers of a user and of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) id: u32,
    group: u32,
}

impl User {
    /// Owner of a file.
    pub(crate) fn of(path: &Path) -> std::io::Result<Self> {
        let meta = fs::metadata(path)?;
        Ok(Self { id: meta.uid(), group: meta.gid() })
    }

    /// The same user in the group of a file.
    pub(crate) fn in_group_of(self, path: &Path) -> std::io::Result<Self> {
        Ok(Self { group: fs::metadata(path)?.gid(), ..self })
    }

    /// User that runs this.
    pub(crate) fn me() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    /// True if whoever runs this can neither be nor become this user.
    pub(crate) fn is_foreign(self) -> bool {
        ![0, self.id].contains(&Self::me())
    }

    /// Has a command run as this user.
    pub(crate) fn runs(self, command: &mut Command) -> &mut Command {
        if Self::me() == self.id { command } else { command.uid(self.id).gid(self.group) }
    }

    /// Gives this user a file.
    pub(crate) fn give(self, path: &Path) -> std::io::Result<()> {
        files::give(path, (self.id, self.group))
    }

    /// True if this user can make files in a directory.
    pub(crate) fn may_write(self, dir: &Path) -> std::io::Result<bool> {
        may_write(self.runs(&mut Command::new("sh")), dir)
    }
}

/// True if whoever runs this can make files in a directory.
pub(crate) fn i_may_write(dir: &Path) -> std::io::Result<bool> {
    may_write(&mut Command::new("sh"), dir)
}

fn may_write(shell: &mut Command, dir: &Path) -> std::io::Result<bool> {
    let shell = shell.args(["-c", MAY_WRITE, "sh"]).arg(dir).stdin(Stdio::null());
    shell.status().map(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::{User, i_may_write};
    use std::path::Path;

    #[test]
    fn the_kernel_says_where_files_can_be_made() {
        let dir = tempfile::tempdir().unwrap();
        let me = User::of(dir.path()).unwrap();
        assert!(me.may_write(dir.path()).unwrap() && i_may_write(dir.path()).unwrap());
        assert!(!i_may_write(&dir.path().join("gone")).unwrap());
        // Not even root makes files there.
        assert!(!i_may_write(Path::new("/proc/sys")).unwrap());
        if User::me() == 0 {
            assert!(!User { id: 65_534, group: 65_534 }.may_write(dir.path()).unwrap());
        }
    }
}
