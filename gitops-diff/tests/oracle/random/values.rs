//! Values of a type.

use gitops_diff::schema::{Field, Format, ListKind, MapType, Scalar, Type};
use serde_json::{Map, Value, json};

use super::dice::Dice;

/// Words that texts, keys and names are made of: few, so that objects have something in common.
pub(crate) const WORDS: [&str; 6] = ["a", "b", "c", "10", "9", "web"];

const NUMBERS: [i64; 8] = [9, 10, 80, 443, 8080, 0, 1, 2];

/// Makes a value.
pub(crate) struct Maker<'d> {
    pub(crate) dice: &'d mut Dice,
    /// How many more values there may be, about.
    pub(crate) left: usize,
    /// Whether only such values are made as a server takes and keeps.
    tidy: bool,
}

impl<'d> Maker<'d> {
    /// Makes what a server takes, and seldom what it does not.
    pub(crate) fn new(dice: &'d mut Dice, left: usize) -> Self {
        Self { dice, left, tidy: false }
    }

    /// Makes only what a server takes.
    pub(crate) fn tidy(dice: &'d mut Dice, left: usize) -> Self {
        Self { dice, left, tidy: true }
    }

    /// An object of a kind, with a few of its fields.
    pub(crate) fn object(&mut self, ty: Type<'_>, api_version: &str, kind: &str) -> Value {
        let mut object = match ty.map() {
            Some(map) => self.fields(map, &["apiVersion", "kind", "metadata"]),
            None => Map::new(),
        };
        object.insert("apiVersion".to_owned(), json!(api_version));
        object.insert("kind".to_owned(), json!(kind));
        let mut metadata = match ty.child_or_deduced("metadata").map() {
            Some(map) if self.dice.percent(60) => self.fields(map, &["name", "managedFields"]),
            _ => Map::new(),
        };
        metadata.insert("name".to_owned(), json!("x"));
        object.insert("metadata".to_owned(), Value::Object(metadata));
        Value::Object(object)
    }

    /// A value of a type; seldom null, and more seldom what does not belong there.
    pub(crate) fn value(&mut self, ty: Type<'_>) -> Value {
        self.left = self.left.saturating_sub(1);
        match self.dice.below(500) {
            _ if self.tidy => {}
            0..6 => return Value::Null,
            6 => return json!({}),
            7 if ty.list().is_some() => return json!([]),
            // A list in the place of a scalar is an error or none, depending on what the Go type is a pointer to.
            8 => return self.any_small(),
            _ => {}
        }
        self.proper(ty)
    }

    /// A value of a type, and no other.
    pub(crate) fn proper(&mut self, ty: Type<'_>) -> Value {
        if ty.is_untyped() {
            // Some of these are structures without fields in Go, and drop what is in them.
            return if self.tidy { json!({}) } else { self.any() };
        }
        if let Some(list) = ty.list() {
            return self.list(list.kind(), list.item());
        }
        if let Some(map) = ty.map() {
            return Value::Object(self.fields(map, &[]));
        }
        self.scalar(ty.scalar().unwrap_or(Scalar::Untyped), ty.format())
    }

    fn any(&mut self) -> Value {
        match self.dice.below(10) {
            0 if self.left > 0 => json!([self.word(), self.number()]),
            1 | 2 if self.left > 0 => {
                json!({ self.dice.pick(&WORDS).to_string(): self.any_small(), "name": self.word() })
            }
            _ => self.any_small(),
        }
    }

    fn any_small(&mut self) -> Value {
        self.left = self.left.saturating_sub(1);
        match self.dice.below(4) {
            0 => self.number(),
            1 => json!(self.dice.percent(50)),
            _ => self.word(),
        }
    }

    fn scalar(&mut self, scalar: Scalar, format: Format) -> Value {
        let from = |dice: &mut Dice, texts: &[&str]| json!(dice.pick(texts));
        match format {
            Format::Quantity if self.dice.percent(10) => self.number(),
            Format::Quantity => {
                from(self.dice, &["1", "1000m", "500m", "0.5", "0.5Gi", "512Mi", "1e3", "1k"])
            }
            Format::IntOrString if self.dice.percent(60) => self.number(),
            Format::IntOrString => from(self.dice, &["80", "http", "25%", "1"]),
            Format::Time => from(self.dice, &["2026-01-01T00:00:00Z", "2026-01-02T03:04:05Z"]),
            Format::MicroTime => {
                from(self.dice, &["2026-01-01T00:00:00.000000Z", "2026-01-02T03:04:05.060708Z"])
            }
            Format::Duration => from(self.dice, &["1m0s", "60s", "1h0m0s"]),
            Format::Bytes => from(self.dice, &["YQ==", "Yg=="]),
            _ => match scalar {
                Scalar::String => self.word(),
                Scalar::Number => self.number(),
                Scalar::Boolean => json!(self.dice.percent(50)),
                Scalar::Untyped => self.any_small(),
            },
        }
    }

    fn word(&mut self) -> Value {
        match self.dice.below(40) {
            0 => json!(""),
            1 => json!("é ✓ \"<&>\" ~/"),
            _ => json!(self.dice.pick(&WORDS)),
        }
    }

    fn number(&mut self) -> Value {
        match self.dice.below(60) {
            _ if self.tidy => json!(self.dice.pick(&NUMBERS)),
            0 => json!(9_007_199_254_740_992_i64 + i64::from(self.dice.percent(50))),
            1 => json!(1.5),
            2 => json!(-1),
            3 => json!(80.0),
            4 => json!(1.0),
            _ => json!(self.dice.pick(&NUMBERS)),
        }
    }

    /// Some of a map's fields; those that are merged in a special way come oftener than the others.
    pub(crate) fn fields(&mut self, map: MapType<'_>, without: &[&str]) -> Map<String, Value> {
        let mut made = Map::new();
        let element = map.element().filter(|element| !(self.tidy && element.is_untyped()));
        if let Some(element) = element {
            let wanted = self.dice.below(4).min(self.left).max(usize::from(self.tidy));
            for _ in 0..wanted {
                let key = self.dice.pick(&WORDS).to_string();
                made.insert(key, self.value(element));
            }
        }
        let is_wanted = |name: &str| !(without.contains(&name) || self.tidy && is_of_the_server(map, name));
        let fields: Vec<_> = map.fields().filter(|field| is_wanted(field.name())).collect();
        let weights: Vec<_> = fields.iter().map(weight).collect();
        let total: usize = weights.iter().sum();
        let wanted = (1 + self.dice.below(5)).min(self.left);
        for _ in 0..wanted {
            if total == 0 {
                break;
            }
            let mut at = self.dice.below(total);
            let mut chosen = 0;
            while at >= weights[chosen] {
                at -= weights[chosen];
                chosen += 1;
            }
            let field = &fields[chosen];
            if !made.contains_key(&**field.name()) {
                let mut value = self.value(field.ty());
                if let (Some(key), Value::Array(items)) = (&field.patch().merge_key, &mut value) {
                    self.with_merge_key(key, field.ty().item_or_deduced(), items);
                }
                made.insert(field.name().to_string(), value);
            }
        }
        // Endpoints are refused without these.
        let has = |names: &[&str]| self.tidy && names.iter().all(|name| map.field(name).is_some());
        if has(&["ip", "hostname", "targetRef"]) {
            made.entry("ip").or_insert(json!("10.0.0.1"));
        }
        if has(&["port", "protocol", "appProtocol"]) {
            made.entry("port").or_insert(json!(80));
        }
        // What is a structure by value in Go is always written: not to state it is to state an empty one.
        let tidy = self.tidy;
        let is_structure = |field: &&Field<'_>| tidy && field.default().is_some_and(Value::is_object);
        for field in fields.iter().filter(is_structure) {
            if let (None, Some(map)) = (made.get(&**field.name()), field.ty().map()) {
                let value = self.fields(map, &[]);
                made.insert(field.name().to_string(), Value::Object(value));
            }
        }
        made
    }

    /// Gives items what strategic merge tells them apart by, where it is not the key of server-side apply.
    fn with_merge_key(&mut self, key: &str, item: Type<'_>, items: &mut [Value]) {
        for map in items.iter_mut().filter_map(Value::as_object_mut) {
            if !map.contains_key(key) && self.dice.percent(98) {
                map.insert(key.to_owned(), self.proper(item.child_or_deduced(key)));
            }
        }
    }

    /// A list; one in thirty is long, because Go sorts those in another way.
    fn list(&mut self, kind: ListKind<'_>, item: Type<'_>) -> Value {
        let length = match self.dice.below(4) {
            // One that is empty is stated, and filled all the same.
            few if self.tidy => few.max(1),
            _ if self.dice.percent(4) => 13 + self.dice.below(8),
            few => few,
        };
        if length > 4 {
            self.left += 3 * length;
        }
        let length = length.min(self.left + 1);
        let mut items: Vec<Value> = (0..length).map(|_| self.item(kind, item)).collect();
        if items.len() > 1 && self.dice.percent(5) {
            let again = self.dice.pick(&items).clone();
            items.insert(self.dice.below(items.len()), again);
        } else if let ListKind::Set | ListKind::Map(_) = kind
            && !self.dice.percent(8)
        {
            without_duplicates(kind, &mut items);
        }
        Value::Array(items)
    }

    /// An item of a list; one with a key has it, nearly always.
    pub(crate) fn item(&mut self, kind: ListKind<'_>, item: Type<'_>) -> Value {
        let ListKind::Map(keys) = kind else { return self.value(item) };
        self.left = self.left.saturating_sub(1);
        let mut made = item.map().map(|map| self.fields(map, &[])).unwrap_or_default();
        for key in keys {
            if self.tidy && made.get(&*key.name).is_some_and(|value| value == "") {
                made.remove(&*key.name);
            }
            // Most keys have an empty text as default, which nobody relies on.
            let default = key.default.as_ref().filter(|default| default.as_str() != Some(""));
            if default.is_none() || self.dice.percent(50) {
                let ty = item.child_or_deduced(&key.name);
                let value = match (default, ty.scalar()) {
                    (Some(default), _) if self.dice.percent(50) => default.clone(),
                    (Some(Value::String(_)), _) => json!("UDP"),
                    (_, Some(Scalar::Number)) => json!(self.dice.pick(&NUMBERS)),
                    _ => json!(self.dice.pick(&WORDS)),
                };
                made.insert(key.name.to_string(), value);
            }
        }
        Value::Object(made)
    }
}

/// Whether a field of an object, or of its metadata, is not for those who write it.
fn is_of_the_server(map: MapType<'_>, name: &str) -> bool {
    let has = |name| map.field(name).is_some();
    has("metadata") && has("kind") && matches!(name, "apiVersion" | "kind" | "status")
        // Another name of its neighbour, which must not contradict it.
        || has("serviceAccountName") && name == "serviceAccount"
        || has("managedFields") && !matches!(name, "name" | "labels" | "annotations")
}

fn weight(field: &Field<'_>) -> usize {
    let patch = field.patch();
    if patch.merge || patch.retain_keys || patch.replace {
        return 6;
    }
    let quantities =
        |map: MapType<'_>| map.element().is_some_and(|element| element.format() == Format::Quantity);
    if field.ty().map().is_some_and(quantities) {
        return 6;
    }
    match field.ty().list_kind() {
        ListKind::Map(keys) if keys.len() > 1 => 10,
        ListKind::Map(_) | ListKind::Set => 6,
        ListKind::Atomic if field.ty().map().is_some() => 3,
        ListKind::Atomic => 1,
    }
}

/// Keeps of the items with one key the first.
pub(crate) fn without_duplicates(kind: ListKind<'_>, items: &mut Vec<Value>) {
    let mut seen = Vec::new();
    items.retain(|item| {
        let key = match kind {
            ListKind::Map(keys) => {
                let of = |name: &str| item.get(name).cloned();
                Value::Array(
                    keys.iter().map(|k| of(&k.name).or(k.default.clone()).unwrap_or_default()).collect(),
                )
            }
            _ => item.clone(),
        };
        let new = !seen.contains(&key);
        seen.push(key);
        new
    });
}
