//! A kubeconfig runs nothing, and makes us nobody, unless that was asked for.

use std::os::unix::fs::PermissionsExt as _;

use gitops_kube::{ConnectOptions, KubeError, KubeTarget, connect};
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::api::{Api, answer, faults, provider};

async fn config(user: &str, server: &str) -> kube::Config {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n\
         contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {user}}}]\n"
    );
    let file = Kubeconfig::from_yaml(&text).unwrap();
    kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.unwrap()
}

/// A real file with a real program, which notes that it was run.
#[tokio::test]
async fn a_program_of_a_kubeconfig_is_run_only_when_allowed() {
    provider();
    let dir = tempfile::tempdir().unwrap();
    let (canary, fired) = (dir.path().join("canary"), dir.path().join("fired"));
    let credential = r#"{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {"token": "t"}}"#;
    std::fs::write(&canary, format!("#!/bin/sh\necho x >> '{}'\necho '{credential}'\n", fired.display()))
        .unwrap();
    std::fs::set_permissions(&canary, std::fs::Permissions::from_mode(0o755)).unwrap();
    let api = Api::start(answer("401 Unauthorized", "", "{}"), None);
    let server = format!("http://{}", api.address);
    let user = format!(
        "{{exec: {{apiVersion: client.authentication.k8s.io/v1, command: '{}', interactiveMode: Never}}}}",
        canary.display()
    );
    let refused = connect(config(&user, &server).await, &ConnectOptions::default());
    assert!(matches!(refused, Err(KubeError::ExecRefused { .. })));
    assert!(!fired.exists(), "it was run");
    let provider = "{auth-provider: {name: gcp, config: {cmd-path: '/bin/false'}}}";
    let refused = connect(config(provider, &server).await, &ConnectOptions::default());
    assert!(matches!(refused, Err(KubeError::ExecRefused { .. })));

    // The canary can sing.
    let target = KubeTarget::new(
        connect(config(&user, &server).await, &ConnectOptions::default().with_exec()).unwrap(),
    );
    assert!(!faults(&target).await.is_empty());
    assert!(fired.exists(), "the canary is dead");
}

#[tokio::test]
async fn impersonating_nobody_is_refused() {
    provider();
    let api = Api::start(answer("200 OK", "", "{}"), None);
    let server = format!("http://{}", api.address);
    for user in [
        "{as: ''}",
        "{as: ' '}",
        "{as-groups: ['system:masters']}",
        "{as: '', as-groups: ['system:masters']}",
    ] {
        let refused = connect(config(user, &server).await, &ConnectOptions::default());
        assert!(matches!(refused, Err(KubeError::EmptyImpersonation)), "{user}");
    }
    let ada = connect(config("{as: ada, token: t}", &server).await, &ConnectOptions::default()).unwrap();
    faults(&KubeTarget::new(ada)).await;
    let requests = api.requests();
    assert!(
        requests.iter().all(|request| request.to_ascii_lowercase().contains("impersonate-user: ada")),
        "{requests:?}"
    );
    assert!(!requests.is_empty());
}
