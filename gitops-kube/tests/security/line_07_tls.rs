//! Which API servers are trusted: those whose certificate the configuration's authority has signed, for their name, now.

use std::sync::Arc;

use gitops_core::Class;
use gitops_kube::{ConnectOptions, KubeTarget, connect};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use crate::api::{Api, answer, faults, provider};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn server(name: &str, expired: bool, signer: Option<&Authority>) -> Arc<rustls::ServerConfig> {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    if expired {
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    }
    let certificate = match signer {
        Some(signer) => params.signed_by(&key, signer).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()));
    Arc::new(config.unwrap())
}

fn target(api: &Api, host: &str, trusted: &Authority) -> KubeTarget {
    let mut config = kube::Config::new(format!("https://{host}:{}", api.address.port()).parse().unwrap());
    config.root_cert = Some(vec![trusted.der().to_vec()]);
    config.auth_info.token = Some("s3cr3t".to_owned().into());
    KubeTarget::new(connect(config, &ConnectOptions::default()).unwrap())
}

#[tokio::test]
async fn what_cannot_be_trusted_stays_so() {
    provider();
    let (ours, theirs) = (authority(), authority());
    for (what, host, config) in [
        ("an unknown authority", "localhost", server("localhost", false, Some(&theirs))),
        ("signed by itself", "localhost", server("localhost", false, None)),
        ("another host", "127.0.0.1", server("localhost", false, Some(&ours))),
        ("expired", "localhost", server("localhost", true, Some(&ours))),
    ] {
        let api = Api::start(answer("200 OK", "", "{}"), Some(config));
        let faults = faults(&target(&api, host, &ours)).await;
        assert!(!faults.is_empty(), "{what}");
        for fault in faults {
            assert_eq!(fault.class, Class::Denied, "{what}: {fault}");
            assert!(!fault.is_transient() && fault.to_string().contains("certificate"), "{what}: {fault}");
        }
        assert_eq!(api.requests(), [""; 0], "{what}: nothing was said");
    }
    // The test can tell: who is trusted is asked.
    let api = Api::start(answer("401 Unauthorized", "", "{}"), Some(server("localhost", false, Some(&ours))));
    assert!(!faults(&target(&api, "localhost", &ours)).await.is_empty());
    assert!(api.requests().iter().any(|request| request.contains("Bearer s3cr3t")));
}
