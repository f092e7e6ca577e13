//! The token goes to the API server that it was given for.

use gitops_kube::{ConnectOptions, KubeTarget, connect};

use crate::api::{Api, answer, faults, provider};

#[tokio::test]
async fn a_redirect_is_not_followed() {
    provider();
    let other = Api::start(answer("200 OK", "", "{}"), None);
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let location = format!("Location: http://{}/api\r\n", other.address);
        let api = Api::start(answer(status, &location, "{}"), None);
        let mut config = kube::Config::new(format!("http://{}", api.address).parse().unwrap());
        config.auth_info.token = Some("s3cr3t".to_owned().into());
        let target = KubeTarget::new(connect(config, &ConnectOptions::default()).unwrap());
        assert!(!faults(&target).await.is_empty(), "{status}");
        assert!(!api.requests().is_empty());
    }
    assert_eq!(other.requests(), [""; 0]);
}
