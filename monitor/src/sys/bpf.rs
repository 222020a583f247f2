//! Pinned BPF objects as plain descriptors, for what the kernel says of them under `/proc/self/fdinfo`.
#![expect(unsafe_code, reason = "bpf(2) has no wrapper in libc")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `BPF_OBJ_GET` of include/uapi/linux/bpf.h.
const OBJ_GET: libc::c_int = 7;

/// The part of `union bpf_attr` that `BPF_OBJ_GET` reads.
#[repr(C)]
struct Attributes {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// Opens what is pinned at a path: a map, a program or a link.
///
/// # Errors
/// What bpf(2) says: the path does not exist, is no pin, or may not be opened.
pub fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = Attributes { pathname: path.as_ptr() as u64, bpf_fd: 0, file_flags: 0 };
    let size = size_of::<Attributes>();
    // SAFETY: the attributes and the path they point to live through the call, which only reads them.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, OBJ_GET, &raw const attributes, size) };
    let fd = i32::try_from(fd).ok().filter(|&fd| fd >= 0).ok_or_else(io::Error::last_os_error)?;
    // SAFETY: the call has just opened it for this process, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A number that the kernel tells of a descriptor: `ifindex` of a link on an interface, 0 once that has gone.
///
/// # Errors
/// Where `/proc` does not tell, or not that.
pub fn told_of(fd: &OwnedFd, field: &str) -> io::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()))?;
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let value = lines.find_map(|(name, value)| (name.trim() == field).then_some(value.trim()));
    value
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no number {field} in fdinfo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pin_is_refused() {
        assert!(open_pin(Path::new("/proc/self/status")).is_err());
    }

    #[test]
    fn numbers_are_read_from_fdinfo() {
        let fd = OwnedFd::from(std::fs::File::open("/proc/self/status").unwrap());
        assert_eq!(told_of(&fd, "pos").unwrap(), 0);
        assert!(told_of(&fd, "ifindex").is_err());
    }
}
