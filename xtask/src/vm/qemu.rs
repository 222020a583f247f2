//! Starts the virtual machine and waits for its end.

use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// A machine that has not ended after so long is not going to.
const HANGS: Duration = Duration::from_mins(10);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How the machine ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// As the guest does that has run everything.
    Succeeded,
    /// As the guest does where a test failed.
    Failed,
    /// By itself, without a word: a panic of the kernel.
    Unforeseen(Option<i32>),
    /// It was killed.
    Hung,
}

/// QEMU's status is the byte that the guest writes to the port of `isa-debug-exit`, twice and one more; the guest's
/// script writes 0x10 and 0x11.
const SUCCEEDED: i32 = 0x10 << 1 | 1;
const FAILED: i32 = 0x11 << 1 | 1;

/// Boots a kernel with a root; what it says on its serial line goes to `serial`.
pub(super) fn boot(image: &Path, initramfs: &Path, serial: &Path) -> Result<Ended> {
    let mut command = Command::new("qemu-system-x86_64");
    // Both CPUs in one thread, by turns: with a thread for each, QEMU 7.2 was seen to run a breakpoint that the guest's
    // kernel sets while it switches a tracepoint on (arch/x86/kernel/alternative.c, text_poke_bp_batch) after it was gone.
    command.args(["-M", "q35", "-accel", "tcg,thread=single", "-cpu", "max", "-smp", "2", "-m", "1024"]);
    command.args(["-nodefaults", "-display", "none", "-no-reboot"]);
    command.arg("-serial").arg(format!("file:{}", serial.display()));
    command.arg("-kernel").arg(image).arg("-initrd").arg(initramfs);
    // Without what only guards against other programs of the same machine, which costs most where it is translated.
    command.args(["-append", "console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off init_on_alloc=0"]);
    command.args(["-device", "isa-debug-exit,iobase=0xf4,iosize=1"]);
    // Two network cards on a wire that leads nowhere else. They promise stamps of their own, and give none.
    for card in ["card0", "card1"] {
        command.args([
            "-netdev",
            &format!("hubport,id={card},hubid=0"),
            "-device",
            &format!("e1000e,netdev={card}"),
        ]);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|source| Error::Start { program: "qemu-system-x86_64".to_owned(), source })?;
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().map_err(Error::file("wait for QEMU with", image))? {
            return Ok(ended(status));
        }
        if begun.elapsed() > HANGS {
            // It may have ended just now.
            let _ = child.kill();
            let _ = child.wait();
            return Ok(Ended::Hung);
        }
        thread::sleep(LOOK_EVERY);
    }
}

fn ended(status: ExitStatus) -> Ended {
    match status.code() {
        Some(SUCCEEDED) => Ended::Succeeded,
        Some(FAILED) => Ended::Failed,
        code => Ended::Unforeseen(code),
    }
}
