//! What the schema says about a field, as strategic merge asks for it.

use super::error::Reason;
use super::{StrategicOptions, TypeSource};
use crate::schema::{Field, Format, MapType, Patch, Type, UnknownFields};

/// A field's type and strategy. For a list the type is that of its items.
#[derive(Clone, Copy)]
pub(crate) struct Found<'s> {
    pub(crate) ty: Type<'s>,
    pub(crate) patch: &'s Patch,
}

impl Found<'_> {
    /// The field that tells list items apart; nothing where there is none.
    pub(super) fn merge_key(&self) -> &str {
        self.patch.merge_key.as_deref().unwrap_or_default()
    }
}

/// How fields are looked up.
#[derive(Clone, Copy)]
pub(crate) struct Lookup {
    refuse: bool,
    go_types: bool,
}

impl Lookup {
    pub(crate) fn new(options: &StrategicOptions) -> Self {
        Self {
            refuse: options.unknown_fields == UnknownFields::Refuse,
            go_types: options.type_source == TypeSource::GoTypes,
        }
    }

    pub(super) fn refuses_unknown(self) -> bool {
        self.refuse
    }

    /// The map, or anything else, under `name`.
    ///
    /// Upstream: `LookupPatchMetadataForStruct` of `strategicpatch/meta.go`.
    pub(crate) fn map<'s>(self, ty: Type<'s>, name: &str) -> Result<Found<'s>, Reason> {
        let map = ty.map();
        match map.and_then(|map| self.field(map, name)) {
            Some(field) => Ok(Found { ty: field.ty(), patch: field.patch() }),
            None => self.unnamed(map, name),
        }
    }

    /// What is not among the named fields.
    fn unnamed<'s>(self, map: Option<MapType<'s>>, name: &str) -> Result<Found<'s>, Reason> {
        if !self.refuse {
            let ty = map.and_then(|map| map.element()).unwrap_or_else(Type::deduced);
            return Ok(Found { ty, patch: Patch::NONE });
        }
        let named = map.is_some_and(|map| map.fields().len() > 0);
        Err(if named {
            Reason::UnknownField(name.to_owned())
        } else {
            Reason::NoNamedFields(name.to_owned())
        })
    }

    /// The list under `name`.
    ///
    /// Upstream: `LookupPatchMetadataForSlice` of `strategicpatch/meta.go`. With OpenAPI as the source of types, a list is
    /// allowed anywhere; with Go types also where a field is a pointer, whatever it points to.
    pub(crate) fn list<'s>(self, ty: Type<'s>, name: &str) -> Result<Found<'s>, Reason> {
        let map = ty.map();
        let Some(field) = map.and_then(|map| self.field(map, name)) else { return self.unnamed(map, name) };
        let found = Found { ty: field.ty(), patch: field.patch() };
        match found.ty.list() {
            // A `RawExtension` holds lists too, but as a Go type it is none.
            Some(list) if found.ty.format() != Format::Embedded => Ok(Found { ty: list.item(), ..found }),
            // The zero value of what is no pointer cannot be told from none.
            _ if self.refuse && self.go_types && field.zero_is_absent() => Err(Reason::NotAList),
            _ => Ok(found),
        }
    }

    /// Fields of Go types are found whatever their case, as Go's `encoding/json` does.
    fn field<'s>(self, map: MapType<'s>, name: &str) -> Option<Field<'s>> {
        map.field(name).or_else(|| {
            // Only what has another spelling can be found this way, which is rare: names of one length, but for two letters
            // that are longer when folded.
            let spelled = |field: &Field<'_>| same_folded(field.name(), name);
            if self.go_types { map.fields().find(spelled) } else { None }
        })
    }
}

/// Whether two names are the same but for the case of ASCII letters, the Kelvin sign being a `k` and the long s an `s`
/// (`third_party/forked/golang/json/fields.go`, `foldFunc`).
fn same_folded(field: &str, name: &str) -> bool {
    let fold = |c: char| match c {
        '\u{212a}' => 'k',
        '\u{17f}' => 's',
        _ => c.to_ascii_lowercase(),
    };
    field.chars().map(fold).eq(name.chars().map(fold))
}
