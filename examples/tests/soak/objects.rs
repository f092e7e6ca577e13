//! The objects of the application: a set that keeps changing.

use std::collections::BTreeSet;

use gitops_core::Dice;
use serde_json::{Value, json};

use crate::support::{apps, core};

/// Where they are.
pub(crate) const NAMESPACE: &str = "soak";

/// How many there are, more or less.
const USUAL: usize = 60;
const SWING: usize = 5;

/// One of each in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    ConfigMap,
    Secret,
    Service,
    Deployment,
}

const KINDS: [Kind; 4] = [Kind::ConfigMap, Kind::Secret, Kind::Service, Kind::Deployment];

/// An object at a version of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    number: u32,
    version: u32,
}

impl Object {
    fn kind(self) -> Kind {
        KINDS[self.number as usize % KINDS.len()]
    }

    pub(crate) fn name(self) -> String {
        format!("object-{}", self.number)
    }

    /// Its path at the API server.
    pub(crate) fn uri(self) -> String {
        let (namespace, name) = (NAMESPACE, &self.name());
        match self.kind() {
            Kind::ConfigMap => core("configmaps", namespace, name),
            Kind::Secret => core("secrets", namespace, name),
            Kind::Service => core("services", namespace, name),
            Kind::Deployment => apps("deployments", namespace, name),
        }
    }

    /// Its next version.
    pub(crate) fn revised(self) -> Change {
        Change::Set(Self { version: self.version + 1, ..self })
    }

    /// The collections in which all of them are.
    pub(crate) fn collections() -> BTreeSet<String> {
        let first = (0..4).map(|number| Self { number, version: 0 }.uri());
        first.map(|uri| uri.rsplit_once('/').unwrap().0.to_owned()).collect()
    }

    /// As Git has it.
    pub(crate) fn manifest(self) -> Value {
        let mut manifest = match self.kind() {
            Kind::ConfigMap => json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"fixed": "yes"}}),
            Kind::Secret => json!({"apiVersion": "v1", "kind": "Secret", "data": {"fixed": "eWVz"}}),
            Kind::Service => json!({"apiVersion": "v1", "kind": "Service",
                "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80}]}}),
            Kind::Deployment => json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                    "template": {"metadata": {"labels": {"app": "web"}},
                        "spec": {"containers": [{"name": "web", "image": "web"}]}}}}),
        };
        manifest["metadata"] = json!({"name": self.name(), "namespace": NAMESPACE});
        let (field, value) = self.versioned();
        let (parent, last) = field.rsplit_once('/').unwrap();
        manifest.pointer_mut(parent).unwrap()[last] = value;
        manifest
    }

    /// The field that each version changes, and what is there.
    fn versioned(self) -> (&'static str, Value) {
        let version = self.version;
        match self.kind() {
            Kind::ConfigMap => ("/data/version", json!(version.to_string())),
            // Digits are Base64, eight at a time.
            Kind::Secret => ("/data/version", json!(format!("{version:08}"))),
            Kind::Service => ("/spec/ports/0/port", json!(1000 + version)),
            Kind::Deployment => {
                ("/spec/template/spec/containers/0/image", json!(format!("registry.example/web:{version}")))
            }
        }
    }

    /// A field that all versions state, what is there, and what somebody makes of it.
    fn fixed(self) -> (&'static str, Value, Value) {
        match self.kind() {
            Kind::ConfigMap => ("/data/fixed", json!("yes"), json!({"data": {"fixed": "by hand"}})),
            Kind::Secret => ("/data/fixed", json!("eWVz"), json!({"data": {"fixed": "bm90"}})),
            Kind::Service => {
                ("/spec/selector/app", json!("web"), json!({"spec": {"selector": {"app": "x"}}}))
            }
            Kind::Deployment => ("/spec/replicas", json!(2), json!({"spec": {"replicas": 7}})),
        }
    }

    /// What somebody changes of it by hand.
    pub(crate) fn edit(self) -> Value {
        self.fixed().2
    }

    /// Whether a live object is what Git has.
    pub(crate) fn is(self, live: &Value) -> bool {
        let (versioned, version) = self.versioned();
        let (fixed, value, _) = self.fixed();
        live.pointer(versioned) == Some(&version) && live.pointer(fixed) == Some(&value)
    }
}

/// What a commit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Of an object that is there, or of a new one.
    Set(Object),
    Remove(Object),
}

/// The objects that are in Git.
#[derive(Debug)]
pub(crate) struct Objects {
    present: BTreeSet<Object>,
    next: u32,
    dice: Dice,
}

impl Objects {
    pub(crate) fn new(seed: u64) -> Self {
        let mut objects = Self { present: BTreeSet::new(), next: 0, dice: Dice::seeded(seed) };
        for _ in 0..USUAL {
            let object = objects.new_one();
            objects.carry_out(Change::Set(object));
        }
        objects
    }

    pub(crate) fn present(&self) -> &BTreeSet<Object> {
        &self.present
    }

    pub(crate) fn roll(&self, below: usize) -> usize {
        usize::try_from(self.dice.roll() % below as u64).unwrap()
    }

    /// One of those that are there.
    fn any(&self) -> Object {
        *self.present.iter().nth(self.roll(self.present.len())).unwrap()
    }

    /// No name comes twice: what is remembered of those that are gone would add up.
    fn new_one(&mut self) -> Object {
        self.next += 1;
        Object { number: self.next - 1, version: 0 }
    }

    /// What the next commit could do.
    pub(crate) fn propose(&mut self) -> Change {
        let many = self.present.len();
        let kind = match many {
            _ if many < USUAL - SWING => 0,
            _ if many > USUAL + SWING => 1,
            _ => self.roll(3),
        };
        match kind {
            0 => Change::Set(self.new_one()),
            1 => Change::Remove(self.any()),
            _ => self.any().revised(),
        }
    }

    pub(crate) fn carry_out(&mut self, change: Change) {
        let (Change::Set(object) | Change::Remove(object)) = change;
        self.present.retain(|other| other.number != object.number);
        if matches!(change, Change::Set(_)) {
            self.present.insert(object);
        }
    }
}

#[test]
fn the_set_rolls_on_and_keeps_its_size() {
    let mut objects = Objects::new(1);
    let first = objects.present().clone();
    for _ in 0..2000 {
        let change = objects.propose();
        objects.carry_out(change);
        let many = objects.present().len();
        assert!((USUAL - SWING - 1..=USUAL + SWING + 1).contains(&many), "{many}");
    }
    assert!(objects.present().is_disjoint(&first));
    let live = |object: Object| object.manifest();
    assert!(objects.present().iter().all(|&object| object.is(&live(object))));
    let older = |object: &Object| Object { version: object.version + 1, ..*object };
    assert!(objects.present().iter().all(|object| !object.is(&live(older(object)))));
    assert_eq!(Object::collections().len(), 4);
}
