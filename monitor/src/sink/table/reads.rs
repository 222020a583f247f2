//! Who else on this host read what was watched.

use std::fmt::{self, Write as _};

use crate::hub::{PacketReads, ReadBasis, ReadSummary, SocketRow, StageLatency};
use crate::sink::words::{Micros, counted};

/// A line for each socket, and one of what nobody read; nothing where nothing was to be read.
pub(super) fn described(out: &mut String, reads: &ReadSummary) -> fmt::Result {
    reads.sockets.iter().try_for_each(|socket| writeln!(out, "read by      {}", line(socket)))?;
    let PacketReads {
        seen: _,
        read: _,
        closed,
        unread,
        passed_over,
        no_reader,
        duplicate,
        not_followed,
        unknown,
        ring_full,
    } = reads.packets;
    let others = [
        (closed, "when their socket was closed"),
        (unread, "by the end"),
        (passed_over, "though later ones were: the socket never had them"),
        (no_reader, "since nobody reads them here"),
    ];
    for (packets, why) in others.into_iter().filter(|(packets, _)| *packets > 0) {
        writeln!(out, "not read     {} {why}", counted(packets, "packet"))?;
    }
    if duplicate > 0 {
        writeln!(out, "reads        {} sent again", counted(duplicate, "segment"))?;
    }
    let lost = not_followed + unknown + ring_full;
    if lost > 0 {
        writeln!(out, "reads        not known of {}", counted(lost, "packet"))?;
    }
    Ok(())
}

fn line(socket: &SocketRow) -> String {
    let SocketRow { process, pid, transport, local, remote, basis, reads, packets, lateness_ns } = socket;
    let mut line = format!("{process} ({pid}), {transport} {local}");
    // Writing to a String does not fail.
    if let Some(remote) = remote {
        let _ = write!(line, " from {remote}");
    }
    let _ = write!(line, ": {} in {}", counted(*packets, "packet"), counted(*reads, "read"));
    if let Some(StageLatency { p50, p99, max, .. }) = *lateness_ns {
        let (p50, p99, max) = (Micros(p50), Micros(p99), Micros(max));
        let _ = write!(line, ", late by p50 {p50} p99 {p99} max {max} µs");
    }
    if *basis == ReadBasis::Inferred {
        line.push_str(" (inferred)");
    }
    line
}
