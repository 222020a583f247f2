//! Interface names and numbers within the current network namespace.
#![expect(unsafe_code, reason = "the C library takes and fills C strings")]

use std::ffi::CStr;
use std::ffi::CString;
use std::io;

/// The ifindex of the interface called `name` in the current network namespace.
///
/// # Errors
/// `ENODEV` where there is none; `InvalidInput` where `name` holds a zero byte.
pub fn index_of(name: &str) -> io::Result<u32> {
    let name = CString::new(name)?;
    // SAFETY: the pointer is to a zero-terminated string that outlives the call.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// The name of the interface numbered `index` in the current network namespace.
///
/// # Errors
/// `ENXIO` where there is none.
pub fn name_of(index: u32) -> io::Result<String> {
    let mut name = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the IF_NAMESIZE bytes that the call asks for.
    let filled = unsafe { libc::if_indextoname(index, name.as_mut_ptr()) };
    if filled.is_null() {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so the buffer holds a zero-terminated name.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    Ok(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_goes_both_ways() {
        let index = index_of("lo").unwrap();
        assert_eq!(name_of(index).unwrap(), "lo");
    }

    #[test]
    fn what_does_not_exist_is_an_error() {
        assert_eq!(index_of("no-such-if").unwrap_err().raw_os_error(), Some(libc::ENODEV));
        assert_eq!(index_of("zero\0byte").unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(name_of(u32::MAX).unwrap_err().raw_os_error(), Some(libc::ENXIO));
    }
}
