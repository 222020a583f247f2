//! Command frames (clause 6.6, Tables 14 and 15): what a PDC asks of a PMU. IDCODE is that of the stream that is asked
//! for; a PMU obeys commands with its own IDCODE alone.

use core::fmt;

use super::frame::{FrameKind, FrameView};

/// CMD: what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Command {
    /// 1: stop sending DATA.
    TurnOff,
    /// 2: send DATA.
    TurnOn,
    /// 3: send HDR.
    SendHeader,
    /// 4: send CFG-1.
    SendConfig1,
    /// 5: send CFG-2.
    SendConfig2,
    /// 6: send CFG-3.
    SendConfig3,
    /// 8: an extended frame, whose meaning lies in the bytes behind CMD.
    Extended,
    /// 0x0100 to 0x0FFF: the user's own. Any other word is reserved.
    Other(u16),
}

impl Command {
    /// From the word CMD.
    #[must_use]
    pub const fn from_word(word: u16) -> Self {
        match word {
            1 => Self::TurnOff,
            2 => Self::TurnOn,
            3 => Self::SendHeader,
            4 => Self::SendConfig1,
            5 => Self::SendConfig2,
            6 => Self::SendConfig3,
            8 => Self::Extended,
            other => Self::Other(other),
        }
    }

    /// The word CMD.
    #[must_use]
    pub const fn word(self) -> u16 {
        match self {
            Self::TurnOff => 1,
            Self::TurnOn => 2,
            Self::SendHeader => 3,
            Self::SendConfig1 => 4,
            Self::SendConfig2 => 5,
            Self::SendConfig3 => 6,
            Self::Extended => 8,
            Self::Other(word) => word,
        }
    }

    /// The name that `c37118.command` of the JSON reports: `turn_off`, `turn_on`, `send_hdr`, `send_cfg1`, `send_cfg2`,
    /// `send_cfg3`, `extended`, `user` or `reserved`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TurnOff => "turn_off",
            Self::TurnOn => "turn_on",
            Self::SendHeader => "send_hdr",
            Self::SendConfig1 => "send_cfg1",
            Self::SendConfig2 => "send_cfg2",
            Self::SendConfig3 => "send_cfg3",
            Self::Extended => "extended",
            Self::Other(0x0100..=0x0FFF) => "user",
            Self::Other(_) => "reserved",
        }
    }
}

/// A command frame, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct CommandView<'a> {
    command: Command,
    extended: &'a [u8],
}

impl<'a> CommandView<'a> {
    /// The command in `frame`.
    ///
    /// # Errors
    /// [`CommandError`] for a frame of another kind.
    pub fn new(frame: FrameView<'a>) -> Result<Self, CommandError> {
        match (frame.kind(), frame.body().split_first_chunk()) {
            (FrameKind::Command, Some((word, extended))) => {
                Ok(Self { command: Command::from_word(u16::from_be_bytes(*word)), extended })
            }
            (kind, _) => Err(CommandError { kind }),
        }
    }

    /// What is asked.
    #[must_use]
    pub const fn command(&self) -> Command {
        self.command
    }

    /// The bytes behind CMD, EXTFRAME: 0 to 65 517, which is what FRAMESIZE leaves; what they mean is the user's. By the
    /// standard an extended frame alone has any; those of another command are given too.
    #[must_use]
    pub const fn extended(&self) -> &'a [u8] {
        self.extended
    }
}

/// The frame is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandError {
    /// What it is.
    pub kind: FrameKind,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} frame is not a command", self.kind)
    }
}

impl core::error::Error for CommandError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_kept_and_named() {
        for word in 0..=u16::MAX {
            assert_eq!(Command::from_word(word).word(), word);
        }
        assert_eq!(Command::from_word(5).name(), "send_cfg2");
        assert_eq!(Command::from_word(0).name(), "reserved");
        assert_eq!(Command::from_word(7).name(), "reserved");
        assert_eq!(Command::from_word(0x0100).name(), "user");
        assert_eq!(Command::from_word(0x1000).name(), "reserved");
    }
}
