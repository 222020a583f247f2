//! What `simulate` prints.

use std::io::{self, Write as _};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::Arguments;
use crate::cli::{Outcome, exit};
use crate::simulate::{Counts, ReceiverReport, Report, Sender, StreamReport};

/// What is about to happen.
pub(super) fn beginning(arguments: &Arguments, sender: &Sender) -> String {
    let Arguments { to, listen, pmus, per_stream, rate, first_idcode: first, .. } = *arguments;
    let rate = rate.get();
    let addresses = sender.addresses();
    let place = match (to, listen, addresses.first()) {
        (Some(to), None, _) => format!("sending to {to}"),
        (to, _, Some((_, address))) => {
            let until = addresses.last().filter(|_| addresses.len() > 1);
            let until = until.map(|(_, last)| format!(" to {last}")).unwrap_or_default();
            let data = to.map(|to| format!(", DATA to {to}")).unwrap_or_default();
            format!("listening on {address}{until}{data}")
        }
        (_, _, None) => "no stream".to_owned(),
    };
    let streams = if per_stream > 1 { format!(" in {} streams", addresses.len()) } else { String::new() };
    match pmus {
        1 => format!("{place}: 1 PMU, IDCODE {first}, {rate} frames/s"),
        _ => format!(
            "{place}: {pmus} PMUs{streams}, IDCODE {first} to {}, {rate} frames/s each",
            first + (pmus - 1)
        ),
    }
}

/// What was sent, in a sentence.
pub(super) fn summary(report: &Report) -> String {
    let Counts {
        instants: _,
        data,
        late,
        withheld,
        failed_data,
        config1,
        config2,
        config3,
        header,
        failed_other,
        connections,
        commands,
        unanswered,
        refused,
    } = report.total();
    let failed = failed_data + failed_other;
    let (streams, plural) = (report.streams.len(), if report.streams.len() == 1 { "" } else { "s" });
    let lag = Duration::from_nanos(report.latest_ns);
    let late = if late == 0 { "0 late".to_owned() } else { format!("{late} late, by {lag:.1?} at most") };
    let more = |count: u64, what: &str| if count == 0 { String::new() } else { format!("{count} {what}, ") };
    format!(
        "sent {data} DATA ({late}), {}{config2} CFG-2, {}{header} HDR from {streams} stream{plural} at {} \
         instants; {withheld} withheld, {failed} failed; received {}{commands} commands ({unanswered} unanswered), \
         {refused} other datagrams",
        more(config1, "CFG-1"),
        more(config3, "CFG-3"),
        report.instants,
        more(connections, "connections"),
    )
}

/// What was sent, as one object.
pub(super) fn object(arguments: &Arguments, report: &Report) -> String {
    let streams: Vec<Value> = report.streams.iter().map(stream).collect();
    let object = json!({
        "kind": "simulation",
        "seed": arguments.seed,
        "start_ns": report.start_ns,
        "instants": report.instants,
        "latest_ns": report.latest_ns,
        "total": named(report.total().named()),
        "injected": named(report.injected().named()),
        "streams": streams,
    });
    object.to_string()
}

fn stream(stream: &StreamReport) -> Value {
    let StreamReport { idcode, address, counts, injected, receivers } = stream;
    let receivers: Vec<Value> = receivers.iter().map(receiver).collect();
    json!({
        "idcode": idcode.0,
        "address": address.to_string(),
        "counts": named(counts.named()),
        "injected": named(injected.named()),
        "receivers": receivers,
    })
}

fn receiver(receiver: &ReceiverReport) -> Value {
    let ReceiverReport { address, transport, expected } = receiver;
    json!({
        "address": address.to_string(),
        "transport": transport.to_string(),
        "expected": named(expected.named()),
    })
}

fn named(counts: impl IntoIterator<Item = (&'static str, u64)>) -> Map<String, Value> {
    counts.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect()
}

/// A frame that could not be sent is told; where none could, the verb has failed.
pub(super) fn judge(report: &Report) -> Outcome {
    let Some(failure) = &report.first_failure else { return Ok(exit::DONE) };
    let total = report.total();
    let failed = total.failed_data + total.failed_other;
    let remedy = "check the route, the address and the firewall";
    let told = format!("{failed} frames could not be sent, the first to {failure}; {remedy}");
    if total.data + total.config2 + total.header == 0 {
        return Err(told);
    }
    eprintln!("pmu-monitor: {told}");
    Ok(exit::DONE)
}

pub(super) fn say(line: &str) -> Result<(), String> {
    let mut out = io::stdout();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        // Whoever read the output has gone; the stations need not.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!(
            "cannot write to standard output: {error}; check where it goes and that there is room"
        )),
        _ => Ok(()),
    }
}
