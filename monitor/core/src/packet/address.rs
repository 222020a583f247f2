//! Between whom a packet goes, and over what.

use std::net::{IpAddr, Ipv6Addr};

/// What carried a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// UDP over IPv4 or IPv6.
    Udp,
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// Straight on Ethernet.
    Ethernet,
}

impl Transport {
    /// Its name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Ethernet => "ethernet",
        }
    }
}

/// One end of a flow. IPv4 addresses are held as IPv4-mapped IPv6 ones.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address's 16 bytes.
    pub address: [u8; 16],
    /// UDP or TCP port.
    pub port: u16,
}

impl Endpoint {
    /// From an address and a port.
    #[must_use]
    pub const fn new(address: IpAddr, port: u16) -> Self {
        let address = match address {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(address) => address.octets(),
        };
        Self { address, port }
    }

    /// The address; IPv4 where it was one.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        IpAddr::V6(Ipv6Addr::from(self.address)).to_canonical()
    }
}

impl std::fmt::Display for Endpoint {
    /// As the contract writes them: `192.0.2.1:4712`, `[2001:db8::1]:4712`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::net::SocketAddr::new(self.ip(), self.port).fmt(f)
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Between whom a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// Over IP.
    Ip {
        /// Sender.
        source: Endpoint,
        /// Receiver.
        destination: Endpoint,
    },
    /// Straight on Ethernet.
    Ethernet {
        /// Sender's MAC address.
        source: [u8; 6],
        /// Receiver's.
        destination: [u8; 6],
    },
}

impl Addresses {
    /// The ports: the sender's, the receiver's; 0 where there are none.
    #[must_use]
    pub const fn ports(&self) -> [u16; 2] {
        match self {
            Self::Ip { source, destination } => [source.port, destination.port],
            Self::Ethernet { .. } => [0; 2],
        }
    }
}
