//! Requests to the API server, each with a deadline of our own.
//!
//! The typed API of kube hides response headers (`Warning`, `Retry-After`) and the body of errors, and its clients have
//! no time limit for an answer; so requests are made from `http` parts here, and only connections, TLS and
//! authentication are kube's.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use futures_util::StreamExt;
use gitops_core::{Class, Cx, Fault, one_line};
use http::{HeaderMap, HeaderValue, Method, Request, header};
use kube::client::Body;
use serde::Deserialize;
use serde_json::Value;

use crate::error::{Effect, KubeError, Telling, refused, transport, unanswered};
use crate::events::{Event, events};

/// One request.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// The path with the query.
    pub(crate) uri: String,
    pub(crate) accept: &'static str,
    /// The body and its type.
    pub(crate) body: Option<(&'static str, Vec<u8>)>,
    pub(crate) effect: Effect,
    pub(crate) telling: Telling,
    /// What errors name: the object or the list.
    pub(crate) what: String,
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer<B = Value> {
    pub(crate) code: u16,
    pub(crate) body: B,
    pub(crate) warnings: Vec<String>,
}

impl Call {
    /// A reading request.
    pub(crate) fn get(uri: String, what: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            uri,
            accept: "application/json",
            body: None,
            effect: Effect::Read,
            telling: Telling::All,
            what: what.into(),
        }
    }

    /// A writing request with a body.
    pub(crate) fn write(
        method: Method,
        uri: String,
        content_type: &'static str,
        body: &Value,
        what: impl Into<String>,
    ) -> Self {
        let bytes = serde_json::to_vec(body).unwrap_or_default();
        Self { method, effect: Effect::Write, body: Some((content_type, bytes)), ..Self::get(uri, what) }
    }

    /// Keeps the API server's words to ourselves where the body is a Secret.
    pub(crate) fn telling(mut self, telling: Telling) -> Self {
        self.telling = telling;
        self
    }
}

/// Where requests go.
#[derive(Clone)]
pub(crate) struct Rest {
    client: kube::Client,
    /// The longest time that one request may take, with its body.
    timeout: Duration,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rest").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Rest {
    pub(crate) fn new(client: kube::Client, timeout: Duration) -> Self {
        Self { client, timeout }
    }

    /// Sends a request and reads the whole answer, in the time that the context and the limit per request leave.
    pub(crate) async fn send(&self, cx: &Cx, call: Call) -> Result<Answer, Fault> {
        let (effect, what) = (call.effect, call.what.clone());
        let Answer { code, body, warnings } = self.send_unread(cx, call).await?;
        Ok(Answer { code, body: read(&body, effect).map_err(|fault| fault.at(what))?, warnings })
    }

    /// The same, without reading the JSON of the answer: for those who need little of it.
    pub(crate) async fn send_unread(&self, cx: &Cx, call: Call) -> Result<Answer<Bytes>, Fault> {
        cx.check()?;
        cx.count_request();
        let within = self.timeout.min(cx.remaining());
        let (effect, what) = (call.effect, call.what.clone());
        let work = self.exchange(call);
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => Err(unanswered(KubeError::Abandoned, effect, true).at(what)),
            done = tokio::time::timeout(within, work) => match done {
                Ok(answer) => answer.map_err(|fault| fault.at(what)),
                Err(_) => Err(unanswered(KubeError::Timeout { after: within }, effect, true).at(what)),
            },
        }
    }

    async fn exchange(&self, call: Call) -> Result<Answer<Bytes>, Fault> {
        let (effect, telling) = (call.effect, call.telling);
        let request = request(call)?;
        let response = self.client.send(request).await.map_err(|e| lost(&e, effect))?;
        let (parts, body) = response.into_parts();
        let body = body.collect_bytes().await.map_err(|e| lost(&e, effect))?;
        let code = parts.status.as_u16();
        if !parts.status.is_success() {
            return Err(refused(code, &body, retry_after(&parts.headers), effect, telling));
        }
        let warnings = if telling == Telling::All { warnings(&parts.headers) } else { Vec::new() };
        Ok(Answer { code, body, warnings })
    }

    /// Opens a watch. The time to the first byte of the answer is limited; the caller limits the wait for each event.
    pub(crate) async fn watch(
        &self,
        call: Call,
    ) -> Result<impl Stream<Item = Result<Event, Fault>> + Send + use<>, Fault> {
        let what = call.what.clone();
        let mut request = request(call)?.map(|_| Vec::new());
        // Each event is to be seen when it comes.
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let opened = tokio::time::timeout(self.timeout, self.client.request_stream(request)).await;
        let body = match opened {
            Ok(Ok(body)) => body,
            Ok(Err(error)) => return Err(watch_fault(&error).at(what)),
            Err(_) => {
                return Err(
                    unanswered(KubeError::Timeout { after: self.timeout }, Effect::Read, true).at(what)
                );
            }
        };
        Ok(events(body).map(move |event| event.map_err(|fault| fault.at(&what))))
    }
}

/// Reads the JSON of an answer.
pub(crate) fn read<'a, T: Deserialize<'a>>(body: &'a [u8], effect: Effect) -> Result<T, Fault> {
    serde_json::from_slice(body).map_err(|e| {
        // The place is enough: serde_json's message may quote what it stumbled over.
        let message = format!("no JSON at line {}, column {}", e.line(), e.column());
        unanswered(KubeError::Answer { message }, effect, true)
    })
}

fn watch_fault(error: &kube::Error) -> Fault {
    match error {
        kube::Error::Api(status) => {
            let body = serde_json::to_vec(status).unwrap_or_default();
            refused(status.code, &body, None, Effect::Read, Telling::All)
        }
        error => lost(error, Effect::Read),
    }
}

fn lost(error: &kube::Error, effect: Effect) -> Fault {
    let (error, sent) = transport(error);
    unanswered(error, effect, sent)
}

fn request(call: Call) -> Result<Request<Body>, Fault> {
    let mut request =
        Request::builder().method(call.method).uri(call.uri).header(header::ACCEPT, call.accept);
    let body = match call.body {
        Some((content_type, bytes)) => {
            request = request.header(header::CONTENT_TYPE, content_type);
            Body::from(bytes)
        }
        None => Body::empty(),
    };
    request.body(body).map_err(|e| KubeError::Request { message: e.to_string() }.fault(Class::Invalid))
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}

/// The texts of the `Warning` headers (RFC 7234, section 5.5), as the API server writes them: `299 - "text"`.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let text = |value: &http::HeaderValue| {
        let value = value.to_str().ok()?;
        let quoted = &value[value.find('"')? + 1..value.rfind('"')?];
        Some(one_line(&quoted.replace("\\\"", "\"").replace("\\\\", "\\")).into_owned())
    };
    headers.get_all("warning").iter().filter_map(text).take(32).collect()
}

/// Escapes a part of a path or a value of a query (RFC 3986, section 2.3).
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;
    use tower_test::mock;

    type Server = mock::Handle<Request<Body>, Response<Body>>;

    fn mocked(timeout: Duration) -> (Rest, Server) {
        let (service, handle) = mock::pair::<Request<Body>, Response<Body>>();
        (Rest::new(kube::Client::new(service, "default"), timeout), handle)
    }

    #[tokio::test]
    async fn warnings_of_the_server_are_told() {
        let (rest, mut server) = mocked(Duration::from_secs(5));
        let serve = async {
            let (request, send) = server.next_request().await.unwrap();
            assert_eq!(request.uri(), "/api/v1/namespaces/a/pods/b?fieldManager=x");
            let answer = Response::builder()
                .header("warning", HeaderValue::from_static("299 - \"old \\\"field\\\"\""));
            send.send_response(answer.body(Body::from(b"{\"a\":1}".to_vec())).unwrap());
        };
        let cx = Cx::with_timeout(Duration::from_secs(5));
        let call = Call::get("/api/v1/namespaces/a/pods/b?fieldManager=x".into(), "Pod/a/b");
        let (answer, ()) = tokio::join!(rest.send(&cx, call), serve);
        let answer = answer.unwrap();
        assert_eq!(answer.warnings, ["old \"field\""]);
        assert_eq!(cx.requests(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn every_request_has_a_deadline() {
        let (rest, _server) = mocked(Duration::from_secs(5));
        let cx = Cx::with_timeout(Duration::from_secs(600));
        let read = rest.send(&cx, Call::get("/a".into(), "a")).await.unwrap_err();
        assert_eq!(read.class, Class::RETRY);
        let write = Call::write(Method::PATCH, "/a".into(), "application/json", &Value::Null, "Pod/a/b");
        let write = rest.send(&cx, write).await.unwrap_err();
        assert_eq!(write.class, Class::OutcomeUnknown);
        assert!(write.to_string().starts_with("Pod/a/b: no answer within 5s"), "{write}");
        cx.cancel.cancel();
        assert_eq!(rest.send(&cx, Call::get("/a".into(), "a")).await.unwrap_err().class, Class::Cancelled);
    }

    #[tokio::test]
    async fn an_answer_that_is_no_json_is_not_quoted() {
        let (rest, mut server) = mocked(Duration::from_secs(5));
        let serve = async {
            let (_, send) = server.next_request().await.unwrap();
            send.send_response(Response::new(Body::from(b"hunter2".to_vec())));
        };
        let cx = Cx::with_timeout(Duration::from_secs(5));
        let (answer, ()) = tokio::join!(rest.send(&cx, Call::get("/a".into(), "a")), serve);
        assert!(!answer.unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn names_are_escaped_in_paths() {
        assert_eq!(escape("system:node/../a b"), "system%3Anode%2F..%2Fa%20b");
        assert_eq!(escape("web-1.a_~"), "web-1.a_~");
    }
}
