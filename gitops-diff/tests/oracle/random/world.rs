//! The kinds that there are.

use std::sync::LazyLock;

use gitops_diff::TypeRef;
use gitops_diff::schema::{BuiltIn, Schema, Type, TypeGraph};
use serde_json::{Value, json};

use super::dice::Dice;
use super::values::Maker;

/// The kinds that people use; they come oftener than the others.
const COMMON: [&str; 24] = [
    "apps/v1/Deployment",
    "apps/v1/Deployment",
    "apps/v1/Deployment",
    "apps/v1/StatefulSet",
    "apps/v1/DaemonSet",
    "v1/Pod",
    "v1/Pod",
    "v1/Service",
    "v1/Service",
    "v1/Service",
    "v1/ConfigMap",
    "v1/Secret",
    "v1/ServiceAccount",
    "v1/Node",
    "v1/PersistentVolumeClaim",
    "v1/Endpoints",
    "batch/v1/Job",
    "batch/v1/CronJob",
    "networking.k8s.io/v1/Ingress",
    "networking.k8s.io/v1/NetworkPolicy",
    "policy/v1/PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1/ClusterRole",
    "autoscaling/v2/HorizontalPodAutoscaler",
    "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration",
];

/// The OpenAPI document of a custom kind.
const WIDGET: &str = include_str!("../../vectors/schema/widget.json");

static WIDGETS: LazyLock<TypeGraph> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(WIDGET).expect("the document is JSON");
    TypeGraph::from_openapi([&document]).expect("the document is OpenAPI")
});

/// What is known of types and kinds.
#[derive(Debug)]
pub(crate) struct World {
    kinds: Vec<Kind>,
}

/// A built-in kind.
#[derive(Clone, Debug)]
#[allow(clippy::struct_field_names, reason = "the words of the field")]
pub(crate) struct Kind {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    /// Its type in the reference's schema: the file's and its own name.
    file: &'static str,
    type_name: String,
}

impl World {
    /// The kinds that the oracle knows.
    pub(crate) fn new(answer: &Value) -> Self {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let kinds = answer["kinds"].as_array().expect("the oracle lists kinds").iter().map(|kind| Kind {
            api_version: text(&kind["apiVersion"]),
            kind: text(&kind["kind"]),
            file: "schema_smd.yaml",
            type_name: text(&kind["type"]),
        });
        let kinds: Vec<_> = kinds.collect();
        for common in COMMON {
            assert!(kinds.iter().any(|kind| kind.is(common)), "the oracle does not know {common}");
        }
        Self { kinds }
    }

    /// What the oracle is to know first.
    pub(crate) fn introduction() -> Value {
        let document: Value = serde_json::from_str(WIDGET).expect("the document is JSON");
        json!({"op": "schema", "schema": {"file": "widget.json"}, "openapi": document})
    }

    /// A kind for server-side apply, custom or built in.
    pub(crate) fn any_kind(&self, dice: &mut Dice) -> Kind {
        if dice.percent(80) {
            return self.kind(dice).clone();
        }
        let text = str::to_owned;
        Kind {
            api_version: text("example.com/v1"),
            kind: text("Widget"),
            file: "widget.json",
            type_name: text("com.example.v1.Widget"),
        }
    }

    /// A built-in kind.
    pub(crate) fn kind(&self, dice: &mut Dice) -> &Kind {
        if dice.percent(25) {
            return dice.pick(&self.kinds);
        }
        let wanted = *dice.pick(&COMMON);
        self.kinds.iter().find(|kind| kind.is(wanted)).expect("checked at the beginning")
    }
}

impl Kind {
    fn is(&self, path: &str) -> bool {
        path.rsplit_once('/') == Some((&self.api_version, &self.kind))
    }

    pub(crate) fn json(&self) -> Value {
        json!({"apiVersion": self.api_version, "kind": self.kind})
    }

    /// An object that says that it is of this kind. A write of one that does not never gets as far as its merge; nor does
    /// one whose metadata is null, which could not hold its managed fields either.
    pub(crate) fn named(&self, mut object: Value) -> Value {
        if let Some(map) = object.as_object_mut()
            && map.get("metadata").is_some_and(Value::is_null)
        {
            map.remove("metadata");
        }
        object["apiVersion"] = json!(self.api_version);
        object["kind"] = json!(self.kind);
        object
    }

    pub(crate) fn schema(&self) -> Value {
        json!({"file": self.file, "type": self.type_name})
    }

    /// The type of its objects.
    pub(crate) fn ty(&self) -> Type<'static> {
        let kind = self.type_ref();
        let found = BuiltIn.type_of(&kind).or_else(|| WIDGETS.type_of(&kind));
        found.unwrap_or_else(|| panic!("we do not know the kind {kind:?}"))
    }

    fn type_ref(&self) -> TypeRef<'_> {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        TypeRef { group, version, kind: &self.kind }
    }

    /// An object of this kind.
    pub(crate) fn object(&self, dice: &mut Dice, ty: Type<'_>, size: usize) -> Value {
        Maker::new(dice, size).object(ty, &self.api_version, &self.kind)
    }
}
