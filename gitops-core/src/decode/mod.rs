//! From the text of a file to manifests: YAML or JSON, several documents, lists unfolded, within limits, each error with
//! its place.

mod documents;
mod json;
mod unfold;
mod yaml;

use serde_json::Value;

use crate::{Class, Fault, Manifest, ManifestError, Place, RepoPath, ResourceId, one_line};

/// How much one file may hold. A file that holds more is an error, so that no input makes the engine run out of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeLimits {
    /// Bytes of the file.
    pub max_bytes: u64,
    /// Documents in the file; items of lists count as documents.
    pub max_documents: usize,
    /// Values nested in each other. The readers recurse: 64 levels fit into the 2 MiB of stack that Rust gives a thread,
    /// even without optimisation.
    pub max_depth: usize,
    /// Values (scalars, mappings, sequences) in the file, after aliases were expanded.
    pub max_nodes: usize,
    /// Values that aliases add to one document.
    pub max_alias_nodes: usize,
    /// Bytes that the values of the file may take in memory, by estimate.
    pub max_memory: usize,
}

impl Default for DecodeLimits {
    /// 4 MiB, 10,000 documents, 64 levels, 400,000 values, 20,000 values by aliases, 44 MiB of memory for values: well
    /// above what people commit, and with all that reading takes below 64 MiB.
    fn default() -> Self {
        Self {
            max_bytes: 4 << 20,
            max_documents: 10_000,
            max_depth: 64,
            max_nodes: 400_000,
            max_alias_nodes: 20_000,
            max_memory: 44 << 20,
        }
    }
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
#[non_exhaustive]
pub struct DecodeError {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: DecodeProblem,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// It is not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotUtf8,
    /// The YAML or JSON cannot be read.
    #[error("{0}")]
    Syntax(String),
    /// It holds more than [`DecodeLimits`] allow.
    #[error("more than {limit} {what} in one file: split it")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The document is no manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Two manifests of one commit have the same id.
    #[error("{id} is already written at {first}: remove one of them")]
    Duplicate {
        /// The id.
        id: ResourceId,
        /// Where the other one is.
        first: Place,
    },
    /// A tool's own file, that is not meant for the target.
    #[error("{0}")]
    Foreign(&'static str),
}

/// All that is wrong with a set of files; at least one error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecodeErrors(Vec<DecodeError>);

impl DecodeErrors {
    /// None if there are no errors.
    pub fn new(errors: Vec<DecodeError>) -> Option<Self> {
        (!errors.is_empty()).then_some(Self(errors))
    }

    /// The errors, in the order in which they were found.
    pub fn errors(&self) -> &[DecodeError] {
        &self.0
    }

    /// As a fault: permanent, at the first place.
    pub fn into_fault(self) -> Fault {
        let place = self.0.first().map(|first| first.place.to_string());
        let fault = Fault::new(Class::Invalid, self);
        match place {
            Some(place) => fault.at(place),
            None => fault,
        }
    }
}

impl std::error::Error for DecodeErrors {}

impl std::fmt::Display for DecodeErrors {
    /// The first without its place, which the fault names; then the others with theirs, up to twenty.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            match index {
                0 => write!(f, "{}", error.problem)?,
                1..20 => write!(f, "; {error}")?,
                _ => return write!(f, "; and {} more", self.0.len() - index),
            }
        }
        Ok(())
    }
}

/// Reads the manifests of one file. A name that ends in `.json` is read as JSON, anything else as YAML.
///
/// Documents that are empty are skipped; `kind: List` and other lists are unfolded; fields that only a server writes
/// (`status`, `metadata.managedFields` and the like) are left out and named in [`Manifest::stripped`].
///
/// ```
/// use gitops_core::{RepoPath, decode::{DecodeLimits, decode}};
/// let file = RepoPath::new("apps/web.yaml")?;
/// let text = b"apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\nkind: [\n";
/// let errors = decode(&file, text, &DecodeLimits::default()).unwrap_err();
/// assert_eq!(errors.errors().len(), 1);
/// assert_eq!(errors.errors()[0].place.document, 2);
/// # Ok::<(), gitops_core::InvalidPath>(())
/// ```
pub fn decode(file: &RepoPath, text: &[u8], limits: &DecodeLimits) -> Result<Vec<Manifest>, DecodeErrors> {
    let mut manifests = Vec::new();
    let mut errors = Vec::new();
    match read(file, text, limits) {
        Ok(documents) => {
            for document in documents {
                match document {
                    Ok((place, value)) => unfold::unfold(place, value, &mut manifests, &mut errors),
                    Err(error) => errors.push(error),
                }
            }
            if manifests.len() > limits.max_documents {
                errors.push(too_much(file, "documents", limits.max_documents as u64));
            }
        }
        Err(error) => errors.push(error),
    }
    DecodeErrors::new(errors).map_or(Ok(manifests), Err)
}

type Documents = Vec<Result<(Place, Value), DecodeError>>;

#[expect(clippy::result_large_err, reason = "made once for a file that cannot be used")]
fn read(file: &RepoPath, text: &[u8], limits: &DecodeLimits) -> Result<Documents, DecodeError> {
    if text.len() as u64 > limits.max_bytes {
        return Err(too_much(file, "bytes", limits.max_bytes));
    }
    let Ok(text) = std::str::from_utf8(text) else {
        return Err(DecodeError { place: Place::file(file.clone()), problem: DecodeProblem::NotUtf8 });
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if file.name().and_then(|name| name.rsplit_once('.')).is_some_and(|(_, end)| end == "json") {
        json::read(file, text, limits)
    } else {
        yaml::read(file, text, limits)
    }
}

fn too_much(file: &RepoPath, what: &'static str, limit: u64) -> DecodeError {
    DecodeError { place: Place::file(file.clone()), problem: DecodeProblem::TooMuch { what, limit } }
}

/// What may still be read of a file.
struct Left {
    nodes: usize,
    bytes: usize,
}

impl Left {
    fn new(limits: &DecodeLimits) -> Self {
        Self { nodes: limits.max_nodes, bytes: limits.max_memory }
    }

    /// How many values, keys among them, the next document may have, whatever they are.
    fn nodes(&self) -> usize {
        // The most for what it counts: a mapping with one entry, which is two.
        self.nodes.min(self.bytes / (MAPPING_BYTES / 2))
    }

    fn take(&mut self, document: &Value) {
        let (nodes, bytes) = size(document);
        self.nodes = self.nodes.saturating_sub(nodes);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// A mapping of a few entries: a node of the tree that keeps them, and what a parser leaves unused between such nodes where
/// they are deep in each other.
const MAPPING_BYTES: usize = 800;

/// More entries take more nodes, of which each is half full at the least.
const ENTRIES: usize = 6;

/// How many values a tree holds, keys among them, and about how many bytes of memory they take.
fn size(value: &Value) -> (usize, usize) {
    let add = |(nodes, bytes), (more, larger)| (nodes + more, bytes + larger);
    match value {
        Value::Array(items) => items.iter().map(size).fold((1, 64), add),
        Value::Object(fields) => {
            let entries = fields.iter().map(|(key, value)| add(size(value), (1, 32 + key.len())));
            entries.fold((1, 32 + fields.len().div_ceil(ENTRIES) * MAPPING_BYTES), add)
        }
        Value::String(text) => (1, 64 + text.len()),
        _ => (1, 32),
    }
}

/// A parser's message: one line, and a short one, since it may repeat what it stumbled over.
fn message(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut line = one_line(text).into_owned();
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests;
