//! Looks how deep a file is nested, before anybody else reads its types.
//!
//! Types of components consist of types, a level of which takes three bytes. Whoever reads them goes down by recursion,
//! and a stack that overflows ends the whole node. So a file is looked through once with a stack that is a list: of the
//! types that have begun and not ended. What else is in a type is read as everybody reads it.
//!
//! Core modules within a component stay closed: they have no such types, and nobody looks for any there.

use rayw_core::Error;
use wasmparser::{
    BinaryReader, BinaryReaderError, Chunk, ComponentType, ComponentTypeDeclaration, InstanceTypeDeclaration, Parser,
    Payload,
};

use super::{invalid, not_valid};

/// Levels of types, and of components within components. What is made of WIT has five, and whoever composes components
/// adds one each time.
const LEVELS_MAX: usize = 64;

/// Modules and components in one file together, as later versions of the parser have it: whoever reads one keeps a
/// state for each.
const PARTS_MAX: usize = 1_000;

/// The first bytes of types that consist of declarations, and of a declaration that is a type.
const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;
const TYPE_DECLARATION: u8 = 0x01;

/// The first byte of a world as tools once wrote it, with an encoding and a name before the component.
const OLD_WORLD: u8 = 0x03;

/// Refuses a component that is nested too deep; `origin` names the file.
pub(super) fn check(component: &[u8], origin: &str) -> Result<(), Error> {
    look_through(component, 1, &mut 0).map_err(|refusal| refusal.of(origin))
}

/// The same for what a core module says of its world, which is a component in a section of its own.
pub(super) fn check_world(section: &[u8], origin: &str) -> Result<(), Error> {
    let component = component_of(section).map_err(|cause| Refusal::from(cause).of(origin))?;
    check(component, origin)
}

/// Why a file is not read any further.
enum Refusal {
    Broken(String),
    /// What is nested too deep.
    Deep(&'static str),
    Many,
}

impl From<BinaryReaderError> for Refusal {
    fn from(cause: BinaryReaderError) -> Self {
        Self::Broken(cause.to_string())
    }
}

impl Refusal {
    fn of(self, origin: &str) -> Error {
        match self {
            Self::Broken(cause) => not_valid(origin, cause),
            Self::Deep(what) => invalid(format!(
                "`{origin}` is refused: its {what} are nested deeper than {LEVELS_MAX} levels; make them flatter and \
                 build it again"
            )),
            Self::Many => invalid(format!(
                "`{origin}` is refused: it has more than {PARTS_MAX} modules and components in it; make it of fewer and \
                 build it again"
            )),
        }
    }
}

fn component_of(section: &[u8]) -> wasmparser::Result<&[u8]> {
    let mut reader = BinaryReader::new(section, 0);
    if section.first() == Some(&OLD_WORLD) {
        reader.read_bytes(2)?;
        reader.read_string()?;
    }
    Ok(&section[reader.current_position()..])
}

/// Looks through a component of that level, and through those in it.
fn look_through(component: &[u8], level: usize, parts: &mut usize) -> Result<(), Refusal> {
    let cut_off = || Refusal::Broken("it ends within a part of it".to_owned());
    let (mut parser, mut rest) = (Parser::new(0), component);
    loop {
        // All of it is here.
        let Chunk::Parsed { consumed, payload } = parser.parse(rest, true)? else { return Err(cut_off()) };
        rest = &rest[consumed..];
        match payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                count(parts)?;
                (_, rest) = rest.split_at_checked(unchecked_range.len()).ok_or_else(cut_off)?;
            }
            Payload::ComponentSection { unchecked_range, .. } => {
                count(parts)?;
                let (inner, behind) = rest.split_at_checked(unchecked_range.len()).ok_or_else(cut_off)?;
                if level == LEVELS_MAX {
                    return Err(Refusal::Deep("components"));
                }
                look_through(inner, level + 1, parts)?;
                rest = behind;
            }
            Payload::ComponentTypeSection(section) => {
                look_through_types(component.get(section.range()).ok_or_else(cut_off)?)?;
            }
            Payload::End(_) => return Ok(()),
            _ => {}
        }
    }
}

fn count(parts: &mut usize) -> Result<(), Refusal> {
    *parts += 1;
    if *parts > PARTS_MAX { Err(Refusal::Many) } else { Ok(()) }
}

/// A type that consists of declarations.
#[derive(Clone, Copy)]
struct Begun {
    is_component: bool,
    declarations_left: u32,
}

fn look_through_types(section: &[u8]) -> Result<(), Refusal> {
    let mut reader = BinaryReader::new(section, 0);
    let mut begun: Vec<Begun> = Vec::new();
    for _ in 0..reader.read_var_u32()? {
        begun.extend(begin(&mut reader)?);
        while let Some(Begun { is_component, declarations_left }) = begun.pop() {
            let Some(declarations_left) = declarations_left.checked_sub(1) else { continue };
            begun.push(Begun { is_component, declarations_left });
            begun.extend(declaration(&mut reader, is_component)?);
            if begun.len() > LEVELS_MAX {
                return Err(Refusal::Deep("types"));
            }
        }
    }
    Ok(())
}

/// Reads a type, or its beginning if it consists of declarations.
fn begin(reader: &mut BinaryReader<'_>) -> wasmparser::Result<Option<Begun>> {
    let first = next(reader)?;
    if first != COMPONENT_TYPE && first != INSTANCE_TYPE {
        drop(reader.read::<ComponentType<'_>>()?);
        return Ok(None);
    }
    reader.read_u8()?;
    Ok(Some(Begun { is_component: first == COMPONENT_TYPE, declarations_left: reader.read_var_u32()? }))
}

/// Reads a declaration; where it is a type as [`begin`] does.
fn declaration(reader: &mut BinaryReader<'_>, is_of_component: bool) -> wasmparser::Result<Option<Begun>> {
    if next(reader)? == TYPE_DECLARATION {
        reader.read_u8()?;
        return begin(reader);
    }
    if is_of_component {
        drop(reader.read::<ComponentTypeDeclaration<'_>>()?);
    } else {
        drop(reader.read::<InstanceTypeDeclaration<'_>>()?);
    }
    Ok(None)
}

/// The byte that is read next.
fn next(reader: &BinaryReader<'_>) -> wasmparser::Result<u8> {
    reader.clone().read_u8()
}
