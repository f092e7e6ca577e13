//! Addresses that only this machine can reach.

use gitops_core::Class;
use gitops_git::{GitError, GitSource};

use crate::common::{Repo, Server, fault, provider, sync};

#[tokio::test]
async fn special_addresses_need_to_be_allowed() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    provider();
    let build = |url: &str| GitSource::builder(url).allow_http().with_mirror_dir(repo.mirrors());
    // An address is refused at once; a name is refused by what it resolves to.
    for host in ["127.0.0.1", "[::1]", "169.254.169.254"] {
        let error = build(&format!("http://{host}:{}/repo.git", server.port())).build().unwrap_err();
        assert!(matches!(error, GitError::AddressRefused { .. }), "{error:?}");
    }
    let by_name = format!("http://localhost:{}/repo.git", server.port());
    let refused = fault(sync(&build(&by_name).build().unwrap()).await);
    assert_eq!(refused.class, Class::Invalid, "{refused}");
    assert!(refused.to_string().contains("allow_loopback"), "{refused}");
    assert_eq!(server.take_requests().len(), 0);
    sync(&build(&by_name).allow_loopback().build().unwrap()).await.unwrap();
}

/// However an address is spelled, it is the address that counts.
#[test]
fn spellings_of_special_addresses_are_known() {
    provider();
    for host in [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "0",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.43518",
        "2852039166",
        "0xa9fea9fe",
        "0251.0376.0251.0376",
        "[::ffff:169.254.169.254]",
        "[::a9fe:a9fe]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "[fe80::a9fe:a9fe]",
        "[fd00:ec2::254]",
        "[fd00:ec2::23]",
        "[fd20:ce::254]",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "１６９.254.169.254",
    ] {
        let url = format!("https://{host}/config.git");
        let Err(error) = GitSource::builder(&url).with_mirror_dir("/nowhere").build() else {
            panic!("{host} was accepted");
        };
        assert!(matches!(error, GitError::AddressRefused { .. }), "{host}: {error:?}");
        assert_eq!(error.class(), Class::Invalid);
    }
}

/// A redirect does not lead around the check either.
#[tokio::test]
async fn redirects_to_special_addresses_fail() {
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    for to in [
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:a9fe:a9fe]/",
        "http://metadata.google.internal/",
    ] {
        server.behave(|b| b.redirect = Some(to.into()));
        let source = crate::common::http(&server.url(), &repo.mirrors()).build().unwrap();
        let start = std::time::Instant::now();
        let refused = fault(sync(&source).await);
        assert_eq!(refused.class, Class::Invalid, "{to}: {refused}");
        assert!(start.elapsed().as_secs() < 5, "nothing was tried");
    }
}

/// A proxy connects in our place; but what is an address in the URL already is refused by us, as it is without one.
#[tokio::test]
async fn addresses_are_refused_whatever_the_proxy() {
    let repo = Repo::with(&[("v", "1")]);
    let proxy = crate::common::proxy::Proxy::start(None);
    provider();
    let build = |host: &str| {
        let source = GitSource::builder(format!("https://{host}/repo.git")).with_mirror_dir(repo.mirrors());
        source.with_proxy(proxy.url()).build()
    };
    for host in ["127.0.0.1", "2130706433", "[::1]", "169.254.169.254", "[::ffff:a9fe:a9fe]"] {
        let error = build(host).unwrap_err();
        assert!(matches!(error, GitError::AddressRefused { .. }), "{host}: {error:?}");
    }
    assert!(proxy.take_seen().requests.is_empty());
    // The proxy itself may be on this machine, by its name too; and other names are its business.
    for url in [proxy.url(), proxy.url().replace("127.0.0.1", "localhost")] {
        let source = GitSource::builder("https://git.invalid/repo.git").with_mirror_dir(repo.mirrors());
        assert!(sync(&source.with_proxy(url).build().unwrap()).await.is_err());
        assert!(proxy.take_seen().requests[0].starts_with("CONNECT git.invalid:443 "));
    }
}
