//! Writes what a file says in all the ways that there are, and remembers where each value is.

use std::fmt::Write as _;
use std::ops::Range;

use gitops_core::diff::{FieldPath, PathElement};
use serde_json::{Map, Value};

use crate::dice::Dice;

/// A value that is no list and no mapping.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) object: usize,
    pub(crate) path: FieldPath,
    /// All that it is written in. Of a block scalar, from the header to the end of its content.
    pub(crate) span: Range<usize>,
    /// Another value stands for it, too.
    pub(crate) is_shared: bool,
    /// A tag says that it is a text.
    pub(crate) is_tagged: bool,
    /// The policy's marker follows it.
    pub(crate) is_marked: bool,
}

pub(crate) struct Writer<'d> {
    pub(crate) text: String,
    pub(crate) leaves: Vec<Leaf>,
    dice: &'d mut Dice,
    end: &'static str,
    object: usize,
    path: FieldPath,
    anchors: usize,
    /// Values of this document that an alias can stand for: the name, the value, and which leaf it is.
    anchored: Vec<(String, Value, usize)>,
    marks: bool,
    /// Blank lines would belong to the block above.
    keeps: bool,
}

pub(crate) const MARKER: &str = "# {\"$imagepolicy\": \"ns:app\"}";

impl<'d> Writer<'d> {
    pub(crate) fn new(dice: &'d mut Dice) -> Self {
        let end = if dice.chance(3) { "\r\n" } else { "\n" };
        let text = if dice.chance(6) { "\u{feff}".to_owned() } else { String::new() };
        let marks = dice.chance(2);
        Self {
            text,
            leaves: Vec::new(),
            dice,
            end,
            object: 0,
            path: FieldPath::root(),
            anchors: 0,
            anchored: Vec::new(),
            marks,
            keeps: false,
        }
    }

    /// All documents of the file.
    pub(crate) fn stream(&mut self, objects: &[Value]) {
        for (number, object) in objects.iter().enumerate() {
            self.object = number;
            self.anchored.clear();
            self.between(0);
            if number > 0 || self.dice.chance(3) {
                let is_ended = number > 0 && self.dice.chance(5);
                if is_ended {
                    self.push("...");
                    self.line();
                }
                if (number == 0 || is_ended) && self.dice.chance(3) {
                    self.push("%YAML 1.2");
                    self.line();
                }
                self.push("---");
                if self.dice.chance(4) {
                    self.push(" # document");
                }
                self.line();
                if self.dice.chance(8) {
                    self.push("# nothing");
                    self.line();
                    self.push("---");
                    self.line();
                }
            }
            if self.dice.chance(8) {
                self.flow(object, 1);
                self.comment();
                self.line();
            } else {
                let indent = if self.dice.chance(6) { 1 + self.dice.below(3) } else { 0 };
                self.mapping(object.as_object().unwrap(), indent, false);
            }
        }
        // A file may end without a line break, unless that is content of a block.
        let end = self.leaves.last().map_or(0, |leaf| leaf.span.end);
        if self.dice.chance(4) && end < self.text.len() && self.text.ends_with(self.end) {
            self.text.truncate(self.text.len() - self.end.len());
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.keeps = false;
    }

    fn line(&mut self) {
        self.text.push_str(self.end);
    }

    fn spaces(&mut self, count: usize) {
        (0..count).for_each(|_| self.text.push(' '));
    }

    fn comment(&mut self) {
        if self.dice.chance(4) {
            let comment =
                *[" # why", "  #", "\t# {\"a\": 1}", " # image: x # {\"$imagepolicy\": \"ns:app\"} ü"]
                    .get(self.dice.below(4))
                    .unwrap();
            self.push(comment);
        } else if self.dice.chance(8) {
            self.push("  ");
        }
    }

    /// Blank lines and comments between entries.
    fn between(&mut self, indent: usize) {
        if self.dice.chance(6) && !self.keeps {
            self.line();
        }
        if self.dice.chance(6) {
            self.spaces(indent);
            self.push("# between: x # {\"$imagepolicy\": \"ns:app\"}");
            self.line();
        }
    }

    fn mapping(&mut self, fields: &Map<String, Value>, indent: usize, mut is_begun: bool) {
        for (key, value) in fields {
            if !std::mem::take(&mut is_begun) {
                self.between(indent);
                self.spaces(indent);
            }
            self.path.push(PathElement::field(key.as_str()));
            if self.dice.chance(12) {
                self.push("? ");
                self.key(key);
                self.line();
                self.spaces(indent);
            } else {
                self.key(key);
            }
            self.push(":");
            self.below(value, indent, false);
            self.path.pop();
        }
    }

    fn key(&mut self, key: &str) {
        match self.dice.below(5) {
            0 => write!(self.text, "{}", Value::from(key)).unwrap(),
            1 => write!(self.text, "'{key}'").unwrap(),
            _ => self.push(key),
        }
    }

    /// What comes behind a colon or a dash, with the end of its line.
    fn below(&mut self, value: &Value, indent: usize, is_item: bool) {
        let step = 1 + self.dice.below(4);
        match value {
            Value::Object(fields) if !fields.is_empty() && !self.dice.chance(4) => {
                if is_item && !self.dice.chance(4) {
                    self.spaces(step);
                    self.mapping(fields, indent + 1 + step, true);
                } else {
                    self.comment();
                    self.line();
                    self.mapping(fields, indent + step, false);
                }
            }
            Value::Array(items) if !items.is_empty() && !self.dice.chance(4) => {
                self.comment();
                self.line();
                // Items may be as far out as the key that they belong to, but not as the item.
                let at = indent + if is_item { step } else { step - 1 };
                for (index, item) in items.iter().enumerate() {
                    self.path.push(PathElement::Index(index));
                    self.between(at);
                    self.spaces(at);
                    self.push("-");
                    self.below(item, at, true);
                    self.path.pop();
                }
            }
            Value::Object(_) | Value::Array(_) => {
                self.spaces(step);
                self.flow(value, indent + 1);
                self.comment();
                self.line();
            }
            scalar => self.scalar(scalar, indent),
        }
    }

    fn leaf(&mut self, start: usize) {
        let (object, path, span) = (self.object, self.path.clone(), start..self.text.len());
        self.leaves.push(Leaf { object, path, span, is_shared: false, is_tagged: false, is_marked: false });
    }

    /// A scalar in block style, with the end of its line.
    fn scalar(&mut self, value: &Value, indent: usize) {
        if value.is_null() && self.dice.chance(2) {
            let start = self.text.len();
            let spaces = self.dice.below(3);
            self.spaces(spaces);
            self.leaf(start);
            if self.dice.chance(3) {
                self.push(" # nothing");
            }
            self.line();
            return;
        }
        let spaces = 1 + self.dice.below(3);
        self.spaces(spaces);
        if let Some(text) = value.as_str()
            && self.dice.chance(3)
            && self.block(text, indent)
        {
            return;
        }
        if self.dice.chance(8) {
            self.comment();
            self.line();
            let further = indent + 1 + self.dice.below(3);
            self.spaces(further);
        }
        self.inline(value, Some(indent));
        if self.marks && self.dice.chance(3) {
            let at = self.leaves.len() - 1;
            self.leaves[at].is_marked = true;
            let space = self.dice.pick(&[" ", "    "]);
            self.push(space);
            self.push(MARKER);
        } else {
            self.comment();
        }
        self.line();
    }

    /// `|` and `>`, where they can hold the text.
    fn block(&mut self, text: &str, indent: usize) -> bool {
        let body = text.trim_end_matches('\n');
        let trailing = text.len() - body.len();
        let is_shown = |c: char| !c.is_control() || c == '\n';
        if body.is_empty() || !body.chars().all(is_shown) || body.contains(['\u{feff}', '\u{85}']) {
            return false;
        }
        let needs_indicator = body.starts_with([' ', '\n']);
        let further = 1 + self.dice.below(4);
        let is_folded =
            !body.contains('\n') && !body.starts_with(' ') && !body.ends_with(' ') && self.dice.chance(2);
        let start = self.text.len();
        self.push(if is_folded { ">" } else { "|" });
        let digit = if needs_indicator || self.dice.chance(4) { further.to_string() } else { String::new() };
        let chomping = match trailing {
            0 => "-",
            1 if !self.dice.chance(4) => "",
            _ => "+",
        };
        let header =
            if self.dice.chance(2) { format!("{digit}{chomping}") } else { format!("{chomping}{digit}") };
        self.push(&header);
        self.comment();
        self.line();
        let lines: Vec<&str> = if is_folded && self.dice.chance(2) {
            body.split(' ').filter(|word| !word.is_empty()).collect()
        } else {
            body.split('\n').collect()
        };
        let lines = if lines.join(if is_folded { " " } else { "\n" }) == body { lines } else { vec![body] };
        for line in lines {
            if !line.is_empty() {
                self.spaces(indent + further);
                self.push(line);
            }
            self.line();
        }
        (1..trailing).for_each(|_| self.line());
        self.leaf(start);
        self.keeps = chomping == "+";
        if !self.keeps && self.dice.chance(5) {
            self.line();
        }
        true
    }

    /// A scalar on its line; `indent` is that of the block it is in, or none in flow style.
    fn inline(&mut self, value: &Value, indent: Option<usize>) {
        if let Some(at) = self.anchored.iter().position(|(_, known, _)| known == value)
            && self.dice.chance(2)
        {
            let (name, _, leaf) = self.anchored[at].clone();
            self.leaves[leaf].is_shared = true;
            let start = self.text.len();
            write!(self.text, "*{name}").unwrap();
            self.leaf(start);
            // In flow style, and as a key, what follows could belong to the name.
            self.push(" ");
            return;
        }
        let anchor = self.dice.chance(10).then(|| {
            self.anchors += 1;
            format!("a{}", self.anchors)
        });
        if let Some(name) = &anchor {
            write!(self.text, "&{name} ").unwrap();
        }
        let is_tagged = value.is_string() && self.dice.chance(12);
        if is_tagged {
            self.push("!!str ");
        }
        let start = self.text.len();
        match value {
            Value::String(text) => self.text_inline(text, indent),
            Value::Null => {
                let null = self.dice.pick(&["null", "~"]);
                self.push(null);
            }
            value => write!(self.text, "{value}").unwrap(),
        }
        self.leaf(start);
        let leaf = self.leaves.len() - 1;
        self.leaves[leaf].is_tagged = is_tagged;
        if let Some(name) = anchor {
            self.anchored.push((name, value.clone(), leaf));
        }
    }

    fn text_inline(&mut self, text: &str, indent: Option<usize>) {
        let is_special = matches!(text, "yes" | "null")
            || text.contains(": ")
            || text.ends_with([':', ' '])
            || (indent.is_none() && text.contains(':'));
        let is_plain = text.starts_with(|c: char| c.is_ascii_lowercase() || c == 'ü')
            && text.chars().all(|c| c.is_alphanumeric() || matches!(c, ' ' | '.' | '/' | ':' | '-'))
            && !is_special;
        let is_line = text.chars().all(|c| !c.is_control() && !matches!(c, '\u{feff}'));
        let breaks = indent.filter(|_| text.split(' ').all(|word| !word.is_empty()) && self.dice.chance(3));
        let broken = |writer: &mut Self, text: &str| match breaks {
            // A line break between words is a space.
            Some(indent) => {
                for (index, word) in text.split(' ').enumerate() {
                    if index > 0 {
                        writer.line();
                        writer.spaces(indent + 1);
                    }
                    writer.push(word);
                }
            }
            None => writer.push(text),
        };
        // A word that begins with `#` would be a comment, on a line of its own.
        let breaks_plain = !text.contains('#');
        match self.dice.below(3) {
            0 if is_plain && breaks_plain => broken(self, text),
            1 if is_line => {
                self.push("'");
                broken(self, &text.replace('\'', "''"));
                self.push("'");
            }
            _ => {
                self.push("\"");
                for c in text.chars() {
                    self.escaped(c);
                    if let Some(indent) = indent
                        && self.dice.chance(20)
                    {
                        self.push("\\");
                        self.line();
                        self.spaces(indent + 1);
                    }
                }
                self.push("\"");
            }
        }
    }

    fn escaped(&mut self, c: char) {
        match c {
            '"' => self.push("\\\""),
            '\\' => self.push("\\\\"),
            '\n' => self.push("\\n"),
            '\t' if self.dice.chance(2) => self.push("\\t"),
            ' ' => self.push("\\x20"),
            '/' if self.dice.chance(2) => self.push("\\/"),
            c if c.is_control() || c == '\u{feff}' || (u32::from(c) < 0x1_0000 && self.dice.chance(8)) => {
                write!(self.text, "\\u{:04X}", u32::from(c)).unwrap();
            }
            c => self.text.push(c),
        }
    }

    /// A space, a line break, or a comment and a line break, inside of brackets.
    fn gap(&mut self, indent: usize) {
        match self.dice.below(8) {
            0 => {
                self.push(" # in {[");
                self.line();
                self.spaces(indent + 1);
            }
            1 => {
                self.line();
                let further = self.dice.below(4);
                self.spaces(indent + 1 + further);
            }
            2 => self.push("  "),
            3 => self.push(" "),
            _ => {}
        }
    }

    fn flow(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Object(fields) => {
                self.push("{");
                for (index, (key, value)) in fields.iter().enumerate() {
                    if index > 0 {
                        self.push(", ");
                    }
                    self.gap(indent);
                    self.path.push(PathElement::field(key.as_str()));
                    self.key(key);
                    self.push(": ");
                    self.flow(value, indent);
                    self.path.pop();
                    self.gap(indent);
                }
                self.push("}");
            }
            Value::Array(items) => {
                self.push("[");
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.push(",");
                    }
                    self.gap(indent);
                    self.path.push(PathElement::Index(index));
                    self.flow(item, indent);
                    self.path.pop();
                    self.gap(indent);
                }
                self.push("]");
            }
            scalar => self.inline(scalar, None),
        }
    }
}
