//! The schema files that lie beside a vector file.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use gitops_diff::TypeRef;
use gitops_diff::schema::{BuiltIn, Schema, Type, TypeGraph};
use serde_json::Value;

use super::schemas::{self, Named};

/// The types that the cases of one folder name. Files are read when first asked for.
#[derive(Debug)]
pub(crate) struct Folder {
    directory: PathBuf,
    custom: OnceCell<Result<Named, String>>,
    openapi: OnceCell<Result<TypeGraph, String>>,
    strategic: OnceCell<Result<Named, String>>,
}

impl Folder {
    /// The schemas beside a vector file.
    pub(crate) fn beside(vectors: &Path) -> Self {
        Self {
            directory: vectors.parent().unwrap_or(Path::new("")).join("schema"),
            custom: OnceCell::new(),
            openapi: OnceCell::new(),
            strategic: OnceCell::new(),
        }
    }

    fn read<T>(&self, file: &str, read: fn(&str) -> Result<T>) -> Result<T, String> {
        let path = self.directory.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()));
        text.and_then(|text| read(&text)).map_err(|error| format!("{error:#}"))
    }

    /// The type that a case of server-side apply names, with the kind of its objects.
    pub(crate) fn merge_diff(&self, schema: &Value, kind: &TypeRef<'_>) -> Result<Type<'_>, String> {
        let text = |field: &str| schema[field].as_str().ok_or_else(|| format!("schema.{field} is missing"));
        let (file, name) = (text("file")?, text("type")?);
        match file {
            "deduced" => Ok(Type::deduced()),
            // What the crate knows itself is what is to be proven.
            "schema_smd.yaml" => BuiltIn.type_of(kind).ok_or_else(|| format!("no built-in kind {kind:?}")),
            other => {
                let file = Path::new(other);
                if file.extension().is_some_and(|ending| ending == "json") {
                    let types = self.openapi.get_or_init(|| self.read(other, from_openapi));
                    let found = types.as_ref().map_err(Clone::clone)?.type_of(kind);
                    return found.ok_or_else(|| format!("{other} has no kind {kind:?}"));
                }
                if file.components().count() != 1 {
                    return Err(format!("no schema {other}"));
                }
                let types = self.custom.get_or_init(|| self.read(other, schemas::merge_diff));
                types
                    .as_ref()
                    .map_err(Clone::clone)?
                    .get(name)
                    .ok_or_else(|| format!("{other} has no type {name}"))
            }
        }
    }

    /// The type of a kind as strategic merge sees it, if the kind is known.
    pub(crate) fn strategic(&self, kind: &TypeRef<'_>) -> Result<Option<Type<'_>>, String> {
        if let Some(known) = BuiltIn.type_of(kind) {
            return Ok(Some(known));
        }
        let types = self.strategic.get_or_init(|| self.read("schema_smp_types.json", schemas::strategic));
        Ok(types.as_ref().map_err(Clone::clone)?.type_of(kind))
    }
}

fn from_openapi(text: &str) -> Result<TypeGraph> {
    let document: Value = serde_json::from_str(text)?;
    Ok(TypeGraph::from_openapi([&document])?)
}
