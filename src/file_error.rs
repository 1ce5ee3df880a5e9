//! What a message says of a file that cannot be read or written, after the file's name.

use std::io::{self, ErrorKind};

/// Returns the reason, in lower case and without the system's number for it.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "no such file".into(),
        ErrorKind::PermissionDenied => "permission denied".into(),
        ErrorKind::IsADirectory => "it is a directory".into(),
        _ => {
            let text = error.to_string();
            let text = text.split(" (os error").next().unwrap_or_default();
            let mut rest = text.chars();
            let first = rest.next().map(|it| it.to_ascii_lowercase());
            first.into_iter().chain(rest).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_neither_capital_nor_number() {
        for (error, expected) in [
            (io::Error::from_raw_os_error(2), "no such file"),
            (io::Error::from_raw_os_error(13), "permission denied"),
            (io::Error::from_raw_os_error(21), "it is a directory"),
            (io::Error::from_raw_os_error(28), "no space left on device"),
            (io::Error::other("Disk gone"), "disk gone"),
        ] {
            assert_eq!(reason(&error), expected);
        }
    }
}
