//! The quickstart's ten steps, on real objects.

use gitops_core::{
    Action, Approval, Digest, EventKind, GroupKind, Health, Outcome, ResourceId, Trigger, Verdict,
};
use serde_json::{Value, json};

use crate::common::Repo;
use crate::support::manifests::{README, base, broken, debug, web};
use crate::support::{Cluster, Engine, Request, application, apps, core};

const NS: &str = "story";
const USER: &str = "story";

fn deployment() -> ResourceId {
    ResourceId::namespaced("apps", "Deployment", NS, "web")
}

fn service() -> ResourceId {
    ResourceId::namespaced("", "Service", NS, "web")
}

/// The test's view of the story: what there is, and what is waited for.
struct Story {
    cluster: Cluster<'static>,
    repo: Repo,
    engine: Engine,
}

impl Story {
    fn requests(&self) -> Vec<Request> {
        self.cluster.requests_of(USER)
    }

    async fn live(&self, pointer: &str) -> Value {
        self.cluster.field(&apps("deployments", NS, "web"), pointer).await
    }

    async fn scale_by_hand(&self, replicas: u32) {
        let uri = apps("deployments", NS, "web");
        self.cluster.change("kubectl-scale", &uri, json!({"spec": {"replicas": replicas}})).await;
    }

    /// Waits until drift of an object is told: the writers of the fields, or none where it is gone.
    async fn drift(&mut self, id: &ResourceId) -> Vec<Option<String>> {
        self.engine
            .until(&format!("drift of {id}"), |event| match &event.kind {
                EventKind::Drift { id: of, differences, missing, .. } if of == id => {
                    assert_eq!(*missing, differences.is_empty());
                    Some(differences.iter().map(|difference| difference.writer.clone()).collect())
                }
                _ => None,
            })
            .await
    }

    /// Waits until the watch, and nothing else, has put an object back.
    async fn put_back(&mut self, id: &ResourceId, action: Action) {
        let outcome = Outcome { id: id.clone(), action: Some(action), verdict: Verdict::Changed };
        self.engine
            .until(&format!("{id} put back"), |event| match &event.kind {
                EventKind::Object { outcome: of, trigger, .. } if of.id == *id => {
                    assert_eq!((of, trigger), (&outcome, &Trigger::Live));
                    Some(())
                }
                _ => None,
            })
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn the_quickstarts_ten_steps_on_real_objects() {
    let cluster = Cluster::shared().await;
    let repo = Repo::with(&[
        ("apps/shop/README.md", README),
        ("apps/shop/base.yaml", &base(NS)),
        ("apps/shop/debug.yaml", &debug(NS)),
        ("apps/shop/web.yaml", &web(NS, "1.4.1")),
    ]);
    let app =
        application("story", &repo, cluster.target_of(USER)).with_prune_kind(GroupKind::new("", "Namespace"));
    let mut story = Story { cluster, repo, engine: Engine::start(app) };

    first_sync(&mut story).await;
    nothing_changed(&mut story).await;
    scaled_by_hand(&mut story).await;
    deleted_by_hand(&mut story).await;
    annotated_by_hand(&mut story).await;
    let release = new_release(&mut story).await;
    let mistake = broken_commit(&mut story, &release).await;
    reverts(&mut story, &mistake, &release).await;
    removed_object(&mut story).await;
    let digest = removed_everything(&mut story).await;
    approved(&mut story, digest).await;
    story.engine.stop().await;
}

async fn first_sync(story: &mut Story) {
    let report = story.engine.synced("the first sync").await;
    assert_eq!((report.counts.created, report.counts.all_good()), (6, true), "{report}");
    // Its Pods come up by themselves.
    assert_eq!(report.health, Health::Progressing);
    story.engine.healthy().await;
    story.engine.good().await;
    assert_eq!(story.live("/status/availableReplicas").await, 3);
    // The password is there, and was written as one.
    let secret = story.cluster.field(&core("secrets", NS, "db"), "/data/password").await;
    assert_eq!(secret, "Y29ycmVjdCBob3JzZSBiYXR0ZXJ5IHN0YXBsZQ==");
}

async fn nothing_changed(story: &mut Story) {
    let before = story.requests();
    for _ in 0..3 {
        story.engine.call_webhook();
        let changed = story
            .engine
            .until("a poll", |event| match &event.kind {
                EventKind::Polled { changed, .. } => Some(*changed),
                _ => None,
            })
            .await;
        assert!(!changed);
    }
    assert_eq!(story.requests()[before.len()..], [], "an idle engine asks nothing");
}

async fn scaled_by_hand(story: &mut Story) {
    story.scale_by_hand(2).await;
    assert_eq!(story.drift(&deployment()).await, [Some("kubectl-scale".to_owned())]);
    story.put_back(&deployment(), Action::Update).await;
    assert_eq!(story.live("/spec/replicas").await, 3);
}

async fn deleted_by_hand(story: &mut Story) {
    let uri = core("services", NS, "web");
    let old = story.cluster.field(&uri, "/metadata/uid").await;
    story.cluster.delete(&uri).await;
    assert_eq!(story.drift(&service()).await, []);
    story.put_back(&service(), Action::Create).await;
    assert_ne!(story.cluster.field(&uri, "/metadata/uid").await, old);
    story.engine.healthy().await;
}

async fn annotated_by_hand(story: &mut Story) {
    let uri = apps("deployments", NS, "web");
    let ours = |object: &Value| {
        let entries = object["metadata"]["managedFields"].as_array().unwrap();
        entries.iter().find(|entry| entry["manager"] == "gitops/story").cloned().unwrap()
    };
    let before = story.cluster.writes_of(USER).len();
    let change = json!({"metadata": {"annotations": {"team": "x"}}});
    let annotated = story.cluster.change("kubectl-annotate", &uri, change).await;
    // A whole comparison, which makes sure that the engine has looked.
    story.engine.handle.sync("story").unwrap();
    let report = story.engine.synced("a sync that changes nothing").await;
    assert_eq!((report.counts.unchanged, report.trigger), (6, Trigger::Manual), "{report}");
    let now = story.cluster.get(&uri).await.unwrap();
    assert_eq!(now["metadata"]["annotations"]["team"], "x");
    assert_eq!(ours(&now), ours(&annotated), "with the time of our last write");
    assert_eq!(story.cluster.writes_of(USER)[before..], [], "nothing was written");
}

async fn new_release(story: &mut Story) -> String {
    let release = story.repo.commit("web 1.4.2, fixes SHOP-77", &[("apps/shop/web.yaml", &web(NS, "1.4.2"))]);
    story.engine.call_webhook();
    let (path, revision) = story
        .engine
        .until("the new image applied", |event| match &event.kind {
            EventKind::Object {
                outcome,
                differences,
                revision: Some(revision),
                trigger: Trigger::Revision,
                ..
            } if outcome.verdict == Verdict::Changed => {
                assert_eq!((&outcome.id, differences.len()), (&deployment(), 1));
                Some((differences[0].path.to_string(), revision.clone()))
            }
            _ => None,
        })
        .await;
    assert_eq!(path.rsplit('.').next(), Some("image"), "{path}");
    assert_eq!((revision.title(), &revision.id), (Some("web 1.4.2, fixes SHOP-77"), &release));
    story.engine.becomes(Health::Progressing).await;
    story.engine.becomes(Health::Healthy).await;
    story.engine.good().await;
    assert_eq!(story.live("/status/updatedReplicas").await, 3);
    release
}

async fn broken_commit(story: &mut Story, release: &str) -> String {
    let before = story.requests();
    let mistake = story.repo.commit("tune web", &[("apps/shop/web.yaml", &broken(NS, "1.4.2"))]);
    story.engine.call_webhook();
    let (fault, in_force) = story
        .engine
        .until("an error with its place", |event| match &event.kind {
            EventKind::SourceFailed { fault, in_force, .. } => Some((fault.clone(), in_force.clone())),
            _ => None,
        })
        .await;
    let place = fault.at.clone().unwrap_or_default();
    assert!(place.starts_with("apps/shop/web.yaml:"), "{fault}");
    assert_eq!(in_force.unwrap().id, release);
    assert_eq!(story.requests()[before.len()..], [], "nothing is applied or pruned");
    // The last good revision stays in force, and is still healed.
    story.scale_by_hand(5).await;
    story.put_back(&deployment(), Action::Update).await;
    assert_eq!(story.live("/spec/replicas").await, 3);
    assert!(story.cluster.get(&core("services", NS, "web")).await.is_some());
    mistake
}

async fn reverts(story: &mut Story, mistake: &str, release: &str) {
    story.repo.revert(mistake);
    let reverted = story.repo.revert(release);
    story.engine.call_webhook();
    let report = story.engine.synced("the reverted revision").await;
    assert_eq!((report.revision.unwrap().id, report.counts.all_good()), (reverted, true));
    let image = story.live("/spec/template/spec/containers/0/image").await;
    assert_eq!(image, "registry.example/web:1.4.1");
    story.engine.healthy().await;
}

async fn removed_object(story: &mut Story) {
    let uri = core("configmaps", NS, "debug");
    let uid = story.cluster.field(&uri, "/metadata/uid").await;
    let before = story.cluster.writes_of(USER).len();
    story.repo.remove("drop debug config", &["apps/shop/debug.yaml"]);
    story.engine.call_webhook();
    let report = story.engine.synced("the revision without it").await;
    assert_eq!((report.counts.pruned, report.counts.unchanged), (1, 5), "{report}");
    assert!(story.cluster.get(&uri).await.is_none());
    // Exactly the object that was seen is deleted, and nothing else.
    let writes = story.cluster.writes_of(USER);
    let deletions: Vec<_> = writes[before..].iter().filter(|request| request.verb == "delete").collect();
    assert_eq!(deletions.len(), 1, "{deletions:?}");
    assert_eq!(deletions[0].uri, uri);
    assert_eq!(deletions[0].body["preconditions"]["uid"], uid);
    assert!(deletions[0].body["preconditions"]["resourceVersion"].is_string());
}

async fn needs_approval(story: &mut Story) -> Digest {
    let (guard, digest) = story
        .engine
        .until("a plan that waits for approval", |event| match &event.kind {
            EventKind::ApprovalNeeded { guard, digest, .. } => Some((*guard, *digest)),
            _ => None,
        })
        .await;
    assert_eq!((guard.prune, guard.members), (5, 5));
    digest
}

async fn removed_everything(story: &mut Story) -> Digest {
    let before = story.cluster.writes_of(USER).len();
    story.repo.remove("clean up", &["apps/shop/base.yaml", "apps/shop/web.yaml"]);
    story.engine.call_webhook();
    let digest = needs_approval(story).await;
    // The word for another plan changes nothing.
    let other = Approval::new("story".parse().unwrap(), Digest::of(b"another plan"), "ada");
    story.engine.handle.approve(other).unwrap();
    story.engine.handle.sync("story").unwrap();
    assert_eq!(needs_approval(story).await, digest);
    assert_eq!(story.cluster.writes_of(USER)[before..], [], "nothing is deleted");
    digest
}

async fn approved(story: &mut Story, digest: Digest) {
    let approval = Approval::new("story".parse().unwrap(), digest, "ada");
    story.engine.handle.approve(approval).unwrap();
    let report = story.engine.synced("the approved plan").await;
    assert_eq!(
        (report.counts.pruned, report.counts.all_good(), report.digest),
        (5, true, digest),
        "{report}"
    );
    story.cluster.until_gone(&format!("/api/v1/namespaces/{NS}")).await;
    let secrets: Vec<_> =
        story.engine.history().iter().filter(|event| event.to_string().contains("correct horse")).collect();
    assert!(secrets.is_empty(), "{secrets:?}");
}
