//! Reading vector files.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// A file of cases.
#[derive(Debug)]
pub(crate) struct VectorFile {
    /// The file's name without its ending.
    pub(crate) name: String,
    pub(crate) cases: Vec<Case>,
}

/// One case: inputs and what is expected of them.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) fields: Map<String, Value>,
    /// The case as it is written, for the formats in which that matters.
    pub(crate) raw: Box<RawValue>,
}

impl VectorFile {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct File {
            cases: Vec<Box<RawValue>>,
        }
        let text = fs::read_to_string(path).context("cannot be read")?;
        let file: File = serde_json::from_str(&text).context("is no vector file ({\"cases\": […]})")?;
        let cases = file
            .cases
            .into_iter()
            .enumerate()
            .map(|(at, raw)| Case::read(raw).with_context(|| format!("case {at}")));
        Ok(Self {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            cases: cases.collect::<Result<_>>()?,
        })
    }
}

impl Case {
    pub(crate) fn read(raw: Box<RawValue>) -> Result<Self> {
        let fields: Map<String, Value> = serde_json::from_str(raw.get())?;
        let name = fields.get("name").and_then(Value::as_str).context("it has no name")?.to_owned();
        Ok(Self { name, fields, raw })
    }

    /// A case made of what was asked and of what was answered.
    #[allow(dead_code, reason = "not for cases from files")]
    pub(crate) fn joined(question: &Value, answer: &Value) -> Self {
        let mut fields = question.as_object().cloned().unwrap_or_default();
        for (name, value) in answer.as_object().into_iter().flatten() {
            match (fields.get_mut(name), value) {
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
                _ => _ = fields.insert(name.clone(), value.clone()),
            }
        }
        Self { name: String::new(), fields, raw: RawValue::NULL.to_owned() }
    }

    pub(crate) fn get(&self, field: &str) -> Option<&Value> {
        self.fields.get(field)
    }

    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.get(field)?.as_str()
    }

    pub(crate) fn flag(&self, field: &str) -> bool {
        self.get(field).and_then(Value::as_bool).unwrap_or_default()
    }

    /// Whether a document is there, as such or as text.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field) || self.fields.contains_key(&format!("{field}_text"))
    }

    /// A document: its text where that is given, in which `""` is no document at all.
    pub(crate) fn document(&self, field: &str) -> Document<'_> {
        document(&self.fields, field)
    }
}

/// A document of a case or of a part of it.
pub(crate) fn document<'c>(fields: &'c Map<String, Value>, field: &str) -> Document<'c> {
    match fields.get(&format!("{field}_text")).and_then(Value::as_str) {
        Some("") => Document::Nothing,
        Some(text) => {
            serde_json::from_str(text).map_or(Document::Bad, |value| Document::Is(Cow::Owned(value)))
        }
        None => fields.get(field).map_or(Document::Nothing, |value| Document::Is(Cow::Borrowed(value))),
    }
}

/// What is written where a document belongs.
#[derive(Debug)]
pub(crate) enum Document<'c> {
    Nothing,
    /// Text that is no JSON.
    Bad,
    Is(Cow<'c, Value>),
}
