//! What a mistake, or somebody's forgery, cannot delete.

use super::*;
use crate::GroupKind;

/// Commits that leave nothing of the application, each in another way. None of them deletes anything by itself.
#[tokio::test(start_paused = true)]
async fn an_emptied_application_waits_for_approval() {
    for (what, files) in [
        (
            "an emptied directory",
            [("shop/ns.yaml", None), ("shop/web.yaml", None), ("shop/README", Some("x"))],
        ),
        (
            "files that say nothing",
            [("shop/ns.yaml", Some("# x\n")), ("shop/web.yaml", Some("---\n")), ("a", Some("x"))],
        ),
        (
            "an empty list",
            [
                ("shop/ns.yaml", None),
                ("shop/web.yaml", Some("apiVersion: v1\nkind: List\nitems: []\n")),
                ("a", Some("x")),
            ],
        ),
    ] {
        let mut world = World::new(|app| app.with_prune_kind(GroupKind::new("", "Namespace")));
        world.commit("first", &[("web", Some("one"))]);
        beside!(world, {
            world.finished().await;
            world.source.commit("Cleo", what, files).unwrap();
            world.approval_needed().await;
            world.over(seconds(7200)).await;
            assert_eq!(world.cluster.ids().len(), 2, "{what}");
        });
    }
}

/// A path that was changed by mistake: to another directory, and to none.
#[tokio::test(start_paused = true)]
async fn a_changed_path_waits_for_approval() {
    let world = World::new(|app| app);
    world.commit("first", &[("web", Some("one")), ("api", Some("one"))]);
    let other = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other, namespace: shop}\n";
    world.source.commit("Ada", "another application", [("other/a.yaml", Some(other))]).unwrap();
    let mut world = world;
    beside!(world, {
        world.finished().await;
        assert_eq!(world.cluster.ids().len(), 3);
    });
    let World { source, cluster, .. } = world;
    let mut world = World::with(source, cluster, |app| {
        app.with_path("other").with_prune_kind(GroupKind::new("", "Namespace"))
    });
    beside!(world, {
        world.approval_needed().await;
        world.over(seconds(7200)).await;
        assert_eq!(world.cluster.ids().len(), 3, "nothing is created or deleted by such a plan");
    });
    let World { source, cluster, .. } = world;
    let mut world = World::with(source, cluster, |app| app.with_path("shpo"));
    beside!(world, {
        let told = world.over(seconds(7200)).await;
        assert!(told.iter().any(|event| matches!(event, EventKind::SourceFailed { .. })), "{told:?}");
        assert_eq!(world.cluster.ids().len(), 3);
    });
}

/// An application under another name is another application: what the first one made is not its to take or delete.
#[tokio::test(start_paused = true)]
async fn a_changed_name_takes_and_deletes_nothing() {
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    beside!(world, {
        world.finished().await;
    });
    let World { source, cluster, .. } = world;
    let target = MemoryTarget::new(cluster.clone());
    let app = Application::builder("renamed", source.clone(), target)
        .with_path("shop")
        .with_prune(Prune::Unguarded);
    let reconciler = Reconciler::builder().with_application(app.build().unwrap()).build().unwrap();
    let events = reconciler.subscribe();
    let mut world = World { source, cluster, reconciler, events };
    beside!(world, {
        let told = world.over(seconds(60)).await;
        let refused = |event: &EventKind| match event {
            EventKind::Object { outcome, .. } => {
                matches!(outcome.verdict, Verdict::Skipped { .. } | Verdict::Failed { .. })
            }
            _ => false,
        };
        assert_eq!(told.iter().filter(|event| refused(event)).count(), 2, "{told:?}");
        world.source.commit("Cleo", "gone", [("shop/web.yaml", None)]).unwrap();
        world.over(seconds(7200)).await;
        assert_eq!(world.cluster.ids().len(), 2);
    });
}

/// Kinds that take more with them than themselves stay unless the policy names them, also when all else may go.
#[tokio::test(start_paused = true)]
async fn precious_kinds_are_deleted_only_when_the_policy_names_them() {
    let precious = [
        ("", "Namespace", "apiVersion: v1\nkind: Namespace\nmetadata: {name: extra}\n"),
        (
            "",
            "PersistentVolumeClaim",
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: shop}\n",
        ),
        (
            "apiextensions.k8s.io",
            "CustomResourceDefinition",
            "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: as.example.org}\n",
        ),
    ];
    for (group, kind, text) in precious {
        for named in [false, true] {
            let cluster = MemoryCluster::new();
            let scope = if kind == "PersistentVolumeClaim" {
                crate::Scope::Namespaced
            } else {
                crate::Scope::Cluster
            };
            cluster.serve(group, kind, scope);
            let mut world = World::with(MemorySource::new("config"), cluster, |app| {
                let app = app.with_prune(Prune::Unguarded);
                if named { app.with_prune_kind(GroupKind::new(group, kind)) } else { app }
            });
            world.commit("first", &[("web", Some("one"))]);
            world.source.commit("Ada", "precious", [("shop/precious.yaml", Some(text))]).unwrap();
            beside!(world, {
                world.finished().await;
                assert_eq!(world.cluster.ids().len(), 3, "{kind}");
                world.source.commit("Ada", "gone", [("shop/precious.yaml", None)]).unwrap();
                world.over(seconds(60)).await;
                assert_eq!(world.cluster.ids().len(), if named { 2 } else { 3 }, "{kind} {named}");
            });
        }
    }
}
