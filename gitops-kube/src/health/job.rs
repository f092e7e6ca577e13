//! Job and `CronJob`.

use gitops_core::{Assessment, Health, Timestamp};
use serde_json::Value;

use super::read::{condition, count, healthy, is_true, number, progressing, suspended, text};

pub(super) fn job(object: &Value, _now: Timestamp) -> Assessment {
    let holds = |name: &str| condition(object, name).filter(|it| it.is("True"));
    // `FailureTarget` stands while the Pods of a Job end that has failed already.
    if let Some(failed) = holds("Failed").or_else(|| holds("FailureTarget")) {
        return failed.assess(Health::Degraded, "Failed");
    }
    let succeeded = count(object, "/status/succeeded");
    if holds("Complete").is_some() {
        return healthy("Completed", format!("{succeeded} Pods have ended well"));
    }
    let stopped = holds("Suspended").is_some();
    match (is_true(object, "/spec/suspend"), stopped) {
        (true, true) => return suspended("Suspended", "it is suspended"),
        (true, false) => return progressing("Suspending", "it is about to be suspended"),
        (false, true) => return progressing("Resuming", "it is about to be resumed"),
        (false, false) => {}
    }
    if text(object, "/status/startTime").is_empty() {
        return progressing("NotStarted", "it has not started");
    }
    let active = count(object, "/status/active");
    let failed = count(object, "/status/failed");
    let want = number(object, "/spec/completions").map(|it| format!(" of {it}")).unwrap_or_default();
    progressing(
        "Running",
        format!("{active} Pods run, {succeeded}{want} have ended well, {failed} have failed"),
    )
}

pub(super) fn cron_job(object: &Value, _now: Timestamp) -> Assessment {
    if is_true(object, "/spec/suspend") {
        return suspended("Suspended", "it starts no Jobs");
    }
    healthy("Scheduled", "it starts Jobs by its schedule")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::tests::{check, with};

    fn import() -> Value {
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "import" }, "spec": { "completions": 5 },
            "status": { "startTime": "2026-03-01T10:00:00Z", "active": 1, "succeeded": 2, "conditions": [] },
        })
    }

    fn now_says(condition: &str, status: &str) -> Value {
        json!([{ "type": condition, "status": status, "message": "said by the controller" }])
    }

    #[test]
    fn a_job_is_progressing_until_it_ends() {
        let running = check(&import(), Health::Progressing, "Running");
        assert_eq!(running.message, "1 Pods run, 2 of 5 have ended well, 0 have failed");
        check(&with(&import(), "/status", json!({})), Health::Progressing, "NotStarted");
        check(
            &with(&import(), "/status/conditions", now_says("Complete", "True")),
            Health::Healthy,
            "Completed",
        );
        check(
            &with(&import(), "/status/conditions", now_says("Complete", "False")),
            Health::Progressing,
            "Running",
        );
        check(
            &with(&import(), "/status/conditions", now_says("SuccessCriteriaMet", "True")),
            Health::Progressing,
            "Running",
        );
        for failure in ["Failed", "FailureTarget"] {
            let failed = with(&import(), "/status/conditions", now_says(failure, "True"));
            assert_eq!(check(&failed, Health::Degraded, "Failed").message, "said by the controller");
        }
    }

    #[test]
    fn a_job_is_suspended_when_spec_and_status_agree() {
        for (spec, status, health, reason) in [
            (true, "True", Health::Suspended, "Suspended"),
            (true, "False", Health::Progressing, "Suspending"),
            (false, "True", Health::Progressing, "Resuming"),
            (false, "False", Health::Progressing, "Running"),
        ] {
            let object = with(&import(), "/spec/suspend", json!(spec));
            check(&with(&object, "/status/conditions", now_says("Suspended", status)), health, reason);
        }
    }

    #[test]
    fn a_cron_job_works_unless_it_is_suspended() {
        let nightly = json!({ "apiVersion": "batch/v1", "kind": "CronJob", "spec": {} });
        check(&nightly, Health::Healthy, "Scheduled");
        check(&with(&nightly, "/spec/suspend", json!(true)), Health::Suspended, "Suspended");
    }
}
