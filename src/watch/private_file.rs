//! Files that only their user can read: a client ID gives access to read and to publish, and messages may be
//! confidential.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Read and write for the user alone.
const MODE: u32 = 0o600;

/// Creates a file, which must not exist.
///
/// # Errors
/// If it exists, or cannot be created.
pub fn create_new(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(MODE).open(path)
}

/// Replaces a file's content atomically. An existing file keeps its mode, and a symbolic link keeps leading to it.
///
/// # Errors
/// If it cannot be written.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let path = resolved(path)?;
    let mut part = OsString::from(&path);
    part.push(".part");
    // Left by a program that was killed, or put there by an attacker: it is removed, not opened.
    if let Err(error) = fs::remove_file(&part)
        && error.kind() != ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut file = create_new(Path::new(&part))?;
    let mode = fs::metadata(&path).map(|it| it.permissions().mode());
    if let Ok(mode) = mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    file.write_all(bytes)?;
    fs::rename(&part, &path)
}

/// Resolves the symbolic links of a path whose target need not exist.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    const LINKS_MAX: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(target) = fs::read_link(&path) else {
            return Ok(path);
        };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(rustix::io::Errno::LOOP.into())
}
