//! Which file system a path is on.
#![expect(unsafe_code, reason = "statfs")]

use std::ffi::CString;
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::checked;

/// `BPF_FS_MAGIC` of include/uapi/linux/magic.h.
const BPF: i64 = 0xCAFE_4A11;

/// Whether a path is on a BPF file system.
///
/// # Errors
/// What statfs(2) says: the path does not exist, or may not be looked at.
pub fn is_bpf(path: &Path) -> io::Result<bool> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut facts = MaybeUninit::<libc::statfs>::uninit();
    // SAFETY: the path ends in a zero, the pointer is valid for one statfs, which the call fills.
    checked(unsafe { libc::statfs(path.as_ptr(), facts.as_mut_ptr()) })?;
    // SAFETY: the call succeeded, so the structure is filled.
    let magic = unsafe { facts.assume_init() }.f_type;
    // The field's type is the architecture's choice.
    #[expect(clippy::allow_attributes, reason = "needed on some architectures only")]
    #[allow(clippy::useless_conversion, clippy::cast_lossless, reason = "its width differs")]
    Ok(i64::from(magic) & 0xFFFF_FFFF == BPF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_directory_is_on_none() {
        assert!(!is_bpf(Path::new("/proc")).unwrap());
        assert!(is_bpf(Path::new("/no/such/path")).is_err());
    }
}
