//! The text of a line as it grows. Keys are written as they stand in the program, quoted and with their punctuation;
//! values by `serde_json`, so that numbers and escapes are its own.

use std::io::{self, Write};
use std::net::IpAddr;

use monitor_core::packet::Endpoint;
use serde::Serialize;

/// A key behind another value: `,"key":`.
macro_rules! key {
    ($name:literal) => {
        concat!(",\"", $name, "\":")
    };
}
pub(super) use key;

/// A line, without its end. Its memory is kept for the next one.
#[derive(Debug, Default)]
pub(super) struct Text(Vec<u8>);

impl Text {
    /// Makes place for the next line.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Writes the line out.
    pub(super) fn write_to(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.0.push(b'\n');
        out.write_all(&self.0)
    }

    /// What is JSON already. Inlined, so that the length is known where it is copied.
    #[inline]
    pub(super) fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Anything else; numbers that are none are null.
    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        Ok(serde_json::to_writer(&mut self.0, value)?)
    }

    /// The entries of what is an object of at least one, behind others of the object that is being written.
    pub(super) fn entries<T: Serialize + ?Sized>(&mut self, object: &T) -> io::Result<()> {
        let start = self.0.len();
        self.value(object)?;
        self.0[start] = b',';
        self.0.pop();
        Ok(())
    }

    /// A sequence, each item written by `write`.
    pub(super) fn sequence<T>(
        &mut self,
        items: impl Iterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> io::Result<()>,
    ) -> io::Result<()> {
        self.0.push(b'[');
        for (at, item) in items.enumerate() {
            if at > 0 {
                self.0.push(b',');
            }
            write(self, item)?;
        }
        self.0.push(b']');
        Ok(())
    }

    /// `"192.0.2.11:4712"`, as an [`Endpoint`] is shown.
    pub(super) fn address(&mut self, address: Endpoint) -> io::Result<()> {
        self.0.push(b'"');
        match address.ip() {
            IpAddr::V4(ip) => {
                for (at, octet) in ip.octets().iter().enumerate() {
                    if at > 0 {
                        self.0.push(b'.');
                    }
                    self.value(octet)?;
                }
                self.0.push(b':');
                self.value(&address.port)?;
            }
            IpAddr::V6(_) => write!(self.0, "{address}")?,
        }
        self.0.push(b'"');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Text) -> io::Result<()>) -> String {
        let mut text = Text::default();
        write(&mut text).unwrap();
        String::from_utf8(text.0).unwrap()
    }

    #[test]
    fn addresses_are_written_as_they_are_shown() {
        for address in ["0.0.0.0:0", "192.0.2.255:65535", "[2001:db8::1]:4713", "[::]:80"] {
            let address: std::net::SocketAddr = address.parse().unwrap();
            let address = Endpoint::new(address.ip(), address.port());
            assert_eq!(text(|text| text.address(address)), format!("\"{address}\""));
        }
    }

    #[test]
    fn an_objects_entries_follow_others() {
        let object = serde_json::json!({"b": [1, {"c": "}"}], "d": null});
        let said = text(|text| {
            text.raw("{\"a\":0");
            text.entries(&object)?;
            text.raw("}");
            Ok(())
        });
        assert_eq!(said, r#"{"a":0,"b":[1,{"c":"}"}],"d":null}"#);
    }

    #[test]
    fn what_is_no_number_is_null_and_names_are_escaped() {
        let items = [f64::NAN, f64::INFINITY, 0.1];
        assert_eq!(
            text(|text| text.sequence(items.into_iter(), |text, item| text.value(&item))),
            "[null,null,0.1]"
        );
        assert_eq!(text(|text| text.sequence([0; 0].into_iter(), |text, item| text.value(&item))), "[]");
        assert_eq!(text(|text| text.value("a\"\\\n\u{1}é")), "\"a\\\"\\\\\\n\\u0001é\"");
        assert_eq!(key!("name"), ",\"name\":");
    }
}
