use serde_json::{Value, json};

use super::*;
use crate::{Action, Class, Counts, ManualClock, Verdict};

fn id() -> ResourceId {
    ResourceId::namespaced("apps", "Deployment", "shop", "web")
}

fn note() -> FaultNote {
    FaultNote { class: Class::Denied, at: Some("Deployment/shop/web".into()), message: "forbidden".into() }
}

/// Every kind of event with all of its fields, and what it is in JSON: this is what programs rely on.
#[expect(clippy::too_many_lines, reason = "a table")]
fn all() -> Vec<(EventKind, Value)> {
    let revision = Revision::new("91b2c07");
    let digest = Digest::of(b"");
    let path = ".spec.replicas".parse().unwrap();
    let shown =
        |n: i32| gitops_diff::Shown::Value(gitops_diff::Redaction::reveal_everything().redact(&json!(n)));
    let difference =
        gitops_diff::Difference::new(path, gitops_diff::DifferenceKind::Changed, shown(3), shown(2))
            .with_writer("x");
    let differences = json!([{"path": ".spec.replicas", "kind": "changed", "desired": {"value": 3},
        "live": {"value": 2}, "writer": "x"}]);
    let web = json!({"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"});
    let fault = json!({"class": "denied", "at": "Deployment/shop/web", "message": "forbidden"});
    let rev = json!({"id": "91b2c07"});
    let guard: Guard =
        serde_json::from_value(json!({"prune": 5, "members": 5, "limit": 10, "precious": 1})).unwrap();
    let outcome =
        Outcome { id: id(), action: Some(Action::Update), verdict: Verdict::Failed { fault: note() } };
    let report = SyncReport {
        revision: Some(revision.clone()),
        trigger: Trigger::Manual,
        digest,
        counts: Counts { created: 1, failed: 2, ..Counts::default() },
        requests: 7,
        duration: Duration::from_micros(1500),
        health: Health::Degraded,
    };
    vec![
        (
            EventKind::Polled { revision: revision.clone(), changed: true },
            json!({"type": "polled", "revision": rev, "changed": true}),
        ),
        (
            EventKind::SourceFailed {
                revision: Some(revision.clone()),
                fault: note(),
                in_force: Some(revision.clone()),
            },
            json!({"type": "source_failed", "revision": rev, "fault": fault, "in_force": rev}),
        ),
        (
            EventKind::HistoryRewritten { revision: revision.clone(), from: "abc".into() },
            json!({"type": "history_rewritten", "revision": rev, "from": "abc"}),
        ),
        (
            EventKind::FieldsStripped { id: id(), place: "a.yaml:1:1".into(), fields: vec!["status".into()] },
            json!({"type": "fields_stripped", "id": web, "place": "a.yaml:1:1", "fields": ["status"]}),
        ),
        (
            EventKind::SyncStarted {
                revision: Some(revision.clone()),
                trigger: Trigger::Revision,
                digest,
                steps: 3,
            },
            json!({"type": "sync_started", "revision": rev, "trigger": "revision", "digest": digest, "steps": 3}),
        ),
        (
            EventKind::Drift {
                id: id(),
                differences: vec![difference.clone()],
                missing: false,
                revision: revision.clone(),
            },
            json!({"type": "drift", "id": web, "differences": differences, "missing": false, "revision": rev}),
        ),
        (
            EventKind::Object {
                outcome,
                differences: vec![difference],
                revision: Some(revision.clone()),
                trigger: Trigger::Live,
                notes: vec!["n".into()],
            },
            json!({"type": "object", "outcome": {"id": web, "action": "update", "verdict": {"failed": {"fault": fault}}},
                "differences": differences, "revision": rev, "trigger": "live", "notes": ["n"]}),
        ),
        (
            EventKind::ApprovalNeeded { revision: Some(revision.clone()), digest, guard },
            json!({"type": "approval_needed", "revision": rev, "digest": digest, "guard": {"prune": 5, "members": 5, "limit": 10, "precious": 1}}),
        ),
        (EventKind::RevisionHealthy { revision }, json!({"type": "revision_healthy", "revision": rev})),
        (
            EventKind::SyncFinished { report },
            json!({"type": "sync_finished", "revision": rev, "trigger": "manual", "digest": digest,
                "counts": {"created": 1, "changed": 0, "unchanged": 0, "pruned": 0, "released": 0, "skipped": 0, "failed": 2, "blocked": 0},
                "requests": 7, "duration_ms": 1.5, "health": "Degraded"}),
        ),
        (
            EventKind::SyncFailed { revision: None, fault: note() },
            json!({"type": "sync_failed", "fault": fault}),
        ),
        (
            EventKind::Health {
                id: Some(id()),
                from: Health::Unknown,
                to: Assessment::new(Health::Progressing).because("R", "m"),
            },
            json!({"type": "health", "id": web, "from": "Unknown", "to": {"health": "Progressing", "reason": "R", "message": "m"}}),
        ),
        (
            EventKind::Fight { id: id(), writer: Some("x".into()), pause: Duration::from_secs(10) },
            json!({"type": "fight", "id": web, "writer": "x", "pause_ms": 10000.0}),
        ),
        (
            EventKind::RetryScheduled { after: Duration::from_millis(2500), attempt: 2 },
            json!({"type": "retry_scheduled", "after_ms": 2500.0, "attempt": 2}),
        ),
        (EventKind::Blind { fault: note() }, json!({"type": "blind", "fault": fault})),
        (EventKind::Suspended, json!({"type": "suspended"})),
        (EventKind::Resumed, json!({"type": "resumed"})),
        (EventKind::Stopped, json!({"type": "stopped"})),
        (EventKind::Lagged { missed: 9 }, json!({"type": "lagged", "missed": 9})),
    ]
}

#[test]
fn every_kind_has_its_fields_and_reads_back() {
    for (kind, mut expected) in all() {
        let event = Event { seq: 4, at: Timestamp::UNIX_EPOCH, app: "shop".parse().unwrap(), kind };
        let written = serde_json::to_value(&event).unwrap();
        let fields = expected.as_object_mut().unwrap();
        fields.insert("seq".into(), json!(4));
        fields.insert("at".into(), json!("1970-01-01T00:00:00Z"));
        fields.insert("app".into(), json!("shop"));
        assert_eq!(written, expected);
        let text = written.to_string();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event, "{text}");
        assert!(!text.contains('\n') && !event.to_string().contains('\n'));
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let text =
        r#"{"seq": 1, "at": "1970-01-01T00:00:00Z", "app": "shop", "type": "suspended", "new": {"a": 1}}"#;
    assert_eq!(serde_json::from_str::<Event>(text).unwrap().kind, EventKind::Suspended);
}

#[test]
fn what_others_wrote_cannot_break_a_line() {
    let evil = "a\nb\u{1b}[31m\u{202e}";
    let id = ResourceId::namespaced("", "ConfigMap", evil, evil);
    let fault = FaultNote { class: Class::Invalid, at: Some(evil.into()), message: evil.into() };
    let kinds = [
        EventKind::SyncFailed { revision: None, fault: fault.clone() },
        EventKind::Fight { id: id.clone(), writer: Some(evil.into()), pause: Duration::from_secs(1) },
        EventKind::FieldsStripped { id: id.clone(), place: evil.into(), fields: vec![evil.into()] },
        EventKind::HistoryRewritten { revision: Revision::new(evil), from: evil.into() },
        EventKind::Object {
            outcome: Outcome { id, action: None, verdict: Verdict::Blocked { cause: evil.into() } },
            differences: Vec::new(),
            revision: None,
            trigger: Trigger::Live,
            notes: Vec::new(),
        },
    ];
    for kind in kinds {
        let line = kind.to_string();
        assert!(!line.contains(['\n', '\u{1b}', '\u{202e}']), "{line:?}");
    }
    assert!(!fault.to_string().contains('\u{1b}'));
    assert_eq!(
        crate::Fault::new(Class::Bug, evil).at(evil).note().at.as_deref(),
        Some("a b\\u{1b}[31m\\u{202e}")
    );
}

#[tokio::test]
async fn a_slow_reader_misses_the_oldest_and_is_told_how_many() {
    let emitter = Emitter::new(2, Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)));
    let app: AppId = "shop".parse().unwrap();
    let mut slow = emitter.subscribe(&app);
    for _ in 0..5 {
        emitter.emit(&app, EventKind::Resumed);
    }
    let mut fresh = emitter.subscribe(&app);
    assert_eq!(slow.next().await.unwrap().kind, EventKind::Lagged { missed: 3 });
    assert_eq!(slow.next().await.unwrap().seq, 3);
    assert_eq!(slow.next().await.unwrap().seq, 4);
    emitter.emit(&app, EventKind::Stopped);
    assert_eq!((fresh.next().await.unwrap().seq, slow.next().await.unwrap().seq), (5, 5));
    drop(emitter);
    assert_eq!(slow.next().await, None);
}
