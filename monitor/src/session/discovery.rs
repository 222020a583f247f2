//! Nothing matches: what is on the wire instead?
//!
//! After five seconds without a frame the kernel side is asked, for two seconds, to count what it passes over by
//! ethertype and to hand up what begins like a C37.118 frame. The pipeline proves these by size and CRC.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use monitor_core::{
    event::{Addresses, Candidate, Class, Classes, EventKind, Transport},
    pipeline::Ports,
};

use super::Notices;
use crate::{
    hub::{Item, Summary},
    probe::{Interface, Kernel},
    sink::Sink,
};

/// How long nothing must have been seen.
const SILENCE: Duration = Duration::from_secs(5);
/// How long the wire is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Ethertypes and ports named in one sentence.
const NAMED_MAX: usize = 6;

/// Ethertypes that an engineer would look for, by name.
const KNOWN: [(u16, &str); 8] = [
    (0x0800, "IPv4"),
    (0x0806, "ARP"),
    (0x86DD, "IPv6"),
    (0x88BA, "IEC 61850-9-2 sampled values"),
    (0x88B8, "IEC 61850 GOOSE"),
    (0x88F7, "PTP"),
    (0x88CC, "LLDP"),
    (0x892F, "HSR"),
];

/// Sound frames found on a port that was not asked for: IDCODEs by transport and port.
type Found = BTreeMap<(Transport, u16), Vec<u16>>;

enum State {
    /// Frames were last seen to increase then.
    Waiting(Instant),
    /// Looking since then, from these counts.
    Looking(Instant, BTreeMap<u16, u64>),
    /// Has been said; asked again once frames were seen and stopped.
    Said,
}

/// Asks once for each silence.
pub(super) struct Discovery {
    ports: Ports,
    names: String,
    state: State,
    frames: u64,
    found: Arc<Mutex<Found>>,
}

impl Discovery {
    pub(super) fn new(ports: &Ports, interfaces: &[Interface]) -> Self {
        let names = interfaces.iter().map(|one| one.name.as_str()).collect::<Vec<_>>().join(", ");
        Self {
            ports: ports.clone(),
            names,
            state: State::Waiting(Instant::now()),
            frames: 0,
            found: Arc::default(),
        }
    }

    pub(super) const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Where the candidates go.
    pub(super) fn sink(&self) -> Box<dyn Sink> {
        Box::new(Candidates(Arc::clone(&self.found)))
    }

    /// One look: `frames` is the number of frames seen so far, sound or not.
    pub(super) fn look(&mut self, kernel: &Kernel, frames: u64, notices: &Notices) {
        if frames > self.frames {
            self.frames = frames;
            if matches!(self.state, State::Looking(..)) {
                let _ = kernel.set_discovery(false);
            }
            self.state = State::Waiting(Instant::now());
            return;
        }
        match &self.state {
            State::Waiting(since) if since.elapsed() >= SILENCE => self.begin(kernel, notices),
            State::Looking(since, before) if since.elapsed() >= LOOK => {
                let sentence = self.sentence(kernel, before, since.elapsed());
                let _ = kernel.set_discovery(false);
                notices.say(sentence);
                self.state = State::Said;
            }
            State::Waiting(_) | State::Looking(..) | State::Said => {}
        }
    }

    /// There is no interface to look at: a silence begins once there is one again.
    pub(super) fn rest(&mut self) {
        if !matches!(self.state, State::Looking(..)) {
            self.state = State::Waiting(Instant::now());
        }
    }

    fn begin(&mut self, kernel: &Kernel, notices: &Notices) {
        let before = kernel.ethertypes().map(BTreeMap::from_iter).unwrap_or_default();
        self.state = match kernel.set_discovery(true) {
            Ok(()) => State::Looking(Instant::now(), before),
            Err(error) => {
                notices.say(format!("{}; what else is on the wire cannot be told: {error}", self.nothing()));
                State::Said
            }
        };
    }

    fn sentence(&self, kernel: &Kernel, before: &BTreeMap<u16, u64>, time: Duration) -> String {
        let after = kernel.ethertypes().unwrap_or_default();
        let counts = after.into_iter().map(|(ethertype, packets)| {
            (ethertype, packets.saturating_sub(before.get(&ethertype).copied().unwrap_or(0)))
        });
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = describe(&found, counts.collect(), time);
        if seen.is_empty() {
            return format!(
                "{}, nor anything else: check the cable, the mirror port, and that it is up",
                self.nothing()
            );
        }
        format!("{}; instead: {seen}", self.nothing())
    }

    fn nothing(&self) -> String {
        let ports = match &self.ports {
            Ports::Any => "any port".to_owned(),
            Ports::Set(ports) => {
                let ports = ports.iter().map(u16::to_string).collect::<Vec<_>>();
                format!("port{} {}", if ports.len() == 1 { "" } else { "s" }, ports.join(", "))
            }
        };
        format!("no C37.118 on {ports} of {} for {} s", self.names, SILENCE.as_secs())
    }
}

/// "UDP port 4722 looks like C37.118, IDCODE 7 (add --port 4722); ethertype 0x88BA (...) at 4000/s".
fn describe(found: &Found, mut counts: Vec<(u16, u64)>, time: Duration) -> String {
    let mut parts = Vec::new();
    for ((transport, port), idcodes) in found.iter().take(NAMED_MAX) {
        let name = transport.name().to_uppercase();
        let idcodes = idcodes.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
        parts.push(format!(
            "{name} port {port} looks like C37.118, IDCODE {idcodes} (add --port {port}, or --port any)"
        ));
    }
    counts.retain(|&(_, packets)| packets > 0);
    counts.sort_by_key(|&(ethertype, packets)| (std::cmp::Reverse(packets), ethertype));
    for (ethertype, packets) in counts.into_iter().take(NAMED_MAX) {
        let mut part = format!("ethertype 0x{ethertype:04X}");
        if let Some((_, name)) = KNOWN.iter().find(|(known, _)| *known == ethertype) {
            let _ = write!(part, " ({name})");
        }
        let _ = write!(part, " at {}/s", rate(packets, time));
        parts.push(part);
    }
    parts.join("; ")
}

/// Packets per second to three digits: the look's length is not exact.
fn rate(packets: u64, time: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rate for a person to read")]
    let rate = packets as f64 / time.as_secs_f64();
    if rate < 10.0 { format!("{rate:.1}") } else { format!("{rate:.0}") }
}

/// Collects what the pipeline proved.
struct Candidates(Arc<Mutex<Found>>);

impl Sink for Candidates {
    fn name(&self) -> &'static str {
        "discovery"
    }

    fn wants(&self) -> Classes {
        Classes::NONE.with(Class::Candidate)
    }

    fn take(&mut self, item: &Item<'_>) -> io::Result<()> {
        if let EventKind::Candidate(candidate) = item.event.kind {
            let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let idcodes = found.entry((candidate.transport, port(&candidate))).or_default();
            if !idcodes.contains(&candidate.idcode) && idcodes.len() < NAMED_MAX {
                idcodes.push(candidate.idcode);
            }
        }
        Ok(())
    }

    fn finish(&mut self, _summary: &Summary) -> io::Result<()> {
        Ok(())
    }
}

/// The port to ask for: the end that is not an ephemeral one, which is the lower.
fn port(candidate: &Candidate) -> u16 {
    match candidate.addresses {
        Addresses::Ip { source, destination } => source.port.min(destination.port),
        Addresses::Ethernet { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_ports_ethertypes_and_rates() {
        let found = Found::from([((Transport::Udp, 4722), vec![7, 8])]);
        let counts = vec![(0x0806, 3), (0x88BA, 8_000), (0x1234, 0)];
        assert_eq!(
            describe(&found, counts, Duration::from_secs(2)),
            "UDP port 4722 looks like C37.118, IDCODE 7, 8 (add --port 4722, or --port any); \
             ethertype 0x88BA (IEC 61850-9-2 sampled values) at 4000/s; ethertype 0x0806 (ARP) at 1.5/s"
        );
        assert_eq!(describe(&Found::new(), vec![], LOOK), "");
    }
}
