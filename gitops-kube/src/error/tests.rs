use serde_json::json;

use super::*;

fn class(code: u16, message: &str, effect: Effect) -> Class {
    let body = json!({"kind": "Status", "message": message}).to_string();
    refused(code, body.as_bytes(), None, effect, Telling::All).class
}

#[test]
fn what_may_pass_and_what_may_not() {
    use Effect::{Read, Write};
    for (code, message, effect, want) in [
        (401, "Unauthorized", Read, Class::Denied),
        (403, "services is forbidden", Write, Class::Denied),
        (404, "not found", Read, Class::NotFound),
        (405, "the server does not allow this method", Write, Class::Unsupported),
        (409, "the object has been modified", Write, Class::Precondition),
        (400, "unknown field \"spec.foo\"", Write, Class::Invalid),
        (422, "Service \"a\" is invalid: spec.ports: Required value", Write, Class::Invalid),
        (422, "spec.clusterIP: Invalid value: \"\": field is immutable", Write, Class::Immutable),
        (
            422,
            "spec: Forbidden: updates to statefulset spec for fields other than 'replicas' are forbidden",
            Write,
            Class::Immutable,
        ),
        (429, "slow down", Write, Class::RETRY),
        (503, "starting", Read, Class::RETRY),
        (504, "timeout", Read, Class::RETRY),
        (504, "timeout", Write, Class::OutcomeUnknown),
        (
            500,
            "failed to create typed patch object (a/b; v1, Kind=X): .spec.foo: field not declared in schema",
            Write,
            Class::Invalid,
        ),
        (
            500,
            "failed to convert new object (a/b; /v1, Kind=Secret) to proper version: illegal base64",
            Write,
            Class::Invalid,
        ),
        (500, "etcdserver: request timed out", Write, Class::OutcomeUnknown),
        (500, "Internal error occurred: failed calling webhook", Write, Class::RETRY),
    ] {
        assert_eq!(class(code, message, effect), want, "{code} {message}");
    }
}

#[test]
fn the_server_says_when_to_come_back() {
    let body = json!({"message": "m", "details": {"retryAfterSeconds": 2}}).to_string();
    let after = |header| refused(429, body.as_bytes(), header, Effect::Read, Telling::All).class;
    assert_eq!(after(Some(7)), Class::Retry { after: Some(Duration::from_secs(7)) });
    assert_eq!(after(None), Class::Retry { after: Some(Duration::from_secs(2)) });
}

#[test]
fn a_namespace_that_is_being_deleted_passes() {
    let body = json!({"message": "forbidden", "details": {"causes": [{"reason": "NamespaceTerminating"}]}});
    let fault = refused(403, body.to_string().as_bytes(), None, Effect::Write, Telling::All);
    assert_eq!(fault.class, Class::RETRY);
}

#[test]
fn another_incarnation_is_a_precondition() {
    let body = json!({"message": "ConfigMap \"a\" is invalid: metadata.uid: Invalid value: field is immutable",
        "details": {"causes": [{"reason": "FieldValueInvalid", "field": "metadata.uid"}]}});
    let fault = refused(422, body.to_string().as_bytes(), None, Effect::Write, Telling::Secret);
    assert_eq!(fault.class, Class::Precondition);
}

mod line_03_invalid_secrets {
    use super::*;

    #[test]
    fn an_invalid_secret_is_not_echoed() {
        let body = json!({"reason": "Invalid", "message": "Secret \"db\" is invalid: data[password]: Invalid value: \"hunter2\"",
            "details": {"causes": [{"reason": "FieldValueInvalid", "message": "hunter2", "field": "data[password]"}]}});
        let fault = refused(422, body.to_string().as_bytes(), None, Effect::Write, Telling::Secret);
        assert!(!format!("{fault} {fault:?}").contains("hunter2"), "{fault:?}");
        assert!(fault.to_string().contains("data[password]"), "{fault}");
        let raw = refused(500, b"illegal base64: hunter2", None, Effect::Write, Telling::Secret);
        assert!(!format!("{raw} {raw:?}").contains("hunter2"), "{raw:?}");
        let denied =
            json!({"message": "secrets \"db\" is forbidden: User \"bot\" cannot patch resource \"secrets\""});
        let fault = refused(403, denied.to_string().as_bytes(), None, Effect::Write, Telling::Secret);
        assert!(fault.to_string().contains("cannot patch"), "{fault}");
    }
}

#[test]
fn a_lost_answer_to_a_write_is_not_a_failure() {
    let timeout = || KubeError::Timeout { after: Duration::from_secs(1) };
    assert_eq!(unanswered(timeout(), Effect::Write, true).class, Class::OutcomeUnknown);
    assert_eq!(unanswered(timeout(), Effect::Read, true).class, Class::RETRY);
    assert_eq!(unanswered(KubeError::Abandoned, Effect::Read, true).class, Class::Cancelled);
    assert_eq!(unanswered(KubeError::Abandoned, Effect::Write, true).class, Class::OutcomeUnknown);
    let refused = kube::Error::Service(Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionRefused)));
    let (error, sent) = transport(&refused);
    assert_eq!(unanswered(error, Effect::Write, sent).class, Class::RETRY);
    let untrusted = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
    let wrapped = kube::Error::Service(Box::new(std::io::Error::other(untrusted)));
    let (error, sent) = transport(&wrapped);
    assert_eq!(unanswered(error, Effect::Read, sent).class, Class::Denied);
}
