//! Which kernel this is.
#![expect(unsafe_code, reason = "uname")]

use std::ffi::{CStr, c_char};
use std::io;
use std::mem::MaybeUninit;

use super::checked;

/// What uname(2) says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uname {
    /// "6.12.30-rt-amd64".
    pub release: String,
    /// "#1 SMP `PREEMPT_RT` Debian ...": names the preemption model.
    pub version: String,
    /// "`x86_64`".
    pub machine: String,
}

impl Uname {
    /// Asks the running kernel.
    ///
    /// # Errors
    /// None in practice.
    pub fn read() -> io::Result<Self> {
        let mut names = MaybeUninit::<libc::utsname>::uninit();
        // SAFETY: the pointer is valid for one utsname, which the call fills.
        checked(unsafe { libc::uname(names.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so the structure is filled.
        let names = unsafe { names.assume_init() };
        Ok(Self {
            release: text(&names.release),
            version: text(&names.version),
            machine: text(&names.machine),
        })
    }

    /// Major and minor number of the release, for comparing ("6.12-rc1" gives 6, 12).
    #[must_use]
    pub fn number(&self) -> Option<(u32, u32)> {
        let mut parts = self.release.split(|not: char| !not.is_ascii_digit());
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

fn text(field: &[c_char]) -> String {
    // SAFETY: the kernel zero-terminates each field within its array.
    unsafe { CStr::from_ptr(field.as_ptr()) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_proc() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let uname = Uname::read().unwrap();
        assert_eq!(uname.release, release.trim());
        assert!(uname.number().unwrap() >= (5, 0));
    }

    #[test]
    fn numbers_of_the_forms_seen_in_the_field() {
        let number = |release: &str| {
            Uname { release: release.into(), version: String::new(), machine: String::new() }.number()
        };
        assert_eq!(number("6.1.0-37-rt-amd64"), Some((6, 1)));
        assert_eq!(number("6.12-rc1"), Some((6, 12)));
        assert_eq!(number("strange"), None);
    }
}
