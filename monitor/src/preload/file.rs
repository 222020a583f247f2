//! `--config-frame FILE`: a configuration frame in a file, raw or in hexadecimal.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use monitor_core::event::{ConfigSource, Endpoint};
use monitor_core::stream::{Preload, PreloadError};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::FRAME_FILE_MAX;

/// One `--config-frame`: the file, and whose DATA it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFrame {
    /// The PMU and the stream that it is bound to; without it, it holds for the frame's IDCODE from any sender.
    pub bound: Option<(IpAddr, u16)>,
    /// The file.
    pub path: PathBuf,
}

impl FromStr for ConfigFrame {
    type Err = String;

    /// `FILE`, or `ADDRESS/IDCODE=FILE`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bound = text.split_once('=').and_then(|(bound, path)| {
            let (address, idcode) = bound.rsplit_once('/')?;
            let address: IpAddr = address.trim_matches(['[', ']']).parse().ok()?;
            Some(idcode.parse().map(|idcode| (address, idcode, path)).map_err(|_| {
                format!("'{idcode}' is no IDCODE, which is a number from 1 to 65534: ADDRESS/IDCODE=FILE")
            }))
        });
        match bound.transpose()? {
            _ if text.is_empty() => Err("the path is empty: FILE, or ADDRESS/IDCODE=FILE".to_owned()),
            Some((_, _, "")) => Err("no path behind the '=': ADDRESS/IDCODE=FILE".to_owned()),
            Some((address, idcode, path)) => {
                Ok(Self { bound: Some((address.to_canonical(), idcode)), path: path.into() })
            }
            None => Ok(Self { bound: None, path: text.into() }),
        }
    }
}

impl fmt::Display for ConfigFrame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((address, idcode)) = self.bound {
            write!(out, "{address}/{idcode}=")?;
        }
        write!(out, "{}", self.path.display())
    }
}

impl<'de> Deserialize<'de> for ConfigFrame {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl ConfigFrame {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ConfigFrameError`], which names it.
    pub fn read(&self) -> Result<Preload, ConfigFrameError> {
        let named = |reason| ConfigFrameError { path: self.path.clone(), reason };
        let bytes = read_bounded(&self.path).map_err(named)?;
        let bytes = raw(bytes).map_err(named)?;
        let address = self.bound.map(|(address, _)| Endpoint::new(address, 0).address);
        let preload =
            Preload::new(address, ConfigSource::File, &bytes).map_err(|error| named(Reason::Frame(error)))?;
        match self.bound {
            Some((_, bound)) if bound != preload.idcode() => {
                Err(named(Reason::IdCode { bound, found: preload.idcode() }))
            }
            _ => Ok(preload),
        }
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Reason::Read)?;
    file.take(FRAME_FILE_MAX + 1).read_to_end(&mut bytes).map_err(Reason::Read)?;
    if bytes.len() as u64 > FRAME_FILE_MAX { Err(Reason::TooLarge) } else { Ok(bytes) }
}

/// The frame itself where it begins with SYNC's first byte; else what the hexadecimal digits say, however they are
/// set apart (spaces, line ends, colons).
fn raw(bytes: Vec<u8>) -> Result<Vec<u8>, Reason> {
    const SYNC: u8 = 0xAA;
    if bytes.first() == Some(&SYNC) {
        return Ok(bytes);
    }
    let mut digits = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        match char::from(*byte).to_digit(16) {
            Some(digit) => digits.push(u8::try_from(digit).unwrap_or(0)),
            None if byte.is_ascii_whitespace() || *byte == b':' => {}
            None => return Err(Reason::NotHex { at, byte: *byte }),
        }
    }
    let (pairs, left) = digits.as_chunks::<2>();
    if left.is_empty() {
        Ok(pairs.iter().map(|[high, low]| high << 4 | low).collect())
    } else {
        Err(Reason::HalfByte)
    }
}

/// Why a file is no configuration frame.
#[derive(Debug, thiserror::Error)]
#[error("configuration frame {path}: {reason}")]
pub struct ConfigFrameError {
    path: PathBuf,
    reason: Reason,
}

#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error("{0}; check the path given with --config-frame and its permissions")]
    Read(io::Error),
    #[error("larger than {FRAME_FILE_MAX} bytes, which no configuration is")]
    TooLarge,
    #[error(
        "byte {byte:#04x} at offset {at} is neither SYNC's 0xaa nor a hexadecimal digit; \
         give one CFG-2 or CFG-3 frame, as its bytes or in hexadecimal"
    )]
    NotHex { at: usize, byte: u8 },
    #[error("an odd number of hexadecimal digits: the last byte is cut")]
    HalfByte,
    #[error("{0}; give one whole CFG-2 or CFG-3 frame")]
    Frame(PreloadError),
    #[error("it is of IDCODE {found}, and was given for {bound}")]
    IdCode { bound: u16, found: u16 },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ConfigFrame {
        text.parse().expect(text)
    }

    #[test]
    fn a_file_may_be_bound_to_a_sender() {
        assert_eq!(parsed("a.hex"), ConfigFrame { bound: None, path: "a.hex".into() });
        let bound = ("192.0.2.1".parse().expect("an address"), 60);
        assert_eq!(
            parsed("192.0.2.1/60=dir/a=b"),
            ConfigFrame { bound: Some(bound), path: "dir/a=b".into() }
        );
        assert_eq!(parsed("a=b"), ConfigFrame { bound: None, path: "a=b".into() }, "a file's name");
        for text in ["192.0.2.1/60=x", "2001:db8::1/7=y", "plain"] {
            assert_eq!(parsed(text).to_string(), text);
        }
        assert_eq!(parsed("[2001:db8::1]/7=y"), parsed("2001:db8::1/7=y"));
        for (wrong, named) in [("", "empty"), ("192.0.2.1/x=a", "'x'"), ("192.0.2.1/7=", "no path")] {
            let error = wrong.parse::<ConfigFrame>().expect_err(wrong);
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn bytes_and_digits_are_told_apart() {
        assert_eq!(raw(vec![0xAA, 0x31]).expect("raw"), [0xAA, 0x31]);
        assert_eq!(raw(b"aa 31\n00:fF\r\n".to_vec()).expect("digits"), [0xAA, 0x31, 0, 0xFF]);
        assert!(matches!(raw(b"aa3".to_vec()), Err(Reason::HalfByte)));
        assert!(matches!(raw(b"aa 3g".to_vec()), Err(Reason::NotHex { at: 4, byte: b'g' })));
    }
}
