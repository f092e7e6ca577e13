//! Other hands in a cluster: people and controllers that know nothing of us.

use gitops_core::{MemoryCluster, ResourceId};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::ledger::{Addition, KEEP, LABEL, is_dying, member_of, uid};
use crate::objects::{self, Kind};
use crate::shared::Shared;

/// What a hand does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hand {
    ChangesStated,
    AddsLabel,
    AddsField,
    TakesOver,
    Deletes,
    StripsMark,
    ForgesMark,
    Squats,
    MakesForeign,
    ChangesForeign,
    DeletesForeign,
    Keeps,
    Holds,
    LetsGo,
    DeletesNamespace,
    WritesStatus,
}

/// As often as they are named.
const HANDS: [Hand; 28] = [
    Hand::ChangesStated,
    Hand::ChangesStated,
    Hand::ChangesStated,
    Hand::ChangesStated,
    Hand::ChangesStated,
    Hand::AddsLabel,
    Hand::AddsLabel,
    Hand::AddsField,
    Hand::TakesOver,
    Hand::TakesOver,
    Hand::Deletes,
    Hand::Deletes,
    Hand::Deletes,
    Hand::StripsMark,
    Hand::StripsMark,
    Hand::ForgesMark,
    Hand::ForgesMark,
    Hand::Squats,
    Hand::Squats,
    Hand::Squats,
    Hand::MakesForeign,
    Hand::MakesForeign,
    Hand::ChangesForeign,
    Hand::DeletesForeign,
    Hand::Keeps,
    Hand::Holds,
    Hand::LetsGo,
    Hand::WritesStatus,
];

/// Who lives in a cluster.
#[derive(Debug)]
pub(crate) struct Hands {
    chance: Chance,
    number: usize,
}

impl Hands {
    pub(crate) fn new(chance: Chance) -> Self {
        Self { chance, number: 0 }
    }

    /// Does something in a cluster that these applications deploy to.
    pub(crate) fn act(&mut self, shared: &Shared, index: usize, apps: &[String]) {
        let hand = if self.chance.permille(8) { Hand::DeletesNamespace } else { *self.chance.pick(&HANDS) };
        self.number += 1;
        let number = self.number;
        let on = match hand {
            Hand::Squats => self.squat(shared, index, apps),
            Hand::MakesForeign => self.make_foreign(shared, index),
            _ => {
                self.subject(shared, index, hand).and_then(|id| self.touch(shared, index, hand, &id, number))
            }
        };
        let Some(id) = on else { return };
        shared.count(&format!("hand: {hand:?}"));
        shared.tell(format_args!("hand: {hand:?} {id}"));
        settle(shared, index);
    }

    /// One change of a stated field, for somebody who keeps at it.
    pub(crate) fn change(&mut self, shared: &Shared, index: usize, id: &ResourceId) {
        self.number += 1;
        if self.touch(shared, index, Hand::ChangesStated, id, self.number).is_some() {
            shared.tell(format_args!("hand: again {id}"));
            settle(shared, index);
        }
    }

    /// A member of an application.
    pub(crate) fn member(&self, shared: &Shared, index: usize) -> Option<ResourceId> {
        self.subject(shared, index, Hand::ChangesStated)
    }

    fn subject(&self, shared: &Shared, index: usize, hand: Hand) -> Option<ResourceId> {
        let ledger = shared.ledger();
        let is_right = |id: &ResourceId, object: &Value| {
            let is_member = member_of(object).is_some();
            match hand {
                Hand::ForgesMark | Hand::ChangesForeign | Hand::DeletesForeign => {
                    !is_member && id.kind != "Namespace"
                }
                Hand::DeletesNamespace => id.kind == "Namespace",
                Hand::LetsGo => object["metadata"].get("finalizers").is_some(),
                Hand::Deletes | Hand::Holds => {
                    is_member && !matches!(id.kind.as_str(), "Namespace" | "CustomResourceDefinition")
                }
                Hand::ChangesStated | Hand::TakesOver => is_member && id.kind != "CustomResourceDefinition",
                _ => is_member,
            }
        };
        let ids: Vec<ResourceId> = ledger.mirrors[index]
            .iter()
            .filter(|(id, object)| is_right(id, object))
            .map(|(id, _)| id.clone())
            .collect();
        self.chance.any(&ids)
    }

    fn touch(
        &self,
        shared: &Shared,
        index: usize,
        hand: Hand,
        id: &ResourceId,
        number: usize,
    ) -> Option<ResourceId> {
        let cluster = &shared.clusters[index];
        let label = format!("hands.example/n{number}");
        match hand {
            Hand::ChangesStated | Hand::ChangesForeign => {
                let value = objects::other_value(id, number);
                edit(cluster, id, |object| {
                    if let Some(field) = object.pointer_mut(objects::stated_field(id)) {
                        *field = value;
                    }
                })?;
            }
            Hand::AddsLabel => {
                let after =
                    edit(cluster, id, |object| object["metadata"]["labels"][&label] = json!("by-hand"))?;
                shared.ledger().additions.push(Addition {
                    cluster: index,
                    id: id.clone(),
                    uid: uid(&after),
                    label,
                });
            }
            Hand::AddsField => {
                let field = if id.kind == "ConfigMap" { "/data" } else { "/spec" };
                edit(cluster, id, |object| {
                    if let Some(Value::Object(fields)) = object.pointer_mut(field) {
                        fields.insert("byHand".to_owned(), json!("x"));
                    }
                })?;
            }
            Hand::TakesOver => {
                let live = cluster.get(id)?;
                let field = objects::stated_field(id);
                let value = if self.chance.percent(50) {
                    live.pointer(field)?.clone()
                } else {
                    objects::other_value(id, number)
                };
                // Lists by key need more than one field of an item.
                if id.kind == "Service" || id.kind == "Ingress" {
                    return None;
                }
                let mut config = json!({"apiVersion": live["apiVersion"], "kind": live["kind"],
                    "metadata": {"name": id.name}});
                if let Some(namespace) = &id.namespace {
                    config["metadata"]["namespace"] = json!(namespace);
                }
                let mut at = &mut config;
                for part in field.split('/').skip(1) {
                    at = &mut at[part];
                }
                *at = value;
                cluster.apply("rival", &config, true).ok()?;
            }
            Hand::Deletes | Hand::DeletesForeign | Hand::DeletesNamespace => {
                cluster.delete("kubectl", id).ok()?;
            }
            Hand::StripsMark => {
                edit(cluster, id, |object| {
                    if let Some(labels) =
                        object.pointer_mut("/metadata/labels").and_then(Value::as_object_mut)
                    {
                        labels.remove(LABEL);
                    }
                })?;
            }
            Hand::ForgesMark => {
                let app = shared.ledger().some_app(&self.chance)?;
                edit(cluster, id, |object| object["metadata"]["labels"][LABEL] = json!(app))?;
            }
            Hand::Keeps => {
                edit(cluster, id, |object| object["metadata"]["annotations"][KEEP] = json!("keep"))?;
            }
            Hand::Holds => {
                edit(cluster, id, |object| {
                    object["metadata"]["finalizers"] = json!(["hands.example/hold"]);
                })?;
            }
            Hand::LetsGo => let_go(cluster, id)?,
            Hand::WritesStatus => {
                cluster.update_status("controller", id, json!({"seen": number})).ok()?;
            }
            Hand::Squats | Hand::MakesForeign => return None,
        }
        Some(id.clone())
    }

    /// Somebody makes an object that Git states, or may state soon.
    fn squat(&self, shared: &Shared, index: usize, apps: &[String]) -> Option<ResourceId> {
        let app = self.chance.any(apps)?;
        let kind = *self.chance.pick(&objects::USUAL);
        let (namespace, name) = crate::history::place(&self.chance, &app);
        let object = kind.object(&app, &namespace, &name, 1000 + self.chance.below(50));
        shared.clusters[index].create("kubectl-create", &object).ok()?;
        Some(objects::id_of(&object))
    }

    fn make_foreign(&self, shared: &Shared, index: usize) -> Option<ResourceId> {
        let namespaces: Vec<String> = shared.ledger().mirrors[index]
            .iter()
            .filter(|(id, object)| id.kind == "Namespace" && !is_dying(object))
            .map(|(id, _)| id.name.clone())
            .collect();
        let namespace = self.chance.any(&namespaces)?;
        let name = format!("foreign-{}", self.chance.below(6));
        let object = Kind::ConfigMap.object("", &namespace, &name, 2000 + self.number);
        shared.clusters[index].create("kubectl-create", &object).ok()?;
        Some(objects::id_of(&object))
    }
}

fn edit(cluster: &MemoryCluster, id: &ResourceId, change: impl FnOnce(&mut Value)) -> Option<Value> {
    cluster.update("kubectl-edit", id, change).ok()
}

/// Takes the finalizers off an object.
pub(crate) fn let_go(cluster: &MemoryCluster, id: &ResourceId) -> Option<()> {
    edit(cluster, id, |object| {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("finalizers");
        }
    })
    .map(|_| ())
}

/// The world takes in what a hand did, and watches are told.
pub(crate) fn settle(shared: &Shared, index: usize) {
    shared.ledger().refresh(index, &shared.clusters[index]);
    shared.stir();
    shared.changed(index);
}
