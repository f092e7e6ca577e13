//! The memory of deployments beside one that forgets nothing.

use proptest::prelude::*;

use super::*;
use crate::{AppRecord, End, Intent, Person, Provenance, Reach, Signer};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn id(n: usize) -> ResourceId {
    ResourceId::namespaced("apps", "Deployment", "shop", format!("web-{n}"))
}

/// What happens to an application, in the order of a target.
#[derive(Debug, Clone)]
enum Deed {
    /// A session for a revision: how it ends, or that it never does.
    Session { revision: u8, end: Option<Ending> },
    /// It is noted that a revision is Healthy.
    Note { revision: u8 },
}

#[derive(Debug, Clone)]
struct Ending {
    applied: bool,
    healthy: bool,
    changes: Vec<(usize, Action)>,
    healed: Vec<(usize, u8, Vec<u8>)>,
}

fn deed() -> impl Strategy<Value = Deed> {
    let action = prop_oneof![Just(Action::Create), Just(Action::Update), Just(Action::Prune)];
    let ending = (
        any::<bool>(),
        any::<bool>(),
        prop::collection::vec((0_usize..200, action), 0..90),
        prop::collection::vec((0_usize..200, 0_u8..3, prop::collection::vec(0_u8..30, 0..20)), 0..20),
    );
    let ending = ending.prop_map(|(applied, healthy, changes, healed)| Ending {
        applied,
        healthy: applied && healthy,
        changes,
        healed,
    });
    prop_oneof![
        4 => (0_u8..6, prop::option::of(ending)).prop_map(|(revision, end)| Deed::Session { revision, end }),
        1 => (0_u8..6).prop_map(|revision| Deed::Note { revision }),
    ]
}

fn revision(n: u8) -> Revision {
    let provenance = Provenance {
        message: format!("revision {n}\n\n{}", "why ".repeat(500)),
        author: Some(Person { name: "Ada".repeat(100), email: String::new() }),
        verified: vec![Signer::new("ä".repeat(200), "SHA256:x"); 10],
        ..Provenance::default()
    };
    Revision::new(format!("{n:040}")).with_provenance(provenance)
}

/// A deployment in the memory of one who forgets nothing.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    revision: Revision,
    attempted: Timestamp,
    applied: Option<Timestamp>,
    healthy: Option<Timestamp>,
    changes: usize,
}

fn run(deeds: &[Deed]) -> (AppRecord, Vec<Kept>, u64) {
    let (mut record, mut all, mut healed) = (AppRecord::new("git"), Vec::<Kept>::new(), 0_u64);
    let mut now = 0;
    for deed in deeds {
        now += 10;
        match deed {
            Deed::Session { revision: n, end } => {
                let revision = revision(*n);
                record.begin(&Intent::new(at(now), "git", Some(revision.clone()), Reach::default()));
                if all.last().is_none_or(|last| last.revision != revision) {
                    let (applied, healthy) = (None, None);
                    let revision = revision.clone();
                    all.push(Kept { revision, attempted: at(now), applied, healthy, changes: 0 });
                }
                let Some(end) = end else { continue };
                let last = all.last_mut().unwrap();
                let when = at(now + 5);
                let mut told = End::new(when, Vec::new());
                if end.applied {
                    told.applied = Some(revision.clone());
                    last.applied.get_or_insert(when);
                }
                if end.healthy {
                    told.healthy = Some(revision);
                    last.healthy.get_or_insert(when);
                }
                told.changes = end.changes.iter().map(|(n, action)| Change::new(id(*n), *action)).collect();
                last.changes += end.changes.len();
                let drift = |(n, by, fields): &(usize, u8, Vec<u8>)| {
                    let fields = fields.iter().map(|n| format!(".spec.{n}")).collect();
                    Drift::new(id(*n), (*by > 0).then(|| format!("manager-{by}")), fields)
                };
                told.healed = end.healed.iter().map(drift).collect();
                healed += end.healed.len() as u64;
                record.end(&told);
            }
            Deed::Note { revision: n } => {
                record.begin(&Intent::to_note(at(now), "git"));
                let mut told = End::noting(at(now + 5));
                told.healthy = Some(revision(*n));
                record.end(&told);
                if let Some(last) = all.last_mut().filter(|last| last.revision == revision(*n))
                    && last.applied.is_some()
                {
                    last.healthy.get_or_insert(at(now + 5));
                }
            }
        }
    }
    (record, all, healed)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_kept_is_what_happened(deeds in prop::collection::vec(deed(), 0..60)) {
        let (record, all, healed) = run(&deeds);
        let kept = &record.deployments;

        // Bounded, whatever happens.
        prop_assert!(kept.recent.len() <= Deployments::RECENT && kept.healed.len() <= Deployments::HEALED);
        prop_assert!(kept.bytes() <= Deployments::BYTES, "{} bytes", kept.bytes());
        for one in &kept.recent {
            prop_assert!(one.changes.len() <= Deployments::CHANGES);
            let about = one.revision.provenance.as_ref().unwrap();
            prop_assert!(about.message.starts_with("revision ") && about.message.len() < 300);
        }
        for one in &kept.healed {
            prop_assert!(one.drift.fields.len() <= Deployments::FIELDS && one.first <= one.last && one.times > 0);
        }

        // The newest that was ever Healthy, however long ago.
        let good = all.iter().rev().find_map(|one| Some((&one.revision, one.healthy?)));
        prop_assert_eq!(kept.last_good(), good);

        // The last ones as they happened, in their order, and the others counted.
        let older = all.len() - kept.recent.len();
        prop_assert_eq!(kept.older.deployments, older as u64);
        prop_assert_eq!(kept.older.since, (older > 0).then(|| all[0].attempted));
        for (kept, was) in kept.recent.iter().zip(&all[older..]) {
            prop_assert_eq!(&kept.revision, &was.revision);
            prop_assert_eq!((kept.attempted, kept.applied, kept.healthy), (was.attempted, was.applied, was.healthy));
            let counts = kept.counts;
            prop_assert_eq!(counts.created + counts.changed + counts.pruned, was.changes);
        }
        let times: u64 = kept.healed.iter().map(|healed| healed.times).sum();
        prop_assert_eq!(times + kept.older.healed, healed);
        prop_assert!(kept.healed.is_sorted_by_key(|healed| healed.last));

        // And it reads as it was written.
        let read: AppRecord = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        prop_assert_eq!(read, record);
    }
}

#[test]
fn long_names_are_let_go_before_it_grows_too_large() {
    let mut record = AppRecord::new("git");
    for n in 0..30 {
        record.begin(&Intent::new(at(n), "git", Some(Revision::new(format!("r{n}"))), Reach::default()));
        let mut end = End::new(at(n), Vec::new());
        let long = |n| ResourceId::namespaced("g".repeat(200), "Kind", "n".repeat(60), format!("{n:0>250}"));
        end.changes = (0..200).map(|n| Change::new(long(n), Action::Create)).collect();
        end.healed = vec![Drift::new(long(n), Some("m".repeat(900)), vec![".f".repeat(900); 3])];
        (end.applied, end.healthy) =
            (Some(Revision::new(format!("r{n}"))), Some(Revision::new(format!("r{n}"))));
        record.end(&end);
    }
    let kept = &record.deployments;
    assert!(kept.bytes() <= Deployments::BYTES);
    assert!(kept.recent[0].changes.is_empty() && !kept.current().unwrap().changes.is_empty());
    assert_eq!((kept.recent[0].counts.created, kept.recent.len()), (200, Deployments::RECENT));
    assert_eq!(kept.last_good().unwrap().0, &Revision::new("r29"));
    assert!(kept.healed.iter().all(|healed| healed.drift.by.as_ref().unwrap().len() == 256));
}

#[test]
fn going_back_is_another_deployment_and_trying_again_is_not() {
    let session = |revision: u8, changed: usize| Deed::Session {
        revision,
        end: Some(Ending {
            applied: true,
            healthy: false,
            changes: vec![(changed, Action::Create), (changed, Action::Update)],
            healed: vec![],
        }),
    };
    let (record, _, _) = run(&[session(1, 1), session(1, 2), session(2, 1), session(1, 1)]);
    let recent = &record.deployments.recent;
    let ids: Vec<usize> = recent.iter().map(|one| one.changes.len()).collect();
    assert_eq!(ids, [2, 1, 1], "{recent:#?}");
    assert_eq!(recent[0].revision, recent[2].revision);
    assert_eq!(recent[0].changes[0], Change::new(id(1), Action::Create));
    assert_eq!(record.deployments.last_good(), None, "applied is not Healthy");
}

#[test]
fn a_removal_is_no_deployment() {
    let mut record = run(&[Deed::Session { revision: 1, end: None }]).0;
    record.begin(&Intent::new(at(100), "git", None, Reach::default()));
    record.end(&End::new(at(101), Vec::new()));
    assert_eq!(record.attempted, Some(revision(1)));
    assert_eq!((record.deployments.recent.len(), record.finished), (1, Some(at(101))));
}

#[test]
fn a_record_of_an_older_version_reads_and_learns_what_is_good() {
    let old = r#"{"source": "git", "attempted": {"id": "a"}, "applied": {"id": "a"}, "reach": [],
        "finished": "2026-01-01T00:00:00Z"}"#;
    let mut record: AppRecord = serde_json::from_str(old).unwrap();
    assert!(
        record.deployments.is_empty() && !serde_json::to_string(&record).unwrap().contains("deployments")
    );
    let mut end = End::noting(at(2_000_000_000));
    end.healthy = Some(Revision::new("b"));
    record.end(&end);
    assert!(record.deployments.is_empty(), "another revision is in force");
    end.healthy = Some(Revision::new("a"));
    record.end(&end);
    let current = record.deployments.current().unwrap();
    assert_eq!((Some(current.attempted), current.applied), (record.finished, record.finished));
    assert_eq!(record.deployments.last_good(), Some((&Revision::new("a"), at(2_000_000_000))));
    assert_eq!(
        record.finished.unwrap().to_string(),
        "2026-01-01T00:00:00Z",
        "a note is no session of objects"
    );
}
