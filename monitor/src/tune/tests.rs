//! Tuning a faked host and putting it back.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use super::*;
use crate::doctor::faked::{Faked, asked};
use crate::doctor::{CHECKS, Change, Subject, Verdict};
use crate::sys::sched::Policy;

const RUNTIME: &str = "/proc/sys/kernel/sched_rt_runtime_us";
const PERIOD: &str = "/proc/sys/kernel/sched_rt_period_us";
const GOVERNOR: &str = "/sys/devices/system/cpu/cpu3/cpufreq/scaling_governor";
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// A host on which everything that tune sees to is wrong.
fn unfit() -> Faked {
    let faked = Faked::fit();
    faked.put("/proc/irq/default_smp_affinity", "f\n");
    faked.put("/proc/irq/41/smp_affinity_list", "3\n");
    faked.put("/proc/irq/41/effective_affinity_list", "3\n");
    faked.put("/sys/class/net/eth1/threaded", "1\n");
    faked.thread(300, "napi/eth1-8193", 0, 0, "0-3");
    faked.thread(200, "irq/41-virtio2-input.0", 1, 50, "3");
    faked.thread(103, "irq_work/3", 1, 1, "3");
    faked.put(GOVERNOR, "schedutil\n");
    faked.put(RUNTIME, "950000\n");
    faked.put(PERIOD, "1000000\n");
    faked
}

/// Every file of a faked host; `/proc/irq/N/effective_affinity_list` follows its neighbour in the kernel, and stays here.
fn files(place: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(place).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path));
        } else if entry.file_type().unwrap().is_file() {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    found
}

/// Sets policies in the faked `/proc`, and keeps which.
struct FakedThreads<'a> {
    faked: &'a Faked,
    set: RefCell<Vec<u32>>,
}

impl<'a> FakedThreads<'a> {
    fn of(faked: &'a Faked) -> Self {
        Self { faked, set: RefCell::default() }
    }
}

impl Threads for FakedThreads<'_> {
    fn set(&self, tid: u32, policy: Policy) -> io::Result<()> {
        let path = format!("/proc/{tid}/stat");
        let stat = self.faked.host().read(&path).map_err(|unread| unread.error)?;
        self.faked.put(&path, &with_policy(&stat, policy));
        self.set.borrow_mut().push(tid);
        Ok(())
    }
}

/// The same line with another policy: fields 40 and 41 of `proc_pid_stat(5)`.
fn with_policy(stat: &str, policy: Policy) -> String {
    let (name, rest) = stat.rsplit_once(") ").unwrap();
    let mut fields: Vec<String> = rest.split(' ').map(str::to_owned).collect();
    fields[37] = policy.priority().to_string();
    fields[38] = policy.number().to_string();
    format!("{name}) {}", fields.join(" "))
}

fn plan(faked: &Faked) -> Plan {
    let host = faked.host();
    Plan::of(&Subject::of(&host, &asked()).unwrap())
}

/// Tunes and says what was made and what was refused.
fn tune(faked: &Faked, store: &Store) -> (Vec<String>, Vec<String>) {
    let (mut made, mut refused) = (Vec::new(), Vec::new());
    let threads = FakedThreads::of(faked);
    apply(&faked.host(), &threads, store, &plan(faked).changes, &mut |step| match step {
        Step::Recorded(_) => assert!(store.path().is_file()),
        Step::Made(change) => made.push(change.to_string()),
        Step::Refused(_, sentence) => refused.push(sentence),
    })
    .unwrap();
    (made, refused)
}

fn undo_all(faked: &Faked, store: &Store) -> (Undone, Vec<(Entry, Restored)>) {
    let mut told = Vec::new();
    let undone = undo(&faked.host(), &FakedThreads::of(faked), store, &mut |entry, restored| {
        told.push((entry.clone(), restored.clone()));
    });
    (undone.unwrap(), told)
}

const COMPLETE: Undone = Undone::Through { complete: true };

#[test]
fn the_checks_that_are_tuned_exist() {
    assert!(TUNED.iter().all(|id| CHECKS.iter().any(|check| check.id == *id)));
}

#[test]
fn every_tuned_check_of_an_unfit_host_has_a_change_that_makes_it_pass() {
    let (faked, state) = (unfit(), tempfile::tempdir().unwrap());
    let store = Store::in_directory(state.path());
    let looked = |wanted: Verdict| {
        let host = faked.host();
        let subject = Subject::of(&host, &asked()).unwrap();
        for check in CHECKS.iter().filter(|check| TUNED.contains(&check.id)) {
            let finding = check.look(&subject);
            assert_eq!(
                finding.verdict == Verdict::Pass,
                wanted == Verdict::Pass,
                "{}: {finding:?}",
                check.id
            );
        }
    };
    looked(Verdict::Fail);
    let planned: Vec<_> = plan(&faked).changes.iter().map(Change::to_string).collect();
    let (made, refused) = tune(&faked, &store);
    assert_eq!((made, refused), (planned, Vec::new()));
    // The kernel would.
    faked.put("/proc/irq/41/effective_affinity_list", "0\n");
    looked(Verdict::Pass);
    assert_eq!(plan(&faked), Plan::default());
}

#[test]
fn undone_everything_is_as_before_to_the_byte() {
    let (faked, state) = (unfit(), tempfile::tempdir().unwrap());
    let store = Store::in_directory(&state.path().join("made/here"));
    let before = files(faked.path());
    let (made, _) = tune(&faked, &store);
    assert_ne!(files(faked.path()), before);
    let (undone, told) = undo_all(&faked, &store);
    assert_eq!((undone, told.len()), (COMPLETE, made.len()));
    assert!(told.iter().all(|(_, restored)| *restored == Restored::Back), "{told:?}");
    // The period before the runtime: the kernel refuses a runtime above it.
    let place = |wanted: &str| told.iter().position(|(entry, _)| format!("{entry:?}").contains(wanted));
    assert!(place(PERIOD) < place(RUNTIME));
    assert_eq!(files(faked.path()), before);
    assert!(files(state.path()).is_empty());
    assert_eq!(undo_all(&faked, &store).0, Undone::Nothing);
}

#[test]
fn planning_touches_nothing() {
    let faked = unfit();
    let before = files(faked.path());
    assert!(!plan(&faked).changes.is_empty());
    assert_eq!(files(faked.path()), before);
}

#[test]
fn a_second_tune_keeps_the_oldest_before() {
    let (faked, state) = (unfit(), tempfile::tempdir().unwrap());
    let store = Store::in_directory(state.path());
    let before = files(faked.path());
    tune(&faked, &store);
    // Somebody turns back some of it, and more.
    faked.put(RUNTIME, "900000\n");
    faked.put(PERIOD, "1000000\n");
    faked.put(GOVERNOR, "powersave\n");
    let (made, _) = tune(&faked, &store);
    assert!(made.iter().any(|one| one.contains(GOVERNOR)), "{made:?}");
    assert_eq!(undo_all(&faked, &store).0, COMPLETE);
    assert_eq!(files(faked.path()), before);
}

#[test]
fn what_is_refused_is_told_and_not_in_the_record() {
    let (faked, state) = (unfit(), tempfile::tempdir().unwrap());
    let store = Store::in_directory(state.path());
    let changes = [
        Change::File { path: "/proc/irq/99/smp_affinity_list".to_owned(), value: "0".to_owned() },
        Change::Thread { tid: 300, name: "napi/eth2-1".to_owned(), priority: 51 },
        Change::Thread { tid: 300, name: "napi/eth1-8193".to_owned(), priority: 51 },
        Change::File { path: RUNTIME.to_owned(), value: "9500".to_owned() },
    ];
    let (mut refused, mut made) = (Vec::new(), 0);
    apply(&faked.host(), &NoThreads, &store, &changes, &mut |step| match step {
        Step::Recorded(_) => {}
        Step::Made(_) => made += 1,
        Step::Refused(_, sentence) => refused.push(sentence),
    })
    .unwrap();
    assert_eq!(made, 1);
    for (sentence, named) in refused.iter().zip(["irq/99", "has gone", "run as root"]) {
        assert!(sentence.contains(named), "{sentence}");
    }
    let record = store.load().unwrap().unwrap();
    let wanted =
        Entry::File { path: RUNTIME.to_owned(), before: "950000\n".to_owned(), after: "9500\n".to_owned() };
    assert_eq!((refused.len(), record.changes), (3, vec![wanted]));
}

struct NoThreads;

impl Threads for NoThreads {
    fn set(&self, _tid: u32, _policy: Policy) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(libc::EPERM))
    }
}

#[test]
fn what_has_gone_or_is_as_before_is_told_and_left() {
    let (faked, state) = (unfit(), tempfile::tempdir().unwrap());
    let store = Store::in_directory(state.path());
    tune(&faked, &store);
    faked.remove("/proc/irq/41");
    faked.remove("/proc/300");
    faked.put(GOVERNOR, "schedutil\n");
    // Another thread has the number.
    let stat = faked.host().read("/proc/200/stat").unwrap();
    faked.put("/proc/200/stat", &stat.replace(" 0 1 0 200 ", " 0 1 0 201 "));
    let (undone, told) = undo_all(&faked, &store);
    assert_eq!(undone, COMPLETE);
    let became = |wanted: &str| {
        let found = told.iter().find(|(entry, _)| format!("{entry:?}").contains(wanted));
        found.map(|(_, restored)| restored.clone()).unwrap()
    };
    assert_eq!(became("/proc/irq/41/"), Restored::Gone);
    assert_eq!(became("napi/eth1"), Restored::Gone);
    assert_eq!(became("irq/41-virtio2"), Restored::Gone);
    assert_eq!(became(GOVERNOR), Restored::AsBefore);
    assert_eq!(became(RUNTIME), Restored::Back);
}

#[test]
fn what_cannot_be_put_back_keeps_the_record() {
    let (faked, state) = (unfit(), tempfile::tempdir().unwrap());
    let store = Store::in_directory(state.path());
    let before = files(faked.path());
    tune(&faked, &store);
    let undone = undo(&faked.host(), &NoThreads, &store, &mut |_, _| {}).unwrap();
    assert_eq!(undone, Undone::Through { complete: false });
    assert_eq!(undo_all(&faked, &store).0, COMPLETE);
    assert_eq!(files(faked.path()), before);
}

#[test]
fn an_earlier_boots_record_is_not_put_back() {
    let (faked, state) = (unfit(), tempfile::tempdir().unwrap());
    let store = Store::in_directory(state.path());
    tune(&faked, &store);
    faked.put(BOOT, "another\n");
    let tuned = files(faked.path());
    assert_eq!(undo_all(&faked, &store).0, Undone::EarlierBoot);
    assert_eq!(files(faked.path()), tuned);
    assert!(store.load().unwrap().is_none());
}

#[test]
fn a_record_that_names_other_files_is_refused() {
    let (faked, state) = (unfit(), tempfile::tempdir().unwrap());
    let store = Store::in_directory(state.path());
    tune(&faked, &store);
    let good = fs::read_to_string(store.path()).unwrap();
    for (was, is, named) in [
        (RUNTIME, "/proc/sys/kernel/core_pattern", "core_pattern"),
        ("/proc/irq/41/", "/proc/irq/../../etc/", "etc"),
        ("\"version\": 1", "\"version\": 2", "version 2"),
        ("\"boot\"", "\"shoe\"", "shoe"),
    ] {
        fs::write(store.path(), good.replace(was, is)).unwrap();
        let before = files(faked.path());
        let said = undo(&faked.host(), &NoThreads, &store, &mut |_, _| {}).unwrap_err().to_string();
        assert!(said.contains(named) && said.contains("tune.json"), "{said}");
        assert_eq!(files(faked.path()), before);
    }
}

#[test]
fn without_a_place_for_the_record_nothing_is_changed() {
    let (faked, state) = (unfit(), tempfile::tempdir().unwrap());
    let file = state.path().join("file");
    fs::write(&file, "").unwrap();
    let before = files(faked.path());
    let threads = FakedThreads::of(&faked);
    let store = Store::in_directory(&file);
    let error = apply(&faked.host(), &threads, &store, &plan(&faked).changes, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("--state"), "{error}");
    assert_eq!((files(faked.path()), threads.set.take()), (before, Vec::new()));
}

#[test]
fn two_at_once_do_not_meet() {
    let (faked, state) = (unfit(), tempfile::tempdir().unwrap());
    let store = Store::in_directory(state.path());
    let changes = plan(&faked).changes;
    let mut said = Vec::new();
    apply(&faked.host(), &FakedThreads::of(&faked), &store, &changes, &mut |_| {
        said.push(undo(&faked.host(), &NoThreads, &store, &mut |_, _| {}).unwrap_err().to_string());
    })
    .unwrap();
    assert!(!said.is_empty() && said.iter().all(|one| one.contains("another tune")), "{said:?}");
}
