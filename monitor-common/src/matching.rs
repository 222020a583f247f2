//! What the hooks let through: switches that user space may turn while attached, and a set of ports.

/// Words of the port set.
pub const PORT_WORDS: usize = 1024;

/// A set of UDP and TCP ports, one bit each, by the number that a port's two bytes make on this machine as they lie in
/// a packet: so the programs need not turn them round.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct Ports {
    /// Bit `number % 64` of word `number / 64`.
    pub words: [u64; PORT_WORDS],
}

impl Ports {
    /// The set without a port.
    pub const EMPTY: Self = Self { words: [0; PORT_WORDS] };

    /// Adds a port.
    pub const fn insert(&mut self, port: u16) {
        let number = port.to_be();
        self.words[number as usize / 64] |= 1 << (number % 64);
    }

    /// Whether the set holds a port.
    #[must_use]
    pub const fn contains(&self, port: u16) -> bool {
        let number = port.to_be();
        self.words[number as usize / 64] >> (number % 64) & 1 == 1
    }
}

/// Switches of the matching, 0 is off; and what saves the programs a search.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct Settings {
    /// Match on any port whatever begins like a C37.118 frame.
    pub any_port: u32,
    /// Count what does not match by ethertype, and emit as candidates what begins like a C37.118 frame.
    pub discover: u32,
    /// Inode number of the network namespace of all monitored interfaces; 0 where they are in several.
    pub netns: u32,
    /// What the places of streams in their table depend on, so that nobody outside knows which streams would meet there.
    /// Any number, the same for as long as the table lives.
    pub seed: u32,
}

const _: () = assert!(size_of::<Settings>() == 16);

/// Both in one value: the programs look it up once for each packet.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct Matching {
    /// The switches.
    pub settings: Settings,
    /// The ports.
    pub ports: Ports,
}

const _: () = assert!(size_of::<Matching>() == 16 + 8 * PORT_WORDS);
