//! The structure of a type as bytes: equal where bincode reads what the other side has written, with the same meaning.
//!
//! ```text
//! leaf      '.' and its tag                 option   '?' inner
//! sequence  '*' item                        map      '%' key value
//! tuple     '(' count, parts                struct   '{' count, (name, part) in declared order
//! enum      '<' count, (name, body)         again    '^' how many structs and enums further out
//! ```
//! Counts and names are as long as a u32, big endian, says. Left out: newtypes, names of types, aliases of fields. An
//! alias of a variant is a name and '='. A tuple struct and an array are tuples. A variant's body is '-' without content,
//! its part, a tuple or a struct.

use sinew_core::{ids::Fingerprint, limits, sha256::Sha256};

use crate::{
    service::{Method, Service},
    types::{Body, Index, Named, Type, Types},
};

/// The number of bincode on the wire, which is part of what is hashed.
const BINCODE: u8 = 1;

/// So many named types inside of each other: no type of a program has them, a descriptor may.
const DEPTH_MAX: usize = 128;

/// The structure takes more than [`limits::CANONICAL_MAX`] bytes, or goes too deep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// The structure of a type.
///
/// # Errors
/// It takes too many bytes.
pub fn of<T: Types + ?Sized>(ty: &Type, types: &T) -> Result<Vec<u8>, TooLarge> {
    let mut writer = Writer { types, stack: Vec::new(), out: Vec::new(), names: true };
    writer.place(ty)?;
    Ok(writer.out)
}

/// The same without names: equal where bincode reads what the other side has written, whatever it then means.
pub(crate) fn layout<T: Types + ?Sized>(ty: &Type, types: &T) -> Result<Vec<u8>, TooLarge> {
    let mut writer = Writer { types, stack: Vec::new(), out: Vec::new(), names: false };
    writer.place(ty)?;
    Ok(writer.out)
}

/// The structure of arguments, which are the fields of a struct.
///
/// # Errors
/// It takes too many bytes.
pub fn of_arguments<'a, T: Types + ?Sized>(
    arguments: impl ExactSizeIterator<Item = (&'a str, &'a Type)>,
    types: &T,
) -> Result<Vec<u8>, TooLarge> {
    let mut writer = Writer { types, stack: Vec::new(), out: Vec::new(), names: true };
    writer.count(b'{', arguments.len());
    for (name, ty) in arguments {
        writer.name(name);
        writer.place(ty)?;
    }
    Ok(writer.out)
}

/// What both ends of a method compare before they speak bincode: one number over everything that crosses the wire for
/// it, in this order: arguments, input items, value, error.
pub fn hash<'a>(streams: u8, parts: impl IntoIterator<Item = Option<&'a [u8]>>) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(b"sinew-fp-1");
    hash.update(&[BINCODE, streams]);
    for part in parts {
        match part {
            Some(structure) => {
                hash.update(&[1]);
                hash.update(&(structure.len() as u64).to_be_bytes());
                hash.update(structure);
            }
            None => hash.update(&[0]),
        }
    }
    first(&hash.finish())
}

/// What stands for the structure where the user vouches for it: the same name and version is the same structure.
pub fn vouched(path: &str, version: u32) -> Fingerprint {
    let mut hash = Sha256::new();
    hash.update(format!("sinew-fp-vouched-1 {path} {version}").as_bytes());
    first(&hash.finish())
}

/// The first eight bytes; zero means that there is none.
fn first(digest: &[u8; 32]) -> Fingerprint {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    Fingerprint(u64::from_be_bytes(first).max(1))
}

/// The fingerprint that a method has by its descriptor; `None` where something of it cannot be seen, or is too large.
///
/// Whether values survive bincode cannot be told from structure: a method that has none in its descriptor has none.
pub fn fingerprint(service: &Service, method: &Method) -> Option<Fingerprint> {
    fingerprint_with(&Index::new(&service.types), service, method)
}

/// The same, for whoever asks for many methods.
pub(crate) fn fingerprint_with(
    types: &Index<'_>,
    service: &Service,
    method: &Method,
) -> Option<Fingerprint> {
    fingerprint_counted(types, service, method, &mut 0)
}

/// The same, adding to `written` the bytes that it took to find out.
pub(crate) fn fingerprint_counted(
    types: &Index<'_>,
    service: &Service,
    method: &Method,
    written: &mut usize,
) -> Option<Fingerprint> {
    if method.raw {
        return None;
    }
    if method.trust_layout || service.version.is_some() {
        let path = format!("{}/{}", service.name, method.name);
        return Some(vouched(&path, service.version.unwrap_or_default()));
    }
    let arguments = method.arguments.iter().map(|argument| (&*argument.name, &argument.ty));
    let all = method.arguments.iter().map(|argument| &argument.ty);
    let all = all.chain(method.input.as_ref().map(|input| &input.item));
    let mut all = all.chain([&method.output]).chain(&method.error);
    if all.any(|ty| ty.opaque(types).is_some()) {
        return None;
    }
    let mut counted = |structure: Result<Vec<u8>, TooLarge>| {
        *written += structure.as_ref().map_or(limits::CANONICAL_MAX, Vec::len);
        structure.ok()
    };
    let arguments = counted(of_arguments(arguments, types))?;
    let mut optional = |ty: Option<&Type>| match ty {
        Some(ty) => counted(of(ty, types)).map(Some),
        None => Some(None),
    };
    let input = optional(method.input.as_ref().map(|input| &input.item))?;
    let value = optional(Some(&method.output))??;
    let error = optional(method.error.as_ref())?;
    let parts = [Some(&arguments), input.as_ref(), Some(&value), error.as_ref()];
    Some(hash(method.streams.number(), parts.map(|part| part.map(Vec::as_slice))))
}

struct Writer<'t, T: ?Sized> {
    types: &'t T,
    stack: Vec<&'t Named>,
    out: Vec<u8>,
    /// Names of fields and variants count.
    names: bool,
}

impl<'t, T: Types + ?Sized> Writer<'t, T> {
    fn count(&mut self, tag: u8, count: usize) {
        self.out.push(tag);
        self.out.extend(u32::try_from(count).unwrap_or(u32::MAX).to_be_bytes());
    }

    fn name(&mut self, name: &str) {
        if !self.names {
            return;
        }
        self.out.extend(u32::try_from(name.len()).unwrap_or(u32::MAX).to_be_bytes());
        self.out.extend(name.as_bytes());
    }

    fn place(&mut self, ty: &Type) -> Result<(), TooLarge> {
        if self.out.len() > limits::CANONICAL_MAX {
            return Err(TooLarge);
        }
        match ty {
            Type::Opaque(_) => self.out.push(b'!'),
            // To bincode and to the meaning, a unit struct is nothing.
            Type::Unit => self.out.push(b'-'),
            Type::Option(inner) => {
                self.out.push(b'?');
                self.place(inner)?;
            }
            Type::List(item) => {
                self.out.push(b'*');
                self.place(item)?;
            }
            Type::Map(key, value) => {
                self.out.push(b'%');
                self.place(key)?;
                self.place(value)?;
            }
            Type::Tuple(parts) => self.tuple(parts)?,
            Type::Named(name) => match self.types.named(name) {
                Some(named) => self.named(named)?,
                None => self.out.push(b'!'),
            },
            leaf => {
                let tag = tag(leaf);
                self.count(b'.', tag.len());
                self.out.extend(tag.as_bytes());
            }
        }
        Ok(())
    }

    fn tuple(&mut self, parts: &[Type]) -> Result<(), TooLarge> {
        self.count(b'(', parts.len());
        parts.iter().try_for_each(|part| self.place(part))
    }

    fn named(&mut self, named: &'t Named) -> Result<(), TooLarge> {
        if let Some(at) = self.stack.iter().rposition(|outer| std::ptr::eq(*outer, named)) {
            // A newtype is what it contains, so it is no step outwards.
            let steps = self.stack[at..].iter().filter(|named| !is_newtype(named)).count();
            self.count(b'^', steps);
            return Ok(());
        }
        if self.stack.len() >= DEPTH_MAX {
            return Err(TooLarge);
        }
        self.stack.push(named);
        let written = self.body(&named.body);
        self.stack.pop();
        written
    }

    fn body(&mut self, body: &Body) -> Result<(), TooLarge> {
        match body {
            Body::Unit => self.out.push(b'-'),
            Body::Newtype(inner) => self.place(inner)?,
            Body::Tuple(parts) => self.tuple(parts)?,
            Body::Struct(fields) => {
                let fields: Vec<_> = fields.iter().filter(|field| !field.alias).collect();
                self.count(b'{', fields.len());
                for field in fields {
                    self.name(&field.name);
                    self.place(&field.ty)?;
                }
            }
            Body::Enum(variants) => {
                self.count(b'<', variants.len());
                for variant in variants {
                    self.name(&variant.name);
                    // Which of two names is written cannot be heard: both count.
                    match variant.alias {
                        true => self.out.push(b'='),
                        false => self.body(&variant.body)?,
                    }
                }
            }
        }
        Ok(())
    }
}

fn is_newtype(named: &Named) -> bool {
    matches!(named.body, Body::Newtype(_))
}

/// What a leaf is called in the structure.
pub(crate) fn tag(leaf: &Type) -> &'static str {
    match leaf {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::U128 => "u128",
        Type::I8 => "i8",
        Type::I16 => "i16",
        Type::I32 => "i32",
        Type::I64 => "i64",
        Type::I128 => "i128",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::Text => "text",
        Type::Bytes => "bytes",
        Type::Unit
        | Type::Option(_)
        | Type::List(_)
        | Type::Map(..)
        | Type::Tuple(_)
        | Type::Named(_)
        | Type::Opaque(_) => "",
    }
}
