//! A file to be edited.

use std::fmt;

use gitops_core::diff::FieldPath;
use gitops_core::{Place, RepoPath, ResourceId};
use granit_parser::ScalarStyle;
use serde_json::Value;

use crate::block::Block;
use crate::edit::{Edited, Op};
use crate::locate::Lost;
use crate::marker::{self, MarkedPart, PolicyName};
use crate::tree::{Comment, Id, Kind, Problem, Tree};
use crate::write::Context;
use crate::{EditError, EditLimits, ImageRef, kustomize, locate, resolve};

/// A file of YAML or JSON, with the place of each value.
///
/// An edit leaves it as it is, and gives the new bytes. Its `Debug` does not show the content.
pub struct YamlFile<'a> {
    pub(crate) file: RepoPath,
    pub(crate) text: &'a str,
    pub(crate) tree: Tree<'a>,
    pub(crate) limits: EditLimits,
    is_json: bool,
}

/// The new value of a field.
///
/// Its `Debug` does not show the value: it may be a Secret's.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub enum NewValue {
    /// A text that is given for a value of the type that is there: a text stays a text and a number a number.
    Text(String),
    /// Exactly this text, number, `true`, `false` or `null`, whatever there was.
    Exact(Value),
}

impl fmt::Debug for NewValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text(_) => "Text(…)",
            Self::Exact(_) => "Exact(…)",
        })
    }
}

impl fmt::Debug for YamlFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("YamlFile")
            .field("file", &self.file)
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl<'a> YamlFile<'a> {
    /// Reads a file, within the default limits. Its name is only used to say where things are.
    ///
    /// A file of JSON holds one value: several, one after the other, are no YAML.
    pub fn parse(file: &RepoPath, bytes: &'a [u8]) -> Result<Self, EditError> {
        Self::parse_with(file, bytes, &EditLimits::default())
    }

    /// Reads a file, within these limits.
    pub fn parse_with(file: &RepoPath, bytes: &'a [u8], limits: &EditLimits) -> Result<Self, EditError> {
        let whole = || Place::file(file.clone());
        // Positions are kept in 32 bits.
        let max_bytes = limits.max_bytes.min(u32::MAX as usize / 2);
        if bytes.len() > max_bytes {
            return Err(EditError::TooMuch { place: whole(), what: "bytes", limit: max_bytes });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| EditError::NotUtf8 { place: whole() })?;
        let tree = Tree::read(text, limits, marker::is_marker).map_err(|problem| explain(file, problem))?;
        let is_json = text.starts_with(['{', '[', ' ', '\n', '\r', '\t', '\u{feff}'])
            && serde_json::from_str::<serde::de::IgnoredAny>(text.trim_start_matches('\u{feff}')).is_ok();
        Ok(Self { file: file.clone(), text, tree, limits: *limits, is_json })
    }

    /// The objects in the file and where they begin, as `gitops_core::decode` finds them: items of lists too, without what is
    /// no manifest.
    pub fn objects(&self) -> Vec<(ResourceId, Place)> {
        let objects = locate::objects(&self.tree, self.text, &self.file);
        objects.into_iter().map(|(_, id, place)| (id, place)).collect()
    }

    /// Sets every value that is marked for one of these policies to its image, or to the part that the marker names.
    ///
    /// A marker is the comment that follows a value on its line, as Flux reads it: `# {"$imagepolicy": "namespace:name"}`, or with
    /// `:name`, `:tag` or `:digest` behind the name. For a block scalar it follows the `|` or `>`. What is set is a text. Unlike Flux,
    /// which then writes an empty text, it is an error if a marker wants a tag or a digest that the image has not; so is one of
    /// these policies that marks no value, and one that cannot be read, whoever it is for.
    ///
    /// A file without such markers is unchanged, with no [places](Edited::places).
    pub fn set_marked(&self, images: &[(PolicyName, ImageRef)]) -> Result<Edited, EditError> {
        let images: std::collections::HashMap<_, _> =
            images.iter().map(|(policy, image)| (policy, image)).collect();
        let mut ops = Vec::new();
        for comment in &self.tree.comments {
            let (policy, part, place) = self.marker(comment)?;
            let Some(image) = images.get(&policy) else { continue };
            let at = self.marked(comment).ok_or_else(|| EditError::MarksNothing {
                place: place.clone(),
                policy: policy.to_string(),
            })?;
            let text = part.of(image).map_err(|part| EditError::MissingPart {
                place,
                part,
                image: image.to_string(),
            })?;
            ops.push(Op::Set { at, value: Value::from(text), spelling: None });
        }
        self.carry_out(ops)
    }

    /// What the values that are marked for a policy say now, in the order of the file: images, or parts of them. What is no text is
    /// left out. An error if a marker cannot be read, or marks nothing, as for [`set_marked`](Self::set_marked).
    pub fn marked_values(&self, policy: &PolicyName) -> Result<Vec<(MarkedPart, String)>, EditError> {
        let mut values = Vec::new();
        for comment in &self.tree.comments {
            let (named, part, place) = self.marker(comment)?;
            if named != *policy {
                continue;
            }
            let at = self.marked(comment);
            let at = at.ok_or_else(|| EditError::MarksNothing { place, policy: policy.to_string() })?;
            if let Some(Value::String(text)) = resolve::value(&self.tree, self.text, at) {
                values.push((part, text));
            }
        }
        Ok(values)
    }

    /// What a marker says, and where it is.
    fn marker(&self, comment: &Comment) -> Result<(PolicyName, MarkedPart, Place), EditError> {
        let place = self.place_of(comment);
        match marker::read(&self.text[comment.span.clone()]) {
            Ok((policy, part)) => Ok((policy, part, place)),
            Err(problem) => Err(EditError::Marker { place, problem }),
        }
    }

    /// Makes the entry of a kustomization's `images` that has this `name` stand for an image, as `kustomize edit set image` does:
    /// `newName`, `newTag` and `digest` are set, added behind what there is, or removed if the image has no such part. `newName` is
    /// added only where the names differ, and never removed.
    ///
    /// Without an entry of that name, one is added behind the last. It is an error if there is more than one, or the list has none
    /// at all.
    pub fn set_kustomize_image(&self, name: &str, image: &ImageRef) -> Result<Edited, EditError> {
        let ops = kustomize::plan(self, name, image)?;
        Ok(Edited { places: 1, ..self.carry_out(ops)? })
    }

    /// Sets one field of an object that is named as in the file: the namespace is that which is written there, if one is.
    pub fn set_field(
        &self,
        object: &ResourceId,
        path: &FieldPath,
        new: &NewValue,
    ) -> Result<Edited, EditError> {
        let objects = locate::objects(&self.tree, self.text, &self.file);
        let mut named = objects.into_iter().filter(|(_, id, _)| id == object);
        let Some((root, _, first)) = named.next() else {
            return Err(EditError::ObjectNotFound { place: self.whole(), object: format!("{object:#}") });
        };
        if let Some((.., place)) = named.next() {
            return Err(EditError::ObjectTwice { place, first: Box::new(first), object: object.to_string() });
        }
        let at = locate::follow(&self.tree, self.text, root, path).map_err(|lost| {
            let begin =
                |steps| path.elements().iter().take(steps).cloned().collect::<FieldPath>().to_string();
            match lost {
                Lost::Missing { last, steps } => EditError::FieldNotFound {
                    place: self.place(last.id),
                    path: path.to_string(),
                    found: begin(steps),
                },
                Lost::Several { second, positions: (first, second_position), steps } => {
                    EditError::SeveralItems {
                        place: self.place(second),
                        item: begin(steps + 1),
                        first: format!("{}[{first}]", begin(steps)),
                        second: format!("{}[{second_position}]", begin(steps)),
                    }
                }
            }
        })?;
        if at.is_shared {
            return Err(EditError::Shared { place: self.place(at.id), path: path.to_string() });
        }
        let not_a_scalar = || EditError::NotAScalar { place: self.place(at.id), path: path.to_string() };
        let old = resolve::value(&self.tree, self.text, at.id).ok_or_else(not_a_scalar)?;
        let (value, spelling) = match new {
            NewValue::Exact(Value::Array(_) | Value::Object(_)) => return Err(not_a_scalar()),
            NewValue::Exact(value) => (value.clone(), None),
            NewValue::Text(text) => as_before(&old, text).map_err(|is| EditError::TypeDiffers {
                place: self.place(at.id),
                path: path.to_string(),
                is,
            })?,
        };
        self.carry_out(vec![Op::Set { at: at.id, value, spelling }])
    }

    /// The value that a comment follows.
    fn marked(&self, comment: &Comment) -> Option<Id> {
        let (tree, source) = (&self.tree, self.text);
        let before = tree.last_before(comment.span.start).filter(|id| {
            let node = tree.node(*id);
            let is_leaf = match node.kind {
                Kind::Scalar(style) => !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded),
                kind => matches!(kind, Kind::Alias(_)),
            };
            let span = tree.span(*id);
            // The place of a value that is not there is its colon.
            let between = source.get(span.end..comment.span.start).unwrap_or("\n");
            let between =
                if span.is_empty() { between.strip_prefix(':').unwrap_or(between) } else { between };
            is_leaf && !tree.is_key(*id) && between.chars().all(|c| matches!(c, ' ' | '\t' | ','))
        });
        before.or_else(|| {
            let id = tree.first_after(comment.span.start)?;
            let Kind::Scalar(ScalarStyle::Literal | ScalarStyle::Folded) = tree.node(id).kind else {
                return None;
            };
            let header = Block::find(tree, source, id)?.header;
            let between = source.get(header.end..comment.span.start)?;
            between.trim_matches([' ', '\t']).is_empty().then_some(id)
        })
    }

    /// What can be written in the place of a value.
    pub(crate) fn context(&self, id: Id) -> Context {
        Context { is_json: self.is_json, is_in_flow: self.tree.is_in_flow(id) }
    }

    /// The file as a whole.
    pub(crate) fn whole(&self) -> Place {
        Place::file(self.file.clone())
    }

    fn place_of(&self, comment: &Comment) -> Place {
        let document = self.tree.last_before(comment.span.start).map_or(0, |id| self.place(id).document);
        Place { line: comment.line, column: comment.column, document, ..self.whole() }
    }

    pub(crate) fn too_much(&self, what: &'static str, limit: usize) -> EditError {
        EditError::TooMuch { place: self.whole(), what, limit }
    }

    pub(crate) fn problem(&self, problem: Problem) -> EditError {
        explain(&self.file, problem)
    }
}

fn explain(file: &RepoPath, problem: Problem) -> EditError {
    let at = |line, column| Place { line, column, ..Place::file(file.clone()) };
    match problem {
        Problem::Syntax { line, column, problem } => EditError::Syntax { place: at(line, column), problem },
        Problem::TooMuch { line, what, limit } => EditError::TooMuch { place: at(line, 0), what, limit },
    }
}

/// A text as a value of the type of another one; or what that is.
fn as_before(old: &Value, text: &str) -> Result<(Value, Option<String>), &'static str> {
    // A text with more in it, such as a comment, is none of these.
    let is_word = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'));
    let new = if is_word { resolve::plain(text) } else { Value::from(text) };
    match old {
        Value::Bool(_) if new.is_boolean() => Ok((new, None)),
        Value::Number(_) if new.is_number() => Ok((new, Some(text.to_owned()))),
        Value::Bool(_) => Err("true or false"),
        Value::Number(_) => Err("a number"),
        Value::Null => Err("empty"),
        _ => Ok((Value::from(text), None)),
    }
}
