//! Takes DWARF out of the object and keeps what the kernel and its loaders read: programs, maps, symbols,
//! relocations, BTF. DWARF is most of the bytes, and the part in which the place of `core` shows.

use std::collections::BTreeMap;

use object::build::elf::{Builder, SectionData};
use object::read::elf::{FileHeader as _, SectionHeader as _};
use object::{Endianness, elf};

use crate::error::{Error, Result};

/// The object without its DWARF sections, their relocations and the symbols that only those used.
pub(crate) fn without_dwarf(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read(object).map_err(not_understood)?;
    for section in &mut builder.sections {
        section.delete = is_dwarf(section.name.as_slice());
    }
    builder.delete_orphan_symbols();
    nothing_kept_is_lost(&builder)?;
    add_table_of_section_names(&mut builder);
    let mut stripped = Vec::new();
    builder.write(&mut stripped).map_err(not_understood)?;
    Ok(stripped)
}

fn not_understood<E: std::fmt::Display>(why: E) -> Error {
    Error::parse("the linked eBPF object")(why)
}

fn is_dwarf(section: &[u8]) -> bool {
    section.starts_with(b".debug_") || section.starts_with(b".rel.debug_")
}

/// LLVM keeps the names of sections and symbols in one table; this writer wants one for each.
fn add_table_of_section_names(builder: &mut Builder<'_>) {
    if builder.sections.iter().all(|section| !matches!(section.data, SectionData::SectionString)) {
        let names = builder.sections.add();
        names.name = b".shstrtab".as_slice().into();
        names.sh_type = elf::SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
    }
}

/// A relocation that stays must not speak of a symbol that goes.
fn nothing_kept_is_lost(builder: &Builder<'_>) -> Result<()> {
    for section in builder.sections.iter().filter(|section| !section.delete) {
        let SectionData::Relocation(relocations) = &section.data else { continue };
        let mut symbols = relocations.iter().filter_map(|relocation| relocation.symbol);
        if symbols.any(|symbol| builder.symbols.get(symbol).delete) {
            return Err(Error::plain(format!(
                "the linked eBPF object's section {} refers to debug information, which is taken out",
                section.name
            )));
        }
    }
    Ok(())
}

/// The names of the sections in which two objects differ; empty where they are equal byte for byte.
pub(crate) fn differing_sections(one: &[u8], other: &[u8]) -> Result<Vec<String>> {
    if one == other {
        return Ok(Vec::new());
    }
    let (one, other) = (sections(one)?, sections(other)?);
    let names = one.keys().chain(other.keys());
    let mut differing: Vec<String> =
        names.filter(|name| one.get(*name) != other.get(*name)).cloned().collect();
    differing.sort();
    differing.dedup();
    if differing.is_empty() {
        differing.push("the layout of its sections".to_owned());
    }
    Ok(differing)
}

/// Each section's bytes by name; sections of one name stand behind each other.
fn sections(object: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let header = elf::FileHeader64::<Endianness>::parse(object).map_err(not_understood)?;
    let endian = header.endian().map_err(not_understood)?;
    let table = header.sections(endian, object).map_err(not_understood)?;
    let mut sections: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for section in table.iter() {
        let name = String::from_utf8_lossy(table.section_name(endian, section).map_err(not_understood)?)
            .into_owned();
        sections.entry(name).or_default().extend(section.data(endian, object).map_err(not_understood)?);
    }
    Ok(sections)
}
