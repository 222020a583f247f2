//! Pinned BPF objects as plain descriptors, for what the kernel says of them under `/proc/self/fdinfo`; and descriptors
//! as elements of a map.
#![expect(unsafe_code, reason = "bpf(2) has no wrapper in libc")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `BPF_MAP_UPDATE_ELEM` of include/uapi/linux/bpf.h.
const MAP_UPDATE_ELEM: libc::c_int = 2;
/// `BPF_OBJ_GET` of include/uapi/linux/bpf.h.
const OBJ_GET: libc::c_int = 7;
/// `BPF_PROG_QUERY`.
const PROG_QUERY: libc::c_int = 16;
/// `BPF_TCX_EGRESS`.
const TCX_EGRESS: u32 = 47;
/// Programs on one side of an interface that are asked for; the kernel has place for 64 (`BPF_MPROG_MAX`).
const LINKS_MAX: usize = 64;

/// The part of `union bpf_attr` that `BPF_PROG_QUERY` reads and fills.
#[repr(C)]
struct Query {
    ifindex: u32,
    attach_type: u32,
    flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    count: u32,
    padding: u32,
    prog_attach_flags: u64,
    link_ids: u64,
    link_attach_flags: u64,
    revision: u64,
}

/// The part of `union bpf_attr` that `BPF_OBJ_GET` reads.
#[repr(C)]
struct Attributes {
    pathname: u64,
    bpf_fd: u32,
    file_flags: u32,
}

/// The part of `union bpf_attr` that `BPF_MAP_UPDATE_ELEM` reads.
#[repr(C)]
struct Element {
    map_fd: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// Puts a descriptor into a map of descriptors, at a place. It stays there until the map's own descriptor is closed.
///
/// # Errors
/// What bpf(2) says: `E2BIG` for a place behind the map's end, `EINVAL` for a descriptor of the wrong kind.
pub fn put_descriptor(map: BorrowedFd<'_>, place: u32, fd: BorrowedFd<'_>) -> io::Result<()> {
    let (map_fd, value) = (map.as_raw_fd().cast_unsigned(), fd.as_raw_fd().cast_unsigned());
    let element = Element {
        map_fd,
        padding: 0,
        key: (&raw const place) as u64,
        value: (&raw const value) as u64,
        flags: 0,
    };
    // SAFETY: the attributes, and the key and value of four bytes each that they point to, live through the call, which
    // only reads them.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, MAP_UPDATE_ELEM, &raw const element, size_of::<Element>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
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

/// Numbers of the tcx links on the egress side of the interface numbered `ifindex` in the current network namespace.
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN`; `EINVAL` before Linux 6.6; `ENODEV` where there is no such interface.
pub fn tcx_egress_links(ifindex: u32) -> io::Result<Vec<u32>> {
    let (mut programs, mut links) = ([0_u32; LINKS_MAX], [0_u32; LINKS_MAX]);
    let mut query = Query {
        ifindex,
        attach_type: TCX_EGRESS,
        flags: 0,
        attach_flags: 0,
        prog_ids: programs.as_mut_ptr() as u64,
        count: u32::try_from(LINKS_MAX).unwrap_or(0),
        padding: 0,
        prog_attach_flags: 0,
        link_ids: links.as_mut_ptr() as u64,
        link_attach_flags: 0,
        revision: 0,
    };
    // SAFETY: the attributes and the two arrays they point to live through the call, which writes at most `count`
    // numbers into each.
    let result = unsafe { libc::syscall(libc::SYS_bpf, PROG_QUERY, &raw mut query, size_of::<Query>()) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // A program that is attached without a link has 0 there.
    Ok(links.into_iter().take(query.count as usize).filter(|&id| id != 0).collect())
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
