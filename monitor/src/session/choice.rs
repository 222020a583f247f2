//! Whether the real-time thread may look at the ring without sleeping, and on which CPUs: not where the frames it looks
//! for are brought in.

use std::{io, path::PathBuf};

use crate::{
    live::{Waiting, Waits},
    probe::Interface,
    rt,
    served::{Served, serving},
    sys::sched::{self, CpuList},
};

/// Where it is looked up, and in which network namespace: another's interface is not among those that `/sys` shows here,
/// or is one of the same name.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// Below which `/proc` and `/sys` lie.
    pub(super) root: PathBuf,
    /// Inode number of the namespace.
    pub(super) netns: u32,
}

impl Host {
    /// CPUs that run.
    pub(super) fn online(&self) -> io::Result<CpuList> {
        CpuList::online_below(&self.root)
    }

    /// What serves these interfaces, and where.
    pub(super) fn served(&self, interfaces: &[Interface]) -> Vec<Served> {
        let shown = interfaces.iter().filter(|one| one.key.netns == self.netns);
        serving(&self.root, &shown.map(|one| one.name.as_str()).collect::<Vec<_>>())
    }
}

/// What this host grants of what was asked for. `Waits` that asked for less are left as they are.
pub(super) fn settle(waits: Waits, request: &rt::Request, interfaces: &[Interface], here: u32) -> Waits {
    let host = Host { root: PathBuf::from("/"), netns: here };
    match (host.online(), sched::affinity()) {
        (Ok(online), Ok(allowed)) => choose(waits, request.cpu, &online, &allowed, &host.served(interfaces)),
        (Err(error), _) | (_, Err(error)) => {
            let mut waits = waits;
            waits.refuse(&format!("this host does not tell its CPUs ({error})"));
            waits
        }
    }
}

/// The same, by what is known of the host: the CPU that the thread is bound to, those that are online, those that it may
/// use, and what serves the interfaces.
pub(super) fn choose(
    mut waits: Waits,
    cpu: Option<usize>,
    online: &CpuList,
    allowed: &CpuList,
    served: &[Served],
) -> Waits {
    if waits.waiting == Waiting::Block {
        return waits;
    }
    if online.count() < 2 {
        waits.refuse("this host has one CPU, which brings the frames in too");
        return waits;
    }
    let busy_by = |cpu: usize| served.iter().find(|one| one.cpus.contains(cpu));
    if let Some(cpu) = cpu {
        if let Some(Served { by, remedy, .. }) = busy_by(cpu) {
            waits.refuse(&format!("CPU {cpu} serves {by}; choose another with --cpu, or {remedy}"));
        }
        return waits;
    }
    let free = allowed.only(|cpu| busy_by(cpu).is_none());
    match allowed.iter().find_map(busy_by) {
        None => {}
        Some(Served { by, remedy, .. }) if free.count() == 0 => {
            waits.refuse(&format!("each CPU that this process may use serves an interface ({by}); {remedy}"));
        }
        Some(_) => waits.keep_to = Some(free),
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> CpuList {
        CpuList::parse(text).unwrap()
    }

    fn served(cpus: &str, by: &str) -> Served {
        Served { cpus: list(cpus), by: by.to_owned(), remedy: format!("move {by}") }
    }

    fn asked(waiting: Waiting) -> Waits {
        Waits { waiting, ..Waits::default() }
    }

    #[test]
    fn a_cpu_that_serves_the_card_is_refused_by_name() {
        let served = [served("0", "interrupt 24 of eth1"), served("2-3", "thread napi/eth1-1 of eth1")];
        for waiting in [Waiting::Predict, Waiting::Spin] {
            let chosen = |cpu| choose(asked(waiting), Some(cpu), &list("0-3"), &list("0-3"), &served);
            assert_eq!(chosen(1), asked(waiting));
            for (cpu, by) in [(0, "interrupt 24 of eth1"), (3, "thread napi/eth1-1 of eth1")] {
                let Waits { waiting: now, refused, .. } = chosen(cpu);
                let why = refused.unwrap();
                assert_eq!(now, Waiting::Block);
                assert!(why.contains(&format!("CPU {cpu} serves {by}")) && why.contains("--cpu"), "{why}");
                assert!(why.starts_with(&format!("wait {waiting} is not used, but block: ")), "{why}");
            }
        }
    }

    #[test]
    fn a_thread_that_is_not_bound_keeps_off_those_cpus() {
        let served = [served("0", "interrupt 24 of eth1"), served("7", "interrupt 25 of eth1")];
        let chosen = |allowed| choose(asked(Waiting::Predict), None, &list("0-7"), &list(allowed), &served);
        assert_eq!(chosen("0-3"), Waits { keep_to: Some(list("1-3")), ..asked(Waiting::Predict) });
        assert_eq!(chosen("1-3"), asked(Waiting::Predict), "it does not get there");
        let none_left = chosen("0,7");
        assert_eq!((none_left.waiting, none_left.keep_to), (Waiting::Block, None));
        assert!(none_left.refused.unwrap().contains("interrupt 24 of eth1"));
    }

    #[test]
    fn a_host_with_one_cpu_sleeps() {
        let chosen = choose(asked(Waiting::Predict), None, &list("0"), &list("0"), &[]);
        assert_eq!(chosen.waiting, Waiting::Block);
        assert!(chosen.refused.unwrap().contains("one CPU"));
    }

    #[test]
    fn who_sleeps_anyway_is_told_nothing() {
        let served = [served("0-3", "interrupt 24 of eth1")];
        for cpu in [None, Some(0)] {
            let chosen = choose(asked(Waiting::Block), cpu, &list("0"), &list("0"), &served);
            assert_eq!(chosen, asked(Waiting::Block));
        }
    }
}
