//! Ten things that happen to a repository and a cluster, and what the engine makes of each.

use std::time::{Duration, Instant};

use gitops_core::{
    Action, Counts, Event, EventKind, Handle, Health, MemoryCluster, Outcome, ResourceId, Revision,
    SyncReport, Trigger, Verdict,
};
use serde_json::{Value, json};

use crate::ledger;
use crate::manifests::{BASE, DEBUG, PATH, README, broken, web};
use crate::repository::Repository;
use crate::screen::Screen;
use crate::watcher::{Unseen, Watcher};

/// The parts of the story.
pub(crate) struct Story {
    pub(crate) repository: Repository,
    pub(crate) cluster: MemoryCluster,
    pub(crate) handle: Handle,
    pub(crate) watcher: Watcher,
    pub(crate) screen: Screen,
}

const APP: &str = "shop";
const STEPS: u32 = 10;

fn deployment() -> ResourceId {
    ResourceId::namespaced("apps", "Deployment", "shop", "web")
}

fn service() -> ResourceId {
    ResourceId::namespaced("", "Service", "shop", "web")
}

fn debug_config() -> ResourceId {
    ResourceId::namespaced("", "ConfigMap", "shop", "debug")
}

type Told = Result<(), Unseen>;

impl Story {
    /// Tells the whole story, or says what was not observed.
    pub(crate) async fn tell(&mut self) -> Told {
        let begun = Instant::now();
        self.screen
            .title("Git repository (real, temporary): config      cluster: in memory      interval: 1 h");
        self.first_sync().await?;
        self.nothing_changed().await?;
        self.scaled_by_hand().await?;
        self.deleted_by_hand().await?;
        self.annotated_by_hand().await?;
        let release = self.new_release().await?;
        let broken = self.broken_commit(&release).await?;
        self.reverts(&broken, &release).await?;
        self.removed_object().await?;
        self.removed_everything().await?;
        self.epilogue(&release);
        let took = begun.elapsed().as_secs_f64();
        self.screen.title(&format!(
            "{STEPS} of {STEPS} observed in {took:.1} s. The same events as JSON: --output json"
        ));
        Ok(())
    }

    /// The commit that is there before the engine starts.
    pub(crate) fn first_commit(&self) -> Told {
        let files = [
            ("README.md", Some(README.to_owned())),
            ("base.yaml", Some(BASE.to_owned())),
            ("debug.yaml", Some(DEBUG.to_owned())),
            ("web.yaml", Some(web("1.4.1"))),
        ];
        self.commit("Ada", "shop: first release", &files).map(drop)
    }

    async fn first_sync(&mut self) -> Told {
        self.watcher.step = 1;
        let begun = Instant::now();
        let (created, report) = self.synced("the first sync").await?;
        self.screen.step(1, &format!("First sync         {}", told(report.revision.as_ref())));
        self.screen.detail(
            &created.iter().map(|outcome| format!("+ {}", outcome.id)).collect::<Vec<_>>().join("  "),
        );
        self.watcher.ensure("six objects created", report.counts.created == 6 && report.counts.all_good())?;
        self.health(Health::Healthy).await?;
        self.good().await?;
        let Counts { created, failed, .. } = report.counts;
        let took = begun.elapsed().as_millis();
        self.screen.good(&format!(
            "Synced, Healthy: {created} created, {failed} failed, {} requests, {took} ms",
            report.requests
        ));
        Ok(())
    }

    async fn nothing_changed(&mut self) -> Told {
        self.begin(2, "Nothing changed");
        let before = self.cluster.requests();
        for _ in 0..3 {
            self.call_webhook()?;
            self.watcher
                .until("a poll that finds nothing new", |event| match &event.kind {
                    EventKind::Polled { changed, .. } => Some(*changed),
                    _ => None,
                })
                .await
                .and_then(|changed| self.watcher.ensure("a poll that finds nothing new", !changed))?;
        }
        let requests = self.cluster.requests() - before;
        self.watcher.ensure("no request to the cluster", requests == 0)?;
        self.screen.good(&format!("3 polls: 3 ls-refs, {requests} cluster requests"));
        Ok(())
    }

    async fn scaled_by_hand(&mut self) -> Told {
        self.begin(3, "By hand: scale deployment/web to 2");
        let begun = Instant::now();
        self.by_hand("kubectl-scale", &deployment(), |object| object["spec"]["replicas"] = json!(2))?;
        self.drift(&deployment()).await?;
        let took = self.put_back(&deployment(), Action::Update, begun).await?;
        self.watcher
            .ensure("three replicas again", self.live(&deployment(), "/spec/replicas") == json!(3))?;
        self.screen.good(&format!("back to 3 after {took:.1?}"));
        self.health(Health::Healthy).await
    }

    async fn deleted_by_hand(&mut self) -> Told {
        self.begin(4, "By hand: delete service/web");
        let begun = Instant::now();
        let deleted = self.cluster.delete("kubectl-delete", &service());
        self.watcher.ensure("the Service deleted by hand", deleted.is_ok())?;
        self.drift(&service()).await?;
        let took = self.put_back(&service(), Action::Create, begun).await?;
        self.watcher.ensure("the Service there again", self.cluster.get(&service()).is_some())?;
        self.screen.good(&format!("restored after {took:.1?}"));
        Ok(())
    }

    async fn annotated_by_hand(&mut self) -> Told {
        self.begin(5, "By hand: annotate deployment/web team=x");
        self.by_hand("kubectl-annotate", &deployment(), |object| {
            object["metadata"]["annotations"]["team"] = json!("x");
        })?;
        // Make sure that the engine has looked at it: a whole comparison, which has nothing to do.
        let asked = self.handle.sync(APP);
        self.watcher.ensure("a sync asked for", asked.is_ok())?;
        let (written, report) = self.synced("a sync that changes nothing").await?;
        self.watcher.ensure("nothing written", written.is_empty() && report.counts.unchanged == 6)?;
        let is_there = self.live(&deployment(), "/metadata/annotations/team") == json!("x");
        self.watcher.ensure("the annotation still there", is_there)?;
        self.screen.good(&format!(
            "left alone: Git does not state it ({} compared, 0 written)",
            report.counts.unchanged
        ));
        // An annotation of a Deployment counts as a new generation, which its controller has to see.
        self.health(Health::Healthy).await
    }

    async fn new_release(&mut self) -> Result<String, Unseen> {
        self.watcher.step = 6;
        let begun = Instant::now();
        let id = self.commit("Ben", "web 1.4.2, fixes SHOP-77", &[("web.yaml", Some(web("1.4.2")))])?;
        self.call_webhook()?;
        let difference = self
            .watcher
            .until("the new image applied", |event| match &event.kind {
                EventKind::Object { outcome, differences, revision, trigger: Trigger::Revision, .. }
                    if outcome.verdict == Verdict::Changed =>
                {
                    Some((outcome.id.clone(), differences.first()?.clone(), revision.clone()?))
                }
                _ => None,
            })
            .await?;
        let (object, difference, revision) = difference;
        self.screen.step(6, &format!("Commit {}", told(Some(&revision))));
        self.screen.detail(&format!("~ {object}   -  image: {}", difference.live).replace('"', ""));
        self.screen.detail(
            &format!(
                "{:>width$}   +  image: {}",
                "",
                difference.desired,
                width = object.to_string().len() + 2
            )
            .replace('"', ""),
        );
        self.health(Health::Progressing).await?;
        self.health(Health::Healthy).await?;
        self.good().await?;
        self.screen
            .good(&format!("Progressing → Healthy, {} ms after the commit", begun.elapsed().as_millis()));
        Ok(id)
    }

    async fn broken_commit(&mut self, release: &str) -> Result<String, Unseen> {
        self.watcher.step = 7;
        let before = self.cluster.requests();
        let id = self.commit("Cleo", "tune web", &[("web.yaml", Some(broken("1.4.2")))])?;
        self.call_webhook()?;
        let (fault, in_force) = self
            .watcher
            .until("an error with its place", |event| match &event.kind {
                EventKind::SourceFailed { fault, in_force, .. } => Some((fault.clone(), in_force.clone())),
                _ => None,
            })
            .await?;
        self.screen.step(7, &format!("Commit {id:.7} \"tune web\" removes a Service and breaks the YAML"));
        self.screen.bad(&fault.to_string());
        let has_place = fault.at.as_deref().is_some_and(|at| at.starts_with("apps/shop/web.yaml:"));
        self.watcher.ensure("the file and the line", has_place)?;
        let in_force = in_force.map(|revision| revision.id).unwrap_or_default();
        self.watcher.ensure("the last good revision in force", in_force == release)?;
        let untouched = self.cluster.get(&service()).is_some() && self.cluster.requests() == before;
        self.watcher.ensure("nothing applied, nothing pruned", untouched)?;
        self.screen.good(&format!("nothing applied, nothing pruned; {in_force:.7} stays in force"));
        Ok(id)
    }

    async fn reverts(&mut self, broken: &str, release: &str) -> Told {
        self.begin(8, &format!("git revert {broken:.7}, then git revert {release:.7}"));
        for commit in [broken, release] {
            let reverted = self.repository.revert("Ada", commit);
            self.watcher.ensure("a revert in Git", reverted.is_ok())?;
        }
        self.call_webhook()?;
        let (_, report) = self.synced("the reverted revision").await?;
        self.watcher.ensure("no failure", report.counts.all_good())?;
        let image = self.live(&deployment(), "/spec/template/spec/containers/0/image");
        self.watcher.ensure("the old image", image == json!("registry.example/web:1.4.1"))?;
        self.health(Health::Healthy).await?;
        let image = image.as_str().and_then(|image| image.rsplit('/').next()).unwrap_or_default().to_owned();
        self.screen.good(&format!("rolled back: {image}, Healthy"));
        Ok(())
    }

    async fn removed_object(&mut self) -> Told {
        self.watcher.step = 9;
        let id = self.commit("Ada", "drop debug config", &[("debug.yaml", None)])?;
        self.call_webhook()?;
        self.screen.step(9, &format!("Commit {id:.7} \"drop debug config\" removes {}", debug_config()));
        let (_, report) = self.synced("the revision without it").await?;
        let Counts { pruned, unchanged, .. } = report.counts;
        let is_gone = self.cluster.get(&debug_config()).is_none();
        self.watcher.ensure("one object pruned", pruned == 1 && is_gone)?;
        self.watcher.ensure("the others kept", unchanged == 5 && self.cluster.ids().len() == 5)?;
        self.screen.good(&format!("pruned {pruned} (uid matched), {unchanged} kept"));
        Ok(())
    }

    async fn removed_everything(&mut self) -> Told {
        self.watcher.step = 10;
        let id = self.commit("Cleo", "clean up", &[("base.yaml", None), ("web.yaml", None)])?;
        self.call_webhook()?;
        self.screen.step(10, &format!("Commit {id:.7} removes everything"));
        let (guard, digest) = self
            .watcher
            .until("a plan that waits for approval", |event| match &event.kind {
                EventKind::ApprovalNeeded { guard, digest, .. } => Some((*guard, *digest)),
                _ => None,
            })
            .await?;
        self.watcher.ensure("everything still there", self.cluster.ids().len() == 5)?;
        self.screen.good(&format!("refused: {guard}; approve digest {digest:.4}… to go on"));
        Ok(())
    }

    fn epilogue(&self, release: &str) {
        self.screen.title("What changed, who, when, why (newest first)");
        for line in ledger::lines(&self.watcher.history) {
            self.screen.title(&line);
        }
        if let Some(good) = ledger::last_good_before(&self.watcher.history, release) {
            self.screen.title(&format!("  Last good before {release:.7}: {}", good.short()));
        }
    }

    fn begin(&mut self, step: u32, title: &str) {
        self.watcher.step = step;
        self.screen.step(step, title);
    }

    fn commit(
        &self,
        author: &str,
        message: &str,
        files: &[(&str, Option<String>)],
    ) -> Result<String, Unseen> {
        let paths: Vec<(String, Option<String>)> =
            files.iter().map(|(name, content)| (format!("{PATH}/{name}"), content.clone())).collect();
        let files: Vec<(&str, Option<String>)> =
            paths.iter().map(|(path, content)| (path.as_str(), content.clone())).collect();
        self.repository
            .commit(author, message, &files)
            .map_err(|error| self.watcher.unseen(&format!("{error:#}")))
    }

    /// What the Git server does after a push.
    fn call_webhook(&self) -> Told {
        self.watcher.ensure("a webhook call", self.handle.refresh(APP).is_ok())
    }

    fn by_hand(&self, who: &str, id: &ResourceId, change: impl FnOnce(&mut Value)) -> Told {
        self.watcher.ensure("a change by hand", self.cluster.update(who, id, change).is_ok())
    }

    fn live(&self, id: &ResourceId, pointer: &str) -> Value {
        self.cluster.get(id).and_then(|object| object.pointer(pointer).cloned()).unwrap_or_default()
    }

    /// Waits for the end of a sync, with the outcomes of the objects that were written.
    async fn synced(&mut self, what: &str) -> Result<(Vec<Outcome>, SyncReport), Unseen> {
        let mut written = Vec::new();
        let report = self
            .watcher
            .until(what, |event| match &event.kind {
                EventKind::Object { outcome, .. } => {
                    written.push(outcome.clone());
                    None
                }
                EventKind::SyncFinished { report } if report.trigger != Trigger::Live => Some(report.clone()),
                _ => None,
            })
            .await?;
        Ok((written, report))
    }

    /// That all is Healthy is recorded once for a revision, soon after it is seen.
    async fn good(&mut self) -> Told {
        self.watcher
            .until("a revision that is recorded as Healthy", |event| {
                matches!(event.kind, EventKind::RevisionHealthy { .. }).then_some(())
            })
            .await
    }

    /// Waits until the application has a health.
    async fn health(&mut self, want: Health) -> Told {
        if want == Health::Healthy && self.handle.status(APP).is_some_and(|status| status.health == want) {
            return Ok(());
        }
        self.watcher
            .until(&format!("the application {want}"), |event| match &event.kind {
                EventKind::Health { id: None, to, .. } if to.health == want => Some(()),
                _ => None,
            })
            .await
    }

    /// Waits for drift of an object, and shows it.
    async fn drift(&mut self, id: &ResourceId) -> Told {
        let lines = self
            .watcher
            .until(&format!("drift of {id}"), |event: &Event| match &event.kind {
                EventKind::Drift { id: of, differences, missing, .. } if of == id => {
                    let fields = differences.iter().map(|difference| format!("drift  {of} {difference}"));
                    Some(if *missing { vec![format!("drift  {of} is gone")] } else { fields.collect() })
                }
                _ => None,
            })
            .await?;
        for line in &lines {
            self.screen.drift(line);
        }
        Ok(())
    }

    /// Waits until an object is put back, and says how long that took.
    async fn put_back(
        &mut self,
        id: &ResourceId,
        action: Action,
        begun: Instant,
    ) -> Result<Duration, Unseen> {
        self.watcher
            .until(&format!("{id} put back"), |event| match &event.kind {
                EventKind::Object { outcome, trigger: Trigger::Live, .. } if outcome.id == *id => {
                    (outcome.action == Some(action) && outcome.verdict == Verdict::Changed).then_some(())
                }
                _ => None,
            })
            .await?;
        let took = begun.elapsed();
        self.watcher
            .until("the end of healing", |event| {
                matches!(event.kind, EventKind::SyncFinished { .. }).then_some(())
            })
            .await?;
        Ok(took)
    }
}

/// `91b2c07 "web 1.4.2" Ben`
fn told(revision: Option<&Revision>) -> String {
    revision.map(ToString::to_string).unwrap_or_default()
}
