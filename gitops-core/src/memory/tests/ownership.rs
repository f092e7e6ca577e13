//! Who owns which field, and whose an object is.

use super::*;

fn managers(object: &Value) -> Vec<String> {
    let entries = meta(object, "managedFields").as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["manager"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn another_managers_value_is_a_conflict_unless_forced() {
    let cluster = cluster();
    cluster.apply("one", &config("a", json!({"k": "1", "only": "one"})), false).unwrap();
    let shared = cluster.apply("two", &config("a", json!({"k": "1"})), false).unwrap();
    // An apply that writes no value has no time, and comes first.
    assert_eq!(managers(&shared), ["two", "one"], "the same value is no conflict");
    let refused = cluster.apply("two", &config("a", json!({"k": "2"})), false).unwrap_err();
    assert_eq!(refused.class, Class::Precondition);
    assert!(refused.to_string().contains(".data.k is owned by \"one\""), "{refused}");
    assert_eq!(cluster.get(&id("a")).unwrap(), shared);
    let forced = cluster.apply("two", &config("a", json!({"k": "2"})), true).unwrap();
    assert_eq!(forced["data"], json!({"k": "2", "only": "one"}));
    // What is no longer stated goes, unless somebody else owns it.
    let less = cluster.apply("one", &config("a", json!({})), false).unwrap();
    assert_eq!(less["data"], json!({"k": "2"}));
}

#[tokio::test]
async fn an_object_is_ours_by_mark_and_signature() {
    let target = MemoryTarget::new(cluster());
    let (_, done) = create(&target, "shop", config("a", json!({"k": "1"}))).await;
    assert!(done.wrote && done.live.is_some_and(|live| live.owner == Owner::This));
    let owner = async |app: &str| look(&target, app, &id("a")).await.unwrap().owner;
    assert_eq!(owner("blog").await, Owner::Other(app("shop")));
    // A copied label proves nothing.
    let mut copy = config("copy", json!({}));
    copy["metadata"]["labels"] = json!({"gitops.memory/part-of": "shop"});
    target.cluster().create("somebody", &copy).unwrap();
    let copied = look(&target, "shop", &id("copy")).await.unwrap();
    assert_eq!(copied.owner, Owner::Unproven);
    // Nor does a signature on what a controller made.
    target
        .cluster()
        .update("x", &id("a"), |o| {
            o["metadata"]["ownerReferences"] = json!([{"controller": true}]);
        })
        .unwrap();
    assert_eq!(owner("shop").await, Owner::Unproven);
    target.cluster().update("x", &id("a"), |o| o["metadata"]["ownerReferences"] = json!([])).unwrap();
    // Without the mark it is ours to mend if it is wanted, and no member otherwise.
    target.cluster().update("x", &id("a"), |o| o["metadata"]["labels"] = json!({})).unwrap();
    assert_eq!((owner("shop").await, owner("blog").await), (Owner::This, Owner::Nobody));
    let all = Observe::Everything { also: Vec::new() };
    assert!(target.observe(&cx(), &app("shop"), &all).await.unwrap().live.is_empty());
    target
        .cluster()
        .update("x", &id("a"), |o| o["metadata"]["labels"] = json!({"gitops.memory/part-of": "blog"}))
        .unwrap();
    assert_eq!((owner("shop").await, owner("blog").await), (Owner::This, Owner::Unproven));
}

#[tokio::test]
async fn comparing_sees_what_git_states_and_nothing_else() {
    let target = MemoryTarget::new(cluster());
    let (placed, _) = create(&target, "shop", config("a", json!({"k": "1"}))).await;
    let rules = IgnoreRules::default();
    let compare = async || target.compare(&placed, &look(&target, "shop", &id("a")).await.unwrap(), &rules);
    assert_eq!(compare().await, Comparison::InSync);
    target.cluster().update("x", &id("a"), |o| o["data"]["other"] = json!("x")).unwrap();
    target.cluster().update_status("x", &id("a"), json!({"ready": true})).unwrap();
    assert_eq!(compare().await, Comparison::InSync);
    target.cluster().update("x", &id("a"), |o| o["data"]["k"] = json!("2")).unwrap();
    let Comparison::Differs(differences) = compare().await else { panic!() };
    assert_eq!((differences.len(), differences[0].writer.as_deref()), (1, Some("x")));
    // The right value, in somebody else's hands: only an apply makes it ours again.
    target.cluster().update("x", &id("a"), |o| o["data"]["k"] = json!("1")).unwrap();
    assert_eq!(compare().await, Comparison::Unsure);
}

#[tokio::test]
async fn fields_that_are_left_to_others_are_not_taken_away() {
    let target = MemoryTarget::new(cluster());
    let (placed, _) = create(&target, "shop", config("a", json!({"ours": "1", "theirs": "1"}))).await;
    let update = async |value: &str| {
        let object = config("a", json!({ "ours": value }));
        let left = vec![".data.theirs".parse().unwrap()];
        let desired = Arc::new((*placed).clone().with_object(&object).with_left(left));
        let session = begin(&target, "shop").await.unwrap();
        let uid = look(&target, "shop", &id("a")).await.unwrap().token.incarnation;
        session.run(&cx(), &step(Action::Update, Expect::Same(uid), &desired)).await.unwrap();
        target.cluster().get(&id("a")).unwrap()["data"].clone()
    };
    assert_eq!(update("2").await, json!({"ours": "2", "theirs": "1"}));
    target.cluster().update("hpa", &id("a"), |o| o["data"]["theirs"] = json!("5")).unwrap();
    assert_eq!(update("3").await, json!({"ours": "3", "theirs": "5"}));
    target
        .cluster()
        .update("hpa", &id("a"), |o| {
            o["data"].as_object_mut().unwrap().remove("theirs");
        })
        .unwrap();
    assert_eq!(update("4").await, json!({"ours": "4"}));
}

#[tokio::test]
async fn labels_that_are_no_map_are_an_error_and_no_panic() {
    let target = MemoryTarget::new(cluster());
    for labels in [json!("text"), json!(["a"]), json!(7)] {
        let mut object = config("a", json!({}));
        object["metadata"]["labels"] = labels;
        let placed = place(&target, vec![object]).await.remove(0);
        let session = begin(&target, "shop").await.unwrap();
        let refused = session.run(&cx(), &step(Action::Create, Expect::Absent, &placed)).await.unwrap_err();
        assert_eq!(refused.class, Class::Invalid);
    }
    let mut object = config("a", json!({}));
    object["metadata"]["labels"] = json!(null);
    create(&target, "shop", object).await;
    assert_eq!(
        target.cluster().get(&id("a")).unwrap()["metadata"]["labels"]["gitops.memory/part-of"],
        "shop"
    );
}

#[tokio::test]
async fn what_is_remembered_goes_with_the_objects() {
    let target = MemoryTarget::new(cluster());
    for n in 0..5 {
        create(&target, "shop", config(&format!("job-{n}"), json!({}))).await;
        target.cluster().delete("ttl", &id(&format!("job-{n}"))).unwrap();
    }
    create(&target, "blog", config("other", json!({}))).await;
    target.observe(&cx(), &app("shop"), &Observe::Everything { also: Vec::new() }).await.unwrap();
    assert_eq!(target.memos().len(), 1);
}
