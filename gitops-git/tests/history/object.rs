//! The history of one object.

use gitops_core::ResourceId;
use gitops_git::HistoryOptions;

use crate::blame::{absent, same};
use crate::common::path;
use crate::seeds;
use crate::world::{Commit, Sort, World};

/// The commits that `git log` would show if objects were files.
fn model(commits: &[Commit], tip: usize, name: &str) -> Vec<usize> {
    let (mut queue, mut seen, mut shown) = (vec![tip], vec![tip], Vec::new());
    while !queue.is_empty() {
        // The newest; of several, the one that came first.
        let newest = queue.iter().map(|at| commits[*at].date).max().unwrap();
        let at = queue.remove(queue.iter().position(|at| commits[*at].date == newest).unwrap());
        let parents = &commits[at].parents;
        let same = |parent: &&usize| same(commits, **parent, at, name, ".");
        let (treesame, follow) = match parents.iter().find(same) {
            Some(parent) => (true, vec![*parent]),
            None if parents.is_empty() => (absent(commits, at, name, "."), Vec::new()),
            None => (false, parents.clone()),
        };
        if !treesame {
            shown.push(at);
        }
        for parent in follow {
            if !seen.contains(&parent) {
                seen.push(parent);
                queue.push(parent);
            }
        }
    }
    shown
}

#[tokio::test]
async fn an_object_has_a_history_of_its_own() {
    let mut shown = 0;
    let seeds = seeds(100);
    let wanted = usize::try_from(seeds.end - seeds.start).unwrap();
    for seed in seeds {
        let world = World::new(seed, Sort { broken: seed % 3 == 0, skew: seed % 2 == 0, most: 40 });
        let last = world.commits.len() - 1;
        for name in ["apps-shop-web-yaml", "apps-shopping-yaml"] {
            let id = ResourceId::global("", "ConfigMap", name);
            let ours = world.history(last, HistoryOptions::new().with_object(path("apps"), id)).await;
            let ours: Vec<usize> =
                ours.iter().map(|c| world.ids.iter().position(|id| *id == c.id).unwrap()).collect();
            assert_eq!(ours, model(&world.commits, last, name), "GITOPS_HISTORY_SEED={seed} {name}");
            shown += ours.len();
        }
    }
    println!("{shown} commits of {wanted} histories");
    assert!(shown > wanted, "{shown}");
}
