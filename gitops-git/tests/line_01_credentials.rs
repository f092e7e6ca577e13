//! A planted token turns up nowhere but at the server.
#![cfg(feature = "https")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::fmt::Write as _;
use std::time::Duration;

use common::cgi::answer_of;
use common::log::listen;
use common::server::{Reply, Request};
use common::{Repo, Server, cx, http, sync};
use gitops_core::{Cx, Fault, RefSpec, Source};
use gitops_git::{Basic, Credentials, GitSource, Token, TokenFile};

const TOKEN: &str = "tok+en/pl4nted==&?";
/// The token in base64, as it is, and behind a user name of each length modulo three.
const ENCODED: [&str; 4] =
    ["dG9rK2VuL3BsNG50ZWQ9PSY/", "b2srZW4vcGw0bnRlZD09Jj", "rK2VuL3BsNG50ZWQ9PSY", "a2VuL3BsNG50ZWQ9PSY_"];
const URL_ENCODED: &str = "tok%2Ben%2Fpl4nted%3D%3D%26%3F";

/// What the server is told to do, given its port.
type Change = fn(&mut common::Behaviour, u16);

/// Until a deadline is passed on purpose, and never.
const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(60);

fn assert_clean(what: &str, text: &str) {
    for secret in ENCODED.iter().chain(&[TOKEN, URL_ENCODED, "pl4nted"]) {
        assert!(!text.contains(secret), "{what} holds {secret}: {text}");
    }
}

/// A proxy has credentials too, and they come in a variable.
#[test]
fn the_token_of_a_proxy_is_nowhere() {
    let repo = Repo::new();
    let proxy = Server::start(repo.root());
    proxy.behave(|b| b.status = Some(("407 Proxy Authentication Required", vec![])));
    let url = proxy.url().replace("http://", &format!("http://bot:{URL_ENCODED}@"));
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "through_a_proxy"])
        .envs(["http_proxy", "https_proxy", "HTTPS_PROXY"].map(|name| (name, &url)))
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && said.contains("1 passed"), "{said}");
    let requests = proxy.take_requests();
    let authorized = requests.iter().filter(|request| request.header("proxy-authorization").is_some());
    assert!(authorized.count() >= 2, "{requests:?}");
}

/// What [`the_token_of_a_proxy_is_nowhere`] runs with the variables of a proxy; on its own there is nobody to be found.
#[tokio::test]
async fn through_a_proxy() {
    let log = listen();
    let dir = tempfile::tempdir().unwrap();
    let mut shown = String::new();
    for url in ["http://git.invalid/repo.git", "https://git.invalid/repo.git"] {
        let source = http(url, dir.path()).build().unwrap();
        write!(shown, "{source:?}").unwrap();
        let result = source.resolve(&cx(), &RefSpec::Default).await;
        assert!(result.is_err());
        note(&mut shown, result.map(drop));
    }
    let log = log.text();
    assert!(log.contains("TRACE") && log.contains("git.invalid"), "{log}");
    assert_clean("what is shown", &shown);
    assert_clean("the log", &log);
}

/// The same for a proxy that the program has given.
#[tokio::test]
async fn the_password_of_a_given_proxy_is_nowhere() {
    let log = listen();
    let repo = Repo::with(&[("v", "1")]);
    let authority = common::tls::Authority::new();
    let server = Server::start_tls(repo.root(), authority.server("git.invalid", false));
    let url = format!("https://git.invalid:{}/repo.git", server.port());
    let mut shown = String::new();
    for admits in [TOKEN, "another"] {
        let proxy = common::proxy::Proxy::start(Some(common::basic("bot", admits)));
        let with_user = proxy.url().replace("http://", &format!("http://bot:{URL_ENCODED}@"));
        let build = || http(&url, &repo.mirrors()).with_ca_pem(authority.pem());
        for builder in [
            build().with_proxy(with_user),
            build().with_proxy(proxy.url()).with_proxy_credentials(Basic::new("bot", TOKEN)),
        ] {
            write!(shown, "{builder:?}").unwrap();
            let source = builder.build().unwrap();
            write!(shown, "{source:?}").unwrap();
            let result = sync(&source).await;
            assert_eq!(result.is_ok(), admits == TOKEN);
            note(&mut shown, result.map(drop));
        }
        let seen = proxy.take_seen().requests;
        assert!(
            seen.len() >= 2
                && seen.iter().all(|request| request.contains("Ym90OnRvaytlbi9wbDRudGVkPT0mPw==")),
            "{seen:?}"
        );
    }
    let log = log.text();
    assert!(log.contains("TRACE") && shown.contains("407"), "{shown}");
    assert_clean("what is shown", &shown);
    assert_clean("the log", &log);
    assert_clean_files(&repo.mirrors());
}

#[tokio::test]
async fn a_planted_token_is_nowhere_over_https() {
    let log = listen();
    let repo = Repo::with(&[("v", "1")]);
    let authority = common::tls::Authority::new();
    let server = Server::start_tls(repo.root(), authority.server("localhost", false));
    let mut shown = String::new();
    let build = || common::https("localhost", &server, &repo).with_credentials(Token::new(TOKEN));
    let source = build().with_ca_pem(authority.pem()).build().unwrap();
    sync(&source).await.unwrap();
    for status in ["401 No", "500 Oops", "302 Elsewhere"] {
        server.behave(|b| b.status = Some((status, vec![("Location", "https://localhost:1/x".to_owned())])));
        note(&mut shown, source.resolve(&cx(), &RefSpec::Default).await.map(drop));
    }
    note(&mut shown, build().build().unwrap().resolve(&cx(), &RefSpec::Default).await.map(drop));
    let requests = server.take_requests();
    assert!(requests.iter().all(|request| request.header("authorization").is_some()), "{requests:?}");
    let log = log.text();
    assert!(log.contains("rustls") && log.contains("TRACE"), "{log}");
    assert_clean("what is shown", &shown);
    assert_clean("the log", &log);
    assert_clean_files(&repo.mirrors());
}

#[tokio::test]
async fn a_planted_token_is_nowhere() {
    let log = listen();
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    let file = repo.root().join("token");
    std::fs::write(&file, TOKEN).unwrap();
    let with_token = server.url().replace("http://", &format!("http://bot:{URL_ENCODED}@"));
    let as_user = server.url().replace("http://", &format!("http://{URL_ENCODED}@"));
    let mut shown = String::new();
    let builders = [
        http(&server.url(), &repo.mirrors()).with_credentials(Token::new(TOKEN)),
        http(&server.url(), &repo.mirrors()).with_credentials(Basic::new(TOKEN, TOKEN)),
        http(&server.url(), &repo.mirrors()).with_credentials(TokenFile::new(&file)),
        http(&with_token, &repo.mirrors()),
        http(&as_user, &repo.mirrors()),
    ];
    for builder in builders {
        write!(shown, "{builder:?}").unwrap();
        let source = builder.build().unwrap();
        write!(shown, "{source:?} {source:#?} {}", source.identity()).unwrap();
        server.behave(|b| *b = common::Behaviour::default());
        let snapshot = sync(&source).await.unwrap();
        write!(shown, "{:?}", snapshot.revision()).unwrap();
        note(&mut shown, snapshot.read(&common::path("missing"), 9).map(drop));
        // Everything goes wrong that can.
        let everything: [(Change, Duration); 6] = [
            (|b, _| b.authorization = Some("another".into()), LONG),
            (|b, _| b.redirect = Some("http://localhost:1/elsewhere".into()), LONG),
            (|b, port| b.redirect = Some(format!("http://127.0.0.1:{port}/repo.git")), LONG),
            (|b, _| b.status = Some(("500 Oops", vec![])), LONG),
            (|b, _| b.hang_at = Some("info/refs".into()), SHORT),
            (|b, _| b.hang_after = Some(90), SHORT),
        ];
        for (change, timeout) in everything {
            let port = server.port();
            server.behave(|b| {
                *b = common::Behaviour::default();
                change(b, port);
            });
            repo.commit("next", &[]);
            let context = Cx::with_timeout(timeout);
            let result = source.resolve(&context, &RefSpec::Default).await;
            if let Ok(revision) = &result {
                note(&mut shown, source.fetch(&context, revision).await.map(drop));
            }
            note(&mut shown, result.map(drop));
        }
    }
    for url in [
        with_token.replace("http://", "https://") + "?x",
        with_token.replace("http://", "ssh://"),
        with_token.replace("http://", "http://["),
        with_token.clone(),
    ] {
        let error = GitSource::builder(url).with_mirror_dir(repo.mirrors()).build().unwrap_err();
        write!(shown, "{error} {error:?}").unwrap();
    }
    std::fs::write(&file, format!("{TOKEN}\n{TOKEN}")).unwrap();
    let source =
        http(&server.url(), &repo.mirrors()).with_credentials(TokenFile::new(&file)).build().unwrap();
    note(&mut shown, source.resolve(&cx(), &RefSpec::Default).await.map(drop));
    write!(shown, "{:?}", Credentials::from(Token::new(TOKEN).with_user(TOKEN))).unwrap();

    // The test looks at something: the server got the token, and the log has our own lines and others'.
    let requests = server.take_requests();
    let sent = requests.iter().filter(|request| request.header("authorization").is_some()).count();
    assert!(sent > 20 && sent == requests.len(), "{sent} of {}", requests.len());
    assert!(format!("{requests:?}").contains(ENCODED[2]), "{requests:?}");
    let log = log.text();
    assert!(log.contains("gitops_git") && log.contains("TRACE"), "{log}");
    assert!(shown.contains("401") && shown.contains("localhost:1"), "{shown}");
    assert_clean("what is shown", &shown);
    assert_clean("the log", &log);
    assert_clean_files(&repo.mirrors());
}

/// A server that repeats what it was sent, wherever its words turn up.
#[tokio::test]
async fn a_server_that_repeats_the_token_is_not_quoted() {
    let log = listen();
    let repo = Repo::with(&[("v", "1")]);
    let server = Server::start(repo.root());
    let as_user = server.url().replace("http://", &format!("http://{URL_ENCODED}@"));
    let mut shown = String::new();
    for builder in [
        http(&server.url(), &repo.mirrors()).with_credentials(Token::new(TOKEN)),
        http(&as_user, &repo.mirrors()),
    ] {
        let source = builder.build().unwrap();
        let ways = [(in_an_error as Way, true), (in_a_header, false), (in_a_redirect, false)];
        for (answer, to_fetches) in ways {
            server.behave(|b| {
                b.answers = Some(std::sync::Arc::new(move |request| {
                    let is_fetch = request.body.windows(13).any(|part| part == b"command=fetch");
                    (is_fetch || !to_fetches).then(|| answer(request))
                }));
            });
            let result = sync(&source).await;
            assert!(result.is_err());
            note(&mut shown, result.map(drop));
        }
    }
    let log = log.text();
    assert!(log.contains("TRACE") && shown.contains("localhost:1/…"), "{shown}");
    assert!(shown.contains("is refused: …") && shown.contains("page for …"), "{shown}");
    assert_clean("what is shown", &shown);
    assert_clean("the log", &log);
    assert_clean_files(&repo.mirrors());
}

type Way = fn(&Request) -> Reply;

fn in_an_error(request: &Request) -> Reply {
    let line = format!("ERR {TOKEN} is refused: {}\n", sent(request));
    let body = format!("{:04x}{line}", line.len() + 4);
    Reply::Whole(answer_of("200 OK", &[("Content-Type", "application/x-git-upload-pack-result")], body))
}

fn in_a_header(request: &Request) -> Reply {
    let kind = format!("page for {} or {TOKEN}", sent(request));
    Reply::Whole(answer_of("200 OK", &[("Content-Type", &kind)], ""))
}

fn in_a_redirect(request: &Request) -> Reply {
    let elsewhere = format!("http://localhost:1/{}", sent(request));
    Reply::Whole(answer_of("302 Elsewhere", &[("Location", &elsewhere)], ""))
}

/// The credential, as it came.
fn sent(request: &Request) -> &str {
    request.header("authorization").unwrap().strip_prefix("Basic ").unwrap()
}

fn note(shown: &mut String, result: Result<(), Fault>) {
    if let Err(fault) = result {
        writeln!(shown, "{fault} {fault:?} {:?} {:?}", fault.note(), fault.source).unwrap();
    }
}

fn assert_clean_files(dir: &std::path::Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        assert_clean("a name", path.to_str().unwrap());
        if path.is_dir() {
            assert_clean_files(&path);
        } else {
            assert_clean("a file", &String::from_utf8_lossy(&std::fs::read(&path).unwrap()));
        }
    }
}
