//! What engines did, by the API server's audit log.

use std::collections::{BTreeMap, BTreeSet};

use super::life::{DOOMED, ENGINE};
use super::scenario::Scenario;
use crate::support::{Cluster, Request};

/// What Git says of a path.
#[derive(Clone, Copy, PartialEq)]
enum Stated {
    /// It is to be there at the end.
    Last,
    /// It is gone with the second commit.
    First,
    /// It is there with the second commit alone.
    Between,
}

/// Checks everything that engines wrote in some lives, each with the paths that are there at its end: they wrote nothing
/// but what Git states, deleted nothing that Git states, and what they created and Git does not have is gone.
pub(crate) fn check(cluster: &Cluster<'_>, lives: &[(Scenario, BTreeSet<String>)]) {
    let mut stated = BTreeMap::new();
    let mut there = BTreeSet::new();
    for (scenario, live) in lives {
        let parts = [
            (Stated::Last, scenario.after()),
            (Stated::First, scenario.pruned()),
            (Stated::Between, scenario.fleeting()),
        ];
        for (when, objects) in parts {
            stated.extend(objects.into_iter().map(|object| (object.path, when)));
        }
        there.extend(live.iter().map(String::as_str));
    }
    let mut created = 0;
    for user in [DOOMED, ENGINE] {
        for request in cluster.writes_of(user).iter().filter(|request| !is_record(request)) {
            let path = request.uri.split('?').next().unwrap_or_default();
            // Another test's.
            if !lives.iter().any(|(scenario, _)| scenario.is_named_in(path)) {
                continue;
            }
            let when = *stated.get(path).unwrap_or_else(|| panic!("{user} wrote {path}, which is not Git's"));
            if request.verb == "delete" {
                let may_go = when == Stated::First || (when == Stated::Between && user == ENGINE);
                assert!(may_go, "{user} deleted {path}");
            }
            if request.code == 201 {
                created += 1;
                let is_orphan = when != Stated::Last && there.contains(path);
                assert!(!is_orphan, "{path} was created by {user}, and nobody finds it");
            }
        }
    }
    let at_least: usize = lives.iter().map(|(scenario, _)| scenario.created_at_least()).sum();
    assert!(created >= at_least, "the audit log is not whole: {created} creations of {at_least}");
}

fn is_record(request: &Request) -> bool {
    request.uri.starts_with("/api/v1/namespaces/gitops-system/secrets")
}
