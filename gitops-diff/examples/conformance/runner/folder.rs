//! The schema files that lie beside a vector file.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use gitops_diff::TypeRef;
use gitops_diff::schema::{Schema, Type};

use super::schemas::{self, Named};

/// The types that the cases of one folder name. Files are read when first asked for.
#[derive(Debug)]
pub(crate) struct Folder {
    directory: PathBuf,
    built_in: OnceCell<Result<Named, String>>,
    custom: OnceCell<Result<Named, String>>,
    strategic: OnceCell<Result<Named, String>>,
}

impl Folder {
    /// The schemas beside a vector file.
    pub(crate) fn beside(vectors: &Path) -> Self {
        Self {
            directory: vectors.parent().unwrap_or(Path::new("")).join("schema"),
            built_in: OnceCell::new(),
            custom: OnceCell::new(),
            strategic: OnceCell::new(),
        }
    }

    fn read(&self, file: &str, read: fn(&str) -> Result<Named>) -> Result<Named, String> {
        let path = self.directory.join(file);
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()));
        text.and_then(|text| read(&text)).map_err(|error| format!("{error:#}"))
    }

    /// The type that a case of server-side apply names.
    pub(crate) fn merge_diff(&self, file: &str, name: &str) -> Result<Type<'_>, String> {
        let cell = match file {
            "deduced" => return Ok(Type::deduced()),
            "schema_smd.yaml" => &self.built_in,
            "schema_custom_smd.yaml" => &self.custom,
            other => return Err(format!("no schema {other}")),
        };
        let named =
            cell.get_or_init(|| self.read(file, schemas::merge_diff)).as_ref().map_err(Clone::clone)?;
        named.get(name).ok_or_else(|| format!("{file} has no type {name}"))
    }

    /// The type of a kind as strategic merge sees it, if the kind is known.
    pub(crate) fn strategic(&self, kind: &TypeRef<'_>) -> Result<Option<Type<'_>>, String> {
        let types = self
            .strategic
            .get_or_init(|| self.read("schema_smp_types.json", schemas::strategic))
            .as_ref()
            .map_err(Clone::clone)?;
        Ok(types.type_of(kind))
    }
}
