//! A host below a directory whose CPUs go and whose interrupts are moved, and a thread on it that the kernel treats as it
//! does threads.

use std::{cell::RefCell, fs, mem, path::Path};

use monitor_common::InterfaceKey;
use monitor_core::packet::InterfaceId;
use tempfile::TempDir;

use super::*;
use crate::netns::Netns;

const SECOND: u64 = 1_000_000_000;

/// The kernel's part: which CPUs are online, and which the thread may run on.
struct Kernel {
    online: CpuList,
    cpus: RefCell<CpuList>,
    /// Of the process, those that are offline included.
    cpuset: CpuList,
}

impl Thread for Kernel {
    fn cpus(&self) -> io::Result<CpuList> {
        Ok(self.cpus.borrow().only(|cpu| self.online.contains(cpu)))
    }

    fn allowed(&self) -> io::Result<CpuList> {
        Ok(self.cpuset.only(|cpu| self.online.contains(cpu)))
    }

    fn keep_to(&self, cpus: &CpuList) -> io::Result<()> {
        let fit = cpus.only(|cpu| self.online.contains(cpu) && self.cpuset.contains(cpu));
        if fit.count() == 0 {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        *self.cpus.borrow_mut() = fit;
        Ok(())
    }
}

fn list(text: &str) -> CpuList {
    CpuList::parse(text).unwrap()
}

/// CPUs 0 to 3, and eth1 whose interrupt 24 comes to CPU 0.
struct Scene {
    place: TempDir,
    placement: Placement<Kernel>,
    control: Arc<Control>,
    notices: Notices,
    interfaces: Vec<Interface>,
    now: u64,
}

fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

impl Scene {
    /// With a thread that began so.
    fn new(waiting: Waiting, bound: Option<usize>) -> Self {
        let place = tempfile::tempdir().unwrap();
        let netns = Arc::new(Netns::current().unwrap());
        let device = "sys/devices/0000:00:03.0";
        put(place.path(), &format!("{device}/msi_irqs/24"), "msix\n");
        put(place.path(), "sys/class/net/eth1/ifindex", "7\n");
        std::os::unix::fs::symlink(place.path().join(device), place.path().join("sys/class/net/eth1/device"))
            .unwrap();
        put(place.path(), "sys/devices/system/cpu/online", "0-3\n");
        put(place.path(), "proc/irq/24/smp_affinity_list", "0\n");
        let all = list("0-3");
        let cpus = bound.map_or_else(|| all.clone(), |cpu| CpuList::from_iter([cpu]));
        let thread = Kernel { online: all.clone(), cpus: RefCell::new(cpus), cpuset: all };
        let (control, notices) = (Arc::new(Control::new().unwrap()), Notices::default());
        let host = Host { root: place.path().to_owned(), netns: netns.inode() };
        let begun = (Waits { waiting, ..Waits::default() }, bound);
        let placement = Placement::new(thread, host, &control, begun, &notices);
        let key = InterfaceKey { netns: netns.inode(), ifindex: 7 };
        let eth1 = Interface { id: InterfaceId(0), name: "eth1".to_owned(), key, irqs: vec![24], netns };
        Self { place, placement, control, notices, interfaces: vec![eth1], now: monotonic_ns() }
    }

    /// A second later. Gives what was said.
    fn look(&mut self) -> Vec<Arc<str>> {
        self.now += SECOND;
        self.placement.look_now(&self.interfaces, self.now);
        self.notices.take_new()
    }

    /// As the kernel does where a thread's last CPU goes.
    fn online(&mut self, online: &str) {
        put(self.place.path(), "sys/devices/system/cpu/online", &format!("{online}\n"));
        let thread = &mut self.placement.thread;
        thread.online = list(online);
        if thread.cpus().unwrap().count() == 0 {
            *thread.cpus.borrow_mut() = thread.cpuset.clone();
        }
    }

    fn interrupts_go_to(&self, cpus: &str) {
        put(self.place.path(), "proc/irq/24/smp_affinity_list", &format!("{cpus}\n"));
    }

    fn cpus(&self) -> String {
        self.placement.thread.cpus().unwrap().to_string()
    }

    fn says_one(&mut self, words: &[&str]) {
        let said = self.look();
        assert!(said.len() == 1 && words.iter().all(|word| said[0].contains(word)), "{words:?}: {said:?}");
    }
}

#[test]
fn a_cpu_that_goes_offline_degrades_the_run_until_it_is_back() {
    let mut scene = Scene::new(Waiting::Block, Some(2));
    assert!(scene.look().is_empty());
    scene.online("0-1,3");
    scene.says_one(&["DEGRADED", "CPU 2", "offline", "0-1,3", "--cpu"]);
    assert!(scene.look().is_empty(), "once is enough");
    assert_eq!(scene.placement.placed.cpu, None);
    scene.online("0-3");
    scene.says_one(&["bound to CPU 2 again"]);
    assert_eq!(scene.cpus(), "2");
    assert!(scene.look().is_empty());
    let placed = scene.placement.finish();
    let lapses = placed.off_cpu.unwrap();
    assert_eq!((lapses.times, lapses.over, lapses.now, lapses.ns), (1, 1, false, 2 * SECOND));
    assert_eq!((placed.cpu, placed.fallen_back), (Some(2), None));
    assert!(placed.refused.unwrap().contains("DEGRADED"), "the summary keeps it");
}

#[test]
fn a_cpu_that_was_away_between_two_looks_is_noticed() {
    let mut scene = Scene::new(Waiting::Block, Some(2));
    scene.online("0-1,3");
    scene.online("0-3");
    assert_eq!(scene.cpus(), "0-3", "what it was bound to is forgotten");
    scene.says_one(&["bound to CPU 2 again", "0-3"]);
    assert_eq!(scene.cpus(), "2");
    let lapses = scene.placement.finish().off_cpu.unwrap();
    assert_eq!((lapses.times, lapses.over, lapses.now), (1, 1, false));
}

#[test]
fn a_cpuset_without_the_cpu_is_named() {
    let mut scene = Scene::new(Waiting::Block, Some(2));
    scene.placement.thread.cpuset = list("0-1");
    *scene.placement.thread.cpus.borrow_mut() = list("0-1");
    scene.says_one(&["DEGRADED", "CPU 2", "cpuset", "0-1"]);
    assert!(scene.placement.finish().off_cpu.unwrap().now);
}

#[test]
fn the_wait_follows_the_interrupts_and_comes_back() {
    for waiting in [Waiting::Predict, Waiting::Spin] {
        let mut scene = Scene::new(waiting, Some(2));
        assert!(scene.look().is_empty() && scene.control.may_look());
        scene.interrupts_go_to("2");
        scene.says_one(&[
            "DEGRADED",
            &format!("wait {waiting} is not used"),
            "CPU 2 serves interrupt 24 of eth1",
        ]);
        assert!(!scene.control.may_look());
        assert!(scene.look().is_empty());
        scene.interrupts_go_to("0-1");
        scene.says_one(&[&format!("wait {waiting} is used again")]);
        assert!(scene.control.may_look());
        let placed = scene.placement.finish();
        let lapses = placed.fallen_back.unwrap();
        assert_eq!((lapses.times, lapses.over, lapses.now, lapses.ns), (1, 1, false, 2 * SECOND));
        assert_eq!((placed.waits.waiting, placed.waits.refused), (waiting, None));
    }
}

#[test]
fn a_thread_that_is_not_bound_keeps_off_the_interrupts() {
    let mut scene = Scene::new(Waiting::Predict, None);
    for (interrupts, cpus) in [("0", "1-3"), ("1-2", "0,3"), ("3", "0-2")] {
        scene.interrupts_go_to(interrupts);
        assert!(scene.look().is_empty());
        assert_eq!((scene.cpus().as_str(), scene.control.may_look()), (cpus, true));
    }
    scene.interrupts_go_to("0-3");
    scene.says_one(&["DEGRADED", "each CPU", "interrupt 24"]);
    assert_eq!((scene.cpus().as_str(), scene.control.may_look()), ("0-3", false));
    scene.online("0");
    assert!(scene.look().is_empty(), "another reason for the same is no news");
    scene.online("0-3");
    scene.interrupts_go_to("1");
    scene.says_one(&["wait predict is used again"]);
    assert_eq!((scene.cpus().as_str(), scene.control.may_look()), ("0,2-3", true));
}

#[test]
fn an_interface_that_comes_back_with_another_interrupt_is_looked_up_anew() {
    let mut scene = Scene::new(Waiting::Predict, Some(3));
    assert!(scene.look().is_empty());
    let back = mem::take(&mut scene.interfaces);
    assert!(scene.look().is_empty(), "nothing serves what is not there");
    fs::remove_dir_all(scene.place.path().join("sys/devices/0000:00:03.0/msi_irqs")).unwrap();
    put(scene.place.path(), "sys/devices/0000:00:03.0/msi_irqs/31", "msix\n");
    put(scene.place.path(), "proc/irq/31/smp_affinity_list", "3\n");
    scene.interfaces = back;
    scene.says_one(&["CPU 3 serves interrupt 31 of eth1"]);
}

#[test]
fn one_that_lost_its_cpu_goes_where_it_may_look() {
    let mut scene = Scene::new(Waiting::Predict, Some(2));
    assert!(scene.look().is_empty());
    scene.online("0-1,3");
    scene.says_one(&["DEGRADED", "lost CPU 2"]);
    assert_eq!((scene.cpus().as_str(), scene.control.may_look()), ("1,3", true));
    scene.online("0");
    scene.says_one(&["one CPU"]);
    assert!(!scene.control.may_look());
    scene.online("0-3");
    assert_eq!(scene.look().len(), 2, "bound again, and looking again");
    assert_eq!((scene.cpus().as_str(), scene.control.may_look()), ("2", true));
}

#[test]
fn what_was_refused_at_the_start_is_granted_later() {
    let scene = Scene::new(Waiting::Block, Some(0));
    let mut waits = Waits { waiting: Waiting::Predict, ..Waits::default() };
    waits.refuse("CPU 0 serves interrupt 24 of eth1");
    let Scene { place, placement, control, notices, interfaces, now } = scene;
    let Placement { thread, host, .. } = placement;
    control.allow_looking(false);
    let placement = Placement::new(thread, host, &control, (waits, Some(0)), &notices);
    let mut scene = Scene { place, placement, control, notices, interfaces, now };
    assert!(scene.look().is_empty(), "that was said at the start");
    scene.interrupts_go_to("1");
    scene.says_one(&["wait predict is used again"]);
    assert!(scene.control.may_look());
    let lapses = scene.placement.finish().fallen_back.unwrap();
    assert_eq!((lapses.times, lapses.over), (1, 1));
}
