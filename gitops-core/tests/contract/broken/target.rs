//! Targets that keep all of the contract but one thing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use gitops_core::diff::FieldPath;
use gitops_core::testing::target::{Able, SecondField, TargetHarness, Trouble, clause, run};
use gitops_core::testing::{Failure, block_on};
use gitops_core::{
    AppId, AppRecord, Capabilities, Class, Comparison, Cx, Dirty, Events, Fault, IgnoreRules, Intent, Live,
    Manifest, Observation, Observe, Older, Owner, Placed, Reach, ResourceId, Session, Target, Timestamp,
    async_trait,
};

use super::session::BrokenSession;
use crate::target::Memory;

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Nothing,
    // Of the target.
    AnswersInAnotherOrder,
    FailsOnUnknownKinds,
    WritesWhileReading,
    AnswersStaleReads,
    ReadsNothingAnew,
    ReadsAnewWithoutContent,
    ForgetsMembership,
    LeavesOutMembers,
    ClaimsEverything,
    HidesWhatItCannotRead,
    RepeatsObjects,
    HasOneVersion,
    CallsEverythingInSync,
    IgnoresIgnoreRules,
    TellsSecrets,
    ForgetsTheIntent,
    ForgetsTheAttempt,
    ForgetsOldDeployments,
    TakesAnySource,
    KnowsNoLock,
    CountsNothing,
    WaitsForEver,
    LosesHints,
    RepeatsHints,
    EndsTheStream,
    HidesGaps,
    // Of its sessions.
    IgnoresPreconditions,
    CreatesWhatIsGone,
    DeletesForeignObjects,
    AnswersBeforeItIsStored,
    SwallowsDenials,
    CallsLostAnswersSuccess,
    CallsLostAnswersFailure,
    AlwaysWrites,
    TellsAnotherState,
    KeepsNoEnd,
    KeepsNoDeployments,
    NotesOverTheOutcomes,
    TakesAnyWordForHealth,
    NarrowsUnasked,
    KeepsTheLock,
    RunsOneStepOnly,
    DropsLeftFields,
}

pub(super) struct Broken {
    pub(super) inner: Arc<dyn Target>,
    pub(super) flaw: Flaw,
    seen: Mutex<BTreeMap<String, Vec<Live>>>,
    created: Arc<Mutex<BTreeSet<ResourceId>>>,
}

impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Broken").field("flaw", &self.flaw).finish_non_exhaustive()
    }
}

impl Broken {
    /// A context that does not end, and does not count for the caller.
    fn cx(&self, cx: &Cx) -> Cx {
        match self.flaw {
            Flaw::WaitsForEver => Cx::with_timeout(Duration::from_secs(3600)),
            Flaw::CountsNothing => Cx::new(cx.cancel.clone(), cx.remaining()),
            _ => cx.clone(),
        }
    }
}

#[async_trait]
impl Target for Broken {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn place(&self, cx: &Cx, set: Vec<Manifest>) -> Result<Vec<Placed>, Fault> {
        let mut placed = self.inner.place(&self.cx(cx), set).await?;
        match self.flaw {
            Flaw::AnswersInAnotherOrder => placed.sort_by(|a, b| a.id.cmp(&b.id)),
            Flaw::FailsOnUnknownKinds => {
                if let Some(why) = placed.iter().find_map(|placed| placed.unresolved.as_ref()) {
                    return Err(why.to_fault());
                }
            }
            _ => {}
        }
        Ok(placed)
    }

    async fn observe(&self, cx: &Cx, app: &AppId, what: &Observe) -> Result<Observation, Fault> {
        if self.flaw == Flaw::WritesWhileReading {
            drop(
                self.inner
                    .begin(
                        cx,
                        app,
                        &Intent::new(Timestamp::UNIX_EPOCH, "contract:source", None, Reach::default()),
                    )
                    .await?,
            );
        }
        let mut seen = self.inner.observe(&self.cx(cx), app, what).await?;
        match self.flaw {
            Flaw::AnswersStaleReads => {
                let key = format!("{app} {what:?}");
                let mut first = self.seen.lock().unwrap();
                seen.live.clone_from(first.entry(key).or_insert_with(|| seen.live.clone()));
            }
            Flaw::ReadsNothingAnew if matches!(what, Observe::Anew(_)) => {
                let mut first = self.seen.lock().unwrap();
                let first = first.entry(format!("{app} {what:?}")).or_insert_with(|| seen.live.clone());
                seen.live.clone_from(first);
            }
            Flaw::ReadsAnewWithoutContent if matches!(what, Observe::Anew(_)) => {
                seen.live.iter_mut().for_each(|live| live.object = None);
            }
            Flaw::ForgetsMembership => {
                let created = self.created.lock().unwrap();
                seen.live
                    .iter_mut()
                    .filter(|live| live.owner == Owner::This && !created.contains(&live.id))
                    .for_each(|live| live.owner = Owner::Nobody);
            }
            Flaw::LeavesOutMembers => {
                if let Observe::Everything { also } = what {
                    seen.live.retain(|live| also.contains(&live.id));
                }
            }
            Flaw::ClaimsEverything => seen.live.iter_mut().for_each(|live| live.owner = Owner::This),
            Flaw::HidesWhatItCannotRead => seen.unseen.clear(),
            Flaw::RepeatsObjects => seen.live.extend(seen.live.clone()),
            Flaw::HasOneVersion => seen.live.iter_mut().for_each(|live| live.token.version = "1".into()),
            _ => {}
        }
        Ok(seen)
    }

    fn compare(&self, desired: &Placed, live: &Live, rules: &IgnoreRules) -> Comparison {
        match (self.flaw, self.inner.compare(desired, live, rules)) {
            (Flaw::CallsEverythingInSync, _) => Comparison::InSync,
            (Flaw::IgnoresIgnoreRules, _) => self.inner.compare(desired, live, &IgnoreRules::default()),
            (Flaw::TellsSecrets, Comparison::Differs(mut fields)) => {
                let object = live.object.as_deref();
                for field in &mut fields {
                    let value = object.and_then(|object| field.path.get(object)).map(ToString::to_string);
                    field.writer = value;
                }
                Comparison::Differs(fields)
            }
            (_, comparison) => comparison,
        }
    }

    async fn begin(&self, cx: &Cx, app: &AppId, intent: &Intent) -> Result<Box<dyn Session>, Fault> {
        let mut intent = intent.clone();
        let cx = &self.cx(cx);
        match self.flaw {
            Flaw::ForgetsTheIntent => intent.reach = Reach::default(),
            Flaw::ForgetsTheAttempt => intent.revision = None,
            Flaw::TakesAnySource => {
                if let Some(record) = self.inner.recall(cx, app).await? {
                    intent.source = record.source;
                }
            }
            _ => {}
        }
        let mut inner = Some(self.inner.begin(cx, app, &intent).await?);
        if self.flaw == Flaw::KnowsNoLock {
            inner = None;
        }
        let (app, created) = (app.clone(), self.created.clone());
        let target = self.inner.clone();
        Ok(Box::new(BrokenSession::new(target, inner, app, intent, self.flaw, created)))
    }

    async fn recall(&self, cx: &Cx, app: &AppId) -> Result<Option<AppRecord>, Fault> {
        let mut record = self.inner.recall(&self.cx(cx), app).await?;
        if let (Flaw::ForgetsOldDeployments, Some(record)) = (self.flaw, &mut record) {
            record.deployments.older = Older::default();
        }
        Ok(record)
    }

    fn watch(&self, app: &AppId) -> Events<Dirty> {
        let events = self.inner.watch(app);
        match self.flaw {
            // The first is told, so that it seems to work.
            Flaw::LosesHints => {
                let mut told = 0;
                Box::pin(events.filter(move |_| {
                    told += 1;
                    std::future::ready(told == 1)
                }))
            }
            Flaw::RepeatsHints => Box::pin(events.flat_map(|dirty| {
                let again = match &dirty {
                    Dirty::Objects(ids) => Dirty::Objects(ids.clone()),
                    Dirty::Blind(fault) => Dirty::Blind(fault.note().to_fault()),
                    _ => Dirty::Everything,
                };
                futures_util::stream::iter([dirty, again])
            })),
            Flaw::EndsTheStream => Box::pin(events.take(1)),
            Flaw::HidesGaps => {
                Box::pin(events.filter(|dirty| std::future::ready(matches!(dirty, Dirty::Objects(_)))))
            }
            _ => events,
        }
    }
}

/// A cluster in memory, seen by targets that are broken.
struct Harness {
    memory: Memory,
    flaw: Flaw,
}

#[async_trait]
impl TargetHarness for Harness {
    async fn open(&self) -> Arc<dyn Target> {
        let (seen, created) = (Mutex::default(), Arc::default());
        Arc::new(Broken { inner: self.memory.open().await, flaw: self.flaw, seen, created })
    }
    fn manifest(&self, name: &str, value: &str) -> Manifest {
        TargetHarness::manifest(&self.memory, name, value)
    }
    fn value_path(&self) -> FieldPath {
        self.memory.value_path()
    }
    async fn read(&self, id: &ResourceId) -> Option<String> {
        TargetHarness::read(&self.memory, id).await
    }
    async fn put(&self, id: &ResourceId, value: &str) {
        TargetHarness::put(&self.memory, id, value).await;
    }
    async fn delete(&self, id: &ResourceId) {
        self.memory.delete(id).await;
    }
    fn patience(&self) -> Duration {
        self.memory.patience()
    }
    async fn trouble(&self, trouble: Trouble) -> Able {
        self.memory.trouble(trouble).await
    }
    async fn calm(&self) {
        self.memory.calm().await;
    }
    fn requests(&self) -> Able<u64> {
        self.memory.requests()
    }
    fn secret(&self, name: &str, value: &str) -> Able<Manifest> {
        self.memory.secret(name, value)
    }
    fn second(&self) -> Able<&dyn SecondField> {
        self.memory.second()
    }
    fn dependents(&self) -> Able<[Manifest; 2]> {
        self.memory.dependents()
    }
    async fn overrule(&self) -> Able<String> {
        self.memory.overrule().await
    }
    async fn hold(&self, id: &ResourceId, hold: bool) -> Able {
        self.memory.hold(id, hold).await
    }
    async fn keep(&self, id: &ResourceId) -> Able {
        self.memory.keep(id).await
    }
}

#[rustfmt::skip]
const CAUGHT: [(Flaw, &str); 46] = [
    (Flaw::AnswersInAnotherOrder, "placing_answers_in_the_order_of_the_set"),
    (Flaw::FailsOnUnknownKinds, "an_unknown_kind_is_an_answer"),
    (Flaw::WritesWhileReading, "reading_writes_nothing"),
    (Flaw::AnswersStaleReads, "what_is_observed_is_not_stale"),
    (Flaw::ReadsNothingAnew, "what_is_read_anew_is_as_it_is_stored"),
    (Flaw::ReadsAnewWithoutContent, "what_is_read_anew_is_as_it_is_stored"),
    (Flaw::ForgetsMembership, "members_survive_a_restart"),
    (Flaw::ForgetsMembership, "a_crash_loses_no_member"),
    (Flaw::LeavesOutMembers, "everything_is_all_members_and_what_is_asked_for"),
    (Flaw::ClaimsEverything, "an_object_of_nobody_is_nobodys"),
    (Flaw::HidesWhatItCannotRead, "what_cannot_be_read_is_named"),
    (Flaw::RepeatsObjects, "each_object_is_observed_once"),
    (Flaw::HasOneVersion, "a_version_changes_with_every_write"),
    (Flaw::CallsEverythingInSync, "a_changed_field_is_not_in_sync"),
    (Flaw::IgnoresIgnoreRules, "an_ignored_field_counts_for_nothing"),
    (Flaw::TellsSecrets, "no_value_of_a_secret_is_told"),
    (Flaw::ForgetsTheIntent, "beginning_records_the_intent"),
    (Flaw::TakesAnySource, "another_source_is_denied"),
    (Flaw::KnowsNoLock, "one_session_at_a_time"),
    (Flaw::CountsNothing, "requests_are_counted"),
    (Flaw::WaitsForEver, "every_wait_ends_by_the_deadline"),
    (Flaw::WaitsForEver, "every_wait_ends_by_cancellation"),
    (Flaw::LosesHints, "a_change_by_others_is_told"),
    (Flaw::RepeatsHints, "unread_changes_are_one_hint"),
    (Flaw::EndsTheStream, "the_stream_does_not_end"),
    (Flaw::HidesGaps, "a_gap_is_told_and_what_changed_in_it"),
    (Flaw::IgnoresPreconditions, "a_version_that_has_passed_is_refused"),
    (Flaw::IgnoresPreconditions, "creating_what_exists_is_refused"),
    (Flaw::CreatesWhatIsGone, "updating_what_is_gone_is_refused"),
    (Flaw::DeletesForeignObjects, "pruning_by_incarnation_deletes_only_members"),
    (Flaw::AnswersBeforeItIsStored, "a_step_is_over_when_it_is_stored"),
    (Flaw::SwallowsDenials, "a_refused_write_is_denied"),
    (Flaw::CallsLostAnswersSuccess, "a_lost_answer_is_an_unknown_outcome"),
    (Flaw::CallsLostAnswersFailure, "a_lost_answer_is_an_unknown_outcome"),
    (Flaw::AlwaysWrites, "an_update_that_changes_nothing_writes_nothing"),
    (Flaw::TellsAnotherState, "a_step_tells_the_object_as_it_is"),
    (Flaw::KeepsNoEnd, "finishing_records_the_end"),
    (Flaw::ForgetsTheAttempt, "an_attempt_is_recorded_before_it_writes"),
    (Flaw::ForgetsOldDeployments, "many_deployments_are_summed_up"),
    (Flaw::KeepsNoDeployments, "deployments_are_recalled"),
    (Flaw::NotesOverTheOutcomes, "noting_health_leaves_the_rest"),
    (Flaw::TakesAnyWordForHealth, "only_what_is_in_force_is_healthy"),
    (Flaw::NarrowsUnasked, "finishing_narrows_only_when_told"),
    (Flaw::KeepsTheLock, "finishing_releases_the_lock"),
    (Flaw::RunsOneStepOnly, "several_steps_run_at_once"),
    (Flaw::DropsLeftFields, "what_is_left_to_others_stays"),
];

#[test]
fn each_broken_target_fails_the_clause_that_it_breaks() {
    let mut missed = Vec::new();
    for (flaw, name) in CAUGHT {
        let harness = Harness { memory: Memory::new(), flaw };
        let checked = block_on(clause(name).unwrap().check(&harness as &dyn TargetHarness));
        match checked {
            Err(Failure::Violated(seen)) => println!("{flaw:?} fails {name}: {seen}"),
            other => missed.push(format!("{flaw:?} passes {name}: {other:?}")),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn the_same_target_without_a_flaw_passes_all() {
    let harness = || async { Harness { memory: Memory::new(), flaw: Flaw::Nothing } };
    let report = block_on(run(harness));
    println!("{report}");
    assert!(report.is_good(), "{report}");
    assert!(report.clauses.iter().all(|(_, verdict, _)| *verdict == gitops_core::testing::Verdict::Holds));
    assert_eq!(report.clauses.len(), gitops_core::testing::target::clauses().len());
}

/// The class of a fault that says that something is not so any more.
pub(super) fn precondition(text: &str) -> Fault {
    Fault::new(Class::Precondition, text.to_owned())
}
