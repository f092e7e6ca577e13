//! What the documents of a file say, as one flat text each: to compare a file with itself after an edit.
//!
//! The reader is not that of the [tree](crate::tree), but the one with which `gitops_core::decode` reads manifests; the parser below
//! the two is the same. A flat text takes about as much memory as the file.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::EditLimits;
use crate::tree::{Problem, shortened};

/// One document, or a value in it.
#[derive(Default, PartialEq, Eq)]
pub(crate) struct Flat(Vec<u8>);

const NULL: u8 = b'n';
const FALSE: u8 = b'f';
const TRUE: u8 = b't';
const SIGNED: u8 = b'i';
const UNSIGNED: u8 = b'u';
const FLOAT: u8 = b'd';
const TEXT: u8 = b's';
const LIST: u8 = b'[';
const LIST_END: u8 = b']';
const MAP: u8 = b'{';
const MAP_END: u8 = b'}';

/// The documents of a file that say something: those that are null or empty are left out.
pub(crate) fn read(text: &str, limits: &EditLimits) -> Result<Vec<Flat>, Problem> {
    serde_saphyr::from_multiple_with_options::<Flat>(text, options(limits)).map_err(|error| {
        let at = error.location();
        let part = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        Problem::Syntax {
            line: at.as_ref().map_or(0, |at| part(at.line())),
            column: at.as_ref().map_or(0, |at| part(at.column())),
            problem: message(&error.without_snippet().to_string()),
        }
    })
}

/// As `gitops_core::decode` reads.
pub(crate) fn options(limits: &EditLimits) -> serde_saphyr::Options {
    serde_saphyr::options! {
        emit_comments: false,
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_documents: limits.max_documents,
            max_depth: limits.max_depth,
            flow_nesting_limit: limits.max_depth,
            max_nodes: limits.max_nodes,
            max_events: limits.max_nodes.saturating_mul(4).saturating_add(16),
            max_aliases: limits.max_alias_nodes,
            // Those of aliases count again.
            max_total_scalar_bytes: limits.max_bytes.saturating_add(limits.max_bytes / 2),
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: limits.max_alias_nodes.saturating_mul(2),
            max_replay_stack_depth: 32,
        },
    }
}

/// The reader's message without the place, and without a number that it repeats: it may be a password.
fn message(text: &str) -> String {
    if text.contains("non-finite float") {
        return "a number is too large: put it in quotes, if it is text".to_owned();
    }
    let text = match text.rfind(" at line ") {
        Some(end) if text[end..].contains("column") => &text[..end],
        _ => text,
    };
    let text = match text.split_once(": ") {
        Some((place, rest)) if place.contains("line ") && place.contains("column ") => rest,
        _ => text,
    };
    // It goes on about settings that nobody here can make.
    let text = text.split_once(", set DuplicateKeyPolicy").map_or(text, |(problem, _)| problem);
    shortened(text.trim_end_matches([':', ',', ' ']))
}

/// The way to a value: the document, then names of keys and positions of items.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Way(Vec<u8>);

impl Way {
    pub(crate) fn of_document(index: usize) -> Self {
        let mut way = Self::default();
        way.position(index);
        way
    }

    pub(crate) fn key(&mut self, name: &[u8]) {
        self.0.push(b'k');
        self.0.extend_from_slice(&(name.len() as u64).to_le_bytes());
        self.0.extend_from_slice(name);
    }

    pub(crate) fn position(&mut self, index: usize) {
        self.0.push(b'x');
        self.0.extend_from_slice(&(index as u64).to_le_bytes());
    }
}

/// What an edit does to a value.
pub(crate) enum Intent {
    /// It is another one.
    Set(Value),
    /// Its key is gone.
    Remove,
    /// More keys of the same mapping come behind it.
    Follow(Vec<(String, Value)>),
    /// It is a list, and has one more item.
    Append(Value),
}

/// All that an edit does. Of each value only one thing, but what was set can be followed.
#[derive(Default)]
pub(crate) struct Intents {
    at: HashMap<Way, Intent>,
    followed: HashMap<Way, Vec<(String, Value)>>,
    appended: HashMap<Way, Value>,
}

impl Intents {
    pub(crate) fn add(&mut self, way: Way, intent: Intent) {
        match intent {
            Intent::Follow(entries) => self.followed.entry(way).or_default().extend(entries),
            Intent::Append(value) => {
                self.appended.insert(way, value);
            }
            intent => {
                self.at.insert(way, intent);
            }
        }
    }

    /// The documents as they should be after the edit.
    pub(crate) fn apply(&self, before: Vec<Flat>) -> Vec<Flat> {
        let after = |(index, document): (usize, Flat)| {
            let mut copy = Copy {
                intents: self,
                from: &document.0,
                at: 0,
                to: Vec::with_capacity(document.0.len()),
                way: Way::of_document(index),
            };
            copy.value();
            Flat(copy.to)
        };
        before.into_iter().enumerate().map(after).collect()
    }
}

/// Copies a document, with what is meant to change.
struct Copy<'a> {
    intents: &'a Intents,
    from: &'a [u8],
    at: usize,
    to: Vec<u8>,
    way: Way,
}

impl Copy<'_> {
    fn peek(&self) -> u8 {
        self.from.get(self.at).copied().unwrap_or(NULL)
    }

    fn take(&mut self, bytes: usize) {
        let end = (self.at + bytes).min(self.from.len());
        self.to.extend_from_slice(&self.from[self.at..end]);
        self.at = end;
    }

    fn length(&self) -> usize {
        let bytes = self.from.get(self.at + 1..self.at + 9).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, |bytes| usize::try_from(u64::from_le_bytes(bytes)).unwrap_or(0))
    }

    /// Copies one value. It recurses as deep as the document is nested, which is limited.
    fn value(&mut self) {
        let start = self.to.len();
        match self.peek() {
            SIGNED | UNSIGNED | FLOAT => self.take(9),
            TEXT => self.take(9 + self.length()),
            LIST => {
                self.take(1);
                let way = self.way.0.len();
                for index in 0.. {
                    if self.at >= self.from.len() || self.peek() == LIST_END {
                        break;
                    }
                    self.way.position(index);
                    self.value();
                    self.way.0.truncate(way);
                }
                if let Some(value) = self.intents.appended.get(&self.way) {
                    encode(value, &mut self.to);
                }
                self.take(1);
            }
            MAP => {
                self.take(1);
                while self.at < self.from.len() && self.peek() != MAP_END {
                    self.entry();
                }
                self.take(1);
            }
            _ => self.take(1),
        }
        if let Some(Intent::Set(value)) = self.intents.at.get(&self.way) {
            self.to.truncate(start);
            encode(value, &mut self.to);
        }
    }

    fn entry(&mut self) {
        let (start, way) = (self.to.len(), self.way.0.len());
        let (key, length) = (self.at, self.length());
        self.take(9 + length);
        let name = self.from.get(key + 9..key + 9 + length).unwrap_or_default();
        self.way.key(name);
        self.value();
        if let Some(Intent::Remove) = self.intents.at.get(&self.way) {
            self.to.truncate(start);
        }
        for (key, value) in self.intents.followed.get(&self.way).into_iter().flatten() {
            encode_text(key, &mut self.to);
            encode(value, &mut self.to);
        }
        self.way.0.truncate(way);
    }
}

fn encode(value: &Value, to: &mut Vec<u8>) {
    // Nothing can be missing: a value of JSON has no error to tell.
    let _ = Write { to, depth_left: usize::MAX }.deserialize(value);
}

fn encode_text(text: &str, to: &mut Vec<u8>) {
    to.push(TEXT);
    to.extend_from_slice(&(text.len() as u64).to_le_bytes());
    to.extend_from_slice(text.as_bytes());
}

impl<'de> Deserialize<'de> for Flat {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut flat = Self::default();
        // The reader counts levels itself; this only bounds our own recursion.
        Write { to: &mut flat.0, depth_left: 1_000 }.deserialize(from)?;
        flat.0.shrink_to_fit();
        Ok(flat)
    }
}

struct Write<'a> {
    to: &'a mut Vec<u8>,
    depth_left: usize,
}

impl Write<'_> {
    fn eight(self, kind: u8, bytes: [u8; 8]) {
        self.to.push(kind);
        self.to.extend_from_slice(&bytes);
    }

    fn below<E: serde::de::Error>(&mut self) -> Result<Write<'_>, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Write { to: self.to, depth_left })
    }
}

impl<'de> DeserializeSeed<'de> for Write<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Write<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.to.push(NULL);
        Ok(())
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.to.push(if value { TRUE } else { FALSE });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        // One spelling for each number.
        match u64::try_from(value) {
            Ok(value) => self.eight(UNSIGNED, value.to_le_bytes()),
            Err(_) => self.eight(SIGNED, value.to_le_bytes()),
        }
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.eight(UNSIGNED, value.to_le_bytes());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.eight(FLOAT, value.to_bits().to_le_bytes());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        encode_text(value, self.to);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.to.push(LIST);
        while items.next_element_seed(self.below()?)?.is_some() {}
        self.to.push(LIST_END);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        self.to.push(MAP);
        while let Some(key) = entries.next_key::<String>()? {
            if key.len() > u32::MAX as usize {
                return Err(A::Error::custom("a key is too long"));
            }
            encode_text(&key, self.to);
            entries.next_value_seed(self.below()?)?;
        }
        self.to.push(MAP_END);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flat(text: &str) -> Vec<Flat> {
        read(text, &EditLimits::default()).unwrap_or_else(|_| panic!("{text}"))
    }

    fn way(keys: &[&str]) -> Way {
        let mut way = Way::of_document(0);
        for key in keys {
            way.key(key.as_bytes());
        }
        way
    }

    #[test]
    fn spelling_does_not_count_but_types_do() {
        assert!(flat("a: x\nb: [1, null]\n") == flat("{\"a\": 'x', b: [0x1, ~]}"));
        for (one, other) in
            [("1", "'1'"), ("1", "1.0"), ("true", "'true'"), ("~", "''"), ("[]", "{}"), ("[1]", "1")]
        {
            assert!(flat(&format!("a: {one}")) != flat(&format!("a: {other}")), "{one} {other}");
        }
        assert_eq!(flat("---\n---\na: 1\n--- ~\n---\nb\n").len(), 2);
    }

    #[test]
    fn an_intent_changes_what_it_names_and_nothing_else() {
        let before = flat("a: {b: 1, c: [x, {d: 2}]}\nb: 1\n");
        let mut intents = Intents::default();
        intents.add(way(&["a", "b"]), Intent::Set(json!("one")));
        intents.add(way(&["a", "b"]), Intent::Follow(vec![("n".into(), json!(true))]));
        intents.add(way(&["b"]), Intent::Remove);
        intents.add(way(&["a", "c"]), Intent::Append(json!({"e": [1], "f": "g"})));
        let mut d = way(&["a", "c"]);
        d.position(1);
        d.key(b"d");
        intents.add(d, Intent::Set(Value::Null));
        assert!(intents.apply(before) == flat("a: {b: one, n: true, c: [x, {d: }, {e: [1], f: g}]}\n"));
        let same = flat("a: [{b: {}}]\n");
        assert!(Intents::default().apply(flat("a: [{b: {}}]\n")) == same);
    }

    #[test]
    fn errors_repeat_no_value() {
        for (text, told) in [
            ("a: 1e999999\n", "a number is too large: put it in quotes, if it is text"),
            ("a: !!int hunter2\n", "invalid u64"),
            ("a: {b: 1, b: hunter2}\n", "duplicate mapping key: b"),
            ("? [hunter2]\n: x\n", "expected string scalar"),
        ] {
            match read(text, &EditLimits::default()) {
                Err(Problem::Syntax { problem, line, .. }) => assert_eq!((&*problem, line), (told, 1)),
                _ => panic!("{text}"),
            }
        }
    }
}
