//! Sources that verify are told what is in force, and may refuse what is to follow.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;

use super::*;
use crate::{Cx, Provenance, RefSpec, Revision, Signer, Snapshot};

/// What was fetched, and what was in force then.
type Heard = (String, Option<Revision>);

/// A source that hears what is in force, and takes only what was reached by a good tag.
#[derive(Debug, Clone)]
struct Judge {
    inner: MemorySource,
    verifies: bool,
    tag: Arc<Mutex<String>>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Judge {
    fn new(inner: &MemorySource, verifies: bool) -> Self {
        Self {
            inner: inner.clone(),
            verifies,
            tag: Arc::new(Mutex::new("good".into())),
            heard: Arc::default(),
        }
    }

    fn tags(&self, tag: &str) {
        tag.clone_into(&mut self.tag.lock().unwrap());
    }

    /// What was fetched, with the id of what was in force.
    fn heard(&self) -> Vec<(String, Option<String>)> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        heard.into_iter().map(|(id, in_force)| (id, in_force.map(|in_force| in_force.id))).collect()
    }
}

#[async_trait]
impl Source for Judge {
    fn identity(&self) -> String {
        self.inner.identity()
    }

    async fn resolve(&self, cx: &Cx, want: &RefSpec) -> Result<Revision, Fault> {
        let revision = self.inner.resolve(cx, want).await?;
        let tag = Some(self.tag.lock().unwrap().clone());
        Ok(revision.with_provenance(Provenance { tag, ..Provenance::default() }))
    }

    async fn fetch(&self, cx: &Cx, revision: &Revision) -> Result<Arc<dyn Snapshot>, Fault> {
        self.inner.fetch(cx, revision).await
    }

    async fn fetch_after(
        &self,
        cx: &Cx,
        revision: &Revision,
        in_force: Option<&Revision>,
    ) -> Result<Arc<dyn Snapshot>, Fault> {
        self.heard.lock().unwrap().push((revision.id.clone(), in_force.cloned()));
        let tag = revision.provenance.as_ref().and_then(|provenance| provenance.tag.clone());
        if tag.is_some_and(|tag| tag != "good") {
            return Err(Fault::invalid("the key 1234 is not among the trusted keys"));
        }
        self.inner.fetch(cx, revision).await
    }

    fn verifies(&self) -> bool {
        self.verifies
    }
}

fn world(judge: &Judge, cluster: &MemoryCluster) -> World {
    let target = MemoryTarget::new(cluster.clone());
    World::of(judge.clone(), judge.inner.clone(), cluster.clone(), target, |app| app, |builder| builder)
}

#[tokio::test(start_paused = true)]
async fn a_source_that_verifies_hears_what_is_in_force() {
    let judge = Judge::new(&MemorySource::new("config"), true);
    let cluster = MemoryCluster::new();
    let mut now = world(&judge, &cluster);
    let first = now.commit("first", &[("web", Some("one"))]);
    let second = beside!(now, {
        now.finished().await;
        assert_eq!(judge.heard(), [(first.id.clone(), None)], "nothing is in force yet");
        let second = now.commit("second", &[("web", Some("two"))]);
        now.finished().await;
        assert_eq!(judge.heard(), [(second.id.clone(), Some(first.id))]);
        second
    });
    // Another process knows it from the target's record.
    let mut now = world(&judge, &cluster);
    let third = now.commit("third", &[("web", Some("three"))]);
    beside!(now, {
        now.finished().await;
        assert_eq!(judge.heard(), [(third.id, Some(second.id))]);
    });
}

#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_verify_hears_nothing() {
    let judge = Judge::new(&MemorySource::new("config"), false);
    let mut now = world(&judge, &MemoryCluster::new());
    now.commit("first", &[("web", Some("one"))]);
    beside!(now, {
        now.finished().await;
        now.commit("second", &[("web", Some("two"))]);
        now.finished().await;
        assert!(judge.heard().iter().all(|(_, in_force)| in_force.is_none()));
    });
}

#[tokio::test(start_paused = true)]
async fn a_refused_revision_is_tried_again_only_by_another_proof() {
    let judge = Judge::new(&MemorySource::new("config"), true);
    let mut now = world(&judge, &MemoryCluster::new());
    let good = now.commit("first", &[("web", Some("one"))]);
    beside!(now, {
        now.finished().await;
        judge.heard();
        judge.tags("bad");
        let refused = now.commit("second", &[("web", Some("two"))]);
        let (told, in_force) = now
            .until("a refusal", |kind| match kind {
                EventKind::SourceFailed { fault, in_force, .. } => Some((fault.clone(), in_force.clone())),
                _ => None,
            })
            .await;
        assert!(told.message.contains("the key 1234"), "{told}");
        assert_eq!(in_force, Some(good));
        for _ in 0..5 {
            now.until("a poll", |kind| {
                matches!(kind, EventKind::Polled { changed: false, .. }).then_some(())
            })
            .await;
        }
        assert_eq!(judge.heard().len(), 1, "it is not tried with each poll");
        judge.tags("good");
        assert_eq!(now.finished().await.revision, Some(refused));
        assert_eq!(now.value("web").as_deref(), Some("two"));
    });
}

#[test]
fn who_signed_travels_with_the_revision() {
    let mut provenance = Provenance::default();
    provenance.verified.push(Signer::new("Ada <ada@example.org>\n", "SHA256:abc"));
    let revision = Revision::new("91b2c07").with_provenance(provenance);
    let told = serde_json::to_value(&revision).unwrap();
    assert_eq!(told["provenance"]["verified"][0]["key"], "SHA256:abc");
    let again: Revision = serde_json::from_value(told).unwrap();
    assert_eq!(again.signers(), revision.signers());
    assert_eq!(again.signers()[0].to_string(), "Ada <ada@example.org> (SHA256:abc)");
    let old: Revision = serde_json::from_str(r#"{"id": "91b2c07", "provenance": {"message": ""}}"#).unwrap();
    assert!(old.signers().is_empty());
}
