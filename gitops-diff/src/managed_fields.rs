//! `metadata.managedFields`: who owns what.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::projection::apply_entry;
use crate::redact::Masker;
use crate::{FieldPath, FieldSet, FieldSetError, Redaction};

/// How a manager came to own its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// By server-side apply: what it no longer applies is removed.
    Apply,
    /// By any other write.
    Update,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Operation {
    /// The word that managedFields entries have for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// One entry of `metadata.managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedFieldsEntry {
    /// The field manager.
    pub manager: String,
    /// How it came to own the fields.
    pub operation: Operation,
    /// The API version that the fields are named in.
    pub api_version: String,
    /// The subresource that was written, such as `status`; empty for the object itself.
    pub subresource: String,
    /// When, as the API server wrote it (RFC 3339).
    pub time: Option<String>,
    /// The fields.
    pub fields: FieldSet,
}

/// `metadata.managedFields` that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManagedFieldsError {
    /// The field is no list of maps.
    #[error("metadata.managedFields: expected a list of entries")]
    NotAList,
    /// A field of an entry is missing or of another type.
    #[error("metadata.managedFields[{index}].{field}: missing, or not as expected")]
    Field {
        /// Which entry, counted from zero.
        index: usize,
        /// Which field of it.
        field: &'static str,
    },
    /// An entry lacks its `apiVersion`, or its `fieldsType` is another than `FieldsV1`: nothing can be written over it.
    #[error("metadata.managedFields[{index}]: expected an apiVersion, and the fieldsType FieldsV1")]
    Incomplete {
        /// Which entry, counted from zero.
        index: usize,
    },
    /// The fields of an entry cannot be read.
    #[error("metadata.managedFields[{index}], manager {manager:?}: {source}")]
    Fields {
        /// Which entry, counted from zero.
        index: usize,
        /// Whose.
        manager: String,
        /// What is wrong.
        source: FieldSetError,
    },
}

impl ManagedFieldsError {
    /// The same, without what must not be told of the object.
    pub(crate) fn masked(self, masker: &Masker<'_>) -> Self {
        match self {
            Self::Fields { index, manager, source } => {
                Self::Fields { index, manager, source: source.masked(masker) }
            }
            other => other,
        }
    }
}

/// Who owns which fields of an object: its `metadata.managedFields`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ManagedFields {
    entries: Vec<ManagedFieldsEntry>,
}

impl ManagedFields {
    /// Reads the entries of an object; an object without any has an empty list.
    pub fn of(object: &Value) -> Result<Self, ManagedFieldsError> {
        match object.get("metadata").and_then(|metadata| metadata.get("managedFields")) {
            None | Some(Value::Null) => Ok(Self::default()),
            Some(Value::Array(entries)) => {
                let entries = entries.iter().enumerate().map(|(index, entry)| read(index, entry));
                let entries = entries.collect::<Result<_, _>>().map_err(|error: ManagedFieldsError| {
                    error.masked(&Masker::new(&Redaction::default(), &[object]))
                })?;
                Ok(Self { entries })
            }
            Some(_) => Err(ManagedFieldsError::NotAList),
        }
    }

    /// What a manager owns by applying, as it is written in an object: its entry for the object itself, not for a
    /// subresource, and the place of the entry in the list. The other entries are not read, and need not be readable.
    ///
    /// ```
    /// use gitops_diff::ManagedFields;
    /// use serde_json::json;
    ///
    /// let live = json!({"metadata": {"managedFields": [
    ///     {"manager": "kubectl", "operation": "Update"},
    ///     {"manager": "gitops", "operation": "Apply", "fieldsV1": {"f:data": {}}},
    /// ]}});
    /// let (at, entry) = ManagedFields::apply_entry(&live, "gitops").unwrap();
    /// assert_eq!((at, &entry["fieldsV1"]), (1, &json!({"f:data": {}})));
    /// assert_eq!(ManagedFields::apply_entry(&live, "kubectl"), None);
    /// ```
    pub fn apply_entry<'v>(object: &'v Value, manager: &str) -> Option<(usize, &'v Value)> {
        apply_entry(object, manager)
    }

    /// The entries as they are written in an object.
    pub fn to_value(&self) -> Value {
        self.entries.iter().map(write).collect()
    }

    /// Puts the entries into an object, sorted as the API server sorts them; without any, takes the field out.
    pub fn write_to(&mut self, object: &mut Value) {
        // Applies come first, then the order in which they were written.
        self.entries.sort_by(|a, b| {
            let key = |e: &ManagedFieldsEntry| {
                (e.operation, e.time.clone(), e.manager.clone(), e.api_version.clone(), e.subresource.clone())
            };
            key(a).cmp(&key(b))
        });
        let path = FieldPath::of_fields(["metadata", "managedFields"]);
        if self.entries.is_empty() {
            path.remove(object);
        } else {
            path.set(object, self.to_value());
        }
    }

    /// The entries.
    pub fn entries(&self) -> &[ManagedFieldsEntry] {
        &self.entries
    }

    /// The entries, given away.
    pub fn into_entries(self) -> Vec<ManagedFieldsEntry> {
        self.entries
    }

    /// The entries, to be changed.
    pub fn entries_mut(&mut self) -> &mut Vec<ManagedFieldsEntry> {
        &mut self.entries
    }

    /// The entry of a manager for the object itself, not for a subresource.
    pub fn by_manager(&self, manager: &str, operation: Operation) -> Option<&ManagedFieldsEntry> {
        self.entries
            .iter()
            .find(|e| e.manager == manager && e.operation == operation && e.subresource.is_empty())
    }

    /// The managers that own the field, something below it, or the atomic map or list it is in; whoever wrote last comes
    /// first, and each is named once.
    pub fn owners_of(&self, path: &FieldPath) -> Vec<&str> {
        let mut entries: Vec<_> = self.entries.iter().filter(|e| e.fields.touches(path)).collect();
        entries.sort_by(|a, b| b.time.cmp(&a.time));
        let mut owners: Vec<&str> = Vec::new();
        for entry in entries {
            if !owners.contains(&entry.manager.as_str()) {
                owners.push(&entry.manager);
            }
        }
        owners
    }

    /// Whoever of the others wrote the field last, and so is the one to ask about it.
    pub fn writer_of(&self, path: &FieldPath, except: Option<&str>) -> Option<&str> {
        self.owners_of(path).into_iter().find(|owner| Some(*owner) != except)
    }
}

fn read(index: usize, entry: &Value) -> Result<ManagedFieldsEntry, ManagedFieldsError> {
    let header = Header::read(index, entry)?;
    let manager = header.manager.to_owned();
    let fields = FieldSet::from_fields_v1(header.fields).map_err(|source| ManagedFieldsError::Fields {
        index,
        manager: manager.clone(),
        source,
    })?;
    Ok(ManagedFieldsEntry {
        manager,
        operation: header.operation,
        api_version: header.api_version.to_owned(),
        subresource: header.subresource.to_owned(),
        time: header.time.map(str::to_owned),
        fields,
    })
}

/// What an entry says besides its fields.
pub(crate) struct Header<'a> {
    pub(crate) manager: &'a str,
    pub(crate) operation: Operation,
    pub(crate) api_version: &'a str,
    pub(crate) subresource: &'a str,
    pub(crate) time: Option<&'a str>,
    /// Not read yet.
    pub(crate) fields: &'a Value,
    /// Whether it says that its fields are written in the one form that there is.
    pub(crate) is_fields_v1: bool,
    /// Whether it has nothing besides, and nothing that is left out when it is written.
    pub(crate) is_verbatim: bool,
}

impl<'a> Header<'a> {
    /// Reads an entry.
    pub(crate) fn read(index: usize, entry: &'a Value) -> Result<Self, ManagedFieldsError> {
        let bad = |field| ManagedFieldsError::Field { index, field };
        let Value::Object(entry) = entry else { return Err(ManagedFieldsError::NotAList) };
        let text = |field: &'static str| match entry.get(field) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(_) => Err(bad(field)),
        };
        let operation = match text("operation")? {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err(bad("operation")),
        };
        let (manager, api_version, subresource) =
            (text("manager")?, text("apiVersion")?, text("subresource")?);
        let time = Some(text("time")?).filter(|time| !time.is_empty());
        let is_fields_v1 = text("fieldsType")? == "FieldsV1";
        let fields = entry.get("fieldsV1");
        let written = [manager, api_version, subresource].iter().filter(|text| !text.is_empty()).count();
        let is_verbatim =
            entry.len() == 2 + written + usize::from(time.is_some()) + usize::from(fields.is_some());
        let fields = fields.unwrap_or(&Value::Null);
        Ok(Self { manager, operation, api_version, subresource, time, fields, is_fields_v1, is_verbatim })
    }
}

fn write(entry: &ManagedFieldsEntry) -> Value {
    let mut map = Map::new();
    map.insert("manager".to_owned(), json!(entry.manager));
    map.insert("operation".to_owned(), json!(entry.operation.to_string()));
    map.insert("apiVersion".to_owned(), json!(entry.api_version));
    if let Some(time) = &entry.time {
        map.insert("time".to_owned(), json!(time));
    }
    map.insert("fieldsType".to_owned(), json!("FieldsV1"));
    map.insert("fieldsV1".to_owned(), entry.fields.to_fields_v1());
    if !entry.subresource.is_empty() {
        map.insert("subresource".to_owned(), json!(entry.subresource));
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object() -> Value {
        json!({"metadata": {"managedFields": [
            {
                "manager": "gitops-shop", "operation": "Apply", "apiVersion": "apps/v1", "time": "2026-01-01T00:00:00Z",
                "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}, "f:args": {}}},
            },
            {
                "manager": "kubectl-scale", "operation": "Update", "apiVersion": "apps/v1", "subresource": "scale",
                "time": "2026-01-02T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:replicas": {}}},
            },
        ]}})
    }

    #[test]
    fn reads_and_writes() {
        let mut managed = ManagedFields::of(&object()).unwrap();
        let mut copy = json!({});
        managed.write_to(&mut copy);
        assert_eq!(copy, object());
        ManagedFields::default().write_to(&mut copy);
        assert_eq!(copy, json!({"metadata": {}}));
        assert_eq!(ManagedFields::of(&json!({})), Ok(ManagedFields::default()));
    }

    #[test]
    fn names_the_last_writer() {
        let managed = ManagedFields::of(&object()).unwrap();
        let path = |text: &str| text.parse::<FieldPath>().unwrap();
        assert_eq!(managed.owners_of(&path(".spec.replicas")), ["kubectl-scale", "gitops-shop"]);
        assert_eq!(managed.owners_of(&path(".spec.args[0]")), ["gitops-shop"]);
        assert_eq!(managed.writer_of(&path(".spec.args"), Some("gitops-shop")), None);
        assert_eq!(managed.writer_of(&path(".spec"), Some("gitops-shop")), Some("kubectl-scale"));
        assert!(managed.by_manager("kubectl-scale", Operation::Update).is_none(), "it wrote a subresource");
        assert!(managed.by_manager("gitops-shop", Operation::Apply).is_some());
    }

    #[test]
    fn bad_entries_are_named() {
        let with =
            |entries: Value| ManagedFields::of(&json!({"metadata": {"managedFields": entries}})).unwrap_err();
        assert_eq!(with(json!({})), ManagedFieldsError::NotAList);
        assert_eq!(with(json!([1])), ManagedFieldsError::NotAList);
        assert_eq!(
            with(json!([{"operation": "Steal"}])),
            ManagedFieldsError::Field { index: 0, field: "operation" }
        );
        let error = with(json!([{
            "manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:a": 1},
        }]));
        assert_eq!(
            error.to_string(),
            "metadata.managedFields[0], manager \"m\": field set, at .a: expected a map of elements"
        );
    }
}
