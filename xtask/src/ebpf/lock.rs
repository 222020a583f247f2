//! Which packages, and in which versions, the object is made of: monitor-ebpf's part of Cargo.lock.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::Table;

use crate::error::{Error, Result};
use crate::project;

/// The packages of the workspace that the object is compiled from; the first depends on the others.
pub(crate) const PACKAGES: [&str; 2] = ["monitor-ebpf", "monitor-common"];

/// Runs on the host while its users are built and only says for which architecture, which the flags fix. What it
/// is made of (a JSON parser, a version parser) changes often and never shows in the object.
const HOST_ONLY: &str = "aya-build";

/// One package as Cargo.lock has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: String,
    /// SHA-256 of the package from a registry; none where it is in the workspace.
    pub(crate) checksum: Option<String>,
}

/// The packages that monitor-ebpf is made of, sorted, itself included.
#[derive(Debug)]
pub(crate) struct Closure(BTreeSet<Locked>);

impl Closure {
    /// What the committed object is made of: nothing that is optional to the workspace's own packages (messages to
    /// user space, what only user space derives).
    pub(crate) fn committed(root: &Path) -> Result<Self> {
        let mut left_out = BTreeSet::from([HOST_ONLY.to_owned()]);
        for package in PACKAGES {
            left_out.extend(dependencies(&read_manifest(&root.join(package).join("Cargo.toml"))?, true));
        }
        Self::read(root, &left_out)
    }

    /// What an object with every feature is made of, on the host as well.
    pub(crate) fn whole(root: &Path) -> Result<Self> {
        Self::read(root, &BTreeSet::new())
    }

    fn read(root: &Path, left_out: &BTreeSet<String>) -> Result<Self> {
        let path = root.join("Cargo.lock");
        let lock = project::read_text(&path)?;
        Self::parse(&lock, left_out).map_err(|why| Error::parse(path.display())(why))
    }

    fn parse(lock: &str, left_out: &BTreeSet<String>) -> std::result::Result<Self, String> {
        let lock: Table = lock.parse().map_err(|why: toml::de::Error| why.to_string())?;
        let packages = lock.get("package").and_then(toml::Value::as_array).ok_or("it lists no package")?;
        let packages: Vec<Entry> = packages.iter().filter_map(Entry::parse).collect();
        let mut by_name: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for package in &packages {
            by_name.entry(&package.locked.name).or_default().push(package);
        }
        let mut closure = BTreeSet::new();
        let mut unvisited = vec![PACKAGES[0].to_owned()];
        while let Some(reference) = unvisited.pop() {
            let package = find(&by_name, &reference)?;
            if !left_out.contains(&package.locked.name) && closure.insert(package.locked.clone()) {
                unvisited.extend(package.dependencies.iter().cloned());
            }
        }
        Ok(Self(closure))
    }

    /// The packages, sorted by name and version.
    pub(crate) fn packages(&self) -> impl Iterator<Item = &Locked> {
        self.0.iter()
    }

    /// Whether that version of that package is one of them.
    pub(crate) fn contains(&self, name: &str, version: &str) -> bool {
        self.0.iter().any(|package| package.name == name && package.version == version)
    }
}

/// A package's manifest.
pub(crate) fn read_manifest(path: &Path) -> Result<Table> {
    project::read_text(path)?.parse().map_err(|why: toml::de::Error| Error::parse(path.display())(why))
}

/// The names of a manifest's dependencies: the optional ones, or the others.
pub(crate) fn dependencies(manifest: &Table, optional: bool) -> Vec<String> {
    let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
    let is_optional = |what: &toml::Value| what.get("optional").and_then(toml::Value::as_bool) == Some(true);
    let chosen = dependencies.into_iter().flatten().filter(|(_, what)| is_optional(what) == optional);
    chosen.map(|(name, _)| name.clone()).collect()
}

/// One `[[package]]`.
struct Entry {
    locked: Locked,
    dependencies: Vec<String>,
}

impl Entry {
    fn parse(package: &toml::Value) -> Option<Self> {
        let text = |key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let dependencies = package.get("dependencies").and_then(toml::Value::as_array);
        let dependencies = dependencies.into_iter().flatten().filter_map(toml::Value::as_str);
        Some(Self {
            locked: Locked { name: text("name")?, version: text("version")?, checksum: text("checksum") },
            dependencies: dependencies.map(str::to_owned).collect(),
        })
    }
}

/// The package that a dependency's line means: "name", or "name version" where there are several.
fn find<'a>(
    by_name: &BTreeMap<&str, Vec<&'a Entry>>,
    reference: &str,
) -> std::result::Result<&'a Entry, String> {
    let mut words = reference.split(' ');
    let (name, version) = (words.next().unwrap_or_default(), words.next());
    let named = by_name.get(name).map(Vec::as_slice).unwrap_or_default();
    named
        .iter()
        .find(|package| version.is_none_or(|version| package.locked.version == version))
        .copied()
        .ok_or_else(|| format!("it has no package {reference}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
version = 4
[[package]]
name = "monitor-ebpf"
version = "0.1.0"
dependencies = ["aya-ebpf", "syn 2.0.1"]
[[package]]
name = "aya-ebpf"
version = "0.2.1"
checksum = "aa"
dependencies = ["aya-build", "aya-ebpf-cty"]
[[package]]
name = "aya-ebpf-cty"
version = "0.3.0"
checksum = "bb"
[[package]]
name = "aya-build"
version = "0.2.0"
checksum = "cc"
[[package]]
name = "syn"
version = "1.0.9"
checksum = "dd"
[[package]]
name = "syn"
version = "2.0.1"
checksum = "ee"
[[package]]
name = "tokio"
version = "1.0.0"
checksum = "ff"
"#;

    fn names(lock: &str) -> Vec<String> {
        let closure = Closure::parse(lock, &BTreeSet::from([HOST_ONLY.to_owned()])).unwrap();
        closure.packages().map(|package| format!("{} {}", package.name, package.version)).collect()
    }

    #[test]
    fn follows_dependencies_in_the_versions_named() {
        assert_eq!(names(LOCK), ["aya-ebpf 0.2.1", "aya-ebpf-cty 0.3.0", "monitor-ebpf 0.1.0", "syn 2.0.1"]);
    }

    #[test]
    fn heeds_no_bump_of_what_only_others_use() {
        let bumped = LOCK.replace("\"1.0.0\"", "\"1.2.0\"").replace("\"1.0.9\"", "\"1.1.0\"");
        assert_ne!(bumped, LOCK);
        assert_eq!(names(&bumped), names(LOCK));
    }

    #[test]
    fn heeds_a_bump_below() {
        assert_ne!(names(&LOCK.replace("\"0.3.0\"", "\"0.3.1\"")), names(LOCK));
    }

    #[test]
    fn optional_dependencies_are_those_that_say_so() {
        let manifest = "[dependencies]\naya-ebpf = \"1\"\naya-log-ebpf = { workspace = true, optional = true }\n\
                        bytemuck = { version = \"1\", optional = false }\n";
        let manifest = manifest.parse().unwrap();
        assert_eq!(dependencies(&manifest, true), ["aya-log-ebpf"]);
        assert_eq!(dependencies(&manifest, false), ["aya-ebpf", "bytemuck"]);
    }

    #[test]
    fn names_a_package_that_is_missing() {
        let torn = LOCK.replace("name = \"aya-ebpf-cty\"", "name = \"another\"");
        assert_eq!(Closure::parse(&torn, &BTreeSet::new()).unwrap_err(), "it has no package aya-ebpf-cty");
    }
}
