//! The spellings of a path: the readable form, JSON Pointer, and the element strings of managedFields.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use crate::text::json_text;
use crate::{FieldPath, ItemKey, PathElement, go_json};

/// A path that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The readable form has a mistake.
    #[error("path {text:?}, byte {at}: expected {expected}")]
    Syntax {
        /// The whole text.
        text: String,
        /// The offset in bytes from its start.
        at: usize,
        /// What would have been right there.
        expected: &'static str,
    },
    /// A JSON Pointer is neither empty nor begins with `/`, or has a `~` that is not `~0` or `~1` (RFC 6901).
    #[error("{0:?} is no JSON Pointer: it must be empty or begin with \"/\", and \"~\" is written \"~0\"")]
    Pointer(String),
    /// A JSON Pointer leads nowhere in the given tree.
    #[error("{0:?} leads nowhere in this object")]
    Nowhere(String),
    /// An element of a managedFields entry has none of the forms `f:NAME`, `k:{…}`, `v:…`, `i:N`.
    #[error("{0:?} is no element of a field set: expected f:NAME, k:{{…}}, v:JSON or i:NUMBER")]
    Element(String),
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        self.elements().iter().try_for_each(|element| element.fmt(f))
    }
}

impl fmt::Display for PathElement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) if is_plain(name) => write!(f, ".{name}"),
            Self::Field(name) => write!(f, "[{}]", quoted(name)),
            Self::Key(key) if key.is_empty() => f.write_str("[{}]"),
            Self::Key(key) => {
                f.write_str("[")?;
                for (i, (name, value)) in key.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    if is_plain(name) {
                        write!(f, "{comma}{name}={}", json_text(value))?;
                    } else {
                        write!(f, "{comma}{}={}", quoted(name), json_text(value))?;
                    }
                }
                f.write_str("]")
            }
            Self::Value(value) => write!(f, "[={}]", json_text(value)),
            Self::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// Names that need no quotes: letters, digits, `_`, `-` and `$`, not beginning with a digit or `-`.
fn is_plain(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '$'))
        && chars.all(is_plain_char)
}

fn is_plain_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$')
}

fn quoted(name: &str) -> String {
    json_text(&Value::String(name.to_owned()))
}

impl FromStr for FieldPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let mut path = Self::root();
        if matches!(text, "" | ".") {
            return Ok(path);
        }
        let mut reader = Reader { text, at: 0 };
        while reader.at < text.len() {
            path.push(reader.element()?);
        }
        Ok(path)
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn fail<T>(&self, expected: &'static str) -> Result<T, PathError> {
        Err(PathError::Syntax { text: self.text.to_owned(), at: self.at, expected })
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str, expected: &'static str) -> Result<(), PathError> {
        if self.eat(token) { Ok(()) } else { self.fail(expected) }
    }

    fn element(&mut self) -> Result<PathElement, PathError> {
        if self.eat(".") {
            return Ok(PathElement::field(self.plain()?));
        }
        self.expect("[", "\".\" or \"[\"")?;
        if self.eat("=") {
            let value = self.json()?;
            self.expect("]", "\"]\"")?;
            return Ok(PathElement::Value(value));
        }
        if self.eat("{}") {
            self.expect("]", "\"]\"")?;
            return Ok(PathElement::Key(ItemKey::from([])));
        }
        if self.rest().starts_with(|c: char| c.is_ascii_digit()) {
            return self.index();
        }
        let name = self.name()?;
        if self.eat("]") {
            return Ok(PathElement::Field(name));
        }
        self.key(name)
    }

    fn index(&mut self) -> Result<PathElement, PathError> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let Some(index) = rest.get(..end).and_then(|digits| digits.parse().ok()) else {
            return self.fail("a position that this machine can count to");
        };
        self.at += end;
        self.expect("]", "\"]\"")?;
        Ok(PathElement::Index(index))
    }

    fn key(&mut self, first: Arc<str>) -> Result<PathElement, PathError> {
        let mut fields: Vec<(Arc<str>, Value)> = Vec::new();
        let mut name = first;
        loop {
            self.expect("=", "\"=\" and a value, or \"]\"")?;
            fields.push((name, self.json()?));
            if self.eat("]") {
                let given = fields.len();
                let key: ItemKey = fields.into_iter().collect();
                return if key.len() == given {
                    Ok(PathElement::Key(key))
                } else {
                    self.fail("each key field once")
                };
            }
            self.expect(",", "\",\" or \"]\"")?;
            name = self.name()?;
        }
    }

    /// A name, quoted or plain.
    fn name(&mut self) -> Result<Arc<str>, PathError> {
        if self.rest().starts_with('"') {
            return match self.json()? {
                Value::String(name) => Ok(name.into()),
                _ => self.fail("a quoted name"),
            };
        }
        Ok(self.plain()?.into())
    }

    fn plain(&mut self) -> Result<&'a str, PathError> {
        let rest = self.rest();
        let end = rest.find(|c| !is_plain_char(c)).unwrap_or(rest.len());
        match rest.get(..end) {
            Some(name) if is_plain(name) => {
                self.at += end;
                Ok(name)
            }
            _ => self.fail(
                "a name; names with other characters than letters, digits, \"_\", \"-\" are written [\"…\"]",
            ),
        }
    }

    /// One JSON value, up to where it ends.
    fn json(&mut self) -> Result<Value, PathError> {
        let rest = self.rest();
        // A bare number is not self-delimiting for the stream reader: what ends it here is cut off first.
        if rest.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
            let end = rest.find([',', ']']).unwrap_or(rest.len());
            return match rest.get(..end).map(serde_json::from_str) {
                Some(Ok(value)) => {
                    self.at += end;
                    Ok(value)
                }
                _ => self.fail("a JSON value"),
            };
        }
        let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match stream.next() {
            Some(Ok(value)) => {
                self.at += stream.byte_offset();
                Ok(value)
            }
            _ => self.fail("a JSON value"),
        }
    }
}

impl FieldPath {
    /// The JSON Pointer (RFC 6901) to the same place in `root`; `None` where there is nothing.
    pub fn to_json_pointer(&self, root: &Value) -> Option<String> {
        let mut pointer = String::new();
        let mut at = root;
        for element in self.elements() {
            pointer.push('/');
            match (element, at) {
                (PathElement::Field(name), _) => {
                    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                }
                (PathElement::Index(index), _) => pointer.push_str(&index.to_string()),
                (_, Value::Array(items)) => pointer.push_str(&element.position(items)?.to_string()),
                _ => return None,
            }
            at = element.of(at)?;
        }
        Some(pointer)
    }

    /// Reads a JSON Pointer without a tree: parts that are numbers become positions, all others fields.
    ///
    /// A position finds the field of that name where the tree has a map, so the path still leads to the same place.
    pub fn from_json_pointer(pointer: &str) -> Result<Self, PathError> {
        pointer_parts(pointer)?
            .map(|part| {
                part.map(|part| index_of(&part).map_or_else(|| PathElement::field(part), PathElement::Index))
            })
            .collect()
    }

    /// Reads a JSON Pointer against a tree, so that each part is known to be a field or a position.
    pub fn from_json_pointer_in(pointer: &str, root: &Value) -> Result<Self, PathError> {
        let nowhere = || PathError::Nowhere(pointer.to_owned());
        let mut path = Self::root();
        let mut at = root;
        for part in pointer_parts(pointer)? {
            let part = part?;
            let element = match at {
                Value::Array(_) => PathElement::Index(index_of(&part).ok_or_else(nowhere)?),
                _ => PathElement::field(part),
            };
            at = element.of(at).ok_or_else(nowhere)?;
            path.push(element);
        }
        Ok(path)
    }
}

/// The decoded parts of a JSON Pointer.
fn pointer_parts(pointer: &str) -> Result<impl Iterator<Item = Result<String, PathError>>, PathError> {
    let bad = || PathError::Pointer(pointer.to_owned());
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(bad());
    }
    Ok(pointer.split('/').skip(1).map(move |part| {
        let valid = part.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        if valid { Ok(part.replace("~1", "/").replace("~0", "~")) } else { Err(bad()) }
    }))
}

/// A position as RFC 6901 writes it: without leading zeros.
fn index_of(part: &str) -> Option<usize> {
    let plain = part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
    if plain { part.parse().ok() } else { None }
}

impl PathElement {
    /// The spelling in a managedFields entry: `f:NAME`, `k:{…}` with the key fields by name, `v:JSON`, `i:NUMBER`.
    ///
    /// To the letter that of structured-merge-diff (`fieldpath/serialize-pe.go`), escapes included.
    pub fn to_managed(&self) -> String {
        let mut text = String::new();
        self.write_managed(&mut text);
        text
    }

    /// Appends the spelling in a managedFields entry.
    pub(crate) fn write_managed(&self, text: &mut String) {
        match self {
            Self::Field(name) => {
                text.reserve(2 + name.len());
                text.push_str("f:");
                text.push_str(name);
            }
            Self::Key(key) => {
                text.push_str("k:{");
                for (at, (name, value)) in key.iter().enumerate() {
                    if at > 0 {
                        text.push(',');
                    }
                    go_json::write_name(name, text);
                    text.push(':');
                    go_json::write(value, text);
                }
                text.push('}');
            }
            Self::Value(value) => {
                text.push_str("v:");
                go_json::write(value, text);
            }
            Self::Index(index) => {
                text.push_str("i:");
                text.push_str(&index.to_string());
            }
        }
    }

    /// Reads the spelling in a managedFields entry.
    pub fn from_managed(text: &str) -> Result<Self, PathError> {
        let bad = || PathError::Element(text.to_owned());
        match text.split_at_checked(2).ok_or_else(bad)? {
            ("f:", name) => Ok(Self::field(name)),
            ("k:", json) => go_json::read_key(json).map(Self::Key).ok_or_else(bad),
            ("v:", json) => go_json::read(json).map(Self::Value).ok_or_else(bad),
            ("i:", index) => Ok(Self::Index(index.parse().map_err(|_| bad())?)),
            _ => Err(bad()),
        }
    }
}

impl Serialize for FieldPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FieldPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::testing::any_value;

    fn element() -> impl Strategy<Value = PathElement> {
        prop_oneof![
            any::<String>().prop_map(PathElement::field),
            "[a-z]{1,3}".prop_map(PathElement::field),
            btree_map(any::<String>().prop_map(Arc::from), any_value(), 0..3)
                .prop_map(|fields| PathElement::Key(fields.into_iter().collect())),
            any_value().prop_map(PathElement::Value),
            any::<usize>().prop_map(PathElement::Index),
        ]
    }

    #[test]
    fn reads_and_prints_the_readable_form() {
        for text in [
            ".",
            ".spec.replicas",
            r#".spec.containers[name="web"].image"#,
            r#".spec.ports[containerPort=80,protocol="TCP"]"#,
            r#".metadata.labels["app.kubernetes.io/name"]"#,
            r#".metadata.finalizers[="a]b"]"#,
            ".spec.rules[3]",
            ".values[=-1.5]",
            r#"["a b"=null]"#,
            "[{}]",
        ] {
            assert_eq!(text.parse::<FieldPath>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn says_where_a_path_is_wrong() {
        for (text, at) in
            [("spec", 0), (".spec.", 6), (".a[", 3), (".a[b", 4), (".a[b=]", 5), (".a[1", 4), ("..a", 1)]
        {
            match text.parse::<FieldPath>() {
                Err(PathError::Syntax { at: found, .. }) => assert_eq!(found, at, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn control_and_bidi_characters_are_escaped() {
        let path = FieldPath::of_fields(["a\u{202e}b\u{1b}[0m\u{9b}"]);
        assert_eq!(path.to_string(), r#"["a\u202eb\u001b[0m\u009b"]"#);
        assert_eq!(path.to_string().parse(), Ok(path));
    }

    #[test]
    fn pointers_escape_and_resolve() {
        let tree = json!({"a/b": {"~": [10, 20]}, "0": 1});
        let path = FieldPath::from_json_pointer_in("/a~1b/~0/1", &tree).unwrap();
        assert_eq!(path.get(&tree), Some(&json!(20)));
        assert_eq!(path.to_json_pointer(&tree).as_deref(), Some("/a~1b/~0/1"));
        assert_eq!(FieldPath::from_json_pointer("/0").unwrap().get(&tree), Some(&json!(1)));
        assert_eq!(FieldPath::from_json_pointer("").unwrap(), FieldPath::root());
        for bad in ["a", "/~", "/~2", "/a~"] {
            assert_eq!(FieldPath::from_json_pointer(bad), Err(PathError::Pointer(bad.to_owned())));
        }
        assert!(matches!(FieldPath::from_json_pointer_in("/a~1b/~0/2", &tree), Err(PathError::Nowhere(_))));
    }

    #[test]
    fn managed_elements() {
        for text in ["f:a:b", r#"k:{"containerPort":80,"protocol":"TCP"}"#, r#"v:"x""#, "i:3", "f:"] {
            assert_eq!(PathElement::from_managed(text).unwrap().to_managed(), text);
        }
        for bad in ["", "x", "x:1", "k:1", "k:{", "v:", "i:-1", "i:x"] {
            assert!(PathElement::from_managed(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn readable_form_round_trips(path in vec(element(), 0..4).prop_map(FieldPath::from)) {
            let text = path.to_string();
            let steers = text.contains(crate::text::is_unsafe);
            prop_assert!(!steers);
            prop_assert_eq!(text.parse::<FieldPath>().unwrap(), path);
        }

        #[test]
        fn managed_form_round_trips(element in element()) {
            // A large float is spelled as an integer, as Go does, and is read as one.
            let text = element.to_managed();
            prop_assert_eq!(PathElement::from_managed(&text).unwrap().to_managed(), text);
        }

        #[test]
        fn reading_never_panics(text in "[.\\[\\]=\"a1{},~/:-]{0,12}", any in any::<String>()) {
            for text in [text, any] {
                let _ = text.parse::<FieldPath>();
                let _ = FieldPath::from_json_pointer(&text);
                let _ = PathElement::from_managed(&text);
            }
        }
    }
}
