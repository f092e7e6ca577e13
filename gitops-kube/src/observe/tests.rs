use gitops_core::{Observe, Target};
use serde_json::json;

use super::*;
use crate::KubeTarget;
use crate::membership::tests::{app, member};
use crate::mock::{Answer, list as items, server};

fn not_found() -> Answer {
    Answer::Now(404, json!({"kind": "Status", "code": 404, "message": "not found"}).to_string())
}

fn forbidden() -> Answer {
    Answer::Now(403, json!({"kind": "Status", "code": 403, "message": "no"}).to_string())
}

fn backup() -> ResourceId {
    ResourceId::namespaced("example.com", "Backup", "n", "daily")
}

/// Observes with a target that has no record of the application, and these answers after that.
async fn observe(what: Observe, answers: Vec<Answer>) -> (Observation, Vec<String>) {
    let (client, asked) = server(std::iter::once(not_found()).chain(answers).collect());
    let target = KubeTarget::builder(client).with_state_namespace("state").with_page_size(1).build();
    let cx = Cx::with_timeout(std::time::Duration::from_secs(60));
    let seen = target.observe(&cx, &app("shop"), &what).await.unwrap();
    let asked = asked.lock().unwrap().clone();
    (seen, asked)
}

fn definition(kind: &str) -> Value {
    json!({"metadata": {"name": "x.example.com"}, "spec": {"group": "example.com", "names": {"kind": kind}}})
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_nobody_defines_is_gone() {
    // Both objects ask; the definitions are listed once.
    let other = ResourceId { name: "weekly".into(), ..backup() };
    let what = Observe::Everything { also: vec![backup(), other] };
    let (seen, asked) = observe(what, vec![items("1", &[definition("Other")])]).await;
    assert!(seen.live.is_empty() && seen.unseen.is_empty(), "{seen:?}");
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_defined_but_not_served_is_unseen() {
    let what = Observe::Everything { also: vec![backup()] };
    let (seen, _) = observe(what, vec![items("1", &[definition("Backup")])]).await;
    assert_eq!(seen.unseen.len(), 1, "{seen:?}");
    assert!(seen.unseen[0].covers(&backup()));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_found_out_is_unseen() {
    let what = || Observe::Everything { also: vec![backup()] };
    let (seen, _) = observe(what(), vec![forbidden()]).await;
    assert_eq!(seen.unseen[0].fault.class, Class::Denied, "{seen:?}");
    let map = ResourceId::namespaced("", "ConfigMap", "n", "a");
    let (seen, _) = observe(Observe::Objects(vec![map.clone()]), vec![forbidden()]).await;
    assert!(seen.unseen[0].covers(&map), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn lists_are_read_to_their_end() {
    let page = |next: &str, name: &str| {
        let mut object = member();
        object["metadata"]["name"] = name.into();
        let body = json!({"metadata": {"resourceVersion": "5", "continue": next}, "items": [object]});
        Answer::Now(200, body.to_string())
    };
    let (client, asked) = server(vec![page("token/1", "a"), page("", "b")]);
    let rest = Rest::new(client, std::time::Duration::from_secs(5));
    let cx = Cx::with_timeout(std::time::Duration::from_secs(60));
    let found = crate::discovery::sample();
    let served = found.find(&GroupKind::new("", "ConfigMap"), "v1").unwrap();
    let (all, version) = list(&cx, &rest, served, Some("n"), "a=b", 1).await.unwrap();
    let names: Vec<_> = all.iter().map(|(id, object)| (id.name.as_str(), object["kind"].as_str())).collect();
    assert_eq!((names, version.as_str()), (vec![("a", Some("ConfigMap")), ("b", Some("ConfigMap"))], "5"));
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked[0], "/api/v1/namespaces/n/configmaps?limit=1&labelSelector=a%3Db");
    assert!(asked[1].ends_with("&continue=token%2F1"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn many_objects_are_looked_for_by_one_list_of_names() {
    let id = |name: String| ResourceId::namespaced("", "ConfigMap", "n", name);
    let also: Vec<_> = (0..20).map(|n| id(format!("m{n}"))).collect();
    let there = |name: &str| json!({"metadata": {"name": name, "namespace": "n", "uid": "u", "resourceVersion": "1"}});
    let one = Answer::Now(200, there("m7").to_string());
    // The answer has other objects besides; of those that are looked for, one exists and is read.
    let names = json!({"metadata": {}, "items": [there("m7"), there("other")]}).to_string();
    let (seen, asked) =
        observe(Observe::Everything { also: also.clone() }, vec![Answer::Now(200, names), one]).await;
    assert_eq!(seen.live.iter().map(|live| &live.id).collect::<Vec<_>>(), [&also[7]]);
    assert_eq!(asked[1..], ["/api/v1/namespaces/n/configmaps?limit=1", "/api/v1/namespaces/n/configmaps/m7"]);
    // A list that fails says nothing: each is asked for.
    let failed = Answer::Now(500, "{}".into());
    let answers = std::iter::once(failed).chain((0..20).map(|_| not_found())).collect();
    let (seen, asked) = observe(Observe::Everything { also }, answers).await;
    assert!(seen.live.is_empty() && seen.unseen.is_empty(), "{seen:?}");
    assert_eq!(asked.len(), 22, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn members_in_several_namespaces_are_one_list_where_that_is_allowed() {
    let entry = |namespace: &str| ReachEntry {
        group: String::new(),
        kind: "ConfigMap".into(),
        version: "v1".into(),
        namespace: Some(namespace.into()),
    };
    let mut elsewhere = member();
    elsewhere["metadata"]["namespace"] = "elsewhere".into();
    let (client, asked) = server(vec![
        not_found(),
        items("7", &[member(), elsewhere]),
        not_found(),
        forbidden(),
        items("8", &[]),
        items("8", &[member()]),
        not_found(),
        items("9", &[]),
        items("9", &[member()]),
    ]);
    let target = KubeTarget::builder(client).with_state_namespace("state").build();
    let key = crate::membership::Key::random().unwrap();
    let reach = Reach([entry("n"), entry("m")].into());
    target.shared().view.cache.know(&app("shop"), "state", key, reach);
    let cx = Cx::with_timeout(std::time::Duration::from_secs(60));
    // What is where the application is not recorded to be is left out, as before.
    for _ in 0..3 {
        let what = Observe::Everything { also: Vec::new() };
        let seen = target.observe(&cx, &app("shop"), &what).await.unwrap();
        assert!(seen.unseen.is_empty(), "{seen:?}");
        let ids: Vec<_> = seen.live.iter().map(|live| live.id.to_string()).collect();
        assert_eq!(ids, ["ConfigMap/n/a"], "{seen:?}");
    }
    let lists: Vec<_> =
        asked.lock().unwrap().iter().map(|uri| uri.split('?').next().unwrap().to_owned()).collect();
    let (all, n, m) =
        ("/api/v1/configmaps", "/api/v1/namespaces/n/configmaps", "/api/v1/namespaces/m/configmaps");
    let lists: Vec<_> = lists.iter().filter(|uri| uri.ends_with("configmaps")).collect();
    assert_eq!(lists, [all, all, m, n, m, n]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_looked_for_in_a_namespace_that_is_not_there() {
    let namespace = ResourceId::global("", "Namespace", "n");
    let mut also: Vec<_> =
        (0..5).map(|n| ResourceId::namespaced("", "ConfigMap", "n", format!("m{n}"))).collect();
    also.push(namespace.clone());
    let what = Observe::Everything { also };
    let (seen, asked) = observe(what.clone(), vec![not_found()]).await;
    assert!(seen.live.is_empty() && seen.unseen.is_empty(), "{seen:?}");
    assert_eq!(asked[1..], ["/api/v1/namespaces/n"]);
    // Whether it is there cannot be told: then everything is looked for.
    let answers = std::iter::once(forbidden()).chain((0..5).map(|_| not_found())).collect();
    let (seen, asked) = observe(what, answers).await;
    assert!(seen.unseen.len() == 1 && seen.unseen[0].covers(&namespace), "{seen:?}");
    assert_eq!(asked.len(), 7, "{asked:?}");
}
