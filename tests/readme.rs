//! Every command of the README, run: each fenced block of `sh` in a directory of its own, its `eth1` the watched end of
//! a private wire on which stations send.
//!
//! A block that cannot be run has `<!-- not run: REASON -->` on the line before it, and is listed as ignored with the
//! reason. A run that would go on until Ctrl-C gets it once it has printed a line.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

#[path = "support/bpffs.rs"]
mod bpffs;
mod support;
#[path = "support/wire.rs"]
mod wire;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Output};
use std::{env, fs, thread};

use libtest_mimic::{Arguments, Trial, run};
use support::{Need, needs, trial};
use tempfile::TempDir;
use wire::{Wire, signal};

const README: &str = include_str!("../README.md");
const CI: &str = include_str!("../.ci/run");
const NOT_RUN: &str = "<!-- not run: ";

fn main() -> ExitCode {
    bpffs::enter_own();
    let arguments = Arguments::from_args();
    let mut trials = vec![
        trial("every_link_leads_somewhere", &[], every_link_leads_somewhere),
        trial("every_verb_is_shown", &[], every_verb_is_shown),
    ];
    trials.extend(blocks().into_iter().map(Block::into_trial));
    run(&arguments, trials).exit_code()
}

/// A fenced block of commands.
struct Block {
    /// The number of the line that it begins at.
    line: usize,
    commands: Vec<String>,
    not_run: Option<String>,
}

fn blocks() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut inside, mut before) = (false, "");
    for (text, line) in README.lines().zip(1..) {
        match (inside, text) {
            (false, "```sh") => {
                let reason = before.strip_prefix(NOT_RUN).and_then(|rest| rest.strip_suffix(" -->"));
                blocks.push(Block { line, commands: Vec::new(), not_run: reason.map(str::to_owned) });
                inside = true;
            }
            (true, "```") => inside = false,
            (true, command) => blocks.last_mut().unwrap().commands.push(command.to_owned()),
            (false, _) => {}
        }
        before = text;
    }
    assert!(!inside && !blocks.is_empty(), "the README has no commands, or a block without an end");
    blocks
}

impl Block {
    fn into_trial(self) -> Trial {
        let name = format!("readme_{}_{}", self.line, self.commands.first().map_or("nothing", |first| first));
        let name = name.replace(|one: char| !one.is_ascii_alphanumeric(), "_");
        if let Some(reason) = self.not_run {
            return Trial::test(name, || Ok(()))
                .with_kind(format!("not run: {reason}"))
                .with_ignored_flag(true);
        }
        match needs(self.needs()) {
            Err(reason) => Trial::test(name, || Err("cannot run here".into()))
                .with_kind(format!("needs {reason}"))
                .with_ignored_flag(true),
            Ok(()) => Trial::test(name, move || {
                self.run();
                Ok(())
            }),
        }
    }

    /// Those that look at packets need a kernel to do it in, all of them a wire.
    fn needs(&self) -> &'static [Need] {
        let any = |wanted: fn(&str) -> bool| self.commands.iter().any(|command| wanted(command));
        if any(|command| command.contains(" attach ")) {
            return &[Need::Root, Need::Bpf, Need::Veth, Need::Bpffs];
        }
        if any(|command| command.starts_with("sudo ") || command.starts_with("cargo xtask run")) {
            return &[Need::Root, Need::Bpf, Need::Veth];
        }
        &[Need::Veth]
    }

    fn run(&self) {
        let place = TempDir::new().unwrap();
        write_capture(&place.path().join("capture.pcap"));
        let wire = Wire::new();
        let _sending = Stations(wire.start_stations(&["--pmus", "2", "--quiet"]));
        let _clean = Instance;
        for command in &self.commands {
            let command = command.strip_prefix("sudo ").unwrap_or(command);
            match command.strip_prefix("cargo xtask ") {
                Some(task) => xtask(task, &wire, place.path()),
                None => shell(command, &wire, place.path()),
            }
        }
    }
}

/// They send until dropped.
struct Stations(Child);

impl Drop for Stations {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a block attached does not outlive a failure in the middle of it. An instance that is not there is no error.
struct Instance;

impl Drop for Instance {
    fn drop(&mut self) {
        let mut detach = Command::new(env!("CARGO_BIN_EXE_pmu-monitor"));
        let _ = detach.args(["detach", "--instance", "readme"]).output();
    }
}

/// The command exists, `test` is what continuous integration runs, and `run` does what `pmu-monitor run` does.
fn xtask(task: &str, wire: &Wire, place: &Path) {
    let (verb, arguments) = task.split_once(" -- ").unwrap_or((task, ""));
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = cargo.current_dir(root()).args(["xtask", verb, "--help"]).output().unwrap();
    assert!(output.status.success(), "cargo xtask {task}: {output:?}");
    match verb {
        "test" => assert!(CI.lines().any(|line| line == format!("exec cargo xtask {task}")), "{CI}"),
        "run" => shell(format!("pmu-monitor run {arguments}").trim(), wire, place),
        other => panic!("the README names cargo xtask {other}, and nothing says how to test it"),
    }
}

/// Runs a line as a user's shell does.
fn shell(command: &str, wire: &Wire, place: &Path) {
    let endless = command.starts_with("pmu-monitor run")
        && !["--duration", "--print-config"].iter().any(|option| command.contains(option));
    let line = if endless { format!("exec {command}") } else { command.to_owned() };
    let programs = Path::new(env!("CARGO_BIN_EXE_pmu-monitor")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap_or_default());
    let mut bash = Command::new("bash");
    bash.args(["-c", &line]).current_dir(place).env("HOME", place).env("PATH", path);
    let child = wire.start(&mut bash);
    let output = if endless { interrupted(child) } else { child.wait_with_output().unwrap() };
    assert!(output.status.success(), "{command}: {output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    if command.starts_with("pmu-monitor run") && !command.contains("--print-config") {
        let whole = printed.contains("unaccounted: 0") || printed.contains("\"unaccounted\":0");
        assert!(whole && !printed.contains("none of C37.118"), "{command}: {printed}");
    }
}

/// Ends it as Ctrl-C does, once it has printed that frames are there.
fn interrupted(mut child: Child) -> Output {
    let mut errors = child.stderr.take().unwrap();
    let errors = thread::spawn(move || {
        let mut text = Vec::new();
        errors.read_to_end(&mut text).unwrap();
        text
    });
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut stdout = Vec::new();
    while out.read_until(b'\n', &mut stdout).unwrap() > 0 && !says_frames(&stdout) {}
    signal(&child, "INT");
    out.read_to_end(&mut stdout).unwrap();
    Output { status: child.wait().unwrap(), stdout, stderr: errors.join().unwrap() }
}

fn says_frames(printed: &[u8]) -> bool {
    String::from_utf8_lossy(printed).contains("frames/s")
}

/// A capture of what `simulate` sends in a second.
fn write_capture(file: &Path) {
    const PORT: u16 = 4713;
    // Magic number, version 2.4, zone, accuracy, longest packet, raw IP (LINKTYPE_RAW).
    let mut bytes = [0xA1B2_C3D4, 0x0004_0002, 0, 0, 65_535, 101].map(u32::to_le_bytes).concat();
    let mut put = |payload: &[u8]| {
        let length = u16::try_from(payload.len()).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend((28 + length).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 9, 192, 0, 2, 1]);
        packet.extend([PORT, PORT, 8 + length, 0].map(u16::to_be_bytes).concat());
        packet.extend(payload);
        let whole = u32::try_from(packet.len()).unwrap();
        bytes.extend([0, 0, whole, whole].map(u32::to_le_bytes).concat());
        bytes.extend(packet);
    };
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = receiver.local_addr().unwrap().to_string();
    let mut simulate = Command::new(env!("CARGO_BIN_EXE_pmu-monitor"));
    let sent = simulate.args(["simulate", "--to", &to, "--duration", "500ms"]).output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    receiver.set_nonblocking(true).unwrap();
    let mut payload = [0; 2048];
    while let Ok(length) = receiver.recv(&mut payload) {
        put(&payload[..length]);
    }
    fs::write(file, bytes).unwrap();
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// In the README and in what it leads to.
fn every_link_leads_somewhere() {
    for document in ["README.md", "docs/capabilities.md"] {
        let file = root().join(document);
        let text = fs::read_to_string(&file).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let target = file.parent().unwrap().join(link);
            assert!(target.is_file(), "{document} leads to {link}, which is not there");
        }
    }
}

fn every_verb_is_shown() {
    let output = Command::new(env!("CARGO_BIN_EXE_pmu-monitor")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    // A description's second line stands further in.
    let entries = list.lines().filter_map(|line| line.strip_prefix("  "));
    let verbs = entries.filter_map(|entry| entry.split(' ').next()).filter(|verb| !verb.is_empty());
    let shown: Vec<_> = blocks().into_iter().flat_map(|block| block.commands).collect();
    for verb in verbs.filter(|verb| *verb != "help") {
        let call = format!("pmu-monitor {verb}");
        assert!(shown.iter().any(|command| command.contains(&call)), "no command of the README is {call}");
    }
}
