//! Who may read and push.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::{AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use serde_json::json;

use super::api::{self, Call, parameter};
use super::{Reply, Request};

/// Who may read and push. Its `Debug` shows no password.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Access {
    /// Everybody.
    #[default]
    Everybody,
    /// Whoever sends this user and password with each request.
    Basic {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// Whoever has a token of the token service, which wants this user and password.
    Token {
        /// The user.
        user: String,
        /// The password.
        password: String,
        /// Whether everybody gets a token to read.
        public: bool,
    },
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Everybody => "Everybody",
            Self::Basic { .. } => "Basic(…)",
            Self::Token { .. } => "Token(…)",
        })
    }
}

/// The tokens that were given, with what they are for: `repository:NAME:pull,push`.
#[derive(Default)]
pub(super) struct Tokens(HashMap<String, String>);

/// The answer to whoever may not do this.
pub(super) fn refusal(
    access: &Access,
    tokens: &Tokens,
    request: &Request,
    call: &Call,
    realm: &str,
) -> Option<Reply> {
    let sent = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    match access {
        Access::Everybody => None,
        Access::Basic { user, password } if sent == Some(&*basic(user, password)) => None,
        Access::Basic { .. } => Some(challenge("Basic realm=\"registry\"")),
        Access::Token { .. } => {
            let token = sent.and_then(|sent| sent.strip_prefix("Bearer "));
            let scope = token.and_then(|token| tokens.0.get(token));
            if scope.is_some_and(|scope| call.name.is_empty() || allows(scope, call)) {
                return None;
            }
            let actions = if call.writes { "pull,push" } else { "pull" };
            Some(challenge(&format!(
                "Bearer realm=\"{realm}\",service=\"registry\",scope=\"repository:{}:{actions}\"",
                call.name
            )))
        }
    }
}

/// Whether a scope, `repository:NAME:pull,push`, is for a call.
fn allows(scope: &str, call: &Call) -> bool {
    let action = if call.writes { "push" } else { "pull" };
    let actions =
        scope.strip_prefix("repository:").and_then(|rest| rest.strip_prefix(&call.name)?.strip_prefix(':'));
    actions.is_some_and(|actions| actions.split(',').any(|allowed| allowed == action))
}

/// The answer of the token service (token specification of Docker's registry).
pub(super) fn grant(access: &Access, tokens: &mut Tokens, request: &Request) -> Reply {
    let Access::Token { user, password, public } = access else { return api::error(404, "UNSUPPORTED") };
    let sent = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let is_user = sent == Some(&*basic(user, password));
    let scope = parameter(request, "scope").unwrap_or_default();
    if !is_user && (sent.is_some() || !public || scope.contains("push")) {
        return challenge("Basic realm=\"tokens\"");
    }
    // Nobody but the tests has to guess them.
    let token = format!("token-{}", tokens.0.len() + 1);
    tokens.0.insert(token.clone(), scope);
    api::json(200, &json!({"token": token, "access_token": token, "expires_in": 300}))
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn challenge(text: &str) -> Reply {
    let mut reply = api::error(401, "UNAUTHORIZED");
    if let Ok(value) = HeaderValue::from_str(text) {
        reply.headers_mut().insert(WWW_AUTHENTICATE, value);
    }
    reply
}
