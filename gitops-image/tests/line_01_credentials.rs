//! A planted token turns up nowhere but at the registry and its token service.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail so")]

mod common;

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{client, plain, reply, repository, tag};
use gitops_core::Cx;
use gitops_image::testing::{Access, Registry};
use gitops_image::{RegistryClientBuilder, RegistryCredentials, TagSource as _};
use tracing_subscriber::util::SubscriberInitExt as _;

const TOKEN: &str = "tok+en/pl4nted==&?";
/// The token in base64, as it is, and behind a user name of each length modulo three.
const ENCODED: [&str; 4] =
    ["dG9rK2VuL3BsNG50ZWQ9PSY/", "b2srZW4vcGw0bnRlZD09Jj", "rK2VuL3BsNG50ZWQ9PSY", "a2VuL3BsNG50ZWQ9PSY_"];
const URL_ENCODED: &str = "tok%2Ben%2Fpl4nted%3D%3D%26%3F";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn assert_clean(what: &str, text: &str) {
    for secret in ENCODED.iter().chain(&[TOKEN, URL_ENCODED, "pl4nted"]) {
        assert!(!text.contains(secret), "{what} holds {secret}: {text}");
    }
}

/// All that is logged in this process, also by way of the crate `log`, at every level.
fn listen() -> Log {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish()
        .init();
    log
}

/// What is shown of a client, and of what becomes of its questions.
async fn ask(shown: &mut String, builder: RegistryClientBuilder, host: &str, timeout: Duration) -> usize {
    write!(shown, "{builder:?}").unwrap();
    let client = match builder.build() {
        Ok(client) => client,
        Err(error) => {
            write!(shown, "{error:?} {error}").unwrap();
            return 0;
        }
    };
    let web = repository(host);
    let (first, second) = (Cx::with_timeout(timeout), Cx::with_timeout(timeout));
    let tags = client.tags(&first, &web).await.map(drop);
    let digest = client.digest(&second, &web, &tag("1")).await.map(drop);
    let mut succeeded = 0;
    for result in [tags, digest] {
        match result {
            Ok(()) => succeeded += 1,
            Err(fault) => {
                let event = serde_json::to_string(&fault.note()).unwrap();
                writeln!(shown, "{fault} {fault:?} {event}").unwrap();
            }
        }
    }
    write!(shown, "{client:?}").unwrap();
    succeeded
}

#[tokio::test]
async fn a_planted_token_is_nowhere() {
    let log = listen();
    let mut shown = String::new();
    let both = || {
        [
            RegistryCredentials::basic("bot", TOKEN),
            RegistryCredentials::bearer(TOKEN),
            RegistryCredentials::basic(TOKEN, ""),
        ]
    };
    let access = |password: &str| {
        [
            Access::Everybody,
            Access::Basic { user: "bot".into(), password: password.into() },
            Access::Token { user: "bot".into(), password: password.into(), public: false },
        ]
    };
    let mut succeeded = 0;
    for access in [access(TOKEN), access("another")].into_iter().flatten() {
        let registry = Registry::builder().with_access(access).start().await.unwrap();
        registry.push("shop/web", "1", b"{}").unwrap();
        let builders = || {
            let build = || plain(&registry.host()).allow_credentials_over_http();
            both().map(|given| build().with_credentials(registry.host(), given))
        };
        for builder in builders() {
            succeeded += ask(&mut shown, builder, &registry.host(), Duration::from_secs(60)).await;
        }
        // Servers that send it back, redirect it, or break.
        for (status, name) in [
            (500, "x-echo"),
            (401, "www-authenticate"),
            (302, "location"),
            (200, "link"),
            (200, "x-list"),
            (200, "docker-content-digest"),
        ] {
            registry.answer_with(move |request| {
                let sent =
                    request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
                let echo = sent.unwrap_or_default();
                let value = match name {
                    "location" => format!("http://{TOKEN}@127.0.0.1/{echo}?{URL_ENCODED}"),
                    "link" => format!("<http://127.0.0.1/?{URL_ENCODED}>; rel=next"),
                    "www-authenticate" => {
                        format!("Bearer realm=\"https://{URL_ENCODED}@127.0.0.1:1/?{URL_ENCODED}\"")
                    }
                    _ => echo.clone(),
                };
                let body = format!(
                    r#"{{"tags":["{echo} {TOKEN}"],"errors":[{{"code":"{TOKEN}","message":"{echo}"}}]}}"#
                );
                // What the parser of JSON would repeat.
                let body = if name == "x-list" { format!(r#"{{"tags":"{echo} {TOKEN}"}}"#) } else { body };
                Some(reply(status, &[(name, &value)], body))
            });
            for builder in builders() {
                ask(&mut shown, builder, &registry.host(), Duration::from_secs(60)).await;
            }
        }
    }
    // Of each access with the right password: everybody's six, a password's two, and a token service's two.
    assert_eq!(succeeded, 6 + 2 + 2 + 6, "{shown}");

    // Settings that are refused, and a registry that cannot be trusted or reached.
    let authority = common::tls::Authority::new();
    let tls = Registry::builder().with_tls(authority.server("127.0.0.1", false)).start().await.unwrap();
    for given in both() {
        let user_at = format!("bot:{TOKEN}@{}", tls.host());
        let https = format!("https://bot:{URL_ENCODED}@auth.example");
        for builder in [
            client().with_credentials(tls.host(), given.clone()),
            client().with_credentials(tls.host(), given.clone()).with_ca_pem(authority.pem()),
            client().with_credentials(&user_at, given.clone()),
            client().with_credentials(tls.host(), given.clone()).with_token_service(tls.host(), https),
            plain(&tls.host()).with_credentials(tls.host(), given.clone()),
        ] {
            ask(&mut shown, builder, &tls.host(), Duration::from_secs(60)).await;
        }
        let unreachable = client().with_credentials("127.0.0.1:1", given);
        ask(&mut shown, unreachable, "127.0.0.1:1", Duration::from_millis(500)).await;
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(
        log.contains("TRACE") && shown.contains("HTTP status 401") && shown.contains("UnknownIssuer"),
        "{shown}"
    );
    assert_clean("what is shown", &shown);
    assert_clean("the log", &log);
}
