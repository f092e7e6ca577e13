//! A planted token turns up nowhere but at the host.

use std::fmt::Write as _;
use std::time::Duration;

use gitops_core::{Cx, Fault};
use gitops_git::pull_request::{GitHub, Gitea, Opened, PullRequests};
use gitops_git::{Basic, Token, TokenFile};

use super::common::forge::{Kind, Trouble, says};
use super::common::server::Reply;
use super::common::{cx, log};
use super::{KINDS, Settings, Stage, wanted};

const PLANTED: &str = "tok+en/pl4nted==";
const URL_ENCODED: &str = "tok%2Ben%2Fpl4nted%3D%3D";

fn note(shown: &mut String, done: Result<Opened, Fault>) {
    match done {
        Ok(opened) => write!(shown, "{opened:?}").unwrap(),
        Err(fault) => writeln!(shown, "{fault} {fault:?} {:?}", fault.note()).unwrap(),
    }
}

#[tokio::test]
async fn line_01_a_planted_token_is_nowhere() {
    let log = log::listen();
    let mut shown = String::new();
    for kind in KINDS {
        let stage = Stage::new(kind);
        stage.forge.with(|state| state.token = PLANTED.into());
        let file = stage.root.path().join("token");
        std::fs::write(&file, format!("{PLANTED}\n")).unwrap();
        let patience = Duration::from_secs(30);
        for host in [
            stage.host_with(Token::new(PLANTED), patience),
            stage.host_with(Basic::new("bot", PLANTED), patience),
            stage.host_with(TokenFile::new(&file), patience),
        ] {
            write!(shown, "{host:?} {host:#?}").unwrap();
            stage.forge.be_well();
            note(&mut shown, host.open_or_update(&cx(), &wanted()).await);
            for status in ["401 No", "403 No", "404 No", "422 No", "500 Oops", "200 OK", "302 Found"] {
                // A host, or something before it, that repeats what it was sent.
                stage.forge.plan(move |request| {
                    let sent = request.header("authorization").unwrap();
                    let answer = says(status, &format!("you said {sent}"));
                    Some(Trouble::Instead(Reply::Whole(answer)))
                });
                note(&mut shown, host.open_or_update(&cx(), &wanted()).await);
            }
            stage.forge.plan(|_| Some(Trouble::Instead(Reply::Silence)));
            let short = Cx::with_timeout(Duration::from_millis(150));
            note(&mut shown, host.open_or_update(&short, &wanted()).await);
        }
        // In the URL of the repository.
        let url = stage.url().replace("http://", &format!("http://bot:{URL_ENCODED}@"));
        stage.forge.be_well();
        write!(shown, "{:?}", GitHub::builder(&url)).unwrap();
        let settings = || Settings { timeout: patience, credentials: None };
        let host: Box<dyn PullRequests> = match kind {
            Kind::GitHub => Box::new(settings().of(GitHub::builder(&url)).build().unwrap()),
            Kind::Gitea => Box::new(settings().of(Gitea::builder(&url)).build().unwrap()),
        };
        write!(shown, "{host:?}").unwrap();
        note(&mut shown, host.open_or_update(&cx(), &wanted()).await);
        for bad in [url.replace("/platform/config", ""), format!("{url}?x"), url.replace("http:", "ssh:")] {
            let error = settings().of(GitHub::builder(bad)).build().unwrap_err();
            write!(shown, "{error} {error:?}").unwrap();
        }
        let requests = stage.server.take_requests();
        let sent = requests.iter().filter(|r| r.header("authorization").is_some_and(|a| a.contains(PLANTED)));
        assert_eq!(sent.count(), requests.len(), "the test looks at something");
        assert!(requests.len() > 20);
    }
    let log = log.text();
    assert!(log.contains("TRACE") && log.contains("127.0.0.1"), "{log}");
    assert!(shown.contains("Unchanged") && shown.contains("you said"), "{shown}");
    for secret in [
        PLANTED,
        URL_ENCODED,
        "pl4nted",
        "dG9rK2VuL3BsNG50ZWQ9P",
        "b2srZW4vcGw0bnRlZD09",
        "rK2VuL3BsNG50ZWQ9P",
    ] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}
