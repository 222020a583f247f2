//! The terminal, for the table that a person watches.
#![expect(unsafe_code, reason = "ioctl TIOCGWINSZ")]

use std::io::IsTerminal;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

/// Columns and rows of a terminal, both above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TerminalSize {
    /// Character columns.
    pub columns: u16,
    /// Character rows.
    pub rows: u16,
}

/// Whether standard output is a terminal.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// The size of the terminal behind `fd`; `None` where it is none or does not know its size.
#[must_use]
pub fn size(fd: impl AsFd) -> Option<TerminalSize> {
    let mut size = MaybeUninit::<libc::winsize>::uninit();
    // SAFETY: TIOCGWINSZ fills one winsize, for which the pointer is valid; the descriptor is open while borrowed.
    let returned = unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), libc::TIOCGWINSZ, size.as_mut_ptr()) };
    if returned != 0 {
        return None;
    }
    // SAFETY: the call returned 0, so it has filled the structure.
    let size = unsafe { size.assume_init() };
    (size.ws_col > 0 && size.ws_row > 0).then_some(TerminalSize { columns: size.ws_col, rows: size.ws_row })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_no_terminal() {
        assert_eq!(size(tempfile::tempfile().unwrap()), None);
    }
}
