//! Status for a person.

use std::fmt;

use monitor_core::time::Nanos;

use super::{
    ConnectionStatus, InstanceStatus, InterfaceState, InterfaceStatus, Shortfalls, Status, StreamStatus,
};
use crate::hub::Counters;
use crate::sink::Utc;

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.instances.is_empty() && self.other_versions.is_empty() {
            return writeln!(f, "nothing is attached; attach with `pmu-monitor attach --iface IF`");
        }
        for (place, instance) in self.instances.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            write_instance(f, instance)?;
        }
        for other in &self.other_versions {
            let names = other.instances.join(", ");
            writeln!(f, "made by another version of this program ({}), left alone: {names}", other.version)?;
        }
        Ok(())
    }
}

fn write_instance(f: &mut fmt::Formatter<'_>, instance: &InstanceStatus) -> fmt::Result {
    write!(f, "instance {}", instance.name)?;
    if let Some(broken) = &instance.broken {
        return writeln!(f, ": {broken}");
    }
    if let (Some(hook), Some(attached)) = (&instance.hook, instance.attached_ns) {
        write!(f, "  hook {hook}  attached {}", Utc(Nanos(attached)))?;
    }
    writeln!(f)?;
    for interface in &instance.interfaces {
        writeln!(f, "  interface {}", Words { instance: &instance.name, interface })?;
    }
    for name in &instance.missing_stages {
        let remedy = format!("`pmu-monitor attach --instance {}`", instance.name);
        writeln!(f, "  program {name} is not on its tracepoint, and its stamps are absent: {remedy}")?;
    }
    for program in &instance.programs {
        write!(f, "  program {:<14} id {} tag {}", program.name, program.id, program.tag)?;
        if let (Some(runs), Some(mean)) = (program.run_count, program.mean_run_time_ns) {
            write!(f, "  {runs} runs of {mean} ns")?;
        }
        writeln!(f)?;
    }
    for stream in &instance.streams {
        writeln!(f, "  stream {}", StreamWords(stream))?;
    }
    if let Some(ConnectionStatus { taken_up, kept, given_up, refused }) = instance.connections {
        writeln!(
            f,
            "  TCP connections {taken_up} taken up = {kept} kept + {given_up} given up; {refused} refused"
        )?;
    }
    if let Some(ring) = &instance.ring {
        writeln!(f, "  ring {} of {} bytes in use", ring.used_bytes, ring.bytes)?;
    }
    if let Some(reader) = &instance.reader {
        match (reader.reading, reader.pid) {
            (true, Some(pid)) => writeln!(f, "  reader: process {pid}")?,
            (true, None) => writeln!(f, "  reader: about to begin")?,
            (false, Some(pid)) => writeln!(f, "  reader: none (the last was process {pid})")?,
            (false, None) => writeln!(f, "  reader: none")?,
        }
    }
    write_counters(f, instance)
}

fn write_counters(f: &mut fmt::Formatter<'_>, instance: &InstanceStatus) -> fmt::Result {
    let Some(counted) = instance.counters else { return Ok(()) };
    let counters =
        Counters { packets: Some(counted.packets), records: counted.records, ..Counters::default() };
    let of_kernel = |equation: &crate::hub::Equation| matches!(equation.group, "packets" | "records");
    for equation in counters.equations().into_iter().filter(of_kernel) {
        writeln!(f, "  {:<8} {equation}", equation.group)?;
    }
    if let Some(Shortfalls { unattributed, offset_mismatch, streams_full }) = instance.shortfalls {
        writeln!(
            f,
            "  stamps   {unattributed} packets without a receive stamp, {offset_mismatch} with one not believed \
             (offset_mismatch)"
        )?;
        if streams_full > 0 {
            writeln!(f, "  {streams_full} frames of streams that the table had no room for")?;
        }
    }
    writeln!(f, "  unaccounted {}", counted.packets.unaccounted + counted.records.unaccounted)
}

struct StreamWords<'a>(&'a StreamStatus);

impl fmt::Display for StreamWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StreamStatus { id, iface, ifindex, frames, bytes, last_ns_ago, gap_min_ns, gap_max_ns } = self.0;
        match iface {
            Some(iface) => write!(f, "{id} on {iface}")?,
            None => write!(f, "{id} on an interface that is gone (index {ifindex})")?,
        }
        write!(f, "  {frames} frames  {bytes} bytes  last {} ms ago", last_ns_ago / 1_000_000)?;
        if let (Some(least), Some(most)) = (gap_min_ns, gap_max_ns) {
            write!(f, "  gaps {} to {} us", least / 1_000, most / 1_000)?;
        }
        Ok(())
    }
}

struct Words<'a> {
    instance: &'a str,
    interface: &'a InterfaceStatus,
}

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, interface: InterfaceStatus { name, ifindex, netns, state } } = self;
        write!(f, "{name} (index {ifindex} of namespace {netns}): ")?;
        match state {
            InterfaceState::Attached => write!(f, "attached"),
            InterfaceState::Renamed { now } => write!(f, "attached; it is called {now} now"),
            InterfaceState::Elsewhere => write!(f, "attached, in another network namespace"),
            InterfaceState::Moved => write!(
                f,
                "moved to another network namespace, where its frames are not known: \
                 `pmu-monitor attach --instance {instance} --reattach` there"
            ),
            InterfaceState::Detached => write!(
                f,
                "there, but not all programs are on it: `pmu-monitor attach --instance {instance} --iface {name}`"
            ),
            InterfaceState::Gone => write!(f, "gone"),
            InterfaceState::Replaced { ifindex } => write!(
                f,
                "gone; another {name} (index {ifindex}) is there: `pmu-monitor attach --instance {instance} --reattach`"
            ),
        }
    }
}
