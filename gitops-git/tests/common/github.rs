//! A server that plays GitHub: it gives out tokens to an App, and its repositories to who has the newest token.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gitops_core::Timestamp;
use rsa::RsaPrivateKey;
use rsa::pkcs1::{EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _, LineEnding};
use rsa::rand_core::OsRng;
use serde_json::{Value, json};

use super::cgi::{Answer, answer_of as answer};
use super::server::{Reply, Request, Server};

/// The App that it knows, and its installation.
pub const APP: &str = "Iv23liTest";
pub const INSTALLATION: u64 = 42;

/// A key of the App. Making one takes a while, so that there is one for all tests.
pub fn key() -> &'static RsaPrivateKey {
    static KEY: OnceLock<RsaPrivateKey> = OnceLock::new();
    KEY.get_or_init(|| RsaPrivateKey::new(&mut OsRng, 2048).unwrap())
}

/// Writes the key as GitHub gives it out.
pub fn put_key(file: &Path) {
    std::fs::write(file, key().to_pkcs1_pem(LineEnding::LF).unwrap().as_bytes()).unwrap();
}

struct State {
    /// How long a token is good.
    lifetime: Mutex<Duration>,
    /// The newest token, and until when it is good.
    token: Mutex<Option<(String, Instant)>>,
    given: AtomicU64,
    wishes: Mutex<Vec<Value>>,
    /// Why proofs were not taken.
    complaints: Mutex<Vec<String>>,
    /// What is answered to requests for tokens instead.
    instead: Mutex<Option<Answer>>,
}

/// What it does beside serving repositories.
#[derive(Clone)]
pub struct GitHub(Arc<State>);

impl GitHub {
    /// Teaches a server to be GitHub Enterprise, whose API is on the same server as its repositories.
    pub fn teach(server: &Server) -> Self {
        let github = Self(Arc::new(State {
            lifetime: Mutex::new(Duration::from_secs(3600)),
            token: Mutex::default(),
            given: AtomicU64::new(0),
            wishes: Mutex::default(),
            complaints: Mutex::default(),
            instead: Mutex::default(),
        }));
        let (api, repositories) = (github.clone(), github.clone());
        server.behave(|b| {
            b.answers = Some(Arc::new(move |request| api.answer(request).map(Reply::Whole)));
            b.admits = Some(Arc::new(move |request| repositories.admits(request)));
        });
        github
    }

    pub fn api(server: &Server) -> String {
        format!("https://localhost:{}/api/v3", server.port())
    }

    /// How many tokens it has given out.
    pub fn given(&self) -> u64 {
        self.0.given.load(Ordering::SeqCst)
    }

    /// Lets tokens end so long after they are made.
    pub fn set_lifetime(&self, lifetime: Duration) {
        *self.0.lifetime.lock().unwrap() = lifetime;
    }

    /// The newest token is good no more, although it was said to be.
    pub fn revoke(&self) {
        self.0.token.lock().unwrap().take();
    }

    pub fn token(&self) -> String {
        self.0.token.lock().unwrap().as_ref().unwrap().0.clone()
    }

    /// What was asked for.
    pub fn take_wishes(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.wishes.lock().unwrap())
    }

    pub fn complaints(&self) -> Vec<String> {
        self.0.complaints.lock().unwrap().clone()
    }

    /// Answers this to requests for tokens.
    pub fn answer_instead(&self, answer: Option<Answer>) {
        *self.0.instead.lock().unwrap() = answer;
    }

    fn answer(&self, request: &Request) -> Option<Answer> {
        let path = request.target.strip_prefix("/api/v3")?;
        if let Some(instead) = &*self.0.instead.lock().unwrap() {
            return Some(instead.clone());
        }
        if request.method != "POST" || path != format!("/app/installations/{INSTALLATION}/access_tokens") {
            return Some(answer("404 Not Found", &[], r#"{"message":"Not Found"}"#));
        }
        if request.header("user-agent").is_none() {
            return Some(answer("403 Forbidden", &[], "Request forbidden by administrative rules."));
        }
        if let Err(complaint) = check(request.header("authorization").unwrap_or_default()) {
            self.0.complaints.lock().unwrap().push(complaint);
            return Some(answer("401 Unauthorized", &[], r#"{"message":"Bad credentials"}"#));
        }
        self.0.wishes.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
        let token = format!("ghs_{}", self.0.given.fetch_add(1, Ordering::SeqCst));
        let lifetime = *self.0.lifetime.lock().unwrap();
        let body = json!({
            "token": token,
            "expires_at": (Timestamp::now() + lifetime).to_string(),
            "permissions": {"contents": "read", "metadata": "read"},
            "repository_selection": "selected",
        });
        *self.0.token.lock().unwrap() = Some((token, Instant::now() + lifetime));
        Some(answer("201 Created", &[("Content-Type", "application/json")], body.to_string()))
    }

    fn admits(&self, request: &Request) -> bool {
        let token = self.0.token.lock().unwrap();
        token.as_ref().is_some_and(|(token, end)| {
            let wanted = format!("Basic {}", STANDARD.encode(format!("x-access-token:{token}")));
            Instant::now() < *end && request.header("authorization") == Some(&wanted)
        })
    }
}

/// Checks a proof as GitHub's documentation says, and its signature with another implementation than the one that made it.
fn check(authorization: &str) -> Result<(), String> {
    let jwt = authorization.strip_prefix("Bearer ").ok_or("there is no proof")?;
    let (signed, signature) = jwt.rsplit_once('.').ok_or("it has no parts")?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|error| error.to_string());
    let (header, claims) = signed.split_once('.').ok_or("it has two parts")?;
    let json =
        |part: &str| serde_json::from_slice::<Value>(&decode(part)?).map_err(|error| error.to_string());
    if json(header)? != json!({"alg": "RS256", "typ": "JWT"}) {
        return Err(format!("its header is {}", json(header)?));
    }
    let public = key().to_public_key().to_pkcs1_der().unwrap();
    let all = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let rs256 = all.all.iter().filter(|algorithm| {
        algorithm.signature_alg_id() == rustls::pki_types::alg_id::RSA_PKCS1_SHA256
            && algorithm.public_key_alg_id() == rustls::pki_types::alg_id::RSA_ENCRYPTION
    });
    let signature = decode(signature)?;
    let mut rs256 = rs256.peekable();
    assert!(rs256.peek().is_some(), "there is one to check with");
    if !rs256.any(|one| one.verify_signature(public.as_bytes(), signed.as_bytes(), &signature).is_ok()) {
        return Err("the signature is wrong".into());
    }
    let claims = json(claims)?;
    let (Some(issued), Some(ends)) = (claims["iat"].as_i64(), claims["exp"].as_i64()) else {
        return Err(format!("it has no times: {claims}"));
    };
    let now = Timestamp::now().as_second();
    if issued > now || ends <= now || ends > now + 600 || claims["iss"] != APP {
        return Err(format!("at {now}, it says {claims}"));
    }
    Ok(())
}
