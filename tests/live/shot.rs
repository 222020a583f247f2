//! Objects with one program that drops every packet, at tc or at XDP, written by hand: two instructions need no compiler.

/// `TC_ACT_SHOT` and `XDP_DROP`.
const AT_TC: u8 = 2;
const AT_XDP: u8 = 1;
const NAMES: &[u8] = b"\0shot\0classifier\0xdp\0license\0.symtab\0.strtab\0";
/// Bytes of the headers of an ELF file and of one of its sections.
const HEADER: usize = 64;
/// Bytes of a symbol.
const SYMBOL: usize = 24;

/// Where a name begins among the names.
fn name(of: &str) -> u32 {
    let place = NAMES.windows(of.len()).position(|name| name == of.as_bytes()).unwrap();
    u32::try_from(place).unwrap()
}

/// A section header (`Elf64_Shdr`): where in the file, how long; for symbols the section of their names, the first
/// global one and the length of each.
fn section(called: &str, kind: u32, flags: u64, (at, size): (u64, u64), symbols: [u64; 3]) -> Vec<u8> {
    let [link, info, each] = symbols;
    let mut bytes = [name(called).to_le_bytes(), kind.to_le_bytes()].concat();
    bytes.extend([flags, 0, at, size].map(u64::to_le_bytes).concat());
    bytes.extend([link, info].map(|one| u32::try_from(one).unwrap().to_le_bytes()).concat());
    bytes.extend([8, each].map(u64::to_le_bytes).concat());
    bytes
}

/// At tc.
pub(crate) fn shot() -> Vec<u8> {
    object("classifier", AT_TC)
}

/// At XDP.
pub(crate) fn early_shot() -> Vec<u8> {
    object("xdp", AT_XDP)
}

/// The program `shot`: `r0 = verdict`; `exit`.
fn object(hook: &str, verdict: u8) -> Vec<u8> {
    const PROGBITS: u32 = 1;
    const SYMTAB: u32 = 2;
    const STRTAB: u32 = 3;
    const ALLOCATED_CODE: u64 = 6;
    /// Relocatable, for BPF.
    const KIND: [u16; 2] = [1, 247];
    const GLOBAL_FUNCTION: u8 = 0x12;
    const SECTIONS: u16 = 5;
    let program = [0xB7, 0, 0, 0, verdict, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let license = b"GPL\0";
    let mut symbols = vec![0; SYMBOL];
    symbols.extend(name("shot").to_le_bytes());
    symbols.extend([GLOBAL_FUNCTION, 0, 1, 0]);
    symbols.extend([0, program.len() as u64].map(u64::to_le_bytes).concat());
    let parts: [&[u8]; 4] = [&program, license, &symbols, NAMES];
    let mut at = HEADER as u64;
    let places = parts.map(|part| {
        let place = (at, part.len() as u64);
        at += place.1;
        place
    });
    let mut object = vec![0x7F, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    object.extend(KIND.map(u16::to_le_bytes).concat());
    object.extend(1_u32.to_le_bytes());
    object.extend([0, 0, at].map(u64::to_le_bytes).concat());
    object.extend(0_u32.to_le_bytes());
    object.extend([64, 0, 0, 64, SECTIONS, SECTIONS - 1].map(u16::to_le_bytes).concat());
    object.extend(parts.concat());
    object.extend([0; HEADER]);
    object.extend(section(hook, PROGBITS, ALLOCATED_CODE, places[0], [0; 3]));
    object.extend(section("license", PROGBITS, 3, places[1], [0; 3]));
    object.extend(section(".symtab", SYMTAB, 0, places[2], [4, 1, SYMBOL as u64]));
    object.extend(section(".strtab", STRTAB, 0, places[3], [0; 3]));
    object
}
