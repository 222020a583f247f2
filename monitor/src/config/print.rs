//! Options as the TOML that `--config` reads: every key with what it means, its default, and the value in effect.

use std::fmt::Write as _;

use toml::Value;

use super::{BOUNDS, Bound, Port, RunOptions};
use crate::clock::Daemons;

/// What the command line says of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionDoc {
    /// Its key in the file: the long option without its dashes.
    pub key: String,
    /// What it means, and its range.
    pub help: String,
    /// What its value is called, such as `N`.
    pub value_name: String,
}

/// Columns of a comment.
const WIDTH: usize = 100;

const HEAD: &str =
    "# Options of `pmu-monitor run`, read with --config FILE. What is given on the command line wins.\n";

/// A key and its value as it is written; `None` where there is none.
type Entry = (&'static str, Option<Value>);

impl RunOptions {
    /// The text of a file that gives these options, in the order of the fields. A key without a value, or without a
    /// default, is there as a comment. `docs` explains the keys.
    #[must_use]
    pub fn to_toml(&self, docs: &[OptionDoc]) -> String {
        let mut text = HEAD.to_owned();
        for ((key, value), (_, default)) in
            self.entries().into_iter().zip(Self::default().effective().entries())
        {
            let doc = docs.iter().find(|doc| doc.key == key);
            text.push('\n');
            comment(&mut text, doc.map_or("", |doc| &doc.help));
            comment(&mut text, &format!("Default: {}", default.map_or_else(none, |value| value.to_string())));
            let _ = match value {
                Some(value) => writeln!(text, "{key} = {value}"),
                None => writeln!(text, "# {key} = {}", doc.map_or("", |doc| &doc.value_name)),
            };
        }
        text.push_str("\n# How much there is place for.\n[bounds]\n");
        for (bound, value) in BOUNDS.iter().zip(self.bounds.values()) {
            let Bound { name, least, default, most, meaning } = bound;
            text.push('\n');
            comment(&mut text, meaning);
            comment(&mut text, &format!("{least} to {most}. Default: {default}"));
            let _ = writeln!(text, "{name} = {}", value.unwrap_or(*default));
        }
        self.write_clock(&mut text);
        self.write_streams(&mut text);
        text
    }

    fn write_clock(&self, text: &mut String) {
        let Daemons { ptp4l_socket, chrony_socket } = &self.clock;
        text.push_str("\n# Who keeps the host's clock, and how well.\n[clock]\n");
        let sockets = [
            ("ptp4l-socket", ptp4l_socket, "ptp4l's Unix socket", "/var/run/ptp4lro, else /var/run/ptp4l"),
            (
                "chrony-socket",
                chrony_socket,
                "chronyd's Unix socket",
                "/run/chrony/chronyd.sock, else port 323 of this host",
            ),
        ];
        for (key, value, meaning, default) in sockets {
            text.push('\n');
            comment(text, meaning);
            comment(text, &format!("Default: {default}"));
            let _ = match value {
                Some(path) => writeln!(text, "{key} = {}", Value::from(path.to_string_lossy().into_owned())),
                None => writeln!(text, "# {key} = PATH"),
            };
        }
    }

    fn write_streams(&self, text: &mut String) {
        text.push('\n');
        comment(
            text,
            "Streams by their match: source, destination (an address or a prefix), transport (udp, tcp), idcode, port (either \
             end's, as first seen), station (a name in the stream's configuration); all that is given must fit, and the first table that fits a stream is its. name: what it is called. late: \"M\" (later \
             than 7 reporting periods), \"P\" (2), or a span such as \"100ms\". stall: a longer silence is a stall. \
             mirrored: a packet seen twice at one place is a mirror's copy.",
        );
        comment(
            text,
            "Default: late as SVC_CLASS of a CFG-3 says, else \"M\", stall = \"1s\", mirrored = false",
        );
        if self.stream.is_empty() {
            text.push_str("# [[stream]]\n# name = NAME\n# match = { source = ADDRESS, idcode = N }\n");
        }
        for table in &self.stream {
            let _ = write!(text, "\n{table}");
        }
    }

    /// A field that is not written here does not compile.
    fn entries(&self) -> Vec<Entry> {
        let Self {
            iface,
            instance,
            port,
            hook,
            transport,
            cpu,
            priority,
            wait,
            wait_cap,
            budget,
            allow_idle,
            promiscuous,
            drops,
            hw_stamps,
            reattach,
            align,
            duration,
            json,
            frames,
            plain,
            quiet,
            state_dir,
            no_state,
            config_frame,
            request_config,
            request_config_version,
            request_config_udp,
            idcode,
            bounds: _, // tables of their own, after the keys
            clock: _,
            stream: _,
        } = self;
        vec![
            ("iface", Some(Value::Array(iface.iter().map(|name| name.as_str().into()).collect()))),
            ("instance", instance.as_ref().map(|name| name.as_str().into())),
            ("port", Some(Value::Array(port.iter().copied().map(port_value).collect()))),
            ("hook", hook.map(|hook| hook.to_string().into())),
            ("transport", transport.map(|transport| transport.to_string().into())),
            ("cpu", cpu.and_then(|cpu| i64::try_from(cpu).ok()).map(Value::from)),
            ("priority", priority.map(|priority| i64::from(priority).into())),
            ("wait", wait.map(|wait| wait.to_string().into())),
            ("wait-cap", wait_cap.map(|share| share.to_string().into())),
            ("budget", budget.map(|budget| budget.to_string().into())),
            ("allow-idle", Some((*allow_idle).into())),
            ("promiscuous", Some((*promiscuous).into())),
            ("drops", Some((*drops).into())),
            ("hw-stamps", Some((*hw_stamps).into())),
            ("reattach", Some((*reattach).into())),
            ("align", align.map(|align| align.to_string().into())),
            ("duration", duration.map(|duration| duration.to_string().into())),
            ("json", Some((*json).into())),
            ("frames", Some((*frames).into())),
            ("plain", Some((*plain).into())),
            ("quiet", Some((*quiet).into())),
            ("state-dir", state_dir.as_ref().map(|path| path.display().to_string().into())),
            ("no-state", Some((*no_state).into())),
            ("config-frame", Some(texts(config_frame))),
            ("request-config", Some(texts(request_config))),
            (
                "request-config-version",
                request_config_version.map(|version| i64::from(version.number()).into()),
            ),
            ("request-config-udp", Some((*request_config_udp).into())),
            ("idcode", idcode.map(|idcode| i64::from(idcode).into())),
        ]
    }
}

fn texts(values: &[impl ToString]) -> Value {
    Value::Array(values.iter().map(|value| value.to_string().into()).collect())
}

fn port_value(port: Port) -> Value {
    match port {
        Port::Any => "any".into(),
        Port::Number(number) => i64::from(number).into(),
    }
}

fn none() -> String {
    "none".to_owned()
}

/// Writes a comment in lines of at most [`WIDTH`] columns.
fn comment(text: &mut String, words: &str) {
    let mut line = String::new();
    for word in words.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
            let _ = writeln!(text, "#{line}");
            line.clear();
        }
        let _ = write!(line, " {word}");
    }
    if !line.is_empty() {
        let _ = writeln!(text, "#{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> RunOptions {
        toml::from_str(text).expect(text)
    }

    /// Options with every key set to something other than its default.
    const ALL_SET: &str = r#"
        iface = ["eth1", 'a"b\c']
        instance = "east"
        port = [4722, "any"]
        transport = "perf"
        cpu = 1
        priority = 60
        wait = "spin"
        wait-cap = "2.5%"
        budget = "80us"
        allow-idle = true
        promiscuous = true
        drops = true
        hw-stamps = true
        reattach = true
        align = "absolute:250ms"
        duration = "1.5s"
        json = true
        frames = true
        plain = true
        quiet = true
        state-dir = "/tmp/state"
        no-state = true
        config-frame = ["a.hex", "192.0.2.1/60=b"]
        request-config = ["192.0.2.1/60", "udp:192.0.2.2:4722"]
        request-config-version = 3
        request-config-udp = true
        idcode = 7
        [bounds]
        ring-bytes = 8388608
        perf-bytes = 524288
        streams = 100
        configurations = 7
        pmus = 8
        channels = 10
        config-series = 2
        config-series-bytes = 2048
        pmus-per-configuration = 9
        channels-per-configuration = 11
        instants = 13
        pmus-per-instant = 15
        [clock]
        ptp4l-socket = "/run/ptp4l-a"
        chrony-socket = "/run/chrony-a"
    "#;

    #[test]
    fn what_is_printed_reads_back_as_what_is_in_effect() {
        for text in ["", ALL_SET, "duration = \"7ns\"", "cpu = 0\n[bounds]\nstreams = 1"] {
            let options = read(text);
            let printed = options.clone().effective().to_toml(&[]);
            assert_eq!(read(&printed), options.effective(), "{printed}");
        }
    }

    #[test]
    fn every_key_has_its_default_beside_it_whatever_its_value() {
        let printed = read(ALL_SET).effective().to_toml(&[]);
        assert!(printed.contains("# Default: 50\npriority = 60\n"), "{printed}");
        assert!(printed.contains("# Default: [4712, 4713]\nport = [4722, \"any\"]\n"), "{printed}");
        assert!(printed.contains("# 1 to 65536. Default: 2048\nstreams = 100\n"), "{printed}");
    }

    #[test]
    fn a_key_without_a_value_is_a_comment_that_names_it() {
        let doc = |key: &str, value_name: &str| OptionDoc {
            key: key.to_owned(),
            help: "It means something".to_owned(),
            value_name: value_name.to_owned(),
        };
        let printed = RunOptions::default().effective().to_toml(&[doc("cpu", "N"), doc("duration", "TIME")]);
        assert!(printed.contains("# It means something\n# Default: none\n# cpu = N\n"), "{printed}");
        assert!(printed.contains("# duration = TIME\n"), "{printed}");
    }

    #[test]
    fn comments_are_broken_between_words() {
        let mut text = String::new();
        comment(&mut text, &"word ".repeat(50));
        assert!(text.lines().count() > 1 && text.lines().all(|line| line.len() <= WIDTH + 2), "{text}");
        assert_eq!(text.matches("word").count(), 50);
    }
}
