//! PMUs that do not exist: stations with plausible measurements, sent as real PMUs send them.
//!
//! At the very start of a frame's way: what leaves here crosses a wire (or a private veth pair) and comes back
//! through the kernel like anybody's frames. The verb `simulate`, the demo of `run` and the tests share it.
//!
//! Every value is a function of the seed, the station and the instant, nothing else: a receiver that knows the
//! seed can tell what must be in a frame from its IDCODE and time tag. From the inside out:
//!
//! 1. [`ReportingInstant`]: the grid of instants, counted from the Unix epoch.
//! 2. [`Fleet`], [`Station`]: what is measured at an instant.
//! 3. [`Frames`]: one stream's CFG, HDR and DATA frames, of one station or of several.
//! 4. `script`: what a stream sends, and when, with the [faults](Fault) that are asked for; `ledger`: what of it
//!    a receiver must find.
//! 5. [`Sender`]: sockets for each stream, paced by absolute deadlines, answering commands, counting exactly.
//! 6. [`Pdc`]: a receiver that asks for configurations and counts what it gets.
//! 7. [`Demo`]: all of it in two private namespaces.

mod clock;
mod demo;
mod disturbance;
mod error;
mod fault;
mod frames;
mod instant;
mod ledger;
mod pdc;
mod random;
mod script;
mod sender;
mod shape;
mod station;
mod stop;
mod tones;
mod utc;

pub use demo::{Demo, DemoOptions, DemoReport, RunningDemo};
pub use error::Error;
pub use fault::{
    Distribution, Fault, FaultError, FaultKind, LeapTag, Often, Scope, Segmenting, When, Window,
};
pub use frames::{Description, Frames};
pub use instant::{ReportingInstant, ReportingRate};
pub use ledger::Expected;
pub use pdc::{Pdc, PdcCounts, RunningPdc};
pub use script::Injected;
pub use sender::{
    Counts, DataTo, Plan, ReceiverReport, Report, Route, RunningSender, Sender, StreamReport, Transport,
};
pub use shape::{MOST_CHANNELS, Shape};
pub use station::{Fleet, FleetPlan, GridState, MOST_PMUS, Measurement, Station, nominal_for};
pub use utc::parse_utc;
