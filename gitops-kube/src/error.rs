//! What can go wrong between us and an API server, and what the engine does about it.

use std::time::Duration;

use gitops_core::{Class, Fault, one_line};
use serde_json::Value;

/// Why a request to the API server, or the preparation of one, failed.
///
/// Texts of the API server are kept out of it where they may hold values of a Secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubeError {
    /// The API server refused or failed.
    #[error("{message} ({})", Self::label(*.code, .reason))]
    Api {
        /// The HTTP status.
        code: u16,
        /// The machine-readable reason of the API server; may be empty.
        reason: String,
        /// What it says, in one line.
        message: String,
    },
    /// No answer came within the deadline of the request.
    #[error("no answer within {after:?}")]
    Timeout {
        /// How long was waited.
        after: Duration,
    },
    /// The work was cancelled while an answer was awaited.
    #[error("stopped while an answer was awaited")]
    Abandoned,
    /// The connection failed.
    #[error("the connection to the API server failed: {message}")]
    Connection {
        /// The chain of causes, without headers.
        message: String,
    },
    /// The certificate of the API server is not trusted.
    #[error("the certificate of the API server is not accepted: {message}")]
    Certificate {
        /// What is wrong with it.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("the API server's answer is not understood: {message}")]
    Answer {
        /// What is wrong with it.
        message: String,
    },
    /// A request could not be formed.
    #[error("the request cannot be formed: {message}")]
    Request {
        /// Why.
        message: String,
    },
    /// The API server is too old to say what it serves in one answer.
    #[error("the API server does not offer aggregated discovery, which Kubernetes has since 1.27")]
    NoAggregatedDiscovery,
    /// A kind is not served.
    #[error("{0}")]
    UnknownKind(String),
    /// The namespace for records does not exist.
    #[error(
        "the namespace {namespace:?} that holds the records of applications does not exist: create it \
         (`kubectl create namespace {namespace}`), or name another one"
    )]
    NoStateNamespace {
        /// The namespace.
        namespace: String,
    },
    /// The name of a record is taken by something that is none.
    #[error("Secret/{namespace}/{name} is not a record of ours: {why}")]
    ForeignRecord {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// How that is seen.
        why: String,
    },
    /// The application belongs to another source.
    #[error(
        "application {app} belongs to {recorded}, not to {source_identity}: remove it there first, or choose \
         another name"
    )]
    OtherSource {
        /// The application.
        app: String,
        /// The source that is recorded.
        recorded: String,
        /// The source that asks.
        source_identity: String,
    },
    /// Somebody else is writing for this application.
    #[error("application {app} is being written by {holder} (its lock ends {until} at the latest)")]
    Locked {
        /// The application.
        app: String,
        /// Who.
        holder: String,
        /// Until when, unless it is renewed.
        until: String,
    },
    /// The lock was lost while a session was at work.
    #[error("application {app}: the lock was taken by {holder} meanwhile")]
    LockLost {
        /// The application.
        app: String,
        /// Who has it now.
        holder: String,
    },
    /// There is no TLS provider.
    #[error(
        "no TLS provider is installed: call `rustls::crypto::ring::default_provider().install_default()` (or that \
         of another provider) at the start of the program"
    )]
    NoTlsProvider,
    /// The kubeconfig asks to run a program for credentials.
    #[error(
        "the kubeconfig runs a program for credentials ({program:?}), which is not allowed here: enable it with `with_exec`"
    )]
    ExecRefused {
        /// The program, without its arguments.
        program: String,
    },
    /// The kubeconfig impersonates nobody.
    #[error(
        "impersonation with an empty user is refused: it would act with the full rights of the credential"
    )]
    EmptyImpersonation,
    /// A client could not be made from the configuration.
    #[error("no client can be made from this configuration: {message}")]
    Client {
        /// Why.
        message: String,
    },
}

impl KubeError {
    fn label(code: u16, reason: &str) -> String {
        if reason.is_empty() { format!("HTTP {code}") } else { format!("HTTP {code} {reason}") }
    }

    /// What the engine does about it.
    pub(crate) fn fault(self, class: Class) -> Fault {
        Fault::new(class, self)
    }

    /// A fault that only mends when somebody changes something.
    pub(crate) fn denied(self) -> Fault {
        self.fault(Class::Denied)
    }
}

/// Whether a request changes something, which decides what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Write,
}

/// What may be repeated of the API server's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    /// All of them.
    All,
    /// Only what cannot hold a value: the body of the request was a Secret, and API errors echo invalid bodies.
    Secret,
}

/// A fault from an answer that is no success. `retry_after` is the header of that name, in seconds.
pub(crate) fn refused(
    code: u16,
    body: &[u8],
    retry_after: Option<u64>,
    effect: Effect,
    telling: Telling,
) -> Fault {
    let status: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |field: &str| status.get(field).and_then(Value::as_str).unwrap_or_default();
    let message = match text("message") {
        "" => String::from_utf8_lossy(&body[..body.len().min(400)]).into_owned(),
        message => message.to_owned(),
    };
    let after = retry_after
        .or_else(|| status.pointer("/details/retryAfterSeconds").and_then(Value::as_u64))
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs);
    let class = classify(code, &message, causes(&status), after, effect);
    let shown = match telling {
        Telling::All => shorten(&message),
        Telling::Secret => without_values(&message, &status),
    };
    KubeError::Api { code, reason: text("reason").to_owned(), message: shown }.fault(class)
}

fn causes(status: &Value) -> &[Value] {
    status.pointer("/details/causes").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn classify(code: u16, message: &str, causes: &[Value], after: Option<Duration>, effect: Effect) -> Class {
    let names = |field: &str| causes.iter().any(|c| c.get("field").and_then(Value::as_str) == Some(field));
    let cause_is =
        |reason: &str| causes.iter().any(|c| c.get("reason").and_then(Value::as_str) == Some(reason));
    match code {
        // A namespace that is being deleted refuses creations with 403: it will be gone, or another one.
        403 if cause_is("NamespaceTerminating") => Class::RETRY,
        401 | 403 => Class::Denied,
        404 => Class::NotFound,
        405 => Class::Unsupported,
        409 => Class::Precondition,
        // How an apply with a uid is refused when the object is another incarnation.
        422 if names("metadata.uid") => Class::Precondition,
        422 if is_immutable(message) => Class::Immutable,
        400..=428 if !matches!(code, 408 | 410 | 425) => Class::Invalid,
        500 if is_malformed(message) => Class::Invalid,
        500 if effect == Effect::Write && message.contains("timed out") => Class::OutcomeUnknown,
        // The proxy or the API server stopped waiting; the storage may not have.
        504 if effect == Effect::Write => Class::OutcomeUnknown,
        _ => Class::Retry { after },
    }
}

/// API validation has no reason of its own for this: these are the phrases of its messages.
fn is_immutable(message: &str) -> bool {
    ["is immutable", "immutable field", "may not change once set", "may not be changed", "may not be updated"]
        .iter()
        .any(|phrase| message.contains(phrase))
        || (message.contains("updates to ") && message.contains("are forbidden"))
}

/// What server-side apply answers with 500 and no reason, although it is the input that is wrong: a field that the schema
/// does not have, a value of a wrong type, a Secret that is no base64.
fn is_malformed(message: &str) -> bool {
    [
        "failed to create typed patch object",
        "field not declared in schema",
        "failed to convert new object",
        "error decoding from json",
    ]
    .iter()
    .any(|phrase| message.contains(phrase))
}

fn shorten(message: &str) -> String {
    let line = one_line(message);
    match line.char_indices().nth(1000) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.into_owned(),
    }
}

/// Says which fields are wrong, but not how: the words of the API server may hold values.
fn without_values(message: &str, status: &Value) -> String {
    let authorization = (message.starts_with("secrets ") && message.contains(" is forbidden: User \""))
        || message.starts_with("namespaces ")
        || (message.starts_with("Operation cannot be fulfilled on secrets ")
            && message.contains("the object has been modified"));
    if authorization {
        return shorten(message);
    }
    let fields: Vec<_> =
        causes(status).iter().filter_map(|c| c.get("field")?.as_str()).map(one_line).collect();
    if fields.is_empty() {
        return "the Secret was refused; the API server's words are not repeated, because they may hold its values"
            .to_owned();
    }
    format!(
        "the Secret was refused because of {}; the API server's words are not repeated",
        fields.join(", ")
    )
}

/// A fault from a request that got no answer. `sent` is false when it certainly never reached the server.
pub(crate) fn unanswered(error: KubeError, effect: Effect, sent: bool) -> Fault {
    let class = match (&error, effect) {
        (KubeError::Certificate { .. }, _) => Class::Denied,
        (_, Effect::Write) if sent => Class::OutcomeUnknown,
        (KubeError::Abandoned, _) => Class::Cancelled,
        _ => Class::RETRY,
    };
    error.fault(class)
}

/// Sorts an error of the client: what it is, and whether the request may have been sent.
pub(crate) fn transport(error: &kube::Error) -> (KubeError, bool) {
    let mut message = String::new();
    let mut sent = true;
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    // Depth-limited: a chain of causes that loops would be a bug elsewhere, but must not hang us.
    for _ in 0..16 {
        let Some(error) = cause else { break };
        if let Some(certificate) = certificate(error) {
            return (KubeError::Certificate { message: certificate }, false);
        }
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind as K;
            sent &= !matches!(
                io.kind(),
                K::ConnectionRefused | K::HostUnreachable | K::NetworkUnreachable | K::AddrNotAvailable
            );
        }
        let text = error.to_string();
        sent &= !(text.contains("error trying to connect")
            || text.contains("dns error")
            || text == "client error (Connect)");
        if !message.contains(&text) {
            if !message.is_empty() {
                message.push_str(": ");
            }
            message.push_str(&text);
        }
        cause = error.source();
    }
    (KubeError::Connection { message: shorten(&message) }, sent)
}

fn certificate(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut inner = error;
    loop {
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            let is_certificate =
                matches!(tls, rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented);
            return is_certificate.then(|| shorten(&tls.to_string()));
        }
        // An I/O error does not name what it wraps as its source, but as its inner value; the client wraps twice.
        inner = inner.downcast_ref::<std::io::Error>()?.get_ref()?;
    }
}

#[cfg(test)]
mod tests;
