//! Real-time policy on a host that refuses it: the test runs itself anew with fewer rights.
#![expect(clippy::unwrap_used, reason = "a panic gives a test's failure its place")]

mod support;

use std::process::{Command, ExitCode};
use std::{env, str};

use libtest_mimic::{Arguments, run};
use monitor::rt::{Outcome, Request, apply_to_current_thread};
use support::{Need, trial};

/// Set in the environment of the run with fewer rights.
const ROLE: &str = "PMU_MONITOR_TEST_APPLY";
const REQUEST: Request = Request { priority: 50, cpu: Some(0), lock_memory: true };

fn main() -> ExitCode {
    if env::var_os(ROLE).is_some() {
        print(&apply_to_current_thread(&REQUEST).unwrap());
        return ExitCode::SUCCESS;
    }
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("root_gets_everything", &[Need::Root, Need::RealTime], root_gets_everything),
        trial("what_is_refused_is_named", &[Need::Root, Need::Setpriv], what_is_refused_is_named),
    ];
    run(&arguments, trials).exit_code()
}

fn print(outcome: &Outcome) {
    let Outcome { policy, cpu, memory_locked, idle: _, refusals } = outcome;
    println!("{} {} {cpu:?} {memory_locked}", policy.name(), policy.priority());
    for refusal in refusals {
        println!("{refusal}");
    }
}

/// Applies the request in a process of its own, under `wrapper`.
fn applied_under(wrapper: &[&str]) -> Vec<String> {
    let own = env::current_exe().unwrap();
    let (program, arguments) = wrapper.split_first().unwrap();
    let output = Command::new(program).args(arguments).arg(own).env(ROLE, "1").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    str::from_utf8(&output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn root_gets_everything() {
    assert_eq!(applied_under(&["env"]), ["SCHED_FIFO 50 Some(0) true"]);
}

fn what_is_refused_is_named() {
    let wrapper = [
        "prlimit",
        "--memlock=65536:65536",
        "--rtprio=0:0",
        "setpriv",
        "--bounding-set=-sys_nice,-ipc_lock,-sys_resource",
    ];
    let told = applied_under(&wrapper);
    let wanted = [
        "SCHED_OTHER 0 Some(0) false",
        "memory lock refused: CAP_IPC_LOCK is missing and RLIMIT_MEMLOCK is 64 KiB; run as root or grant it, or set \
         the limit to unlimited; the run goes on without locked memory",
        "SCHED_FIFO priority 50 refused (EPERM): CAP_SYS_NICE is missing; run as root or grant it, or raise \
         RLIMIT_RTPRIO; the run goes on without real-time scheduling",
    ];
    assert_eq!(told, wanted);
}
