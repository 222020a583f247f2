//! Standard output as the verbs use it.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::fd::AsFd;

/// Output that waits to be written: a few hundred lines.
const OUTPUT_BYTES: usize = 256 << 10;

/// Standard output without the line buffering of [`io::Stdout`].
pub(super) fn standard() -> io::Result<BufWriter<File>> {
    let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    Ok(BufWriter::with_capacity(OUTPUT_BYTES, out))
}

/// One line, or several, on standard output. A reader that has gone has seen enough.
pub(super) fn line(text: &str) -> Result<(), String> {
    let mut out = standard().map_err(|error| said(&error))?;
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(said(&error)),
        _ => Ok(()),
    }
}

/// What to say where it cannot be written.
pub(super) fn said(error: &io::Error) -> String {
    format!("cannot write to standard output: {error}; check where it goes and that there is room")
}
