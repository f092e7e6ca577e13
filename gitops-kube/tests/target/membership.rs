//! Nothing is touched that is not ours.

use gitops_core::{
    Action, Class, Expect, FaultNote, Intent, Owner, Reach, ReachEntry, ResourceId, Step, Target, Timestamp,
    Token,
};
use gitops_kube::{KEEP_ANNOTATION, KubeTarget, PART_OF, STATE_ANNOTATION};
use serde_json::{Value, json};

use crate::support::{SOURCE, app, cluster, config_map, cx, end, reach};

fn maps(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn preconditions_hold() {
    let (cluster, name) = (cluster().await, app("preconditions"));
    cluster.namespace("preconditions").await;
    let foreign = config_map("preconditions", "taken", "theirs");
    cluster.apply_as("them", &maps("preconditions"), "taken", &foreign).await.unwrap();
    let placed = cluster.place(&[config_map("preconditions", "taken", "ours")]).await.remove(0);
    let run =
        |action, expect, desired| cluster.step(&name, Step::new(placed.id.clone(), action, expect, desired));
    let uri = format!("{}/taken", maps("preconditions"));

    // Creating what exists.
    let fault = run(Action::Create, Expect::Absent, Some(placed.clone())).await.unwrap_err();
    assert_eq!(fault.class, Class::Precondition, "{fault}");
    // Updating another incarnation than the one that was seen.
    let fault = run(
        Action::Update,
        Expect::Same("00000000-0000-0000-0000-000000000000".into()),
        Some(placed.clone()),
    )
    .await;
    assert_eq!(fault.unwrap_err().class, Class::Precondition);
    // Updating and pruning a state that has passed.
    let live = cluster.look(&name, &placed.id).await.unwrap();
    assert_eq!(live.owner, Owner::Nobody);
    let stale = Token { version: "1".into(), ..live.token.clone() };
    let fault = run(Action::Update, Expect::Exactly(stale.clone()), Some(placed.clone())).await.unwrap_err();
    assert_eq!(fault.class, Class::Precondition, "{fault}");
    let fault = run(Action::Prune, Expect::Exactly(stale), None).await.unwrap_err();
    assert_eq!(fault.class, Class::Precondition, "{fault}");
    // Pruning by incarnation alone what is not ours.
    let fault = run(Action::Prune, Expect::Same(live.token.incarnation.clone()), None).await.unwrap_err();
    assert_eq!(fault.class, Class::Precondition, "{fault}");
    assert_eq!(cluster.get(&uri).await.unwrap()["data"], json!({"k": "theirs"}));

    // Updating what is gone does not create it.
    cluster.delete(&uri).await;
    let fault = run(Action::Update, Expect::Same(live.token.incarnation.clone()), Some(placed.clone())).await;
    assert_eq!(fault.unwrap_err().class, Class::Precondition);
    let fault =
        run(Action::Update, Expect::Exactly(live.token.clone()), Some(placed.clone())).await.unwrap_err();
    assert_eq!(fault.class, Class::Precondition, "{fault}");
    assert!(cluster.get(&uri).await.is_none());
    // Pruning what is gone is done.
    let done = run(Action::Prune, Expect::Exactly(live.token), None).await.unwrap();
    assert!(!done.wrote && done.live.is_none());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn adopting_takes_over_and_releasing_gives_up() {
    let (cluster, name) = (cluster().await, app("adopting"));
    cluster.namespace("adopting").await;
    let mut foreign = config_map("adopting", "settings", "theirs");
    foreign["data"]["extra"] = "x".into();
    cluster.apply_as("them", &maps("adopting"), "settings", &foreign).await.unwrap();
    let placed = cluster.place(&[config_map("adopting", "settings", "ours")]).await.remove(0);
    let live = cluster.look(&name, &placed.id).await.unwrap();
    let adopt =
        Step::new(placed.id.clone(), Action::Adopt, Expect::Exactly(live.token), Some(placed.clone()));
    let adopted = cluster.step(&name, adopt).await.unwrap().live.unwrap();
    assert_eq!(adopted.owner, Owner::This);
    assert_eq!(adopted.object.as_ref().unwrap()["data"], json!({"k": "ours", "extra": "x"}));

    let release = Step::new(placed.id.clone(), Action::Release, Expect::Exactly(adopted.token), None);
    let released = cluster.step(&name, release).await.unwrap().live.unwrap();
    assert_eq!(released.owner, Owner::Nobody);
    let object = released.object.unwrap();
    assert_eq!(object["data"], json!({"k": "ours", "extra": "x"}));
    let text = object.to_string();
    assert!(
        !text.contains(PART_OF) && !text.contains(STATE_ANNOTATION) && !text.contains("gitops/"),
        "{text}"
    );
    assert!(text.contains("\"manager\":\"them\""), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn releasing_the_only_owner_leaves_the_object() {
    let (cluster, name) = (cluster().await, app("alone"));
    cluster.namespace("alone").await;
    let live = cluster.create(&name, &[config_map("alone", "settings", "v")]).await.remove(0).live.unwrap();
    let release = Step::new(live.id.clone(), Action::Release, Expect::Exactly(live.token), None);
    let released = cluster.step(&name, release).await.unwrap().live.unwrap();
    let object = released.object.unwrap();
    assert_eq!(object["data"], json!({"k": "v"}));
    assert!(!object.to_string().contains("gitops/"), "{object}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_copied_label_makes_no_member() {
    let (cluster, name) = (cluster().await, app("copied"));
    cluster.namespace("copied").await;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "copied"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    let mine = cluster.create(&name, &[config_map("copied", "mine", "v"), service]).await;
    let label =
        mine[0].live.as_ref().unwrap().object.as_ref().unwrap()["metadata"]["labels"][PART_OF].clone();
    let mut forged = config_map("copied", "forged", "v");
    forged["metadata"]["labels"] = json!({PART_OF: label});
    cluster.apply_as("thief", &maps("copied"), "forged", &forged).await.unwrap();

    // The EndpointSlice controller copies the labels of the Service.
    let slices = ReachEntry {
        group: "discovery.k8s.io".into(),
        kind: "EndpointSlice".into(),
        version: "v1".into(),
        namespace: Some("copied".into()),
    };
    let session = cluster.begin(&name, Reach([slices].into())).await.unwrap();
    drop(session);
    let mut copies = 0;
    for _ in 0..50 {
        let seen = cluster.everything(&name, &[]).await;
        let owner = |kind: &str, name: &str| {
            seen.live
                .iter()
                .find(|l| l.id.kind == kind && l.id.name.starts_with(name))
                .map(|l| l.owner.clone())
        };
        assert_eq!(owner("ConfigMap", "mine"), Some(Owner::This));
        assert_eq!(owner("ConfigMap", "forged"), Some(Owner::Unproven));
        copies = seen.live.iter().filter(|live| live.id.kind == "EndpointSlice").count();
        if copies > 0 {
            assert_eq!(owner("EndpointSlice", "web"), Some(Owner::Unproven));
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(copies > 0, "the controller copies no labels any more: the test says nothing");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn applications_stay_apart() {
    let (cluster, one, two) = (cluster().await, app("apart-one"), app("apart-two"));
    cluster.namespace("apart").await;
    let live = cluster.create(&one, &[config_map("apart", "settings", "v")]).await.remove(0).live.unwrap();
    assert_eq!(cluster.look(&two, &live.id).await.unwrap().owner, Owner::Other(one.clone()));
    // What is marked to stay says so.
    let uri = format!("{}/settings", maps("apart"));
    cluster.merge_as("ada", &uri, &json!({"metadata": {"annotations": {KEEP_ANNOTATION: "disabled"}}})).await;
    assert!(cluster.look(&one, &live.id).await.unwrap().keep);

    // Another source may not take the name.
    let intent = Intent::new(Timestamp::UNIX_EPOCH, "https://git.example/other", None, Reach::default());
    let fault = cluster.target.begin(&cx(), &one, &intent).await.err().unwrap();
    assert_eq!(fault.class, Class::Denied);
    assert!(fault.to_string().contains(SOURCE), "{fault}");

    // Another process may not write at the same time; when the session ends, it may.
    let other = KubeTarget::new(cluster.client.clone());
    let intent = Intent::new(Timestamp::UNIX_EPOCH, SOURCE, None, Reach::default());
    let session = cluster.begin(&one, Reach::default()).await.unwrap();
    let fault = other.begin(&cx(), &one, &intent).await.err().unwrap();
    assert!(matches!(fault.class, Class::Retry { after: Some(_) }), "{fault:?}");
    session.finish(&cx(), &end(None)).await.unwrap();
    other.begin(&cx(), &one, &intent).await.unwrap().finish(&cx(), &end(None)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_crash_leaves_the_reach_wide_and_the_name_to_us() {
    let (cluster, name) = (cluster().await, app("crash"));
    cluster.namespace("crash").await;
    let placed = cluster.place(&[config_map("crash", "settings", "v")]).await;
    let session = cluster.begin(&name, reach(&placed)).await.unwrap();
    let step = Step::new(placed[0].id.clone(), Action::Create, Expect::Absent, Some(placed[0].clone()));
    session.run(&cx(), &step).await.unwrap();
    drop(session);
    let record = cluster.target.recall(&cx(), &name).await.unwrap().unwrap();
    assert_eq!((record.reach.clone(), record.applied), (reach(&placed), None));
    // The next session of this process does not wait for a lock of its own.
    let session = cluster.begin(&name, Reach::default()).await.unwrap();
    let seen = cluster.everything(&name, &[]).await;
    assert_eq!(seen.live.iter().map(|live| &live.id).collect::<Vec<_>>(), [&placed[0].id]);
    session.finish(&cx(), &end(None)).await.unwrap();
    assert_eq!(cluster.target.recall(&cx(), &name).await.unwrap().unwrap().reach, record.reach);

    // Somebody deletes the record: the running target still knows where to look, and records it again.
    cluster.delete("/api/v1/namespaces/gitops-system/secrets/gitops-app-crash").await;
    let seen = cluster.everything(&name, &[]).await;
    assert_eq!(seen.live.len(), 1, "{seen:?}");
    let session = cluster.begin(&name, Reach::default()).await.unwrap();
    session.finish(&cx(), &end(None)).await.unwrap();
    assert_eq!(cluster.target.recall(&cx(), &name).await.unwrap().unwrap().reach, record.reach);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn a_missing_state_namespace_says_how_to_make_it() {
    let cluster = cluster().await;
    let target = KubeTarget::builder(cluster.client.clone()).with_state_namespace("nowhere").build();
    let intent = Intent::new(Timestamp::UNIX_EPOCH, SOURCE, None, Reach::default());
    let fault = target.begin(&cx(), &app("lost"), &intent).await.err().unwrap();
    assert_eq!(fault.class, Class::Denied);
    assert!(fault.to_string().contains("kubectl create namespace nowhere"), "{fault}");
    assert!(target.recall(&cx(), &app("lost")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a Kubernetes API server: see CONTRIBUTING.md"]
async fn what_may_not_be_read_is_unseen() {
    let (cluster, name) = (cluster().await, app("unseen"));
    cluster.namespace("unseen").await;
    let secret =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "unseen"}});
    cluster.create(&name, &[config_map("unseen", "settings", "v"), secret]).await;
    let rbac = |verbs: &[&str]| json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": verbs});
    let role = |namespace: &str, rule: Value| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "limited", "namespace": namespace}, "rules": [rule]})
    };
    let roles = |namespace: &str| format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}");
    let secrets = json!({"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]});
    for (namespace, rule) in [("unseen", rbac(&["get", "list"])), ("gitops-system", secrets)] {
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "limited", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "limited"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}]});
        let path = roles(namespace);
        cluster.apply_as("test", &format!("{path}/roles"), "limited", &role(namespace, rule)).await.unwrap();
        cluster.apply_as("test", &format!("{path}/rolebindings"), "limited", &binding).await.unwrap();
    }
    let mut config = cluster.plane.client_config().unwrap();
    config.auth_info.impersonate = Some("limited".into());
    let client = gitops_kube::connect(config, &gitops_kube::ConnectOptions::default()).unwrap();
    let limited = KubeTarget::new(client);
    // The authorizer sees a new role a moment later.
    let also = vec![ResourceId::namespaced("apps", "Deployment", "unseen", "web")];
    let mut seen = gitops_core::Observation::default();
    for _ in 0..50 {
        let what = gitops_core::Observe::Everything { also: also.clone() };
        if let Ok(found) = limited.observe(&cx(), &name, &what).await {
            seen = found;
            if seen.live.len() == 1 {
                break;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(seen.live.iter().map(|live| &*live.id.kind).collect::<Vec<_>>(), ["ConfigMap"]);
    let mut blind: Vec<_> =
        seen.unseen.iter().map(|unseen| (unseen.kind.to_string(), unseen.fault.class)).collect();
    blind.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(blind, [("Deployment.apps".to_owned(), Class::Denied), ("Secret".to_owned(), Class::Denied)]);

    // Writing without the permission is a definite no.
    let intent = Intent::new(Timestamp::UNIX_EPOCH, SOURCE, None, Reach::default());
    let fault = limited.begin(&cx(), &name, &intent).await.err().unwrap();
    assert_eq!(fault.class, Class::Denied);
    let note: FaultNote = fault.note();
    assert!(note.message.contains("cannot update resource"), "{note}");
}
