//! Text as a frame carries it: names of stations and channels, and the header frame's message.

use core::fmt;

/// Bytes that are meant to be text, borrowed as they were on the wire.
///
/// The standard says ASCII (clauses 6.4, Table 9, and 6.5) or UTF-8 (CFG-3, Table 12); devices send what they
/// like. Padding behind the text (spaces, and the zero bytes that some devices use) belongs to the raw bytes
/// but not to what is read or compared.
///
/// `Display` is for people: what is not UTF-8, and control characters, which a terminal would obey, are shown
/// as U+FFFD.
#[derive(Clone, Copy, Default)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Text over `bytes`, padding included.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// All bytes, with the padding.
    #[must_use]
    pub const fn raw(self) -> &'a [u8] {
        self.0
    }

    /// The bytes without the padding behind them.
    #[must_use]
    pub fn bytes(self) -> &'a [u8] {
        let kept = self.0.iter().rposition(|&byte| byte != b' ' && byte != 0).map_or(0, |last| last + 1);
        self.0.get(..kept).unwrap_or_default()
    }

    /// The text without padding, unchanged; `None` where it is not UTF-8.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        core::str::from_utf8(self.bytes()).ok()
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.as_bytes())
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Text<'_> {}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        for chunk in self.bytes().utf8_chunks() {
            for shown in chunk.valid().chars() {
                f.write_char(if shown.is_control() { char::REPLACEMENT_CHARACTER } else { shown })?;
            }
            if !chunk.invalid().is_empty() {
                f.write_char(char::REPLACEMENT_CHARACTER)?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_not_text() {
        assert_eq!(Text::from("Station A       ").as_str(), Some("Station A"));
        assert_eq!(Text::new(b"VA\0\0 \0").as_str(), Some("VA"));
        assert_eq!(Text::new(b"  ").as_str(), Some(""));
        assert_eq!(Text::from(" VA "), Text::from(" VA"));
        assert_ne!(Text::from(" VA "), Text::from("VA"));
    }

    #[test]
    fn what_is_no_text_is_shown_as_such() {
        let name = Text::new(b"A\xFFB\x1B[2J");
        assert_eq!(name.as_str(), None);
        assert_eq!(name.to_string(), "A\u{FFFD}B\u{FFFD}[2J");
    }
}
