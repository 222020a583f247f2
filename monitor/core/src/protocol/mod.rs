//! The protocols whose frames are decoded, each in a room of its own: what stands between the bytes that
//! `packet` and `flow` cut out and the streams that `stream` keeps.
//!
//! Here now: [`c37118`], IEEE C37.118.2 synchrophasor frames. Sampled values (IEC 61850-9-2, 61869-9), GOOSE
//! and PTP join it as `sv`, `goose` and `ptp`.
//!
//! All of them work alike. A *view* borrows the bytes, checks their structure once when it is made, and reads
//! a number when it is asked for; nothing is copied and nothing is allocated. An *encoder* writes into the
//! caller's buffer. Neither knows a socket, a clock or a stream, so the real-time thread, the sinks, the
//! simulator and the fuzzers use the same code.

pub mod c37118;
