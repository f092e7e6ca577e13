//! A file as its parser sees it: every value and key with the bytes that it is written in.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use gitops_core::one_line;
use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use crate::EditLimits;

/// A node of the tree, by its number.
pub(crate) type Id = u32;

const NONE: Id = Id::MAX;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Scalar(ScalarStyle),
    Sequence {
        is_flow: bool,
    },
    Mapping {
        is_flow: bool,
    },
    /// Stands for another node; none if the parser does not say which.
    Alias(Option<Id>),
}

/// A key or a value.
pub(crate) struct Node<'a> {
    pub(crate) kind: Kind,
    /// What a scalar says, without quotes and escapes.
    pub(crate) text: Cow<'a, str>,
    start: u32,
    end: u32,
    /// From 1.
    pub(crate) line: u32,
    /// From 1, in characters.
    pub(crate) column: u32,
    parent: Id,
    /// The number of nodes in front of it below its parent: even for keys, odd for the values of a mapping.
    place: u32,
    first: Id,
    next: Id,
}

/// One document.
pub(crate) struct Document {
    pub(crate) root: Id,
    /// As decoding counts: from 1, without those that are empty.
    pub(crate) number: u32,
}

/// A comment that may be a marker.
pub(crate) struct Comment {
    pub(crate) span: Range<usize>,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// What keeps a text from being a tree.
pub(crate) enum Problem {
    Syntax { line: u32, column: u32, problem: String },
    TooMuch { line: u32, what: &'static str, limit: usize },
}

/// All documents of a file.
pub(crate) struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    pub(crate) documents: Vec<Document>,
    pub(crate) comments: Vec<Comment>,
    tags: HashMap<Id, Range<usize>>,
    anchors: HashMap<Id, Range<usize>>,
    aliased: HashSet<Id>,
}

impl<'a> Tree<'a> {
    /// Reads a text; keeps the comments that `is_kept` wants.
    pub(crate) fn read(
        text: &'a str,
        limits: &EditLimits,
        is_kept: fn(&str) -> bool,
    ) -> Result<Self, Problem> {
        let options = granit_parser::options! {
            emit_anchor_events: true,
            max_buffered_comment_events: limits.max_comments,
            flow_nesting_limit: limits.max_depth,
            block_nesting_limit: limits.max_depth,
        };
        let mut reader = Reader::new(limits);
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| Problem::Syntax {
                line: small(error.marker().line()),
                column: small(error.marker().col()).saturating_add(1),
                problem: shortened(&error.info()),
            })?;
            let range = span.byte_range().unwrap_or_default();
            let tag = span.tag_span().and_then(|tag| tag.byte_range());
            let at = At {
                line: small(span.start.line()),
                column: small(span.start.col()).saturating_add(1),
                range,
                tag,
            };
            if let Event::Comment(_, _) = event
                && !text.get(at.range.clone()).is_some_and(is_kept)
            {
                continue;
            }
            reader.take(event, at)?;
        }
        Ok(reader.tree)
    }

    pub(crate) fn node(&self, id: Id) -> &Node<'a> {
        &self.nodes[id as usize]
    }

    /// The bytes that a scalar or an alias is written in. Of a block scalar, those of its content.
    pub(crate) fn span(&self, id: Id) -> Range<usize> {
        let node = self.node(id);
        node.start as usize..node.end as usize
    }

    pub(crate) fn parent(&self, id: Id) -> Option<Id> {
        Some(self.node(id).parent).filter(|parent| *parent != NONE)
    }

    /// The bytes of a node's tag.
    pub(crate) fn tag(&self, id: Id) -> Option<Range<usize>> {
        self.tags.get(&id).cloned()
    }

    /// The bytes of a node's anchor.
    pub(crate) fn anchor(&self, id: Id) -> Option<Range<usize>> {
        self.anchors.get(&id).cloned()
    }

    /// The nodes below a sequence or a mapping; of a mapping, keys and values in turn.
    pub(crate) fn children(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let known = |id: Id| (id != NONE).then_some(id);
        std::iter::successors(known(self.node(id).first), move |id| known(self.node(*id).next))
    }

    /// Keys and values of a mapping.
    pub(crate) fn entries(&self, id: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let mut children = self.children(id);
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// Whether the node is a key of a mapping.
    pub(crate) fn is_key(&self, id: Id) -> bool {
        let in_mapping =
            self.parent(id).is_some_and(|parent| matches!(self.node(parent).kind, Kind::Mapping { .. }));
        in_mapping && self.node(id).place.is_multiple_of(2)
    }

    /// The number of the entry or item of its parent that a node is in.
    pub(crate) fn position(&self, id: Id) -> u32 {
        let node = self.node(id);
        match self.parent(id).map(|parent| self.node(parent).kind) {
            Some(Kind::Mapping { .. }) => node.place / 2,
            _ => node.place,
        }
    }

    /// The node that comes before a value in its mapping: its key.
    pub(crate) fn key_of(&self, value: Id) -> Option<Id> {
        // Keys come right before their value in the text, but what is in a key is between them in the tree.
        let parent = self.parent(value)?;
        match self.node(parent).kind {
            // A key that is a scalar has no nodes below it.
            Kind::Mapping { .. } => {
                let key = value.checked_sub(1)?;
                (self.node(key).parent == parent).then_some(key)
            }
            _ => None,
        }
    }

    /// Whether the node is inside of brackets or braces.
    pub(crate) fn is_in_flow(&self, id: Id) -> bool {
        self.parent(id).is_some_and(|parent| {
            matches!(
                self.node(parent).kind,
                Kind::Sequence { is_flow: true } | Kind::Mapping { is_flow: true }
            )
        })
    }

    /// Whether an alias stands for the node, or for one that it is in.
    pub(crate) fn is_aliased(&self, id: Id) -> bool {
        !self.aliased.is_empty()
            && std::iter::successors(Some(id), |id| self.parent(*id)).any(|id| self.aliased.contains(&id))
    }

    /// The document that a node is in, by its place in the list.
    pub(crate) fn document_of(&self, id: Id) -> usize {
        self.documents.partition_point(|document| document.root <= id).saturating_sub(1)
    }

    /// The last node that begins at or before a byte.
    pub(crate) fn last_before(&self, byte: usize) -> Option<Id> {
        self.nodes.partition_point(|node| (node.start as usize) <= byte).checked_sub(1).map(small)
    }

    /// The first node that begins after a byte.
    pub(crate) fn first_after(&self, byte: usize) -> Option<Id> {
        let after = self.nodes.partition_point(|node| (node.start as usize) <= byte);
        (after < self.nodes.len()).then(|| small(after))
    }
}

/// Where an event is in the text.
struct At {
    line: u32,
    column: u32,
    range: Range<usize>,
    tag: Option<Range<usize>>,
}

struct Reader<'a, 'b> {
    tree: Tree<'a>,
    limits: &'b EditLimits,
    open: Vec<Open>,
    /// The parser's names of anchors.
    anchored: HashMap<usize, Id>,
    /// How many values the collections with an anchor have, those by aliases among them.
    sizes: HashMap<Id, usize>,
    /// Values so far, and those of them that are there by aliases.
    values: usize,
    by_aliases: usize,
    number: u32,
}

/// A collection that is not at its end.
struct Open {
    id: Id,
    /// The last node below it.
    last: Id,
    count: u32,
    has_anchor: bool,
    /// Values before it.
    values: usize,
}

impl<'a, 'b> Reader<'a, 'b> {
    fn new(limits: &'b EditLimits) -> Self {
        let tree = Tree {
            nodes: Vec::new(),
            documents: Vec::new(),
            comments: Vec::new(),
            tags: HashMap::new(),
            anchors: HashMap::new(),
            aliased: HashSet::new(),
        };
        let (anchored, sizes) = (HashMap::new(), HashMap::new());
        Self { tree, limits, open: Vec::new(), anchored, sizes, values: 0, by_aliases: 0, number: 0 }
    }

    fn take(&mut self, event: Event<'a>, at: At) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, _) => self.add(Kind::Scalar(style), text, anchor, at)?,
            Event::Alias(anchor) => {
                let target = self.anchored.get(&anchor).copied();
                self.count_alias(target, &at)?;
                self.tree.aliased.extend(target);
                self.add(Kind::Alias(target), Cow::Borrowed(""), 0, at)?;
            }
            Event::SequenceStart(style, anchor, _) => {
                self.open(Kind::Sequence { is_flow: style == StructureStyle::Flow }, anchor, at)?;
            }
            Event::MappingStart(style, anchor, _) => {
                self.open(Kind::Mapping { is_flow: style == StructureStyle::Flow }, anchor, at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { id, has_anchor, values, .. }) = self.open.pop() {
                    self.tree.nodes[id as usize].end = small(at.range.end);
                    if has_anchor {
                        self.sizes.insert(id, self.values - values);
                    }
                }
            }
            Event::Anchor(..) => {
                // It follows the node that it belongs to.
                let id = small(self.tree.nodes.len()).saturating_sub(1);
                self.tree.anchors.insert(id, at.range);
            }
            Event::Comment(..) => {
                self.tree.comments.push(Comment { span: at.range, line: at.line, column: at.column });
            }
            Event::DocumentStart(..) => self.anchored.clear(),
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            _ => {
                let problem = "something is written here that this editor does not know".to_owned();
                return Err(Problem::Syntax { line: at.line, column: at.column, problem });
            }
        }
        Ok(())
    }

    fn open(&mut self, kind: Kind, anchor: usize, at: At) -> Result<(), Problem> {
        let (line, values) = (at.line, self.values);
        self.add(kind, Cow::Borrowed(""), anchor, at)?;
        if self.open.len() >= self.limits.max_depth {
            return Err(Problem::TooMuch { line, what: "levels", limit: self.limits.max_depth });
        }
        let id = small(self.tree.nodes.len() - 1);
        self.open.push(Open { id, last: NONE, count: 0, has_anchor: anchor > 0, values });
        Ok(())
    }

    /// What aliases stand for counts as if it were written out, so that nobody who follows them is led on and on.
    fn count_alias(&mut self, target: Option<Id>, at: &At) -> Result<(), Problem> {
        let Some(target) = target else { return Ok(()) };
        if self.open.iter().any(|open| open.id == target) {
            let problem = "this alias stands for something that it is a part of".to_owned();
            return Err(Problem::Syntax { line: at.line, column: at.column, problem });
        }
        let size = self.sizes.get(&target).copied().unwrap_or(1);
        (self.values, self.by_aliases) = (self.values + size, self.by_aliases + size);
        let limit = self.limits.max_alias_nodes;
        if self.by_aliases > limit {
            return Err(Problem::TooMuch { line: at.line, what: "values by aliases", limit });
        }
        Ok(())
    }

    fn add(&mut self, kind: Kind, text: Cow<'a, str>, anchor: usize, at: At) -> Result<(), Problem> {
        let nodes = &mut self.tree.nodes;
        if nodes.len() >= self.limits.max_nodes {
            return Err(Problem::TooMuch { line: at.line, what: "values", limit: self.limits.max_nodes });
        }
        self.values += 1;
        let id = small(nodes.len());
        let (mut parent, mut place) = (NONE, 0);
        if let Some(open) = self.open.last_mut() {
            (parent, place) = (open.id, open.count);
            match open.last {
                NONE => nodes[parent as usize].first = id,
                last => nodes[last as usize].next = id,
            }
            open.last = id;
            open.count += 1;
        } else {
            let is_empty = kind == Kind::Scalar(ScalarStyle::Plain) && at.range.is_empty();
            self.number += u32::from(!is_empty);
            if self.tree.documents.len() >= self.limits.max_documents {
                let limit = self.limits.max_documents;
                return Err(Problem::TooMuch { line: at.line, what: "documents", limit });
            }
            self.tree.documents.push(Document { root: id, number: self.number });
        }
        if anchor > 0 {
            self.anchored.insert(anchor, id);
        }
        if let Some(tag) = at.tag {
            self.tree.tags.insert(id, tag);
        }
        let (start, end) = (small(at.range.start), small(at.range.end));
        let (line, column) = (at.line, at.column);
        nodes.push(Node { kind, text, start, end, line, column, parent, place, first: NONE, next: NONE });
        Ok(())
    }
}

/// Positions fit: a file is not larger than its limit, and that of memory is far below 4 GiB.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A parser's message: one line, and a short one.
pub(crate) fn shortened(text: &str) -> String {
    one_line(text).chars().take(300).collect()
}
