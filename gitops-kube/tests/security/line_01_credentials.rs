//! The token for the API server turns up nowhere but there.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex};

use gitops_kube::{ConnectOptions, KubeTarget, connect};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::api::{Api, answer, faults, provider};

const TOKEN: &str = "tok+en/pl4nted==&?";
const FORMS: [&str; 5] =
    [TOKEN, "pl4nted", "dG9rK2VuL3BsNG50ZWQ9PSY", "tok%2Ben%2Fpl4nted%3D%3D%26%3F", "tok%2Ben/pl4nted"];

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

#[tokio::test]
async fn a_planted_token_is_nowhere() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish()
        .init();
    provider();
    let mut shown = String::new();
    let echo = r#"{"kind": "Status", "message": "bad", "reason": "Unauthorized", "code": 401}"#;
    for (status, body) in
        [("401 Unauthorized", echo), ("500 Oops", "not JSON"), ("200 OK", "{"), ("200 OK", "{}")]
    {
        let api = Api::start(answer(status, "", body), None);
        let mut config = kube::Config::new(format!("http://{}", api.address).parse().unwrap());
        config.auth_info.token = Some(TOKEN.to_owned().into());
        write!(shown, "{config:?}").unwrap();
        let client = connect(config, &ConnectOptions::default()).unwrap();
        let target = KubeTarget::new(client);
        for fault in faults(&target).await {
            writeln!(shown, "{fault} {fault:?} {:?} {}", fault.note(), fault.source).unwrap();
        }
        write!(shown, "{target:?}").unwrap();
        let requests = api.requests();
        assert!(
            !requests.is_empty() && requests.iter().all(|request| request.contains(TOKEN)),
            "{requests:?}"
        );
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("TRACE") && log.contains("hyper"), "{log}");
    assert!(shown.contains("401"), "{shown}");
    for (what, text) in [("what is shown", &shown), ("the log", &log)] {
        for secret in FORMS {
            assert!(!text.contains(secret), "{what} holds {secret}: {text}");
        }
    }
}
