//! The hash of what a set holds of a tree.

use serde_json::Number;
use sha2::{Digest as _, Sha256};

use super::Fingerprint;
use super::compiled::{Compiled, CompiledNode, Element};
use super::matches::{Match, find};
use super::tree::{Shape, Tree};
use crate::PathElement;
use crate::schema::Type;

/// How much is gathered before it is hashed: many small pieces are slow.
const GATHERED: usize = 2048;

pub(crate) fn fingerprint<'t, T: Tree<'t>>(set: &Compiled<'_>, object: T, ty: Type<'_>) -> Fingerprint {
    let mut walk = Walk {
        set,
        out: Out { hash: Sha256::new(), gathered: Vec::with_capacity(GATHERED) },
        found: Vec::new(),
    };
    walk.out.tag(b'1');
    walk.below(set.root(), object, ty);
    walk.out.finish()
}

struct Walk<'s, 'a, T> {
    set: &'s Compiled<'a>,
    out: Out,
    /// Of the levels that are being walked: what was found there.
    found: Vec<Match<T>>,
}

impl<'t, T: Tree<'t>> Walk<'_, '_, T> {
    fn below(&mut self, level: std::ops::Range<usize>, value: T, ty: Type<'_>) {
        let level = self.set.level(level);
        let base = self.found.len();
        find(level, value, ty, &mut self.found);
        let mut at = base;
        while let Some(found) = self.found.get(at).copied() {
            if let Some(node) = level.get(found.element) {
                self.out.tag(b'e');
                self.out.element(&node.element);
                self.node(node, found.value, child_type(&node.element, ty));
                self.out.tag(b'<');
            }
            at += 1;
        }
        self.found.truncate(base);
    }

    fn node(&mut self, node: &CompiledNode<'_>, value: T, ty: Type<'_>) {
        if node.member {
            self.out.tag(b'.');
        }
        let leaf = node.children.is_empty();
        match value.shape() {
            Shape::Map(_) if leaf && !ty.is_atomic_map() => self.out.tag(b'm'),
            Shape::List(_) if leaf && !is_atomic_list(ty) => self.out.tag(b'l'),
            Shape::Map(_) if !leaf => {
                self.out.tag(b'M');
                self.below(node.children.clone(), value, ty);
            }
            Shape::List(_) if !leaf => {
                self.out.tag(b'L');
                self.below(node.children.clone(), value, ty);
            }
            _ => self.out.tree(value),
        }
    }
}

/// The type of what an element stands for. Where a set goes on below what the schema takes for one value, the API server
/// knows better.
pub(super) fn child_type<'s>(element: &Element<'_>, ty: Type<'s>) -> Type<'s> {
    match element {
        Element::Field(name) if !ty.is_atomic_map() => ty.child_or_deduced(name),
        Element::Item(_) if !is_atomic_list(ty) => ty.item_or_deduced(),
        _ => Type::deduced(),
    }
}

pub(super) fn is_atomic_list(ty: Type<'_>) -> bool {
    matches!(ty.list_kind(), crate::schema::ListKind::Atomic)
}

struct Out {
    hash: Sha256,
    gathered: Vec<u8>,
}

impl Out {
    fn finish(mut self) -> Fingerprint {
        self.hash.update(&self.gathered);
        let digest = self.hash.finalize();
        let mut bytes = [0; 16];
        for (byte, from) in bytes.iter_mut().zip(digest.iter()) {
            *byte = *from;
        }
        Fingerprint(bytes)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.gathered.len() + bytes.len() > GATHERED {
            self.hash.update(&self.gathered);
            self.gathered.clear();
        }
        if bytes.len() > GATHERED {
            self.hash.update(bytes);
        } else {
            self.gathered.extend_from_slice(bytes);
        }
    }

    fn tag(&mut self, tag: u8) {
        self.bytes(&[tag]);
    }

    fn text(&mut self, text: &str) {
        self.bytes(&(text.len() as u64).to_le_bytes());
        self.bytes(text.as_bytes());
    }

    fn element(&mut self, element: &Element<'_>) {
        match element {
            Element::Field(name) => {
                self.tag(b'f');
                self.text(name);
            }
            Element::Item(item) => match &**item {
                PathElement::Field(name) => {
                    self.tag(b'f');
                    self.text(name);
                }
                PathElement::Key(key) => {
                    self.tag(b'k');
                    self.bytes(&(key.len() as u64).to_le_bytes());
                    for (name, value) in key.iter() {
                        self.text(name);
                        self.tree(value);
                    }
                }
                PathElement::Value(value) => {
                    self.tag(b'v');
                    self.tree(value);
                }
                PathElement::Index(index) => {
                    self.tag(b'i');
                    self.bytes(&(*index as u64).to_le_bytes());
                }
            },
        }
    }

    /// A whole value.
    fn tree<'t, T: Tree<'t>>(&mut self, tree: T) {
        match tree.shape() {
            Shape::Null => self.tag(b'n'),
            Shape::Bool(b) => self.tag(if b { b't' } else { b'f' }),
            Shape::Number(n) => self.number(n),
            Shape::Text(s) => {
                self.tag(b's');
                self.text(s);
            }
            Shape::List(items) => {
                self.tag(b'[');
                for item in items {
                    self.tree(item);
                }
                self.tag(b']');
            }
            Shape::Map(fields) => {
                self.tag(b'{');
                let mut fields: Vec<_> = fields.collect();
                if !fields.is_sorted_by(|a, b| a.0 < b.0) {
                    // Stable, so that the last of one name stays the last.
                    fields.sort_by_key(|(name, _)| *name);
                }
                for (at, (name, child)) in fields.iter().enumerate() {
                    if fields.get(at + 1).is_some_and(|(next, _)| next == name) {
                        continue;
                    }
                    self.tag(b'e');
                    self.text(name);
                    self.tree(*child);
                }
                self.tag(b'}');
            }
        }
    }

    fn number(&mut self, n: &Number) {
        if let Some(i) = n.as_i64() {
            self.tag(b'i');
            self.bytes(&i128::from(i).to_le_bytes());
        } else if let Some(u) = n.as_u64() {
            self.tag(b'i');
            self.bytes(&i128::from(u).to_le_bytes());
        } else {
            // Only numbers that no machine number can hold are hashed as they are written.
            match n.as_f64().filter(|f| f.is_finite()) {
                // `-0` is an integer or a float, depending on the features of `serde_json`.
                Some(0.0) if n.as_f64().is_some_and(f64::is_sign_negative) => {
                    self.tag(b'i');
                    self.bytes(&0_i128.to_le_bytes());
                }
                Some(f) => {
                    self.tag(b'd');
                    self.bytes(&f.to_bits().to_le_bytes());
                }
                None => {
                    self.tag(b'x');
                    self.text(&n.to_string());
                }
            }
        }
    }
}
