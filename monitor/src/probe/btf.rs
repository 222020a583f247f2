//! Where this kernel keeps a member of a structure: looked up in its BTF (Documentation/bpf/btf.rst).

use std::{fs, path::Path};

use super::ProbeError;

/// Where the kernel publishes its own types.
const VMLINUX: &str = "/sys/kernel/btf/vmlinux";
const MAGIC: u16 = 0xEB9F;
const HEADER_MIN: usize = 24;
/// Anonymous structures and unions nest a few levels deep; more means a loop in broken data.
const NESTING_MAX: usize = 16;

const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_ENUM64: u32 = 19;

/// The kernel's types, as far as offsets of members need them.
pub(super) struct KernelTypes {
    bytes: Vec<u8>,
    strings: usize,
    /// Where each type's record begins; type 1 is the first.
    types: Vec<usize>,
}

impl KernelTypes {
    /// Reads the running kernel's.
    pub(super) fn of_running_kernel() -> Result<Self, ProbeError> {
        Self::read(Path::new(VMLINUX))
    }

    fn read(path: &Path) -> Result<Self, ProbeError> {
        let wrong = |reason: String| ProbeError::Btf { path: path.display().to_string(), reason };
        let bytes = fs::read(path).map_err(|error| wrong(error.to_string()))?;
        Self::parse(bytes).map_err(|reason| wrong(reason.to_owned()))
    }

    fn parse(bytes: Vec<u8>) -> Result<Self, &'static str> {
        let magic = bytes.get(..2).ok_or("too short for a BTF header")?;
        if magic != MAGIC.to_ne_bytes() {
            return Err("is no BTF of this machine's byte order");
        }
        if bytes.len() < HEADER_MIN {
            return Err("too short for a BTF header");
        }
        let mut btf = Self { bytes, strings: 0, types: Vec::new() };
        let field = |at| btf.word(at).map(|value| value as usize).ok_or("the BTF header is cut short");
        let (header, types, types_length, strings) = (field(4)?, field(8)?, field(12)?, field(16)?);
        let (start, end) = (header + types, header + types + types_length);
        btf.strings = header + strings;
        if end > btf.bytes.len() || btf.strings > btf.bytes.len() {
            return Err("the BTF sections reach beyond the file");
        }
        btf.index(start, end)?;
        Ok(btf)
    }

    fn index(&mut self, start: usize, end: usize) -> Result<(), &'static str> {
        let mut at = start;
        while at < end {
            self.types.push(at);
            let info = self.word(at + 4).ok_or("a BTF type is cut short")?;
            at += 12 + extra(kind(info), info as usize & 0xFFFF).ok_or("a BTF kind is not known")?;
        }
        Ok(())
    }

    /// Byte offset of `structure.member`, through anonymous structures and unions.
    pub(super) fn offset(&self, structure: &str, member: &str) -> Result<u32, ProbeError> {
        self.types
            .iter()
            .filter(|&&at| self.is_struct(at) && self.name(at) == Some(structure.as_bytes()))
            .find_map(|&at| self.member(at, member.as_bytes(), 0))
            .and_then(|bits| (bits % 8 == 0).then_some(bits / 8))
            .ok_or_else(|| ProbeError::Member { member: format!("{structure}.{member}") })
    }

    /// Offset of a member in bits.
    fn member(&self, at: usize, name: &[u8], depth: usize) -> Option<u32> {
        if depth > NESTING_MAX {
            return None;
        }
        let info = self.word(at + 4)?;
        let bitfields = info >> 31 == 1;
        (0..info as usize & 0xFFFF).find_map(|index| {
            let record = at + 12 + index * 12;
            let offset = self.word(record + 8)?;
            let bits = if bitfields { offset & 0x00FF_FFFF } else { offset };
            match self.name(record)? {
                b"" => Some(bits + self.member(self.record(self.word(record + 4)?)?, name, depth + 1)?),
                found if found == name => Some(bits),
                _ => None,
            }
        })
    }

    /// Names and values of an enumeration of 32 bits; none where this kernel has no such type.
    pub(super) fn enumerators(&self, name: &str) -> Vec<(u32, String)> {
        let is_it = |at: usize| {
            self.word(at + 4).is_some_and(|info| kind(info) == KIND_ENUM)
                && self.name(at) == Some(name.as_bytes())
        };
        let Some(&at) = self.types.iter().find(|&&at| is_it(at)) else { return Vec::new() };
        let count = self.word(at + 4).unwrap_or(0) as usize & 0xFFFF;
        let one = |index| {
            let record = at + 12 + index * 8;
            Some((self.word(record + 4)?, String::from_utf8_lossy(self.name(record)?).into_owned()))
        };
        (0..count).filter_map(one).collect()
    }

    /// Where a type's record is, if it is a structure or union.
    fn record(&self, id: u32) -> Option<usize> {
        let at = *self.types.get((id as usize).checked_sub(1)?)?;
        self.is_struct(at).then_some(at)
    }

    fn is_struct(&self, at: usize) -> bool {
        self.word(at + 4).is_some_and(|info| matches!(kind(info), KIND_STRUCT | KIND_UNION))
    }

    /// The name whose offset in the string section stands at `at`.
    fn name(&self, at: usize) -> Option<&[u8]> {
        let text = self.bytes.get(self.strings + self.word(at)? as usize..)?;
        text.split(|&byte| byte == 0).next()
    }

    fn word(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    }
}

const fn kind(info: u32) -> u32 {
    info >> 24 & 0x1F
}

/// Bytes that follow the common 12 of a type with `count` elements.
const fn extra(kind: u32, count: usize) -> Option<usize> {
    Some(match kind {
        KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
        KIND_ARRAY => 12,
        KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => count * 12,
        KIND_ENUM | KIND_FUNC_PROTO => count * 8,
        1..=19 => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A BTF with `struct outer { int a; struct { int b; int c; }; }` and `enum why { A = 2, B = 7 }`.
    fn small() -> Vec<u8> {
        let strings = b"\0outer\0a\0b\0c\0int\0why\0A\0B\0";
        let name = |text: &[u8]| {
            let at =
                strings.windows(text.len() + 1).position(|w| &w[..text.len()] == text && w[text.len()] == 0);
            u32::try_from(at.expect("a name of the table")).expect("small")
        };
        let mut types = Vec::new();
        let mut put = |words: &[u32]| words.iter().for_each(|word| types.extend(word.to_ne_bytes()));
        put(&[name(b"int"), KIND_INT << 24, 4, 32]);
        put(&[0, KIND_STRUCT << 24 | 2, 8, name(b"b"), 1, 0, name(b"c"), 1, 32]);
        put(&[name(b"outer"), KIND_STRUCT << 24 | 2, 12, name(b"a"), 1, 0, 0, 2, 32]);
        put(&[name(b"why"), KIND_ENUM << 24 | 2, 4, name(b"A"), 2, name(b"B"), 7]);
        let length = u32::try_from(types.len()).expect("small");
        let mut bytes = Vec::new();
        bytes.extend(MAGIC.to_ne_bytes());
        bytes.extend([1, 0]);
        for word in [24, 0, length, length, u32::try_from(strings.len()).expect("small")] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(types);
        bytes.extend(strings);
        bytes
    }

    #[test]
    fn members_are_found_through_anonymous_structures() {
        let types = KernelTypes::parse(small()).expect("a sound BTF");
        assert_eq!(types.offset("outer", "a").ok(), Some(0));
        assert_eq!(types.offset("outer", "b").ok(), Some(4));
        assert_eq!(types.offset("outer", "c").ok(), Some(8));
        let missing = types.offset("outer", "d").expect_err("no such member").to_string();
        assert!(missing.contains("outer.d"), "{missing}");
    }

    #[test]
    fn an_enumeration_says_its_names() {
        let types = KernelTypes::parse(small()).expect("a sound BTF");
        assert_eq!(types.enumerators("why"), [(2, "A".to_owned()), (7, "B".to_owned())]);
        assert_eq!(types.enumerators("outer"), []);
        assert_eq!(types.enumerators("wherefore"), []);
    }

    #[test]
    fn a_broken_btf_is_named_not_followed() {
        for cut in 0..small().len() {
            let mut bytes = small();
            bytes.truncate(cut);
            if let Ok(types) = KernelTypes::parse(bytes) {
                let _ = types.offset("outer", "c");
                let _ = types.enumerators("why");
            }
        }
        let error = KernelTypes::read(Path::new("/nonexistent/btf")).err().expect("no file").to_string();
        assert!(error.contains("/nonexistent/btf") && error.contains("CONFIG_DEBUG_INFO_BTF"), "{error}");
    }

    #[test]
    fn the_running_kernel_has_the_members_that_the_programs_read() {
        let Ok(types) = KernelTypes::of_running_kernel() else {
            println!("skipped: this kernel publishes no BTF");
            return;
        };
        for (structure, member) in [("sk_buff", "dev"), ("sk_buff", "len"), ("net_device", "ifindex")] {
            assert!(types.offset(structure, member).is_ok(), "{structure}.{member}");
        }
    }
}
