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

#[cfg(test)]
mod tests {
    use object::write::{self, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
    use object::{
        Architecture, BinaryFormat, Object as _, ObjectSection as _, RelocationFlags, SectionKind,
        SymbolFlags, SymbolKind, SymbolScope,
    };

    use super::*;

    /// `R_BPF_64_NODYLD32`: the relocation that BTF uses (the kernel's `Documentation/bpf/llvm_reloc.rst`).
    const IN_DEBUG_DATA: u32 = 4;

    /// An object like the linker's: a program, BTF, DWARF, and a relocation in each of the two.
    fn linked(btf_refers_to_dwarf: bool) -> Vec<u8> {
        let mut object = write::Object::new(BinaryFormat::Elf, Architecture::Bpf, object::Endianness::Little);
        let section = |object: &mut write::Object<'_>, name: &[u8], kind| {
            let section = object.add_section(Vec::new(), name.to_vec(), kind);
            object.append_section_data(section, &[0; 16], 8);
            section
        };
        let dwarf = section(&mut object, b".debug_info", SectionKind::Debug);
        let program = section(&mut object, b"classifier", SectionKind::Text);
        let btf = section(&mut object, b".BTF", SectionKind::Other);
        let in_dwarf = symbol(&mut object, b"in_dwarf", dwarf);
        let ingress = symbol(&mut object, b"ingress", program);
        refer(&mut object, dwarf, in_dwarf);
        refer(&mut object, btf, if btf_refers_to_dwarf { in_dwarf } else { ingress });
        object.write().unwrap()
    }

    fn symbol(object: &mut write::Object<'_>, name: &[u8], section: SectionId) -> SymbolId {
        object.add_symbol(Symbol {
            name: name.to_vec(),
            value: 0,
            size: 16,
            kind: SymbolKind::Text,
            scope: SymbolScope::Dynamic,
            weak: false,
            section: SymbolSection::Section(section),
            flags: SymbolFlags::None,
        })
    }

    fn refer(object: &mut write::Object<'_>, section: SectionId, symbol: SymbolId) {
        let flags = RelocationFlags::Elf { r_type: object::elf::RelocationType(IN_DEBUG_DATA) };
        object.add_relocation(section, Relocation { offset: 0, symbol, addend: 0, flags }).unwrap();
    }

    #[test]
    fn dwarf_goes_and_the_rest_stays() {
        let linked = linked(false);
        let (before, after) =
            (sections(&linked).unwrap(), sections(&without_dwarf(&linked).unwrap()).unwrap());
        assert!(before.contains_key(".debug_info"));
        assert!(!after.keys().any(|name| name.contains("debug")), "{:?}", after.keys());
        for name in ["classifier", ".BTF"] {
            assert_eq!(after[name], before[name], "{name}");
        }
    }

    #[test]
    fn relocations_speak_of_the_same_symbols() {
        let stripped = without_dwarf(&linked(false)).unwrap();
        let builder = Builder::read(stripped.as_slice()).unwrap();
        let relocated = builder.sections.iter().filter_map(|section| match &section.data {
            SectionData::Relocation(relocations) => Some(relocations),
            _ => None,
        });
        let symbols = relocated.flatten().filter_map(|relocation| relocation.symbol);
        let names: Vec<String> = symbols.map(|symbol| builder.symbols.get(symbol).name.to_string()).collect();
        assert_eq!(names, ["ingress"]);
    }

    #[test]
    fn refuses_to_lose_what_btf_refers_to() {
        let error = without_dwarf(&linked(true)).unwrap_err().to_string();
        assert!(error.contains(".BTF"), "{error}");
    }

    #[test]
    fn refuses_what_is_no_object() {
        assert!(without_dwarf(b"not an object").is_err());
    }

    #[test]
    fn names_the_sections_that_differ() {
        let one = without_dwarf(&linked(false)).unwrap();
        assert_eq!(differing_sections(&one, &one).unwrap(), Vec::<String>::new());
        let mut other = one.clone();
        let file = object::File::parse(one.as_slice()).unwrap();
        let program = file.section_by_name("classifier").unwrap().file_range().unwrap().0;
        other[usize::try_from(program).unwrap()] ^= 1;
        assert_eq!(differing_sections(&one, &other).unwrap(), ["classifier"]);
    }

    #[test]
    fn names_a_section_that_only_one_has() {
        let linked = linked(false);
        let differing = differing_sections(&without_dwarf(&linked).unwrap(), &linked).unwrap();
        assert!(differing.iter().any(|name| name == ".debug_info"), "{differing:?}");
        assert!(!differing.iter().any(|name| name == ".BTF"), "{differing:?}");
    }
}
