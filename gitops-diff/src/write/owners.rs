//! The owners of an object's fields while it is written: `metadata.managedFields`, read against the schema
//! (`managedfields/internal/managedfields.go`).

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::time::seconds;
use super::{Conflict, WriteOptions};
use crate::FieldSet;
use crate::managed_fields::{Header, ManagedFieldsError, Operation};
use crate::schema::Type;
use crate::typed::{Comparison, is_verbatim, read_fields};

/// One owner.
pub(super) struct Owner<'a> {
    pub(super) manager: Cow<'a, str>,
    pub(super) operation: Operation,
    pub(super) api_version: Cow<'a, str>,
    pub(super) subresource: Cow<'a, str>,
    pub(super) time: Option<Cow<'a, str>>,
    fields: Fields<'a>,
    /// The entry as it was written, where that still is how it is written.
    pub(super) source: Option<&'a Value>,
    /// Whether the fields are known to be those that the writer was expected to have.
    pub(super) is_as_expected: bool,
}

/// Fields that are read only when they are needed.
enum Fields<'a> {
    Read(FieldSet),
    /// Not empty, and as they will be written again.
    Written(&'a Value),
}

/// Who writes, and what it owns if nothing changes.
#[derive(Clone, Copy)]
pub(super) struct Expected<'e> {
    pub(super) writer: &'e Owner<'e>,
    pub(super) fields: &'e FieldSet,
}

impl<'a> Owner<'a> {
    fn read(
        index: usize,
        entry: &'a Value,
        version: &str,
        ty: Type<'_>,
        expected: Option<Expected<'_>>,
    ) -> Result<Self, ManagedFieldsError> {
        let header = Header::read(index, entry)?;
        // Only an object that has no version itself has owners without one.
        let has_version = !header.api_version.is_empty() || version.is_empty();
        if !has_version || !header.is_fields_v1 {
            return Err(ManagedFieldsError::Incomplete { index });
        }
        let mut owner = Self {
            manager: header.manager.into(),
            operation: header.operation,
            api_version: header.api_version.into(),
            subresource: header.subresource.into(),
            time: header.time.map(Into::into),
            fields: Fields::Written(header.fields),
            source: Some(entry),
            is_as_expected: false,
        };
        if header.is_verbatim {
            owner.is_as_expected = expected.is_some_and(|expected| {
                owner.identity() == expected.writer.identity() && expected.fields.is_written_as(header.fields)
            });
            if owner.is_as_expected || is_verbatim(header.fields, ty) {
                return Ok(owner);
            }
        }
        let set = read_fields(header.fields, ty).map_err(|source| ManagedFieldsError::Fields {
            index,
            manager: header.manager.to_owned(),
            source,
        })?;
        owner.source = owner.source.filter(|_| header.is_verbatim && set.is_verbatim);
        owner.fields = Fields::Read(set.fields);
        Ok(owner)
    }

    /// What it owns.
    pub(super) fn fields(&mut self) -> &FieldSet {
        if let Fields::Written(fields) = self.fields {
            // What is verbatim can be read.
            self.fields = Fields::Read(FieldSet::from_fields_v1(fields).unwrap_or_default());
        }
        match &self.fields {
            Fields::Read(fields) => fields,
            Fields::Written(_) => const { &FieldSet::new() },
        }
    }

    fn owns_nothing(&self) -> bool {
        match &self.fields {
            Fields::Read(fields) => fields.is_empty(),
            Fields::Written(_) => false,
        }
    }

    /// Who this is: entries of one identity are one. Applies are the same at every API version.
    fn identity(&self) -> (Operation, &str, &str, &str) {
        let version = if self.operation == Operation::Apply { "" } else { &*self.api_version };
        (self.operation, &self.manager, version, &self.subresource)
    }

    pub(super) fn set_fields(&mut self, fields: FieldSet) {
        if fields != *self.fields() {
            self.fields = Fields::Read(fields);
            self.source = None;
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        // `Apply` sorts before `Update`.
        let time = |owner: &Self| owner.time.as_deref().map_or(0, seconds);
        self.operation
            .cmp(&other.operation)
            .then_with(|| time(self).cmp(&time(other)))
            .then_with(|| self.manager.cmp(&other.manager))
            .then_with(|| self.api_version.cmp(&other.api_version))
            .then_with(|| self.subresource.cmp(&other.subresource))
    }

    fn into_value(self) -> Value {
        if let Some(source) = self.source {
            return source.clone();
        }
        let mut map = Map::new();
        let mut text = |name: &str, text: Cow<'_, str>| {
            if !text.is_empty() {
                map.insert(name.to_owned(), Value::String(text.into_owned()));
            }
        };
        text("manager", self.manager);
        text("operation", self.operation.as_str().into());
        text("apiVersion", self.api_version);
        text("time", self.time.unwrap_or_default());
        text("fieldsType", "FieldsV1".into());
        text("subresource", self.subresource);
        let fields = match self.fields {
            Fields::Read(fields) => fields.to_fields_v1(),
            Fields::Written(fields) => fields.clone(),
        };
        map.insert("fieldsV1".to_owned(), fields);
        Value::Object(map)
    }
}

/// All owners of an object's fields.
pub(super) struct Owners<'a> {
    pub(super) list: Vec<Owner<'a>>,
    /// How many entries were read.
    pub(super) read: usize,
}

impl<'a> Owners<'a> {
    pub(super) fn none() -> Self {
        Self { list: Vec::new(), read: 0 }
    }

    /// Reads the value of the `metadata.managedFields` of an object of this version.
    pub(super) fn read(
        entries: Option<&'a Value>,
        version: &str,
        ty: Type<'_>,
        expected: Option<Expected<'_>>,
    ) -> Result<Self, ManagedFieldsError> {
        let entries = match entries {
            None | Some(Value::Null) => return Ok(Self::none()),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err(ManagedFieldsError::NotAList),
        };
        let read = |(index, entry)| Owner::read(index, entry, version, ty, expected);
        let list = entries.iter().enumerate().map(read).collect::<Result<Vec<_>, _>>()?;
        let mut owners = Self { list, read: entries.len() };
        owners.keep_last();
        Ok(owners)
    }

    /// Of several entries of one identity the last one counts.
    fn keep_last(&mut self) {
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        let identity = |at: &usize| self.list.get(*at).map(Owner::identity);
        order.sort_by(|a, b| identity(a).cmp(&identity(b)).then(a.cmp(b)));
        let mut doubled: Vec<usize> = order
            .windows(2)
            .filter_map(|pair| match pair {
                [a, b] if identity(a) == identity(b) => Some(*a),
                _ => None,
            })
            .collect();
        doubled.sort_unstable();
        for at in doubled.into_iter().rev() {
            self.list.remove(at);
        }
    }

    /// Drops those whose fields are named in another version of the API, which cannot be converted here
    /// (`merge/update.go`, `reconcileManagedFieldsWithSchemaChanges`).
    pub(super) fn keep_version(&mut self, api_version: &str) {
        self.list.retain(|owner| owner.api_version == api_version);
    }

    /// Where the owner of this identity is.
    pub(super) fn find(&self, like: &Owner<'_>) -> Option<usize> {
        self.list.iter().position(|owner| owner.identity() == like.identity())
    }

    /// Whether the owner at `at` has anything that it does not state any more.
    pub(super) fn gives_up(&mut self, at: usize, stated: &FieldSet) -> bool {
        let owner = self.list.get_mut(at);
        owner.is_some_and(|owner| !owner.is_as_expected && !owner.fields().is_subset(stated))
    }

    /// All that the owner at `at` has, and all that the others have.
    pub(super) fn owned(&mut self, at: usize) -> (FieldSet, FieldSet) {
        let (mut own, mut others) = (FieldSet::new(), FieldSet::new());
        for (other, owner) in self.list.iter_mut().enumerate() {
            let set = if other == at { &mut own } else { &mut others };
            *set = set.union(owner.fields());
        }
        (own, others)
    }

    /// What others than the one at `except` own of what was written: the conflicts.
    pub(super) fn conflicts(&mut self, change: &Comparison, except: Option<usize>) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        if change.is_empty() {
            return conflicts;
        }
        for (at, owner) in self.list.iter_mut().enumerate() {
            if Some(at) == except {
                continue;
            }
            let fields = owner.fields();
            let theirs = fields.intersection(&change.modified).union(&fields.intersection(&change.added));
            conflicts.extend(theirs.iter().map(|path| Conflict {
                manager: owner.manager.clone().into_owned(),
                operation: owner.operation,
                api_version:
                    (owner.operation == Operation::Update).then(|| owner.api_version.clone().into_owned()),
                subresource: owner.subresource.clone().into_owned(),
                path,
            }));
        }
        conflicts.sort();
        conflicts
    }

    /// Takes what was written or removed from all but the one at `except`.
    pub(super) fn take(&mut self, change: &Comparison, except: Option<usize>) {
        if change.is_empty() {
            return;
        }
        let lost = [&change.modified, &change.added, &change.removed];
        for (at, owner) in self.list.iter_mut().enumerate() {
            if Some(at) == except {
                continue;
            }
            let fields = owner.fields();
            if lost.iter().any(|lost| !fields.is_disjoint(lost)) {
                let left = lost.iter().fold(fields.clone(), |left, lost| left.difference(lost));
                owner.set_fields(left);
            }
        }
    }

    /// The entries as they are written, sorted as the API server sorts them; `None` if they are, in this order, what was
    /// read.
    pub(super) fn into_entries(mut self) -> Option<Vec<Value>> {
        self.list.retain(|owner| !owner.owns_nothing());
        let is_sorted = self.list.is_sorted_by(|a, b| a.order(b).is_le());
        if is_sorted && self.list.len() == self.read && self.list.iter().all(|owner| owner.source.is_some()) {
            return None;
        }
        self.list.sort_by(Owner::order);
        Some(self.list.into_iter().map(Owner::into_value).collect())
    }
}

/// An owner for a write that is to be made.
pub(super) fn writer<'a>(
    options: &'a WriteOptions,
    operation: Operation,
    api_version: &'a str,
    fields: FieldSet,
) -> Owner<'a> {
    let manager = if options.manager.is_empty() { "unknown" } else { &options.manager };
    Owner {
        manager: manager.into(),
        operation,
        api_version: api_version.into(),
        subresource: options.subresource.as_str().into(),
        time: options.time.as_deref().map(Into::into),
        fields: Fields::Read(fields),
        source: None,
        is_as_expected: false,
    }
}
