//! What was stated by the last client-side apply, and is not any more: the two-way half of kubectl's three-way merge
//! (`strategicpatch/patch.go, CreateThreeWayMergePatch`: deletions from original to modified).

use serde_json::{Map, Value};

use super::items::{Items, Naming, index};
use super::trail::{Step, Trail};
use super::walk::{Mode, Walker};
use crate::DifferenceKind;
use crate::redact::LAST_APPLIED;
use crate::schema::Type;

/// The object that kubectl's annotation holds, if it can be read.
pub(super) fn last_applied(live: &Value) -> Option<Value> {
    let text = live.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
    serde_json::from_str(text).ok()
}

impl<'a> Walker<'a, '_> {
    /// Finds what `last` states, `desired` does not, and is live.
    pub(super) fn given_up(
        &mut self,
        ty: Type<'_>,
        last: &Value,
        desired: &Value,
        live: &'a Value,
        way: Option<&Trail<'_>>,
    ) {
        let known = self.found.len();
        self.given_up_inside(ty, last, desired, live, way);
        if self.found.len() > known && self.masker.is_some_and(|masker| masker.hides_names_in(live)) {
            // As on the walk: what is inside must not be seen.
            self.found.truncate(known);
            self.report(DifferenceKind::Changed, None, Some(live), way);
        }
    }

    fn given_up_inside(
        &mut self,
        ty: Type<'_>,
        last: &Value,
        desired: &Value,
        live: &'a Value,
        way: Option<&Trail<'_>>,
    ) {
        match (last, desired, live) {
            (Value::Object(last), Value::Object(desired), Value::Object(live)) => {
                for (name, last) in last {
                    let Some(live) = live.get(name).filter(|live| !live.is_null()) else { continue };
                    let step = Trail { up: way, step: Step::Field(name) };
                    if self.is_left_out(name, way, Mode::Stated) || self.ignored.contains(live) {
                        continue;
                    }
                    // Of a map that is gone, only what was stated in it is.
                    let empty = Value::Object(Map::new());
                    let desired = desired.get(name).filter(|desired| !desired.is_null());
                    match desired.or_else(|| (last.is_object() && live.is_object()).then_some(&empty)) {
                        Some(desired) => {
                            self.given_up(ty.child_or_deduced(name), last, desired, live, Some(&step));
                        }
                        None => self.report(DifferenceKind::Removed, None, Some(live), Some(&step)),
                    }
                }
            }
            (Value::Array(last), Value::Array(desired), Value::Array(live)) => {
                let Some(naming) = Naming::of(ty.list_kind()) else { return };
                let (desired, live) = (Items::All(desired), Items::All(live));
                let (stated, stored) = (index(&desired, naming).0, index(&live, naming).0);
                for last in last {
                    let Some(name) = naming.name(last) else { continue };
                    let Some(live) = stored.get(&name).and_then(|at| live.get(*at)) else { continue };
                    if self.ignored.contains(live) {
                        continue;
                    }
                    let step = Trail { up: way, step: naming.step(live) };
                    match stated.get(&name).and_then(|at| desired.get(*at)) {
                        Some(desired) => {
                            self.given_up(ty.item_or_deduced(), last, desired, live, Some(&step));
                        }
                        None => self.report(DifferenceKind::Removed, None, Some(live), Some(&step)),
                    }
                }
            }
            _ => {}
        }
    }
}
