//! What is on the wire instead, where nothing matched: packets by ethertype.

use aya::maps::{HashMap, Map};

use super::{ProbeError, load::map_error};

/// Ethertypes (0: shorter than an Ethernet header) and how many packets of each did not match.
pub(super) fn read(map: &Map) -> Result<Vec<(u16, u64)>, ProbeError> {
    let map: HashMap<_, u32, u64> =
        HashMap::try_from(map).map_err(|error| map_error("ETHERTYPES", &error))?;
    map.iter()
        .map(|entry| {
            let (ethertype, packets) = entry.map_err(|error| map_error("ETHERTYPES", &error))?;
            Ok((u16::try_from(ethertype).unwrap_or(0), packets))
        })
        .collect()
}
