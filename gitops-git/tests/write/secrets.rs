//! Who we are to a server is told to nobody.

use gitops_core::Fault;
use gitops_git::Basic;

use crate::common::{Repo, Server, basic, cx, git, http};
use crate::scene::{ada, on_main, put};

const SECRET: &str = "pl4nted-t0ken";

fn is_silent(text: &str) {
    let encoded = basic("bot", SECRET).replace("Basic ", "");
    for secret in [SECRET, &encoded] {
        assert!(!text.contains(secret), "{text}");
    }
}

fn told(fault: &Fault) {
    is_silent(&format!("{fault} {fault:?}"));
}

#[tokio::test]
async fn line_01_neither_tokens_nor_keys_are_told() {
    let repo = Repo::with(&[("a", "1\n")]);
    git(&repo.bare(), &["config", "http.receivepack", "true"]);
    let server = Server::start(repo.root());
    server.behave(|b| b.authorization = Some(basic("bot", "another")));
    let url = server.url().replace("http://", &format!("http://bot:{SECRET}@"));
    let given = http(&server.url(), &repo.mirrors()).with_credentials(Basic::new("bot", SECRET));
    for source in [http(&url, &repo.mirrors()).build().unwrap(), given.build().unwrap()] {
        let writer = source.writer(ada());
        is_silent(&format!("{writer:?}"));
        told(&writer.commit(&cx(), &on_main(), put("a", "2\n")).await.unwrap_err());
        server.behave(|b| b.status = Some(("500 Oops", vec![])));
        told(&writer.commit(&cx(), &on_main(), put("a", "2\n")).await.unwrap_err());
        server.behave(|b| b.status = None);
    }
    #[cfg(feature = "sign")]
    {
        use gitops_git::write::SigningKey;
        let wrong = SigningKey::ssh(format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n")).unwrap_err();
        is_silent(&format!("{wrong} {wrong:?}"));
        let wrong = SigningKey::openpgp("-----BEGIN PGP PRIVATE KEY BLOCK-----", Some(SECRET)).unwrap_err();
        is_silent(&format!("{wrong} {wrong:?}"));
    }
}
