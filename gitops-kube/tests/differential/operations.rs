//! What is done to both, and how it is chosen.

use std::fmt;

use gitops_core::Dice;
use gitops_diff::FieldPath;
use serde_json::{Map, Value, json};

use crate::kinds::{Kind, Slot, pointer};

/// Who writes. The first is the application's own field manager.
pub(crate) const MANAGERS: [&str; 3] = ["gitops/shop", "kubectl-edit", "operator"];
/// The application.
pub(crate) const APP: &str = "shop";
/// The objects of a sequence.
pub(crate) const NAMES: [&str; 2] = ["one", "two"];

/// Which state, or which incarnation, a write insists on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one that was seen last.
    Current,
    /// An earlier one, or one that never was.
    Stale,
}

/// What a write insists on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) version: Option<Which>,
    pub(crate) uid: Option<Which>,
}

/// A sort of patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PatchKind {
    Merge,
    Json,
    Strategic,
}

/// One thing to do. Bodies have no name and no namespace.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Server-side apply.
    Apply { by: &'static str, name: &'static str, config: Value, force: bool, guard: Guard },
    /// What the target does for the application: an apply by force, with the mark of membership, that insists on the
    /// object being absent, or being the incarnation that was seen.
    Deploy { name: &'static str, config: Value, expect: Option<Which> },
    /// `POST`.
    Create { by: &'static str, name: &'static str, body: Value },
    /// `PUT` of what is live with changes: values set, and fields taken away.
    Update { by: &'static str, name: &'static str, changes: Vec<(FieldPath, Option<Value>)>, guard: Guard },
    /// `PUT` of another object altogether.
    Replace { by: &'static str, name: &'static str, body: Value, guard: Guard },
    /// `PATCH`.
    Patch { by: &'static str, name: &'static str, kind: PatchKind, patch: Value },
    /// `PUT` to the subresource `status`.
    Status { by: &'static str, name: &'static str, status: Value },
    /// `DELETE`.
    Delete { by: &'static str, name: &'static str, guard: Guard },
    /// What happened since the last look is told, one by one.
    Watch,
    /// A watch that begins before what is remembered is told so, and lists.
    Expire,
}

impl Operation {
    /// The object that it is about, if it is about one.
    pub(crate) fn name(&self) -> Option<&'static str> {
        match self {
            Self::Apply { name, .. }
            | Self::Deploy { name, .. }
            | Self::Create { name, .. }
            | Self::Update { name, .. }
            | Self::Replace { name, .. }
            | Self::Patch { name, .. }
            | Self::Status { name, .. }
            | Self::Delete { name, .. } => Some(name),
            Self::Watch | Self::Expire => None,
        }
    }

    /// The word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Apply { force: true, .. } => "apply by force",
            Self::Apply { .. } => "apply",
            Self::Deploy { .. } => "deploy",
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Replace { .. } => "replace",
            Self::Patch { kind: PatchKind::Merge, .. } => "merge patch",
            Self::Patch { kind: PatchKind::Json, .. } => "JSON patch",
            Self::Patch { kind: PatchKind::Strategic, .. } => "strategic patch",
            Self::Status { .. } => "status",
            Self::Delete { .. } => "delete",
            Self::Watch => "watch",
            Self::Expire => "expire",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word();
        match self {
            Self::Apply { by, name, config, guard, .. } => {
                write!(f, "{word} {name} as {by} {guard}{config}")
            }
            Self::Deploy { name, config, expect } => {
                write!(f, "{word} {name} expecting {expect:?}: {config}")
            }
            Self::Create { by, name, body } => write!(f, "{word} {name} as {by} {body}"),
            Self::Update { by, name, changes, guard } => {
                write!(f, "{word} {name} as {by} {guard}")?;
                changes.iter().try_for_each(|(path, value)| match value {
                    Some(value) => write!(f, "{path}={value} "),
                    None => write!(f, "-{path} "),
                })
            }
            Self::Replace { by, name, body, guard } => write!(f, "{word} {name} as {by} {guard}{body}"),
            Self::Patch { by, name, patch, .. } => write!(f, "{word} {name} as {by} {patch}"),
            Self::Status { by, name, status } => write!(f, "{word} {name} as {by} {status}"),
            Self::Delete { by, name, guard } => write!(f, "{word} {name} as {by} {guard}"),
            Self::Watch | Self::Expire => f.write_str(word),
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, which) in [("resourceVersion", self.version), ("uid", self.uid)] {
            if let Some(which) = which {
                write!(f, "({which:?} {what}) ")?;
            }
        }
        Ok(())
    }
}

/// Chooses operations.
pub(crate) struct Chooser<'k> {
    dice: Dice,
    kind: &'k Kind,
}

impl<'k> Chooser<'k> {
    /// A sequence: its kind, and what is done to objects of it. The same for the same seed.
    pub(crate) fn sequence(seed: u64, kinds: &'k [Kind]) -> (&'k Kind, Vec<Operation>) {
        let dice = Dice::seeded(seed);
        let kind = &kinds[below(&dice, kinds.len())];
        let chooser = Self { dice, kind };
        let length = 4 + chooser.below(7);
        let first = chooser.percent(80).then(|| chooser.first());
        let mut operations: Vec<_> =
            first.into_iter().chain((0..length).map(|_| chooser.operation())).collect();
        operations.push(Operation::Watch);
        (kind, operations)
    }

    /// What makes the object that most of the rest is done to.
    fn first(&self) -> Operation {
        let (by, name) = (MANAGERS[self.below(MANAGERS.len())], NAMES[0]);
        match self.below(3) {
            0 => Operation::Create { by, name, body: self.full() },
            1 => Operation::Deploy { name, config: self.config(), expect: None },
            _ => Operation::Apply { by, name, config: self.config(), force: false, guard: Guard::default() },
        }
    }

    fn operation(&self) -> Operation {
        let by = MANAGERS[self.below(MANAGERS.len())];
        // Most of what is done is done to one object, so that it meets what others did.
        let name = NAMES[usize::from(self.percent(15))];
        match self.below(100) {
            0..30 => {
                let (force, guard) = (self.percent(40), self.guard(20));
                let mut config = self.config();
                if self.percent(4) {
                    let (wrong, value) = [
                        ("managedFields", json!([{"manager": "x"}])),
                        ("labels", "text".into()),
                        ("finalizers", json!({"a": "b"})),
                    ][self.below(3)]
                    .clone();
                    config["metadata"][wrong] = value;
                }
                Operation::Apply { by, name, config, force, guard }
            }
            30..38 => {
                let expect = [None, Some(Which::Current), Some(Which::Current), Some(Which::Stale)];
                Operation::Deploy { name, config: self.config(), expect: expect[self.below(4)] }
            }
            38..48 => Operation::Create { by, name, body: self.full() },
            48..60 => {
                let changes = self.some_slots(30).into_iter().map(|slot| match &slot.gone {
                    Some(gone) if self.percent(35) => (gone.clone(), None),
                    _ => (slot.path.clone(), Some(self.value(slot))),
                });
                Operation::Update { by, name, changes: changes.collect(), guard: self.update_guard() }
            }
            60..65 => Operation::Replace { by, name, body: self.full(), guard: self.update_guard() },
            65..72 => Operation::Patch { by, name, kind: PatchKind::Merge, patch: self.merge_patch() },
            72..78 => Operation::Patch { by, name, kind: PatchKind::Json, patch: self.json_patch() },
            // Custom kinds take none: `415 Unsupported Media Type`.
            78..84 if !self.kind.is_custom() => {
                Operation::Patch { by, name, kind: PatchKind::Strategic, patch: self.strategic_patch() }
            }
            84..88 if self.kind.has_status() => {
                let status = json!({"replicas": 1 + self.below(3)});
                Operation::Status { by, name, status }
            }
            78..94 => {
                // What insists on a state insists on the incarnation too.
                let mut guard = self.guard(30);
                guard.uid = guard.uid.or(guard.version.and(Some(Which::Current)));
                Operation::Delete { by, name, guard }
            }
            94..98 => Operation::Watch,
            _ => Operation::Expire,
        }
    }

    /// What every object states, and some fields besides.
    fn config(&self) -> Value {
        let mut config = self.kind.base.clone();
        config["apiVersion"] = self.kind.api_version().into();
        config["kind"] = self.kind.name.into();
        for slot in self.some_slots(30) {
            slot.path.set(&mut config, self.value(slot));
        }
        config
    }

    /// The same, with all fields that have defaults.
    fn full(&self) -> Value {
        let mut config = self.config();
        for slot in self.kind.slots.iter().filter(|slot| slot.defaulted) {
            slot.path.set(&mut config, self.value(slot));
        }
        config
    }

    fn guard(&self, percent: usize) -> Guard {
        let which = || Some(if self.percent(60) { Which::Current } else { Which::Stale });
        if !self.percent(percent) {
            return Guard::default();
        }
        match self.below(3) {
            0 => Guard { version: which(), uid: None },
            1 => Guard { version: None, uid: which() },
            _ => Guard { version: which(), uid: which() },
        }
    }

    /// A `PUT` of a custom kind must name the version.
    fn update_guard(&self) -> Guard {
        let mut guard = Guard { version: Some(Which::Current), uid: None };
        match self.below(10) {
            0 | 1 => guard.version = Some(Which::Stale),
            2 => guard.uid = Some(Which::Stale),
            3 if !self.kind.is_custom() => guard.version = None,
            _ => {}
        }
        guard
    }

    fn merge_patch(&self) -> Value {
        let mut patch = json!({});
        for slot in self.some_slots(25).into_iter().filter(|slot| slot.is_plain()) {
            self.state_or_null(slot, &mut patch);
        }
        patch
    }

    fn json_patch(&self) -> Value {
        let plain = self.some_slots(25).into_iter().filter(|slot| slot.is_plain());
        let step = |slot: &Slot| {
            let path = pointer(&slot.path);
            match (self.below(5), &slot.gone) {
                (0, Some(gone)) => json!({"op": "remove", "path": pointer(gone)}),
                (1, _) => json!({"op": "replace", "path": path, "value": self.value(slot)}),
                (2, _) => json!({"op": "test", "path": path, "value": self.value(slot)}),
                _ => json!({"op": "add", "path": path, "value": self.value(slot)}),
            }
        };
        plain.map(step).collect()
    }

    fn strategic_patch(&self) -> Value {
        let mut patch = json!({});
        for slot in self.some_slots(25) {
            if slot.is_plain() {
                self.state_or_null(slot, &mut patch);
            } else {
                slot.path.set(&mut patch, self.value(slot));
            }
        }
        patch
    }

    fn state_or_null(&self, slot: &Slot, patch: &mut Value) {
        match &slot.gone {
            Some(gone) if self.percent(30) => gone.set(patch, Value::Null),
            _ => slot.path.set(patch, self.value(slot)),
        };
    }

    fn some_slots(&self, percent: usize) -> Vec<&'k Slot> {
        self.kind.slots.iter().filter(|_| self.percent(percent)).collect()
    }

    fn value(&self, slot: &Slot) -> Value {
        slot.values[self.below(slot.values.len())].clone()
    }

    fn below(&self, end: usize) -> usize {
        below(&self.dice, end)
    }

    fn percent(&self, times: usize) -> bool {
        self.below(100) < times
    }
}

fn below(dice: &Dice, end: usize) -> usize {
    usize::try_from(dice.roll() % end as u64).expect("less than a usize")
}

/// A body with its name and place.
pub(crate) fn placed(body: &Value, namespace: &str, name: &str) -> Value {
    let mut body = body.clone();
    let fields = body.as_object_mut().expect("a body is a map");
    let metadata = fields.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    metadata["name"] = name.into();
    metadata["namespace"] = namespace.into();
    body
}

/// What becomes of a live object by a patch; none if the patch does not fit it.
pub(crate) fn patched(live: &Value, kind: PatchKind, patch: &Value) -> Option<Value> {
    use gitops_diff::schema::{BuiltIn, Schema};
    use gitops_diff::strategic::{self, StrategicOptions};
    use gitops_diff::{TypeRef, merge_patch, patch as json_patch};
    match kind {
        PatchKind::Merge => Some(merge_patch::apply(live, patch)),
        PatchKind::Json => {
            let (mut object, mut patch) = (live.clone(), patch.clone());
            // What a server replaces need not be there.
            let steps = patch.as_array_mut().into_iter().flatten();
            steps.filter(|step| step["op"] == "replace").for_each(|step| step["op"] = "add".into());
            json_patch::apply(&serde_json::from_value(patch).ok()?, &mut object).ok()?;
            Some(object)
        }
        PatchKind::Strategic => {
            let ty = BuiltIn.type_or_deduced(&TypeRef::of(live));
            let options = StrategicOptions::default().with_clean(true);
            strategic::apply(live, patch, ty, &options).ok()
        }
    }
}
