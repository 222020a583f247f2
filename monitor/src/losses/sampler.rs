//! Reads the host's counters from time to time, and keeps how much they have grown.

use std::collections::{HashMap, hash_map::Entry};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use monitor_common::InterfaceKey;
use monitor_core::packet::InterfaceId;
use serde::Serialize;

use super::links::{InterfaceGrowth, Link, LinkCounts};
use super::softnet::{Cpu, CpuGrowth, SoftnetCounts};
use crate::netns::{Links, Netns};
use crate::sys::ethtool::DriverStatistics;

/// How much the host's own counters have grown since the run began.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostLosses {
    /// Of each interface that is, or was, watched.
    pub interfaces: Vec<InterfaceGrowth>,
    /// Of each CPU, whatever its packets were.
    pub softnet: Vec<CpuGrowth>,
}

/// What is read again and again.
pub struct Sampler {
    root: PathBuf,
    /// One socket for each namespace: it stays in the namespace that it was opened in, from whichever thread it is used.
    sockets: HashMap<u32, (Links, DriverStatistics)>,
    /// In the order in which they were first seen. One that comes back, under another number, goes on.
    links: Vec<(String, InterfaceKey, Link)>,
    cpus: Vec<Cpu>,
}

impl Sampler {
    /// Without an interface; CPUs count from now on. `root` is where `/proc` is.
    ///
    /// # Errors
    /// Where the CPUs' counters cannot be read.
    pub fn start(root: PathBuf) -> io::Result<Self> {
        let cpus = SoftnetCounts::read(&root)?.into_iter().map(Cpu::new).collect();
        Ok(Self { root, sockets: HashMap::new(), links: Vec::new(), cpus })
    }

    /// Counts an interface's from now on. One of the same name and namespace, that it was before it went, goes on.
    ///
    /// # Errors
    /// Where the kernel does not tell of it.
    pub fn watch(
        &mut self,
        netns: &Arc<Netns>,
        key: InterfaceKey,
        id: InterfaceId,
        name: &str,
    ) -> io::Result<()> {
        if self.links.iter().any(|(_, known, _)| *known == key) {
            return Ok(());
        }
        if netns.inode() != key.netns {
            return Err(io::Error::other(format!("{name} is in a network namespace that is not known here")));
        }
        if let Entry::Vacant(place) = self.sockets.entry(key.netns) {
            let links = netns.run(Links::open).and_then(|links| links).map_err(io::Error::other)?;
            let statistics = netns.run(DriverStatistics::open).map_err(io::Error::other)??;
            place.insert((links, statistics));
        }
        let known =
            self.links.iter_mut().find(|(of, known, _)| of.as_str() == name && known.netns == key.netns);
        if let Some((_, known, link)) = known {
            *known = key;
            link.restart();
            return Ok(());
        }
        let first = self.counts(key.netns)?.remove(&key.ifindex);
        let first = first.ok_or_else(|| io::Error::other(format!("{name}: the kernel tells no counters")))?;
        let mut link = Link::new(id, name.to_owned(), first);
        let read = self.sockets.get_mut(&key.netns).map(|(_, driver)| link.driver.read(driver, name));
        self.links.push((name.to_owned(), key, link));
        read.unwrap_or(Ok(()))
    }

    fn counts(&mut self, netns: u32) -> io::Result<HashMap<u32, LinkCounts>> {
        let Some((socket, _)) = self.sockets.get_mut(&netns) else { return Ok(HashMap::new()) };
        Ok(socket.receive_counts().map_err(io::Error::other)?.into_iter().collect())
    }

    /// Reads all once more.
    ///
    /// # Errors
    /// Where one cannot be read: the others are, and what was read of it before stays.
    pub fn sample(&mut self) -> io::Result<()> {
        let spaces: Vec<u32> = self.sockets.keys().copied().collect();
        let mut failed = Ok(());
        for netns in spaces {
            match self.counts(netns) {
                Ok(counts) => failed = failed.and(self.take_links(netns, &counts)),
                Err(error) => failed = Err(error),
            }
        }
        self.take_cpus(SoftnetCounts::read(&self.root)?);
        failed
    }

    fn take_links(&mut self, netns: u32, counts: &HashMap<u32, LinkCounts>) -> io::Result<()> {
        let Some((_, statistics)) = self.sockets.get_mut(&netns) else { return Ok(()) };
        let mut failed = Ok(());
        for (name, key, link) in &mut self.links {
            // One that has gone keeps what was read last.
            if let (true, Some(now)) = (key.netns == netns, counts.get(&key.ifindex)) {
                link.take(*now);
                failed = failed.and(link.driver.read(statistics, name));
            }
        }
        failed
    }

    fn take_cpus(&mut self, counts: Vec<SoftnetCounts>) {
        for now in counts {
            match self.cpus.iter_mut().find(|one| one.cpu == now.cpu) {
                Some(cpu) => cpu.take(now),
                // It was offline before, and counts from here.
                None => self.cpus.push(Cpu::new(now)),
            }
        }
    }

    /// What has grown, as last read.
    #[must_use]
    pub fn losses(&self) -> HostLosses {
        HostLosses {
            interfaces: self.links.iter().map(|(_, _, link)| link.grown()).collect(),
            softnet: self.cpus.iter().map(Cpu::grown).collect(),
        }
    }
}
