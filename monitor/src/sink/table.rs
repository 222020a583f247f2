//! The summary as a person reads it.

mod alignment;
mod grid;
mod remarks;
#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use monitor_core::event::Classes;

use self::grid::Grid;
use self::remarks::remarks;
use super::Sink;
use super::words::{ABSENT, Micros, counted, granted, late, measured, or_absent, rate, seconds};
use crate::hub::{
    BlameRow, ClockSummary, Counters, DropReason, DropSummary, Equation, HardwareCard, HardwareSummary, Item,
    Lapses, Named, OverrunSummary, RtSummary, StageLatency, StreamRow, Summary,
};
use crate::losses::{CpuGrowth, HostLosses};

/// Writes the summary, and nothing before it.
pub struct Table<W> {
    out: W,
}

impl<W: Write> Table<W> {
    /// To that output.
    pub const fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Sink for Table<W> {
    fn name(&self) -> &'static str {
        "table"
    }

    fn wants(&self) -> Classes {
        Classes::NONE
    }

    fn take(&mut self, _item: &Item<'_>) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        self.out.write_all(summary_table(summary).as_bytes())?;
        self.out.flush()
    }
}

/// The summary in lines: frames by kind, the streams, the counters as the sums that they make, latency by stage,
/// clock and real-time state where there was any, and last what is unaccounted for.
#[must_use]
pub fn summary_table(summary: &Summary) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write_summary(&mut out, summary);
    out
}

fn write_summary(out: &mut String, summary: &Summary) -> fmt::Result {
    frames(out, summary)?;
    if !summary.streams.is_empty() {
        writeln!(out, "\n{}", streams(&summary.streams))?;
        unbounded(out, &summary.streams)?;
        remarked(out, &summary.streams)?;
    }
    if let Some(alignment) = &summary.alignment {
        write!(out, "\n{}", self::alignment::described(alignment))?;
    }
    blamed(out, &summary.blame)?;
    writeln!(out, "\n{}", sums(&summary.counters))?;
    if let Some(latency) = summary.latency_ns.as_ref().filter(|latency| !latency.0.is_empty()) {
        writeln!(out, "\n{}", stages(latency))?;
    }
    if summary.clock.is_some() || summary.rt.is_some() {
        writeln!(out)?;
    }
    summary.clock.iter().try_for_each(|clock| writeln!(out, "clock        {}", clock_line(clock)))?;
    summary.rt.iter().try_for_each(|rt| writeln!(out, "real-time    {}", rt_line(rt)))?;
    summary.host.iter().try_for_each(|host| lost_by_the_host(out, host))?;
    summary.drops.iter().try_for_each(|drops| dropped(out, drops))?;
    summary.hardware_stamps.iter().try_for_each(|stamps| stamped(out, stamps))?;
    writeln!(out, "\nunaccounted: {}", summary.unaccounted)
}

/// On what missing frames are blamed; nothing where none is missing.
fn blamed(out: &mut String, rows: &[BlameRow]) -> fmt::Result {
    if !rows.is_empty() {
        writeln!(out)?;
    }
    for BlameRow { blame, reason, evidence, frames } in rows {
        writeln!(out, "missing      {frames} {}: {reason} (evidence: {})", blame.name(), evidence.name())?;
    }
    Ok(())
}

/// What the host's own counters say was lost; nothing where they say nothing.
fn lost_by_the_host(out: &mut String, host: &HostLosses) -> fmt::Result {
    let HostLosses { interfaces, softnet } = host;
    for interface in interfaces {
        let mut losses: Vec<_> = interface.losses().map(|(name, count)| format!("{name} {count}")).collect();
        losses.extend(interface.driver.iter().map(|(name, count)| format!("{name} {count}")));
        if !losses.is_empty() {
            writeln!(out, "interface    {}: {}", interface.name, losses.join(", "))?;
        }
        if interface.resets > 0 {
            let times = counted(interface.resets, "time");
            writeln!(out, "interface    {}: its counters were set back {times}", interface.name)?;
        }
    }
    for CpuGrowth { cpu, processed: _, dropped, time_squeeze } in softnet {
        if dropped + time_squeeze > 0 {
            writeln!(out, "softnet      CPU {cpu}: dropped {dropped}, time_squeeze {time_squeeze}")?;
        }
    }
    Ok(())
}

/// What network cards said of the packets.
fn stamped(out: &mut String, stamps: &HardwareSummary) -> fmt::Result {
    let HardwareSummary {
        packets, stamped, unstamped, unmapped, misplaced, outgoing, cards, refused, ..
    } = stamps;
    let others = [
        (unstamped, "without a stamp"),
        (unmapped, "by a clock that cannot be read"),
        (misplaced, "misplaced"),
        (outgoing, "outgoing"),
    ];
    write!(out, "hardware     {stamped} of {packets} packets stamped by the card")?;
    let others = others.into_iter().filter(|(count, _)| **count > 0);
    others.into_iter().try_for_each(|(count, what)| write!(out, ", {count} {what}"))?;
    writeln!(out)?;
    for HardwareCard { iface, clock, steps, worst_ns } in cards {
        let worst = worst_ns.map_or_else(|| ABSENT.to_owned(), |ns| Micros(ns).to_string());
        writeln!(
            out,
            "hardware     {iface} by {clock}, off by at most {worst} us, {}",
            counted(*steps, "step")
        )?;
    }
    refused.iter().try_for_each(|sentence| writeln!(out, "hardware     {sentence}"))
}

/// What the kernel dropped of watched flows; nothing where it dropped nothing.
fn dropped(out: &mut String, drops: &DropSummary) -> fmt::Result {
    for DropReason { reason, place, loss, packets } in &drops.by_reason {
        let what = if *loss { "" } else { ", no loss" };
        writeln!(out, "dropped      {packets} {reason} ({}{what})", place.name())?;
    }
    if drops.ring_full > 0 {
        writeln!(out, "dropped      {} more, of which nothing else is known", drops.ring_full)?;
    }
    Ok(())
}

fn frames(out: &mut String, summary: &Summary) -> fmt::Result {
    write!(out, "frames     ")?;
    if summary.frames.0.is_empty() {
        write!(out, "  none of C37.118")?;
    }
    for (kind, count) in &summary.frames.0 {
        write!(out, "  {count} {}", kind.trim_start_matches("c37118."))?;
    }
    writeln!(out)?;
    write!(out, "undecoded    {}", summary.undecoded)?;
    for (reason, count) in &summary.counters.frames.undecoded.0 {
        write!(out, "  ({count} {reason})")?;
    }
    writeln!(out)?;
    if !summary.counters.frames.invalid_by_reason.0.is_empty() {
        write!(out, "invalid      {}", summary.counters.frames.invalid)?;
        for (reason, count) in &summary.counters.frames.invalid_by_reason.0 {
            write!(out, "  ({count} {reason})")?;
        }
        writeln!(out)?;
    }
    writeln!(out, "CRC errors   {}", summary.crc_errors)?;
    writeln!(out, "skipped      {} bytes", summary.skipped_bytes)?;
    other(out, summary.packets_ignored)?;
    refused(out, summary.streams_refused, "stream", "the table of streams is full")?;
    if summary.copies > 0 {
        writeln!(out, "copies       {} of packets seen before", summary.copies)?;
    }
    for table in &summary.unmatched {
        writeln!(out, "unmatched    {table} fits no stream that was seen")?;
    }
    refused(out, summary.configs_refused, "configuration", "every slot is in use")?;
    if summary.config_series_lost > 0 {
        let lost = summary.config_series_lost;
        writeln!(out, "CFG-3        {lost} in fragments that did not become whole")?;
    }
    without_rate(out, summary.configs_without_rate)
}

/// What was not looked into; nothing where everything was.
fn other(out: &mut String, ignored: u64) -> fmt::Result {
    if ignored == 0 {
        return Ok(());
    }
    writeln!(out, "other        {ignored} packets of other ports and protocols ('--port any' looks into all)")
}

/// Configurations by which no frame can be missed; nothing where there is none.
fn without_rate(out: &mut String, count: u64) -> fmt::Result {
    if count == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "no rate      {} with DATA_RATE 0: missing frames cannot be told",
        counted(count, "configuration")
    )
}

/// What went past a bound; nothing where nothing did.
fn refused(out: &mut String, count: u64, what: &str, why: &str) -> fmt::Result {
    if count == 0 { Ok(()) } else { writeln!(out, "refused      {}: {why}", counted(count, what)) }
}

/// Why some numbers of late frames have a question mark.
fn unbounded(out: &mut String, rows: &[StreamRow]) -> fmt::Result {
    if !rows.iter().any(|row| row.lateness.judged_unbounded > 0) {
        return Ok(());
    }
    writeln!(out, "\n? judged as if the clock of the arrivals were exact: how far it may be off is not known")
}

/// What is out of the ordinary with each stream; nothing where nothing is.
fn remarked(out: &mut String, rows: &[StreamRow]) -> fmt::Result {
    let mut first = true;
    for row in rows {
        for remark in remarks(row) {
            if std::mem::take(&mut first) {
                writeln!(out)?;
            }
            writeln!(out, "{}: {remark}", row.id)?;
        }
    }
    Ok(())
}

fn streams(rows: &[StreamRow]) -> Grid {
    const HEADINGS: [&str; 13] = [
        "stream", "station", "frames", "missing", "late", "dup", "order", "stale", "CRC", "undec", "rate/s",
        "Hz", "Hz/s",
    ];
    const LATENCY: [&str; 3] = ["p50 us", "p99 us", "max us"];
    let live = rows.iter().any(|row| row.latency_ns.is_some());
    let mut grid =
        Grid::new(2, HEADINGS.into_iter().chain(if live { &LATENCY[..] } else { &[] }.iter().copied()));
    for row in rows {
        let latency = if live { latency(row).to_vec() } else { Vec::new() };
        grid.push(stream(row).into_iter().chain(latency));
    }
    grid
}

fn stream(row: &StreamRow) -> [String; 13] {
    [
        row.id.to_string(),
        row.name.as_deref().unwrap_or(ABSENT).to_owned(),
        row.frames.to_string(),
        row.missing.to_string(),
        late(row),
        row.duplicate.to_string(),
        row.out_of_order.to_string(),
        row.stale.to_string(),
        row.crc_errors.to_string(),
        row.undecoded.to_string(),
        rate(row),
        measured(row.frequency_hz, 3),
        measured(row.rocof_hz_per_s, 3),
    ]
}

fn latency(row: &StreamRow) -> [String; 3] {
    let of = |pick: fn(&crate::hub::StreamLatency) -> u32| {
        or_absent(row.latency_ns.as_ref().map(|latency| Micros(pick(latency).into())))
    };
    [of(|latency| latency.p50), of(|latency| latency.p99), of(|latency| latency.max)]
}

fn sums(counters: &Counters) -> Grid {
    let mut grid = Grid::new(2, ["counters", "how they add up"]);
    for sum in counters.equations() {
        let group = [Some(sum.group), sum.of].into_iter().flatten().collect::<Vec<_>>().join(" ");
        grid.push([group, described(&sum)]);
    }
    grid
}

fn described(sum: &Equation) -> String {
    match sum.unaccounted() {
        0 => sum.to_string(),
        off => format!("{sum}  UNACCOUNTED {off}"),
    }
}

fn stages(latency: &Named<StageLatency>) -> Grid {
    let mut grid = Grid::new(1, ["latency in us", "frames", "min", "p50", "p99", "p99.9", "max"]);
    for (stage, StageLatency { count, min, p50, p99, p999, max }) in &latency.0 {
        let times = [min, p50, p99, p999, max].map(|ns| Micros(*ns).to_string());
        grid.push([(*stage).to_owned(), count.to_string()].into_iter().chain(times));
    }
    grid
}

fn clock_line(clock: &ClockSummary) -> String {
    let ClockSummary { source, reference, error_bound_ns, tai_offset_s, grandmaster, .. } = clock;
    let or_unknown = |value: Option<String>| value.unwrap_or_else(|| "unknown".to_owned());
    let bound = or_unknown(error_bound_ns.map(|ns| format!("{} us", Micros(ns))));
    let tai = or_unknown(tai_offset_s.map(|seconds| format!("{seconds} s")));
    let reference = reference.as_ref().filter(|id| Some(*id) != grandmaster.as_ref());
    let follows = reference.map(|name| format!(" following {name}")).unwrap_or_default();
    let master = grandmaster.as_ref().map(|id| format!(", grandmaster {id}")).unwrap_or_default();
    format!("{source}{follows}, error bound {bound}, TAI - UTC {tai}{master}{}", trouble(clock))
}

/// What went wrong with the clock during the run.
fn trouble(clock: &ClockSummary) -> String {
    let mistake = clock.tai_mistake_s.map(|seconds| format!(", {seconds} s OFF: TAI TAKEN FOR UTC"));
    let steps = (clock.steps > 0).then(|| format!(", stepped {} times", clock.steps));
    mistake.unwrap_or_default() + &steps.unwrap_or_default()
}

fn rt_line(rt: &RtSummary) -> String {
    let plainly = match rt.priority {
        None => "NOT REAL-TIME: ",
        Some(_) if rt.off_cpu.is_some_and(|lapses| lapses.times > 0) => "DEGRADED: ",
        Some(_) => "",
    };
    let cpu = rt.cpu_percent.map(|percent| format!(", {percent:.1} % of a CPU")).unwrap_or_default();
    let met = rt.met_awake.zip(rt.packets).filter(|(_, packets)| *packets > 0);
    let met = met.map(|(met, packets)| {
        let percent = met * 100 / packets;
        format!(", awake for {percent} % of the packets")
    });
    let (met, overruns) = (met.unwrap_or_default(), overruns(rt));
    let off_cpu = lapsed(", off its CPU", rt.off_cpu);
    let fallen_back = lapsed(", fell back to block", rt.fallen_back);
    format!("{plainly}{}, wait {}{off_cpu}{fallen_back}{cpu}{met}{overruns}", granted(rt), rt.wait)
}

/// What did not hold for some of the run; nothing where it always did.
fn lapsed(what: &str, lapses: Option<Lapses>) -> String {
    let Some(Lapses { times, ns, .. }) = lapses.filter(|lapses| lapses.times > 0) else {
        return String::new();
    };
    format!("{what} {} ({})", counted(times, "time"), seconds(ns))
}

/// Turns beyond the budget, and why; nothing where turns are not watched.
fn overruns(rt: &RtSummary) -> String {
    let Some(OverrunSummary { count, by_cause, worst_ns, .. }) = &rt.overruns else { return String::new() };
    if *count == 0 {
        return ", no overrun".to_owned();
    }
    let happened = by_cause.0.iter().filter(|(_, count)| *count > 0);
    let causes: Vec<_> =
        happened.map(|(cause, count)| format!("{count} {}", cause.replace('_', " "))).collect();
    let all = counted(*count, "overrun");
    format!(", {all} ({}) of at most {} us", causes.join(", "), Micros(*worst_ns))
}
