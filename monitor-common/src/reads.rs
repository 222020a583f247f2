//! What the kernel side tells of who else on this host reads what it has watched: the packets that
//! come in, and the reads of sockets that such packets go to. Who takes the records puts the two together.

/// Reads are not told.
pub const READS_OFF: u32 = 0;
/// Reads are told.
pub const READS_ON: u32 = 1;

/// Pairs of a transport and a local port to which watched packets have come; of those that were quiet for longest the
/// kernel forgets one where there is no room.
pub const READ_PORTS_MAX: usize = 4096;

/// [`ReadRecord::what`]: a packet with a payload, as the kernel received it.
pub const READ_PACKET: u8 = 1;
/// Bytes of a TCP connection were copied out of its socket.
pub const READ_STREAM: u8 = 2;
/// This very datagram was read.
pub const READ_DATAGRAM: u8 = 3;
/// A datagram was read from this socket; which one is not told, but which is the next.
pub const READ_SOCKET: u8 = 4;
/// A TCP socket was closed.
pub const READ_CLOSED: u8 = 5;
/// A TCP connection is there.
pub const READ_OPENED: u8 = 6;

/// One packet, or one read.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct ReadRecord {
    /// When: `CLOCK_MONOTONIC` nanoseconds. Of a packet its receive stamp.
    pub time_ns: u64,
    /// What tells packets of a flow apart. TCP: of a packet the sequence number behind its last byte; of a read that
    /// behind the last byte that was read. UDP: the packet's UDP header as it lies in memory, with its IPv4
    /// header's identification in the place of the ports; of a [`READ_SOCKET`] that of the next datagram in the socket,
    /// 0 where there is none.
    pub mark: u64,
    /// Sender's IPv6 address, or IPv4-mapped one (RFC 4291, 2.5.5.2); of a socket the one it is connected to.
    pub remote: [u8; 16],
    /// Receiver's; of a socket the one it is bound to.
    pub local: [u8; 16],
    /// Name of the thread that read, ended by a 0 where it is shorter.
    pub name: [u8; 16],
    /// The kernel's address of the socket; 0 where that is not known.
    pub socket: u64,
    /// Process that read, as the kernel's own PID namespace numbers it.
    pub process: u32,
    /// Inode number of the network namespace; 0 where it is not known.
    pub netns: u32,
    /// Bytes of payload; of a [`READ_SOCKET`] those that were read.
    pub length: u32,
    /// How many records had been lost by then, for want of room.
    pub lost: u32,
    /// Sender's port; 0 of a socket that is not connected.
    pub remote_port: u16,
    /// Receiver's.
    pub local_port: u16,
    /// Number of the protocol in the IP header: 17 for UDP, 6 for TCP.
    pub transport: u8,
    /// One of the above.
    pub what: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<ReadRecord>() == 96);

/// One CPU's counts: `seen = ignored + matched`, and of each that is told `= submitted + full`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "pod", derive(bytemuck::Pod, bytemuck::Zeroable))]
pub struct ReadCounters {
    /// Packets with a payload that matched.
    pub packets: u64,
    /// Those of which there is a record.
    pub packets_submitted: u64,
    /// Those for whose record there was no room.
    pub packets_full: u64,
    /// What the programs on reads have looked at: reads, sockets that change their state, and whatever else those tracepoints tell.
    pub seen: u64,
    /// What is of no socket that watched packets have come to.
    pub ignored: u64,
    /// Reads of such a socket, its beginning and its end.
    pub matched: u64,
    /// Those of which there is a record.
    pub submitted: u64,
    /// Those for whose record there was no room.
    pub full: u64,
}
