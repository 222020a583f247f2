//! What the programs must know of this kernel before they are loaded: the members that they read, and whether they
//! take turns; and the symbols that it is written to.

use super::{ProbeError, btf::KernelTypes};

/// Symbol, and the members whose offsets add up to it.
const MEMBERS: [(&str, &[(&str, &str)]); 7] = [
    ("OFFSET_SKB_DEV", &[("sk_buff", "dev")]),
    ("OFFSET_SKB_LEN", &[("sk_buff", "len")]),
    ("OFFSET_DEV_IFINDEX", &[("net_device", "ifindex")]),
    ("OFFSET_DEV_NET", &[("net_device", "nd_net")]),
    ("OFFSET_XDP_RXQ", &[("xdp_buff", "rxq")]),
    ("OFFSET_RXQ_DEV", &[("xdp_rxq_info", "dev")]),
    ("OFFSET_NET_INUM", &[("net", "ns"), ("ns_common", "inum")]),
];

/// Takes 1 where a program on an interface is always done before another begins on its CPU.
const TAKE_TURNS: &str = "PROGRAMS_TAKE_TURNS";

/// Symbols and what is written to them in an object before it is loaded.
pub type Offsets = Vec<(&'static str, u32)>;

pub(super) fn lookup(types: &KernelTypes) -> Result<Offsets, ProbeError> {
    let offsets = MEMBERS
        .iter()
        .map(|&(symbol, path)| {
            let offset = path.iter().try_fold(0, |sum, (of, member)| Ok(sum + types.offset(of, member)?))?;
            Ok((symbol, offset))
        })
        .chain([Ok((TAKE_TURNS, u32::from(programs_take_turns(types))))]);
    offsets.collect()
}

/// Whether packets are handled with softirqs off, so that no program interrupts another: everywhere but under
/// PREEMPT_RT, whose spinlocks are mutexes (`include/linux/spinlock_types.h`: there `struct spinlock` has a member
/// `lock`, elsewhere `rlock`). What is neither is taken for PREEMPT_RT: the programs are then right on both.
fn programs_take_turns(types: &KernelTypes) -> bool {
    let has = |member| types.offset("spinlock", member).is_ok();
    has("rlock") && !has("lock")
}

/// Those of the running kernel.
///
/// # Errors
/// Where it publishes no BTF, or one without such a member.
pub fn of_running_kernel() -> Result<Offsets, ProbeError> {
    lookup(&KernelTypes::of_running_kernel()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::uname::Uname;

    #[test]
    fn programs_take_turns_unless_the_kernel_says_that_it_is_preempt_rt() {
        let Ok(types) = KernelTypes::of_running_kernel() else {
            println!("skipped: this kernel publishes no BTF");
            return;
        };
        let version = Uname::read().expect("uname").version;
        assert_eq!(programs_take_turns(&types), !version.contains("PREEMPT_RT"), "{version}");
    }
}
