//! JSON as the API server writes it inside the keys of managedFields: the spelling is part of the stored object.
//!
//! That of jsoniter in the mode compatible with Go's `encoding/json`, as structured-merge-diff uses it
//! (`fieldpath/serialize-pe.go`).

use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::{Number, Value};

use crate::{ItemKey, canonical};

/// Appends a value; names of maps are sorted.
pub(crate) fn write(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => write_number(number, text),
        Value::String(string) => write_string(string, true, text),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (at, (name, value)) in canonical::sorted(map).into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_string(name, true, text);
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
    }
}

/// Appends the name of a key field, which is not escaped for HTML.
pub(crate) fn write_name(name: &str, text: &mut String) {
    write_string(name, false, text);
}

fn write_string(string: &str, html: bool, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        // Writing into a text cannot fail.
        let _ = match c {
            '"' => text.write_str("\\\""),
            '\\' => text.write_str("\\\\"),
            '\n' => text.write_str("\\n"),
            '\r' => text.write_str("\\r"),
            '\t' => text.write_str("\\t"),
            '\0'..='\u{1f}' => write!(text, "\\u{:04x}", u32::from(c)),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' if html => write!(text, "\\u{:04x}", u32::from(c)),
            _ => text.write_char(c),
        };
    }
    text.push('"');
}

fn write_number(number: &Number, text: &mut String) {
    let float = if number.is_f64() { number.as_f64() } else { None };
    let _ = match float {
        // Whole numbers are written without a fraction, as Go's shortest form has none.
        Some(float) if float == 0.0 || (1e-6..1e21).contains(&float.abs()) => write!(text, "{float}"),
        Some(float) => {
            let spelled = format!("{float:e}");
            match spelled.split_once('e') {
                Some((digits, exponent)) if !exponent.starts_with('-') => {
                    write!(text, "{digits}e+{exponent}")
                }
                _ => text.write_str(&spelled),
            }
        }
        None => write!(text, "{number}"),
    };
}

/// Reads one value; what follows it is not looked at.
pub(crate) fn read(json: &str) -> Option<Value> {
    Value::deserialize(&mut serde_json::Deserializer::from_str(json)).ok()
}

/// Reads the fields of a key; what follows them is not looked at.
pub(crate) fn read_key(json: &str) -> Option<ItemKey> {
    let mut reader = serde_json::Deserializer::from_str(json);
    reader.deserialize_option(Fields).ok().map(|fields| fields.into_iter().collect())
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(Arc<str>, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of key fields")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(1);
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(value: &Value) -> String {
        let mut text = String::new();
        write(value, &mut text);
        text
    }

    #[test]
    fn numbers_are_spelled_as_go_spells_them() {
        for (value, text) in [
            (json!(1), "1"),
            (json!(1.0), "1"),
            (json!(-0.5), "-0.5"),
            (json!(1e20), "100000000000000000000"),
            (json!(1e21), "1e+21"),
            (json!(1.5e-7), "1.5e-7"),
            (json!(u64::MAX), "18446744073709551615"),
        ] {
            assert_eq!(written(&value), text);
        }
    }

    #[test]
    fn values_are_escaped_for_html_and_names_are_not() {
        assert_eq!(written(&json!("a<b>&\u{2028}\u{8}\n\"")), r#""a\u003cb\u003e\u0026\u2028\u0008\n\"""#);
        let mut text = String::new();
        write_name("a<\u{c}", &mut text);
        assert_eq!(text, r#""a<\u000c""#);
        assert_eq!(written(&json!({"b": [null, true], "a": {}})), r#"{"a":{},"b":[null,true]}"#);
    }

    #[test]
    fn keys_are_read_as_go_reads_them() {
        assert_eq!(read_key(r#"{"b":1,"a":"x"} rest"#).unwrap().keys().count(), 2);
        assert!(read_key("null").unwrap().is_empty());
        for bad in ["", "1", "{", "[]", r#"{"a"}"#] {
            assert_eq!(read_key(bad), None, "{bad}");
        }
        assert_eq!(read("1 2"), Some(json!(1)));
        assert_eq!(read(""), None);
    }
}
