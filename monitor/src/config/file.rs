//! `--config FILE`: the options of `run`, checked at the start.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

use crate::clock::Daemons;
use crate::live::{Budget, Share, Waiting};
use crate::probe::{Hook, Transport};

use super::{Align, BoundsTable, CONVENTIONAL_PORTS, Duration, InstanceName, Port, StreamTable};
use crate::preload::{ConfigFrame, RequestTarget, RequestVersion};
use crate::rt;

/// Why a configuration file was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("configuration file {path}: {source}; check the path given with --config and its permissions")]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no TOML, or a key or value is wrong. The parser names place, key and what would be right.
    #[error("configuration file {path}: {reason}")]
    Parse {
        /// Its path.
        path: PathBuf,
        /// Line, column and what is wrong.
        reason: String,
    },
}

/// Options of `run`; those not given are `None`, false or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct RunOptions {
    /// Interfaces to watch.
    pub iface: Vec<String>,
    /// The instance that `attach` and `follow` speak of; `run` has none.
    pub instance: Option<InstanceName>,
    /// Ports to match.
    pub port: Vec<Port>,
    /// Hook for what comes in.
    pub hook: Option<Hook>,
    /// What carries records from the kernel.
    pub transport: Option<Transport>,
    /// CPU of the real-time thread.
    pub cpu: Option<usize>,
    /// Its `SCHED_FIFO` priority.
    pub priority: Option<u8>,
    /// How the real-time thread waits.
    pub wait: Option<Waiting>,
    /// What it may take of a CPU to be awake in time.
    pub wait_cap: Option<Share>,
    /// How long a turn of the real-time thread may take.
    pub budget: Option<Budget>,
    /// Leave idle states of the CPUs alone.
    pub allow_idle: bool,
    /// Take in what is addressed to others.
    pub promiscuous: bool,
    /// Tell of packets that the kernel drops.
    pub drops: bool,
    /// Ask network cards for their own stamps.
    pub hw_stamps: bool,
    /// Attach again to interfaces that have gone and come back.
    pub reattach: bool,
    /// Align streams, with this window.
    pub align: Option<Align>,
    /// How long to run.
    pub duration: Option<Duration>,
    /// NDJSON.
    pub json: bool,
    /// A line for each frame.
    pub frames: bool,
    /// Plain lines even on a terminal.
    pub plain: bool,
    /// Only the summary.
    pub quiet: bool,
    /// Where configurations are kept from one run to the next.
    pub state_dir: Option<PathBuf>,
    /// Keep none and use none of earlier runs.
    pub no_state: bool,
    /// Configuration frames in files.
    pub config_frame: Vec<ConfigFrame>,
    /// PMUs that are asked for their configuration.
    pub request_config: Vec<RequestTarget>,
    /// Which version they are asked for.
    pub request_config_version: Option<RequestVersion>,
    /// Whether they may be asked over UDP.
    pub request_config_udp: bool,
    /// The stream that is asked for where the target does not say one.
    pub idcode: Option<u16>,
    /// Bounds.
    pub bounds: BoundsTable,
    /// Where the time daemons are asked.
    pub clock: Daemons,
    /// Names and settings of streams.
    pub stream: Vec<StreamTable>,
}

impl RunOptions {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read, or holds anything that is not known.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|error| ConfigError::Parse {
            path: path.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        })
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// These, with the default in the place of all that has one and was not given.
    #[must_use]
    pub fn effective(mut self) -> Self {
        if self.port.is_empty() {
            self.port = CONVENTIONAL_PORTS.map(Port::Number).to_vec();
        }
        self.priority.get_or_insert(rt::Request::default().priority);
        self.transport.get_or_insert_default();
        self.wait.get_or_insert_default();
        self.wait_cap.get_or_insert_default();
        self.budget.get_or_insert_default();
        self.bounds = self.bounds.effective();
        self
    }

    /// These, with what was given on the command line put over them.
    #[must_use]
    pub fn overlaid_by(self, given: Self) -> Self {
        let either = |given: Vec<_>, own| if given.is_empty() { own } else { given };
        Self {
            iface: if given.iface.is_empty() { self.iface } else { given.iface },
            instance: given.instance.or(self.instance),
            port: either(given.port, self.port),
            hook: given.hook.or(self.hook),
            transport: given.transport.or(self.transport),
            cpu: given.cpu.or(self.cpu),
            priority: given.priority.or(self.priority),
            wait: given.wait.or(self.wait),
            wait_cap: given.wait_cap.or(self.wait_cap),
            budget: given.budget.or(self.budget),
            allow_idle: given.allow_idle || self.allow_idle,
            promiscuous: given.promiscuous || self.promiscuous,
            drops: given.drops || self.drops,
            hw_stamps: given.hw_stamps || self.hw_stamps,
            reattach: given.reattach || self.reattach,
            align: given.align.or(self.align),
            duration: given.duration.or(self.duration),
            json: given.json || self.json,
            frames: given.frames || self.frames,
            plain: given.plain || self.plain,
            quiet: given.quiet || self.quiet,
            state_dir: given.state_dir.or(self.state_dir),
            no_state: given.no_state || self.no_state,
            config_frame: if given.config_frame.is_empty() { self.config_frame } else { given.config_frame },
            request_config: if given.request_config.is_empty() {
                self.request_config
            } else {
                given.request_config
            },
            request_config_version: given.request_config_version.or(self.request_config_version),
            request_config_udp: given.request_config_udp || self.request_config_udp,
            idcode: given.idcode.or(self.idcode),
            // These stand in the file alone.
            bounds: self.bounds,
            clock: self.clock,
            stream: self.stream,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_can_stand_in_the_file() {
        let text = r#"
            iface = ["eth1", "eth2"]
            instance = "east"
            port = [4712, "any"]
            transport = "perf"
            cpu = 1
            priority = 60
            wait = "spin"
            wait-cap = "2.5%"
            budget = "off"
            allow-idle = true
            promiscuous = true
            drops = true
            hw-stamps = true
            reattach = true
            align = "absolute:250ms"
            duration = "10s"
            json = true
            frames = true
            plain = true
            quiet = true
            [bounds]
            ring-bytes = 8388608
            streams = 100
            [clock]
            ptp4l-socket = "/run/ptp4l-a"
            chrony-socket = "/run/chrony-a"
        "#;
        let options = RunOptions::parse(text).expect("all known");
        assert_eq!(options.iface, ["eth1", "eth2"]);
        assert_eq!(options.port, [Port::Number(4712), Port::Any]);
        assert_eq!((options.cpu, options.priority), (Some(1), Some(60)));
        assert!(options.allow_idle && options.hw_stamps);
        assert_eq!(options.transport, Some(Transport::Perf));
        assert_eq!(options.budget, Some(Budget::OFF));
        assert_eq!((options.wait, options.wait_cap), (Some(Waiting::Spin), "2.5%".parse().ok()));
        assert_eq!(options.bounds.of_kernel().map(|sizes| sizes.ring_bytes), Ok(8 << 20));
        assert_eq!(options.clock.ptp4l_socket.as_deref(), Some(Path::new("/run/ptp4l-a")));
    }

    #[test]
    fn an_unknown_key_or_a_wrong_value_is_named() {
        for (text, named) in [
            ("ifaces = []", "ifaces"),
            ("[bounds]\nstream = 1", "stream"),
            ("[clock]\nntp = 1", "ntp"),
            ("instance = \"a b\"", "1 to 32"),
            ("port = [0]", "port 0"),
            ("port = [70000]", "1 to 65535"),
            ("duration = \"soon\"", "soon"),
            ("align = \"soon\"", "soon"),
            ("align = \"absolute:1h\"", "4s"),
            ("cpu = \"one\"", "cpu"),
            ("json = true\ncpu = \"one\"", "line 2, column 7"),
            ("priority = 300", "line 1, column 12"),
            ("transport = \"pigeon\"", "'pigeon'"),
            ("wait = \"doze\"", "'doze'"),
            ("wait-cap = \"ten\"", "'ten'"),
            ("wait-cap = 10", "wait-cap"),
            ("budget = \"2s\"", "1ns to 1s"),
            ("budget = 50", "budget"),
            ("iface = ", "line 1"),
        ] {
            let error = RunOptions::parse(text).expect_err(text).to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn the_command_line_wins() {
        let file = RunOptions { cpu: Some(1), iface: vec!["a".into()], quiet: true, ..RunOptions::default() };
        let given = RunOptions { cpu: Some(0), json: true, ..RunOptions::default() };
        let both = file.overlaid_by(given);
        assert_eq!((both.cpu, both.json, both.quiet), (Some(0), true, true));
        assert_eq!(both.iface, ["a"]);
    }
}
