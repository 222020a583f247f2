//! What a shell asks while a command line is typed: words that only this host knows, beside those that clap knows.
//!
//! The scripts of `completions` call this program back with `VARIABLE` in its environment, so that names of
//! interfaces and instances are those of the moment.

use std::fs;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use super::Arguments;
use crate::config::{InstanceName, PIN_ROOT};
use crate::netns::interfaces;

/// Holds the shell's name where the program is called to complete, not to run.
pub(super) const VARIABLE: &str = "PMU_MONITOR_COMPLETE";

/// Answers and ends the process where a shell asks; returns where nobody does. Comes before anything is printed.
pub(super) fn answer() {
    CompleteEnv::with_factory(Arguments::command).var(VARIABLE).complete();
}

/// Names of the instances pinned on this host, whatever version pinned them, in order. None where bpffs may not be
/// read.
#[must_use]
pub fn instance_names() -> Vec<String> {
    names_under(Path::new(PIN_ROOT))
}

/// For an option that takes an instance's name.
#[must_use]
pub fn instances() -> ArgValueCandidates {
    ArgValueCandidates::new(|| candidates(instance_names()))
}

/// For an option that takes an interface's name: those of this network namespace.
#[must_use]
pub fn interface_names() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let interfaces = interfaces().unwrap_or_default();
        candidates(interfaces.into_iter().map(|interface| interface.name).collect())
    })
}

fn candidates(names: Vec<String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The directories in `v<number>` below `root` whose names instances can have.
fn names_under(root: &Path) -> Vec<String> {
    let versions = directories(root).into_iter().filter(|name| is_version(name));
    let inside = versions.flat_map(|version| directories(&root.join(version)));
    let mut names: Vec<_> = inside.filter(|name| name.parse::<InstanceName>().is_ok()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn is_version(name: &str) -> bool {
    name.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok())
}

fn directories(place: &Path) -> Vec<String> {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let inside = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    inside.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_of_all_versions_are_named_once_and_nothing_else_is() {
        let root = tempfile::tempdir().expect("a directory");
        for made in ["v1/default", "v1/east", "v2/default", "v2/no name", "vx/other", "left/over"] {
            fs::create_dir_all(root.path().join(made)).expect(made);
        }
        fs::write(root.path().join("v1/file"), "").expect("written");
        assert_eq!(names_under(root.path()), ["default", "east"]);
        assert!(names_under(&root.path().join("absent")).is_empty());
    }
}
