//! Named types as Rust: structs and enums that serde writes as the original's.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote};
use sinew_descriptor::{Body, Field, Named, Service, Type, Variant};

use super::{
    graph::Graph,
    names::{self, Case},
};

/// The longest array that serde reads, and the longest tuple that the standard library compares.
const ARRAY_MAX: usize = 32;
const TUPLE_MAX: usize = 12;

/// What generated code itself names, so that no type of a service may.
const OURS: &[&str] = &[
    "BTreeMap",
    "Box",
    "Bytes",
    "Option",
    "Result",
    "Status",
    "Streaming",
    "String",
    "Value",
    "Vec",
];

/// The types of one service.
pub(super) struct Types<'d> {
    service: &'d Service,
    graph: Graph<'d>,
    idents: BTreeMap<&'d str, Ident>,
    /// Types that are keys of maps.
    keys: BTreeSet<String>,
    /// What each type is, and what of [`OURS`] that names.
    written: BTreeMap<&'d str, (TokenStream, BTreeSet<String>)>,
    /// Types that cannot be written, or hold one that cannot: which one, and why.
    refused: BTreeMap<&'d str, String>,
    /// What of [`OURS`] is named in what is being written.
    named: RefCell<BTreeSet<String>>,
}

impl<'d> Types<'d> {
    /// `taken` holds what the trait and what is generated for it are called.
    pub(super) fn new(service: &'d Service, taken: &mut BTreeSet<String>) -> Self {
        taken.extend(OURS.iter().map(|name| (*name).to_owned()));
        let graph = Graph::new(service);
        let keys = graph.keys(service.methods.iter().flat_map(method_types));
        let idents = service
            .types
            .iter()
            .map(|named| (&*named.name, names::ident(&named.name, Case::Type, taken)));
        let idents = idents.collect();
        let mut types = Self {
            service,
            graph,
            idents,
            keys,
            written: BTreeMap::new(),
            refused: BTreeMap::new(),
            named: RefCell::default(),
        };
        let mut refused = Vec::new();
        for named in &service.types {
            let (code, words) = (types.definition(named), types.named.take());
            match code {
                Ok(code) => {
                    types.written.insert(&named.name, (code, words));
                }
                Err(why) => {
                    refused.push((&*named.name, format!("the type `{}`: {why}", named.name)));
                }
            }
        }
        types.refused = types.graph.above(refused);
        types
    }

    /// The definitions of those that are used, and what of [`OURS`] they name.
    pub(super) fn definitions(
        &self,
        used: &BTreeSet<String>,
    ) -> (Vec<TokenStream>, BTreeSet<String>) {
        let (mut definitions, mut named) = (Vec::new(), BTreeSet::new());
        let used = self.service.types.iter().filter(|named| used.contains(&named.name));
        for (code, words) in used.filter_map(|named| self.written.get(&*named.name)) {
            definitions.push(code.clone());
            named.extend(words.iter().cloned());
        }
        (definitions, named)
    }

    fn ours(&self, name: &str) -> Ident {
        self.named.borrow_mut().insert(name.to_owned());
        Ident::new(name, Span::call_site())
    }

    /// Every named type below these.
    pub(super) fn reachable<'a>(&self, from: impl Iterator<Item = &'a Type>) -> BTreeSet<String> {
        self.graph.reachable(from)
    }

    /// A type where it stands in a method.
    ///
    /// # Errors
    /// Why it cannot be written, with the name of the type that is in the way.
    pub(super) fn whole(&self, ty: &Type) -> Result<TokenStream, String> {
        if let Some(why) = self.graph.named_in(ty).iter().find_map(|name| self.refused.get(&**name))
        {
            return Err(why.clone());
        }
        self.ty(None, ty, true)
    }

    /// A type as the part of `owner`.
    fn ty(&self, owner: Option<&str>, ty: &Type, by_value: bool) -> Result<TokenStream, String> {
        Ok(match ty {
            Type::Bool => quote!(bool),
            Type::U8 => quote!(u8),
            Type::U16 => quote!(u16),
            Type::U32 => quote!(u32),
            Type::U64 => quote!(u64),
            Type::U128 => quote!(u128),
            Type::I8 => quote!(i8),
            Type::I16 => quote!(i16),
            Type::I32 => quote!(i32),
            Type::I64 => quote!(i64),
            Type::I128 => quote!(i128),
            Type::F32 => quote!(f32),
            Type::F64 => quote!(f64),
            Type::Char => quote!(char),
            Type::Text => quote!(String),
            Type::Bytes => self.ours("Bytes").into_token_stream(),
            Type::Unit => quote!(()),
            Type::Opaque(_) => self.ours("Value").into_token_stream(),
            Type::Option(inner) => {
                let inner = self.ty(owner, inner, by_value)?;
                quote!(Option<#inner>)
            }
            Type::List(inner) => {
                let inner = self.ty(owner, inner, false)?;
                quote!(Vec<#inner>)
            }
            Type::Map(key, value) => {
                if let Some(why) = self.graph.not_a_key(key) {
                    return Err(format!("a map's key cannot be kept in order: {why}"));
                }
                let (key, value) = (self.ty(owner, key, false)?, self.ty(owner, value, false)?);
                let map = self.ours("BTreeMap");
                quote!(#map<#key, #value>)
            }
            Type::Tuple(parts) => self.tuple(owner, parts, by_value)?,
            Type::Named(name) => {
                let ident = self.idents.get(&**name).ok_or("it is not among the types")?;
                match owner {
                    Some(owner) if by_value && self.graph.is_circular(owner, name) => {
                        quote!(Box<#ident>)
                    }
                    _ => quote!(#ident),
                }
            }
        })
    }

    fn tuple(
        &self,
        owner: Option<&str>,
        parts: &[Type],
        by_value: bool,
    ) -> Result<TokenStream, String> {
        let len = parts.len();
        if parts.iter().all(|part| Some(part) == parts.first()) && len != 1 && len != 2 {
            if len > ARRAY_MAX {
                return Err(format!(
                    "an array of {len} parts has no serde in Rust (at most {ARRAY_MAX}); make it a list"
                ));
            }
            let item = parts
                .first()
                .map_or_else(|| Ok(quote!(u8)), |part| self.ty(owner, part, by_value))?;
            let len = proc_macro2::Literal::usize_unsuffixed(len);
            return Ok(quote!([#item; #len]));
        }
        if len > TUPLE_MAX {
            return Err(format!(
                "a tuple of {len} parts cannot be compared in Rust (at most {TUPLE_MAX}); make it a struct"
            ));
        }
        let parts: Vec<_> =
            parts.iter().map(|part| self.ty(owner, part, by_value)).collect::<Result<_, _>>()?;
        Ok(quote!((#(#parts,)*)))
    }

    fn definition(&self, named: &Named) -> Result<TokenStream, String> {
        let ident = &self.idents[&*named.name];
        let is_key = self.keys.contains(&named.name);
        let key = is_key.then(|| quote!(, Eq, PartialOrd, Ord));
        let default = self.graph.has_default(&named.name).then(|| quote!(, Default));
        let derive = quote! {
            #[derive(Debug, Clone, PartialEq #key #default, ::serde::Serialize, ::serde::Deserialize)]
        };
        let owner = &named.name;
        Ok(match &named.body {
            Body::Unit => quote!(#derive pub struct #ident;),
            Body::Newtype(inner) => {
                let inner = self.ty(Some(owner), inner, true)?;
                quote!(#derive pub struct #ident(pub #inner);)
            }
            // One part is what serde calls a newtype.
            Body::Tuple(parts) if parts.len() < 2 => {
                let inner = self.tuple(Some(owner), parts, true)?;
                quote!(#derive pub struct #ident(pub #inner);)
            }
            Body::Tuple(parts) => {
                let parts = self.parts(owner, parts)?;
                quote!(#derive pub struct #ident(#(pub #parts),*);)
            }
            Body::Struct(fields) => {
                let fields = self.fields(owner, fields, &quote!(pub))?;
                quote!(#derive pub struct #ident { #(#fields,)* })
            }
            Body::Enum(variants) => {
                let variants = self.variants(owner, variants)?;
                quote!(#derive pub enum #ident { #(#variants,)* })
            }
        })
    }

    fn parts(&self, owner: &str, parts: &[Type]) -> Result<Vec<TokenStream>, String> {
        parts.iter().map(|part| self.ty(Some(owner), part, true)).collect()
    }

    fn fields(
        &self,
        owner: &str,
        fields: &[Field],
        visibility: &TokenStream,
    ) -> Result<Vec<TokenStream>, String> {
        let mut taken = BTreeSet::new();
        let mut all = Vec::new();
        // Other names are for what others wrote: what is generated writes the first.
        for field in fields.iter().filter(|field| !field.alias) {
            let ident = names::ident(&field.name, Case::Value, &mut taken);
            let ty = self
                .ty(Some(owner), &field.ty, true)
                .map_err(|why| format!("the field `{}`: {why}", field.name))?;
            let name = &field.name;
            let rename = (names::plain(&ident) != *name).then(|| quote!(rename = #name));
            // What cannot be seen may also not be there.
            let is_unseen = matches!(field.ty, Type::Opaque(_));
            let is_absent = is_unseen || field.optional && !matches!(field.ty, Type::Option(_));
            let default =
                (is_absent && self.graph.type_has_default(&field.ty)).then(|| quote!(default));
            let omitted = (field.omitted && matches!(field.ty, Type::Option(_)))
                .then(|| quote!(default, skip_serializing_if = "Option::is_none"));
            let said: Vec<_> = rename.into_iter().chain(default).chain(omitted).collect();
            let serde = (!said.is_empty()).then(|| quote!(#[serde(#(#said),*)]));
            all.push(quote!(#serde #visibility #ident: #ty));
        }
        Ok(all)
    }

    fn variants(&self, owner: &str, variants: &[Variant]) -> Result<Vec<TokenStream>, String> {
        let mut taken = BTreeSet::new();
        let mut all = Vec::new();
        let mut rest = variants;
        while let Some((variant, behind)) = rest.split_first() {
            let aliases = behind.iter().take_while(|variant| variant.alias).count();
            let (aliases, behind) = behind.split_at(aliases);
            rest = behind;
            let ident = names::ident(&variant.name, Case::Type, &mut taken);
            let name = &variant.name;
            let rename = (ident != *name).then(|| quote!(rename = #name));
            let aliases = aliases.iter().map(|alias| {
                let name = &alias.name;
                quote!(alias = #name)
            });
            let said: Vec<_> = rename.into_iter().chain(aliases).collect();
            let serde = (!said.is_empty()).then(|| quote!(#[serde(#(#said),*)]));
            let within = |why| format!("the variant `{name}`: {why}");
            all.push(match &variant.body {
                Body::Unit => quote!(#serde #ident),
                Body::Newtype(inner) => {
                    let inner = self.ty(Some(owner), inner, true).map_err(within)?;
                    quote!(#serde #ident(#inner))
                }
                Body::Tuple(parts) if parts.len() < 2 => {
                    let inner = self.tuple(Some(owner), parts, true).map_err(within)?;
                    quote!(#serde #ident(#inner))
                }
                Body::Tuple(parts) => {
                    let parts = self.parts(owner, parts).map_err(within)?;
                    quote!(#serde #ident(#(#parts),*))
                }
                Body::Struct(fields) => {
                    let fields = self.fields(owner, fields, &TokenStream::new()).map_err(within)?;
                    quote!(#serde #ident { #(#fields,)* })
                }
                Body::Enum(_) => return Err(within("it is an enum itself".to_owned())),
            });
        }
        Ok(all)
    }
}

/// The types that stand in a method.
pub(super) fn method_types(method: &sinew_descriptor::Method) -> impl Iterator<Item = &Type> {
    let arguments = method.arguments.iter().map(|argument| &argument.ty);
    let input = method.input.iter().map(|input| &input.item);
    arguments.chain(input).chain([&method.output]).chain(&method.error)
}
