//! Programs that Cargo cannot install.

use std::path::PathBuf;

/// The list that `.ci/run` installs, as command=package.
const INSTALLED: &str = include_str!("../../.ci/programs");
/// Folders of programs that are not for every user, such as nginx.
const SYSTEM: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// Returns the path of a program. If it is not installed, prints how to get it and returns `None`; if `CI` is set, the
/// test fails, unless `.ci/run` does not install the program.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM.map(Into::into));
    let found = folders.map(|it| it.join(program)).find(|it| it.is_file());
    if found.is_none() {
        let lines = INSTALLED.lines().filter_map(|it| it.split_once('='));
        let package = lines.into_iter().find(|it| it.0 == program).map(|it| it.1);
        let hint = format!(
            "{program} is not here; to get it: apt-get install {}",
            package.unwrap_or(program)
        );
        assert!(
            package.is_none() || std::env::var_os("CI").is_none(),
            "{hint}"
        );
        eprintln!("not tested: {hint}");
    }
    found
}

/// Returns whether programs are installed, with the same consequences.
pub(crate) fn are_here(programs: &[&str]) -> bool {
    programs.iter().all(|it| find(it).is_some())
}
