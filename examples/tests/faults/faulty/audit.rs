//! What engines did, by the API server's audit log.

use std::collections::{BTreeMap, BTreeSet};

use super::life::{DOOMED, ENGINE};
use super::scenario::{Scenario, Stated};
use crate::support::{Cluster, Request};

/// What is allowed at a path, and what is there at the end.
#[derive(Default)]
struct Rule {
    desired: bool,
    pruned: bool,
    fleeting: bool,
    live: bool,
}

/// Checks everything that engines wrote in some lives, each with the paths that are there at its end: they wrote nothing
/// but what Git states, deleted nothing that Git states, and what they created and Git does not have is gone.
pub(crate) fn check(cluster: &Cluster<'_>, lives: &[(Scenario, BTreeSet<String>)]) {
    let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
    for (scenario, live) in lives {
        let mut mark = |stated: Vec<Stated>, mark: fn(&mut Rule)| {
            stated.into_iter().for_each(|stated| mark(rules.entry(stated.path).or_default()));
        };
        mark(scenario.after(), |rule| rule.desired = true);
        mark(scenario.pruned(), |rule| rule.pruned = true);
        mark(scenario.fleeting(), |rule| rule.fleeting = true);
        for path in live {
            rules.entry(path.clone()).and_modify(|rule| rule.live = true);
        }
    }
    let mut created = 0;
    for user in [DOOMED, ENGINE] {
        for request in cluster.writes_of(user).iter().filter(|request| !is_record(request)) {
            let path = request.uri.split('?').next().unwrap_or_default();
            // Another test's.
            if !lives.iter().any(|(scenario, _)| scenario.is_named_in(path)) {
                continue;
            }
            let rule = rules.get(path).unwrap_or_else(|| panic!("{user} wrote {path}, which is not Git's"));
            if request.verb == "delete" {
                let may_go = rule.pruned || (rule.fleeting && user == ENGINE);
                assert!(may_go && !rule.desired, "{user} deleted {path}");
            }
            if request.code == 201 {
                created += 1;
                assert!(rule.desired || !rule.live, "{path} was created by {user}, and nobody finds it");
            }
        }
    }
    let at_least: usize = lives.iter().map(|(scenario, _)| scenario.created_at_least()).sum();
    assert!(created >= at_least, "the audit log is not whole: {created} creations of {at_least}");
}

fn is_record(request: &Request) -> bool {
    request.uri.starts_with("/api/v1/namespaces/gitops-system/secrets")
}
