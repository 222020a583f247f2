//! What the object is made from, and whether the committed one was made from it as it is now.
//!
//! Each thing that decides the object's bytes is one line; the hash is of all lines. The record beside the object
//! holds the hash and the lines, so a change of it in a review says what changed. The compiler's version stands in
//! the record and not in the hash: whoever has a newer stable compiler uses the committed object as it is.

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::compile::{BUILD_FLAGS, CODEGEN_FLAGS, PROFILE};
use super::linker;
use super::lock::{self, Closure, Locked, PACKAGES, read_manifest};
use crate::error::Result;
use crate::project;

/// SHA-256 in hexadecimal digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One line for each thing that went in.
#[derive(Debug)]
pub(crate) struct Sources(Vec<String>);

impl Sources {
    /// As they are now, in the workspace at `root`.
    pub(crate) fn gather(root: &Path) -> Result<Self> {
        let mut lines = vec![format!("bpf-linker {}", linker::VERSION)];
        lines.extend(CODEGEN_FLAGS.iter().chain(&BUILD_FLAGS).map(|flag| format!("flag {flag}")));
        lines.extend(PROFILE.iter().map(|(name, value)| format!("profile {name}={value}")));
        lines.extend(workspace_lines(root)?);
        for package in PACKAGES {
            lines.extend(package_lines(root, package)?);
        }
        lines.extend(Closure::committed(root)?.packages().filter_map(crate_line));
        Ok(Self(lines))
    }

    pub(crate) fn hash(&self) -> String {
        sha256(self.text().as_bytes())
    }

    fn text(&self) -> String {
        self.0.iter().fold(String::new(), |text, line| text + line + "\n")
    }

    /// The file that is committed beside the object.
    pub(crate) fn record(&self, object: &[u8], rustc: &str) -> String {
        format!(
            "# What pmu-monitor.o was made from; `cargo xtask build-ebpf` writes it.\n\
             object {}\nrustc {rustc}\nsources {}\n\n{}",
            sha256(object),
            self.hash(),
            self.text()
        )
    }
}

/// What the workspace's manifest says to the two packages: edition and the dependencies they inherit.
fn workspace_lines(root: &Path) -> Result<Vec<String>> {
    let workspace = read_manifest(&root.join("Cargo.toml"))?;
    let workspace = workspace.get("workspace");
    let inherited = workspace.and_then(|workspace| workspace.get("dependencies"));
    let edition = workspace.and_then(|workspace| workspace.get("package")?.get("edition"));
    let mut lines: Vec<String> = edition.iter().map(|edition| format!("edition {edition}")).collect();
    for package in PACKAGES {
        let manifest = read_manifest(&root.join(package).join("Cargo.toml"))?;
        let names = lock::dependencies(&manifest, false);
        let inheriting = names.iter().filter_map(|name| Some((name, inherited?.get(name)?)));
        lines.extend(inheriting.map(|(name, what)| format!("dependency {package} {name} {what}")));
    }
    Ok(lines)
}

/// A package's manifest and sources, each with its hash.
fn package_lines(root: &Path, package: &str) -> Result<Vec<String>> {
    let directory = root.join(package);
    let mut files = vec![directory.join("Cargo.toml")];
    files.extend(Some(directory.join("build.rs")).filter(|script| script.is_file()));
    files.extend(project::files_below(&directory.join("src"))?);
    files.iter().map(|file| file_line(root, file)).collect()
}

fn file_line(root: &Path, file: &Path) -> Result<String> {
    let name = file.strip_prefix(root).unwrap_or(file);
    Ok(format!("file {} {}", name.display(), sha256(&project::read(file)?)))
}

/// Only what comes from elsewhere: the workspace's own packages stand there by their files.
fn crate_line(package: &Locked) -> Option<String> {
    let checksum = package.checksum.as_ref()?;
    Some(format!("crate {} {} {checksum}", package.name, package.version))
}

/// The record beside the committed object.
#[derive(Debug)]
pub(crate) struct Record {
    /// SHA-256 of the object.
    pub(crate) object: String,
    /// The compiler that made it.
    pub(crate) rustc: String,
    /// The hash of its sources.
    pub(crate) hash: String,
    lines: Vec<String>,
}

impl Record {
    /// None where the text is no record.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (head, lines) = text.split_once("\n\n")?;
        let field = |name: &str| {
            let mut values = head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            values.next().map(str::to_owned)
        };
        Some(Self {
            object: field("object")?,
            rustc: field("rustc")?,
            hash: field("sources")?,
            lines: lines.lines().map(str::to_owned).collect(),
        })
    }

    /// The first thing in which the sources differ from the record: a file's name, a crate, a flag.
    pub(crate) fn first_change(&self, now: &Sources) -> String {
        let added = now.0.iter().find(|line| !self.lines.contains(line));
        let removed = || self.lines.iter().find(|line| !now.0.contains(line));
        added
            .or_else(removed)
            .map_or_else(|| "the order of its sources".to_owned(), |line| without_hash(line))
    }
}

fn without_hash(line: &str) -> String {
    const SHA256_DIGITS: usize = 64;
    match line.rsplit_once(' ') {
        Some((what, hash)) if hash.len() == SHA256_DIGITS => what.to_owned(),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A workspace as small as can be.
    fn workspace() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let files = [
            (
                "Cargo.toml",
                "[workspace.package]\nedition = \"2024\"\n[workspace.dependencies]\naya-ebpf = \"=0.2.1\"\ntokio = \"1\"\n",
            ),
            (
                "Cargo.lock",
                "[[package]]\nname = \"monitor-ebpf\"\nversion = \"0.1.0\"\ndependencies = [\"aya-ebpf\"]\n\
                 [[package]]\nname = \"aya-ebpf\"\nversion = \"0.2.1\"\nchecksum = \"aa\"\n",
            ),
            ("monitor-ebpf/Cargo.toml", "[dependencies]\naya-ebpf.workspace = true\n"),
            ("monitor-ebpf/src/main.rs", "// main\n"),
            ("monitor-ebpf/src/matching/mod.rs", "// matching\n"),
            ("monitor-common/Cargo.toml", ""),
            ("monitor-common/src/lib.rs", "// lib\n"),
        ];
        for (name, text) in files {
            change(root.path(), name, text);
        }
        root
    }

    fn change(root: &Path, name: &str, text: &str) {
        project::write(&root.join(name), text.as_bytes()).unwrap();
    }

    fn hash(root: &Path) -> String {
        Sources::gather(root).unwrap().hash()
    }

    #[test]
    fn sha256_of_a_known_text() {
        // FIPS 180-4's example "abc".
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn the_place_does_not_matter() {
        assert_eq!(hash(workspace().path()), hash(workspace().path()));
    }

    #[test]
    fn every_source_matters() {
        let changes = [
            (
                "Cargo.toml",
                "[workspace.package]\nedition = \"2021\"\n[workspace.dependencies]\naya-ebpf = \"=0.2.1\"\n",
            ),
            (
                "Cargo.toml",
                "[workspace.package]\nedition = \"2024\"\n[workspace.dependencies]\naya-ebpf = { version = \"=0.2.1\", features = [\"x\"] }\n",
            ),
            (
                "Cargo.lock",
                "[[package]]\nname = \"monitor-ebpf\"\nversion = \"0.1.0\"\ndependencies = [\"aya-ebpf\"]\n\
                 [[package]]\nname = \"aya-ebpf\"\nversion = \"0.2.1\"\nchecksum = \"bb\"\n",
            ),
            ("monitor-ebpf/Cargo.toml", "[dependencies]\n"),
            ("monitor-ebpf/src/main.rs", "// other\n"),
            ("monitor-ebpf/src/matching/mod.rs", "// other\n"),
            ("monitor-ebpf/src/new.rs", ""),
            ("monitor-ebpf/build.rs", ""),
            ("monitor-common/src/lib.rs", "// other\n"),
        ];
        let before = hash(workspace().path());
        for (name, text) in changes {
            let root = workspace();
            change(root.path(), name, text);
            assert_ne!(hash(root.path()), before, "{name} with {text:?}");
        }
    }

    #[test]
    fn a_renamed_file_matters() {
        let root = workspace();
        let before = hash(root.path());
        let (old, new) = ("monitor-ebpf/src/matching/mod.rs", "monitor-ebpf/src/matching/other.rs");
        fs::rename(root.path().join(old), root.path().join(new)).unwrap();
        assert_ne!(hash(root.path()), before);
    }

    #[test]
    fn what_only_others_use_does_not_matter() {
        let root = workspace();
        let before = hash(root.path());
        let manifest = project::read_text(&root.path().join("Cargo.toml")).unwrap();
        change(root.path(), "Cargo.toml", &manifest.replace("tokio = \"1\"", "tokio = \"2\""));
        assert_eq!(hash(root.path()), before);
    }

    #[test]
    fn a_record_gives_back_what_was_written_and_names_the_change() {
        let root = workspace();
        let before = Sources::gather(root.path()).unwrap();
        let record = Record::parse(&before.record(b"abc", "1.95.0 (x)")).unwrap();
        assert_eq!((record.rustc.as_str(), &record.hash), ("1.95.0 (x)", &before.hash()));
        assert_eq!(record.object, sha256(b"abc"));
        change(root.path(), "monitor-common/src/lib.rs", "// other\n");
        let now = Sources::gather(root.path()).unwrap();
        assert_eq!(record.first_change(&now), "file monitor-common/src/lib.rs");
    }

    #[test]
    fn a_torn_record_is_none() {
        assert!(Record::parse("").is_none());
        assert!(Record::parse("object aa\nrustc 1\n\nflag\n").is_none());
    }
}
