//! The members that the programs read, and the symbols that take their offsets.

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

/// Symbols and offsets, to be written into an object before it is loaded.
pub type Offsets = Vec<(&'static str, u32)>;

pub(super) fn lookup(types: &KernelTypes) -> Result<Offsets, ProbeError> {
    MEMBERS
        .iter()
        .map(|&(symbol, path)| {
            let offset = path.iter().try_fold(0, |sum, (of, member)| Ok(sum + types.offset(of, member)?))?;
            Ok((symbol, offset))
        })
        .collect()
}

/// Those of the running kernel.
///
/// # Errors
/// Where it publishes no BTF, or one without such a member.
pub fn of_running_kernel() -> Result<Offsets, ProbeError> {
    lookup(&KernelTypes::of_running_kernel()?)
}
