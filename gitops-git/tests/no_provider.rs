//! A program that has installed no TLS provider. It has this one test, since a provider is for the whole process.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use common::{cx, fault};
use gitops_core::{Class, RefSpec, Source};
use gitops_git::{GitError, GitSource};

#[tokio::test]
async fn a_missing_tls_provider_is_an_error_and_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let source = GitSource::builder("https://localhost:1/repo").with_mirror_dir(dir.path()).build().unwrap();
    let fault = fault(source.resolve(&cx(), &RefSpec::Default).await);
    assert_eq!(fault.class, Class::Invalid, "{fault}");
    assert!(matches!(fault.source.downcast_ref(), Some(GitError::NoTlsProvider)), "{fault:?}");
    assert!(fault.to_string().contains("install_default"), "{fault}");
}
