//! The guest's root: everything under the path that it has on the host, so that what was built there finds it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::archive::Archive;
use super::guest::Test;
use super::kernel::Files;
use super::programs::Programs;
use crate::error::{Error, Result};
use crate::process;
use crate::project::{self, Project};

/// The first process.
const INIT: &str = include_str!("init.sh");
/// Programs of the host that tests and the first process start.
const TOOLS: [&str; 18] = [
    "sh", "cat", "env", "kill", "ps", "mount", "umount", "unshare", "nsenter", "setpriv", "prlimit", "ip",
    "tc", "bpftool", "ss", "taskset", "chrt", "nice",
];
/// Directories that there are without a file in them.
const DIRECTORIES: [&str; 5] = ["/proc", "/sys", "/dev", "/tmp", "/root"];

/// The archive that the kernel unpacks.
pub(super) fn make(
    project: &Project,
    kernel: &Files,
    programs: &Programs,
    tests: &[&'static Test],
) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for path in DIRECTORIES {
        archive.directory(Path::new(path));
    }
    archive.file(Path::new("/init"), INIT.as_bytes());
    archive.file(Path::new("/bin/busybox"), &project::read(&kernel.busybox)?);
    for module in &kernel.modules {
        let name = module.file_name().unwrap_or_default();
        archive.file(&Path::new("/modules").join(name), &project::read(module)?);
    }
    for tool in TOOLS {
        let path = process::find(tool)
            .ok_or_else(|| Error::plain(format!("{tool} is missing, which tests in the guest start")))?;
        with_libraries(&mut archive, &path, &project::read(&path)?)?;
    }
    add_programs(project, &kernel.directory, &mut archive, programs, tests)?;
    Ok(archive.finish())
}

fn add_programs(
    project: &Project,
    directory: &Path,
    archive: &mut Archive,
    programs: &Programs,
    tests: &[&'static Test],
) -> Result<()> {
    let mut lines = String::new();
    let stripped = |program: &Path| strip(program, &directory.join("stripped"));
    with_libraries(archive, &programs.monitor, &stripped(&programs.monitor)?)?;
    for test in tests {
        let program = programs.tests.get(test.target);
        let program =
            program.ok_or_else(|| Error::plain(format!("there is no test target {}", test.target)))?;
        if !archive.has(program) {
            with_libraries(archive, program, &stripped(program)?)?;
        }
        // Writing to a string cannot fail.
        let how = if test.contended { "contended" } else { "alone" };
        let _ = writeln!(lines, "{how} {} {}", program.display(), test.name);
    }
    archive.file(Path::new("/tests"), lines.as_bytes());
    // Tests look for the object from the package's own directory.
    archive.directory(&project.root.join("monitor"));
    let object = project.root.join("monitor-ebpf/object/pmu-monitor.o");
    archive.file(&object, &project::read(&object)?);
    Ok(())
}

/// The program without what only a debugger reads: four fifths of it.
fn strip(program: &Path, to: &Path) -> Result<Vec<u8>> {
    process::output(Command::new("strip").arg("--strip-debug").arg("-o").arg(to).arg(program))?;
    project::read(to)
}

/// Adds a program and what it is linked with.
fn with_libraries(archive: &mut Archive, path: &Path, content: &[u8]) -> Result<()> {
    archive.file(path, content);
    let said = process::output(Command::new("ldd").arg(path)).unwrap_or_default();
    for library in libraries(&said) {
        if !archive.has(&library) {
            archive.file(&library, &project::read(&library)?);
        }
    }
    Ok(())
}

/// The files that ldd names: `libc.so.6 => /lib/libc.so.6 (0x00007f...)`, `/lib64/ld-linux-x86-64.so.2 (0x00007f...)`.
/// For a program without any it names none.
fn libraries(said: &str) -> Vec<PathBuf> {
    let words = said.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    words.map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_in_what_ldd_says() {
        let said = "\tlinux-vdso.so.1 (0x00007ffc)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        assert_eq!(
            libraries(said),
            [Path::new("/lib/x86_64-linux-gnu/libc.so.6"), Path::new("/lib64/ld-linux-x86-64.so.2")]
        );
        assert!(libraries("\tstatically linked\n").is_empty());
    }
}
