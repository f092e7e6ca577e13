//! The permissions that are published. That they suffice, and that planning needs no other, is tested with a cluster.

use serde_json::Value;

fn documents() -> Vec<Value> {
    let text = include_str!("../../rbac.yaml");
    text.split("\n---\n").map(|document| serde_saphyr::from_str(document).unwrap()).collect()
}

fn texts<'a>(rule: &'a Value, field: &str) -> Vec<&'a str> {
    rule[field].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_published_roles_are_narrow() {
    let documents = documents();
    let roles: Vec<_> = documents.iter().filter(|document| document["kind"] == "Role").collect();
    assert_eq!(roles.len(), 4);
    for document in &documents {
        assert!(
            ["Role", "RoleBinding", "ServiceAccount"].contains(&document["kind"].as_str().unwrap()),
            "{document}"
        );
        assert!(
            document["metadata"]["namespace"].is_string(),
            "nothing is for the whole cluster: {document}"
        );
        assert!(!document.to_string().contains('*'), "{document}");
    }
    let dangerous = ["escalate", "bind", "impersonate", "deletecollection"];
    for role in roles {
        let name = role["metadata"]["name"].as_str().unwrap();
        for rule in role["rules"].as_array().unwrap() {
            let verbs = texts(rule, "verbs");
            assert!(!verbs.iter().any(|verb| dangerous.contains(verb)), "{name}");
            let reads_only = ["gitops-shop-planner", "gitops-shop-record"].contains(&name);
            assert!(
                !reads_only || verbs.iter().all(|verb| ["get", "list"].contains(verb)),
                "{name}: {verbs:?}"
            );
            // Of Secrets, only the records: in their own namespace, and the planner's by its name.
            if texts(rule, "resources").contains(&"secrets") {
                assert_eq!(role["metadata"]["namespace"], "gitops-system");
                assert!(!verbs.contains(&"list") && !verbs.contains(&"watch"), "{name}");
                assert!(!reads_only || texts(rule, "resourceNames") == ["gitops-app-shop"], "{name}");
            }
        }
    }
}
