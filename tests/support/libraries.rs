//! Libraries of other languages, which `.ci/peers` installs below the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The libraries of one folder in `tests/support`.
#[derive(Clone, Copy)]
pub(crate) struct Libraries(pub(crate) &'static str);

impl Libraries {
    /// Returns the path of the folder's sources.
    pub(crate) fn sources(self) -> PathBuf {
        let support = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support");
        support.join(self.0)
    }

    /// Returns the path where its libraries are installed.
    pub(crate) fn installed(self) -> PathBuf {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        target.join(self.0)
    }

    /// Returns whether the libraries of a list are installed, all and in these versions. If not, prints that; if `CI`
    /// is set, the test fails.
    pub(crate) fn are_here(self, list: &str) -> bool {
        let wanted = fs::read(self.sources().join(list)).unwrap();
        let here = fs::read(self.installed().join(list)).is_ok_and(|it| it == wanted);
        if !here {
            let hint = format!("what {list} names is not here; to get it: .ci/peers");
            assert!(std::env::var_os("CI").is_none(), "{hint}");
            eprintln!("not tested: {hint}");
        }
        here
    }
}
