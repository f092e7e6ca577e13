//! A program that has installed no TLS provider. It has this one test, since a provider is for the whole process.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

use gitops_core::Class;
use gitops_image::{RegistryClient, RegistryError};

#[test]
fn a_missing_tls_provider_is_an_error_and_no_panic() {
    let error = RegistryClient::builder().build().unwrap_err();
    assert!(matches!(error, RegistryError::NoTlsProvider(_)), "{error:?}");
    assert_eq!(error.class(), Class::Invalid);
    assert!(error.to_string().contains("install_default"), "{error}");
}
