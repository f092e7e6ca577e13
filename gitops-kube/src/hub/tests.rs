use futures_util::StreamExt;
use gitops_core::ReachEntry;
use serde_json::{Value, json};

use super::*;
use crate::KubeTarget;
use crate::membership::Key;
use crate::membership::tests::{app, member};
use crate::mock::{Answer, lines, list, server};

fn watching(client: kube::Client) -> (KubeTarget, gitops_core::Events<Dirty>) {
    let target = KubeTarget::builder(client).with_state_namespace("state").build();
    let entry = ReachEntry {
        group: String::new(),
        kind: "ConfigMap".into(),
        version: "v1".into(),
        namespace: Some("n".into()),
    };
    let key = Key::random().unwrap();
    target.shared().view.cache.know(&app("shop"), "state", key, Reach([entry].into()));
    let events = gitops_core::Target::watch(&target, &app("shop"));
    (target, events)
}

fn at(version: &str, value: &str) -> Value {
    let mut object = member();
    object["metadata"]["resourceVersion"] = version.into();
    object["data"]["k"] = value.into();
    object
}

fn id() -> ResourceId {
    ResourceId::namespaced("", "ConfigMap", "n", "a")
}

#[tokio::test(start_paused = true)]
async fn an_expired_watch_lists_again_and_tells_what_it_missed() {
    let gone = json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}});
    let (client, asked) = server(vec![
        list("7", &[at("7", "v")]),
        lines(&[
            json!({"type": "MODIFIED", "object": at("8", "v")}),
            json!({"type": "MODIFIED", "object": at("9", "hand")}),
            gone,
        ]),
        list("20", &[]),
        Answer::Never,
    ]);
    let (target, mut events) = watching(client);
    assert!(matches!(events.next().await, Some(Dirty::Objects(ids)) if ids == [id()]));
    assert!(matches!(events.next().await, Some(Dirty::Objects(ids)) if ids == [id()]));
    assert!(target.shared().view.cache.seen(&id()).is_none());
    let asked = asked.lock().unwrap().clone();
    assert!(asked[0].starts_with("/api/v1/configmaps?limit=500&labelSelector=applyset"), "{asked:?}");
    assert!(asked[1].contains("watch=true") && asked[1].contains("resourceVersion=7"), "{asked:?}");
    assert!(asked[2].contains("limit=500"), "{asked:?}");
}

/// The API server carries out an apply, and somebody deletes the object before we have read the answer.
#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_the_end_of_its_object_does_not_bring_it_back() {
    let (client, _asked) = server(vec![
        list("7", &[at("7", "v")]),
        lines(&[json!({"type": "DELETED", "object": at("9", "v")})]),
        Answer::Never,
    ]);
    let (target, mut events) = watching(client);
    assert!(matches!(events.next().await, Some(Dirty::Objects(ids)) if ids == [id()]));
    let (view, shop) = (&target.shared().view, app("shop"));
    view.live(&shop, &id(), at("8", "v"), true);
    assert_eq!(view.cache.seen(&id()), None, "nobody would look at it again");

    // The watch says the same of an object whose label was taken away: later it is back, with its label.
    view.live(&shop, &id(), at("10", "v"), true);
    assert!(view.cache.seen(&id()).is_some());
}

/// The same, where the watch was interrupted and the end is seen by a list.
#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_after_a_list_without_its_object_does_not_bring_it_back() {
    let expired = json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}});
    let (client, _asked) =
        server(vec![list("7", &[at("7", "v")]), lines(&[expired]), list("20", &[]), Answer::Never]);
    let (target, mut events) = watching(client);
    assert!(matches!(events.next().await, Some(Dirty::Objects(ids)) if ids == [id()]));
    let (view, shop) = (&target.shared().view, app("shop"));
    view.live(&shop, &id(), at("19", "v"), true);
    assert_eq!(view.cache.seen(&id()), None);
    let mut another = at("19", "v");
    another["metadata"]["uid"] = "u-2".into();
    view.live(&shop, &id(), another, true);
    assert!(view.cache.seen(&id()).is_some(), "of another incarnation the list says nothing");
}

#[tokio::test(start_paused = true)]
async fn a_broken_watch_goes_on_where_it_was() {
    let bookmark = json!({"type": "BOOKMARK", "object": {"apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"resourceVersion": "12"}}});
    let (client, asked) = server(vec![
        list("7", &[at("7", "v")]),
        lines(&[bookmark]),
        Answer::Now(503, "starting".into()),
        lines(&[json!({"type": "DELETED", "object": at("13", "v")})]),
        Answer::Never,
    ]);
    let (_target, mut events) = watching(client);
    assert!(matches!(events.next().await, Some(Dirty::Objects(ids)) if ids == [id()]));
    let asked = asked.lock().unwrap().clone();
    assert!(asked[1].contains("resourceVersion=7"), "{asked:?}");
    assert!(asked[2].contains("resourceVersion=12") && asked[3].contains("resourceVersion=12"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn blindness_is_told_and_so_is_its_end() {
    let forbidden = || Answer::Now(403, json!({"kind": "Status", "code": 403, "message": "no"}).to_string());
    let (client, asked) = server(vec![
        forbidden(),
        forbidden(),
        list("7", &[at("7", "v")]),
        Answer::Now(200, String::new()),
        Answer::Never,
    ]);
    let (_target, mut events) = watching(client);
    assert!(matches!(events.next().await, Some(Dirty::Blind(fault)) if fault.class == Class::Denied));
    assert!(matches!(events.next().await, Some(Dirty::Everything)));
    let asked = asked.lock().unwrap().clone();
    assert!(asked[0].starts_with("/api/v1/configmaps?"), "{asked:?}");
    assert!(asked[1].starts_with("/api/v1/namespaces/n/configmaps?"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn watches_end_with_their_listeners() {
    let (client, _asked) = server(vec![list("7", &[]), Answer::Never]);
    let (target, mut events) = watching(client);
    assert!(tokio::time::timeout(Duration::from_secs(5), events.next()).await.is_err());
    let shared = Arc::downgrade(target.shared());
    let stopped = {
        let state = shared.upgrade().unwrap();
        let running = state.hub.state().running.len();
        assert_eq!(running, 1);
        drop(events);
        state.hub.state().running.is_empty()
    };
    assert!(stopped);
    drop(target);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(shared.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_from_what_was_observed() {
    let gone = json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}});
    let missing =
        Answer::Now(404, json!({"kind": "Status", "code": 404, "message": "not found"}).to_string());
    let (client, asked) = server(vec![
        missing,
        list("7", &[at("7", "v")]),
        lines(&[json!({"type": "MODIFIED", "object": at("8", "hand")}), gone]),
        list("20", &[at("8", "hand")]),
        Answer::Never,
    ]);
    let (target, mut events) = watching(client);
    let cx = Cx::with_timeout(Duration::from_secs(60));
    let what = gitops_core::Observe::Everything { also: Vec::new() };
    gitops_core::Target::observe(&target, &cx, &app("shop"), &what).await.unwrap();
    assert!(matches!(events.next().await, Some(Dirty::Objects(ids)) if ids == [id()]));
    // Too old, it is not tried again.
    assert!(tokio::time::timeout(Duration::from_secs(5), events.next()).await.is_err());
    let asked = asked.lock().unwrap().clone();
    assert!(asked[2].contains("watch=true") && asked[2].contains("resourceVersion=7"), "{asked:?}");
    assert!(asked[3].contains("limit=500") && asked[4].contains("resourceVersion=20"), "{asked:?}");
}
