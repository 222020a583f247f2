//! What the serial output says: whether every test ran and passed, and whether the kernel complained.

use std::fmt::Write as _;

use super::guest::Test;
use super::qemu::Ended;

/// What a kernel says when something in it is wrong. Debian's PREEMPT_RT kernels are built without
/// `DEBUG_ATOMIC_SLEEP`, so that sleeping where that must not be shows as "scheduling while atomic" alone.
const COMPLAINTS: [&str; 6] =
    ["BUG", "WARNING", "scheduling while atomic", "Oops", "Kernel panic", "general protection fault"];
/// Lines that are shown from a complaint on, and of the end of a machine that ended otherwise than it should.
const SHOWN: usize = 40;
/// Bytes of a line that are shown.
const WIDTH: usize = 400;

/// Gives what is wrong, with the part of the output that shows it.
pub(super) fn judge(said: &str, ended: Ended, tests: &[&Test]) -> Result<(), String> {
    let lines: Vec<&str> = said.lines().collect();
    let mut wrong = String::new();
    match ended {
        Ended::Succeeded | Ended::Failed => {}
        Ended::Hung => say(&mut wrong, "the machine did not end; its last lines:", last(&lines)),
        Ended::Unforeseen(code) => {
            let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("status {code}"));
            say(&mut wrong, &format!("the machine ended with {code}; its last lines:"), last(&lines));
        }
    }
    for test in tests {
        let section = section(&lines, test.name);
        let passed =
            section.iter().any(|line| line.starts_with("test result: ok. 1 passed; 0 failed; 0 ignored"));
        if !passed {
            let what = if section.is_empty() { "did not run" } else { "did not pass" };
            say(&mut wrong, &format!("{} {} {what}:", test.target, test.name), &section);
        }
    }
    if let Some(at) = lines.iter().position(|line| COMPLAINTS.iter().any(|words| complains(line, words))) {
        say(&mut wrong, "the kernel complained:", &lines[at..lines.len().min(at + SHOWN)]);
    }
    for line in lines.iter().filter(|line| line.starts_with("vm: cannot")) {
        say(&mut wrong, line, &[]);
    }
    if wrong.is_empty() && ended != Ended::Succeeded {
        say(&mut wrong, "the guest says that a test failed", &[]);
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// The kernel's own lines begin with their time: `[   12.345678] ...`.
fn complains(line: &str, words: &str) -> bool {
    let time = line.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    time.is_some_and(|(time, text)| time.trim().parse::<f64>().is_ok() && text.contains(words))
}

/// What was said while a test ran.
fn section<'a>(lines: &[&'a str], test: &str) -> Vec<&'a str> {
    let begins = |line: &&'a str| line.starts_with("vm: begin ") && line.split(' ').next_back() == Some(test);
    let from = lines.iter().position(begins);
    let rest = from.map_or(&[][..], |from| &lines[from + 1..]);
    rest.iter().take_while(|line| !line.starts_with("vm: ")).copied().collect()
}

fn last<'a, 'b>(lines: &'a [&'b str]) -> &'a [&'b str] {
    &lines[lines.len().saturating_sub(SHOWN)..]
}

fn say(wrong: &mut String, what: &str, lines: &[&str]) {
    // Writing to a string cannot fail.
    let _ = writeln!(wrong, "{what}");
    // A test that fails prints the whole of what a monitor said.
    let left_out = lines.len().saturating_sub(2 * SHOWN);
    for (number, line) in lines.iter().enumerate() {
        if !(SHOWN..SHOWN + left_out).contains(&number) {
            let _ = writeln!(wrong, "    {}", line.get(..WIDTH).unwrap_or(line));
        } else if number == SHOWN {
            let _ = writeln!(wrong, "    ({left_out} lines are left out here)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::guest::chosen;
    use super::super::kernel::Kernel;
    use super::*;

    fn one() -> Vec<&'static Test> {
        chosen(Kernel::Rt61, false, Some("no_wake_up_is_lost"))
    }

    fn output(result: &str, kernel: &str) -> String {
        format!(
            "vm: kernel 6.1.0-rt, real-time 1\nvm: begin 10.5 no_wake_up_is_lost\n\nrunning 1 test\n{result}\n\
             vm: end 20.1\nvm: kernel log\n[    0.000000] Linux version\n{kernel}\nvm: kernel log ends\n"
        )
    }

    const OK: &str =
        "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 80 filtered out; finished in 9.40s";

    #[test]
    fn what_ran_and_passed_is_well() {
        assert_eq!(
            judge(&output(OK, "[   15.1] veth0: link becomes ready"), Ended::Succeeded, &one()),
            Ok(())
        );
        // What a test prints is not what the kernel says.
        assert_eq!(judge(&output(&format!("a BUG\n{OK}"), ""), Ended::Succeeded, &one()), Ok(()));
    }

    #[test]
    fn what_did_not_pass_is_shown() {
        let failed = output("test no_wake_up_is_lost ... FAILED\nof 7 sleeps", "");
        let wrong = judge(&failed, Ended::Failed, &one()).unwrap_err();
        assert!(
            wrong.contains("live no_wake_up_is_lost did not pass") && wrong.contains("of 7 sleeps"),
            "{wrong}"
        );
        assert!(!wrong.contains("Linux version"), "{wrong}");
        for result in [
            "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 81 filtered out; finished in 0.00s",
            "test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 80 filtered out; finished in 0.00s",
        ] {
            assert!(judge(&output(result, ""), Ended::Succeeded, &one()).is_err(), "{result}");
        }
        let wrong = judge("vm: kernel 6.1\n", Ended::Succeeded, &one()).unwrap_err();
        assert!(wrong.contains("did not run"), "{wrong}");
    }

    #[test]
    fn what_the_kernel_complains_of_is_shown() {
        for complaint in [
            "BUG: scheduling while atomic: irq/24-eth0/123/0x00000002",
            "WARNING: CPU: 1 PID: 7 at kernel/bpf/ringbuf.c:400",
            "BUG: unable to handle page fault for address: 0",
        ] {
            let wrong = judge(&output(OK, &format!("[   15.123456] {complaint}")), Ended::Succeeded, &one());
            assert!(wrong.as_ref().is_err_and(|wrong| wrong.contains(complaint)), "{wrong:?}");
        }
    }

    #[test]
    fn a_machine_that_ends_otherwise_has_failed() {
        for ended in [Ended::Failed, Ended::Hung, Ended::Unforeseen(Some(0)), Ended::Unforeseen(None)] {
            assert!(judge(&output(OK, ""), ended, &one()).is_err(), "{ended:?}");
        }
        let lost = judge(&output(OK, "vm: cannot load veth"), Ended::Succeeded, &one());
        assert!(lost.is_err_and(|wrong| wrong.contains("cannot load veth")));
    }
}
