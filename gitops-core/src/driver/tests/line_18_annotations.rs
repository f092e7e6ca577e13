//! What a manifest says about itself never gives it more than the application's policy does.

use super::*;

/// Annotations and labels by which this and other tools are asked for more.
const WISHES: &str = "gitops.io/prune: enabled, gitops.io/force: 'true', gitops.io/adopt: 'true', gitops.io/adoption: any, \
gitops.io/replace: 'true', argocd.argoproj.io/sync-options: 'Force=true,Replace=true,Prune=true,ServerSideApply=true', \
kustomize.toolkit.fluxcd.io/force: enabled, kustomize.toolkit.fluxcd.io/prune: enabled, \
kustomize.toolkit.fluxcd.io/ssa: Override, meta.helm.sh/release-name: web, helm.sh/hook: pre-delete, \
cli-utils.sigs.k8s.io/on-remove: delete, client.lifecycle.config.k8s.io/deletion: delete, config.k8s.io/owning-inventory: shop";

fn wishing(name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop, annotations: {{{WISHES}}}, \
         labels: {{app.kubernetes.io/managed-by: gitops}}}}\ndata: {{key: {value}}}\n"
    )
}

#[tokio::test(start_paused = true)]
async fn no_annotation_adopts_forces_or_prunes() {
    let mut world = World::new(|app| app.with_prune(Prune::Never));
    world.commit("first", &[]);
    // Somebody else's object, which bears the same wishes.
    let foreign = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "shop",
        "annotations": {"gitops.io/adopt": "true", "gitops.io/prune": "enabled"}}, "data": {"key": "theirs"}});
    beside!(world, {
        world.finished().await;
        world.cluster.apply("kubectl", &foreign, false).unwrap();
        let (mine, theirs) = (wishing("mine", "one"), wishing("theirs", "ours"));
        let files = [("shop/mine.yaml", Some(mine.as_str())), ("shop/theirs.yaml", Some(theirs.as_str()))];
        world.source.commit("Ada", "wishes", files).unwrap();
        let told = world.over(seconds(600)).await;
        assert_eq!(world.value("mine").as_deref(), Some("one"));
        assert_eq!(world.value("theirs").as_deref(), Some("theirs"), "{told:?}");
        let refused = told.iter().any(|event| match event {
            EventKind::Object { outcome, .. } => {
                outcome.id.name == "theirs"
                    && matches!(outcome.verdict, Verdict::Skipped { .. } | Verdict::Failed { .. })
            }
            _ => false,
        });
        assert!(refused, "{told:?}");
        // The policy prunes nothing, whatever is wished.
        world.source.commit("Ada", "gone", [("shop/mine.yaml", None), ("shop/theirs.yaml", None)]).unwrap();
        world.over(seconds(7200)).await;
        assert_eq!(world.value("mine").as_deref(), Some("one"));
    });
}
