//! Which ports a protocol is looked for on.

/// Which UDP and TCP ports C37.118 is looked for on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// On whatever port a sound frame (type, size, CRC) is found.
    Any,
    /// On these, as source or destination.
    Set(Vec<u16>),
}

/// The same, made for looking up.
#[derive(Clone, Debug)]
pub(super) enum PortMap {
    Any,
    /// One bit for each port.
    Set(Box<[u64; 1024]>),
}

impl PortMap {
    pub(super) fn new(ports: Ports) -> Self {
        match ports {
            Ports::Any => Self::Any,
            Ports::Set(ports) => {
                let mut map = Box::new([0; 1024]);
                for port in ports {
                    map[usize::from(port / 64)] |= 1 << (port % 64);
                }
                Self::Set(map)
            }
        }
    }

    /// Whether either port is asked for; none where the ports do not decide.
    #[inline]
    pub(super) fn matches(&self, ports: [u16; 2]) -> Option<bool> {
        match self {
            Self::Any => None,
            Self::Set(map) => {
                Some(ports.iter().any(|port| map[usize::from(port / 64)] >> (port % 64) & 1 == 1))
            }
        }
    }
}
