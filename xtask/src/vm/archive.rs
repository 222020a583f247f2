//! The format in which the kernel takes its first root: cpio's "newc" (kernel's Documentation/driver-api/early-userspace/
//! buffer-format.rst). Not compressed: the guest unpacks slower than QEMU reads.

use std::collections::BTreeSet;
use std::path::Path;

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
/// Each header, name and content begins at a multiple of it.
const ALIGNMENT: usize = 4;

/// A root that is being put together.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    names: BTreeSet<String>,
}

impl Archive {
    /// A directory, with those above it.
    pub(super) fn directory(&mut self, path: &Path) {
        if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("/")) {
            self.directory(parent);
        }
        self.entry(path, DIRECTORY, &[]);
    }

    /// A file that can be run, with the directories above it; the first of a name stays.
    pub(super) fn file(&mut self, path: &Path, content: &[u8]) {
        if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("/")) {
            self.directory(parent);
        }
        self.entry(path, PROGRAM, content);
    }

    pub(super) fn has(&self, path: &Path) -> bool {
        self.names.contains(&name(path))
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.write("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &Path, mode: u32, content: &[u8]) {
        let name = name(path);
        if self.names.insert(name.clone()) {
            self.write(&name, mode, content);
        }
    }

    fn write(&mut self, name: &str, mode: u32, content: &[u8]) {
        let inode = self.names.len();
        let (size, name_size) = (content.len(), name.len() + 1);
        // Inode, mode, owner, group, links, time, size, device and special device, length of the name, no checksum.
        let header = format!(
            "070701{inode:08x}{mode:08x}{:08x}{:08x}{:08x}{:08x}{size:08x}{:08x}{:08x}{:08x}{:08x}{name_size:08x}{:08x}",
            0, 0, 1, 0, 0, 0, 0, 0, 0
        );
        self.bytes.extend_from_slice(header.as_bytes());
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(ALIGNMENT), 0);
    }
}

/// Without the slash that it begins with.
fn name(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_brings_its_directories_once() {
        let mut archive = Archive::default();
        archive.file(Path::new("/usr/bin/a"), b"one");
        archive.file(Path::new("/usr/bin/b"), b"");
        archive.file(Path::new("/usr/bin/a"), b"another");
        assert!(archive.has(Path::new("/usr/bin/a")));
        let bytes = archive.finish();
        assert!(bytes.len().is_multiple_of(ALIGNMENT));
        let text = String::from_utf8(bytes).unwrap();
        // The magic number, the inode's and the mode's digits of each entry; its name; its content.
        let entries: Vec<&str> = text.split("070701").skip(1).collect();
        let names: Vec<&str> = entries.iter().map(|entry| entry[104..].split('\0').next().unwrap()).collect();
        assert_eq!(names, ["usr", "usr/bin", "usr/bin/a", "usr/bin/b", "TRAILER!!!"]);
        assert_eq!(&entries[2][8..16], "000081ed");
        assert_eq!((&entries[2][48..56], &entries[2][88..96]), ("00000003", "0000000a"));
        assert!(entries[2].contains("\0one\0") && !text.contains("another"));
    }
}
