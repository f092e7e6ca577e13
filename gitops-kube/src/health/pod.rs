//! Pod.

use std::time::Duration;

use gitops_core::{Assessment, Health, Timestamp};
use serde_json::Value;

use super::read::{condition, degraded, healthy, is_true, items, progressing, quote, text, time};

/// How long a scheduler may find no node for a new Pod before somebody should know (as in kstatus).
const SCHEDULING_GRACE: Duration = Duration::from_secs(15);

/// What kubelet says about these tells of names only; with other reasons it may quote an expanded command line.
const QUOTABLE: [&str; 5] = [
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
];

pub(super) fn pod(object: &Value, now: Timestamp) -> Assessment {
    let phase = text(object, "/status/phase");
    match phase {
        "Succeeded" => return healthy("Completed", "it has ended well"),
        "Failed" => return failed(object),
        "" => return progressing("NotObserved", "no node has reported it yet"),
        "Pending" | "Running" => {}
        _ => {
            return Assessment::new(Health::Unknown)
                .because("UnknownPhase", format!("its phase is {}", quote(phase)));
        }
    }
    if let Some(stuck) = containers(object).find_map(stuck) {
        return stuck;
    }
    if phase == "Pending" { pending(object, now) } else { running(object) }
}

fn failed(object: &Value) -> Assessment {
    let reason = text(object, "/status/reason");
    // The output of the container may say why, and may hold anything: only its exit code is quoted.
    let exit = containers(object).find_map(|it| {
        let code =
            it.pointer("/state/terminated/exitCode").and_then(Value::as_i64).filter(|code| *code != 0)?;
        Some(format!("container {} ended with exit code {code}", quote(text(it, "/name"))))
    });
    let message = match text(object, "/status/message") {
        "" => exit.unwrap_or_else(|| "it has ended, and not well".to_owned()),
        message => quote(message),
    };
    degraded(if reason.is_empty() { "Failed" } else { reason }, message)
}

/// Degraded, if the container waits for what will not come by itself: an image, a configuration, an end to its crashes.
fn stuck(container: &Value) -> Option<Assessment> {
    let reason = text(container, "/state/waiting/reason");
    let hopeless = reason.starts_with("Err")
        || reason.ends_with("Error")
        || reason.ends_with("BackOff")
        || reason == "InvalidImageName";
    if !hopeless {
        return None;
    }
    let name = quote(text(container, "/name"));
    let details = text(container, "/state/waiting/message");
    Some(degraded(
        &quote(reason),
        if QUOTABLE.contains(&reason) && !details.is_empty() {
            format!("container {name}: {}", quote(details))
        } else {
            format!("container {name} does not start")
        },
    ))
}

fn pending(object: &Value, now: Timestamp) -> Assessment {
    let Some(scheduled) = condition(object, "PodScheduled").filter(|it| it.is("False")) else {
        return progressing("Pending", "its containers are being prepared");
    };
    if scheduled.reason() != "Unschedulable" {
        return scheduled.assess(Health::Progressing, "NotScheduled");
    }
    // A Pod without a creation time is older than any grace.
    let left = time(object, "/metadata/creationTimestamp").and_then(|created| {
        let age = Duration::try_from(now.duration_since(created)).unwrap_or_default();
        SCHEDULING_GRACE.checked_sub(age).filter(|left| !left.is_zero())
    });
    match left {
        Some(left) => scheduled.assess(Health::Progressing, "Unschedulable").recheck_after(left),
        None => scheduled.assess(Health::Degraded, "Unschedulable"),
    }
}

fn running(object: &Value) -> Assessment {
    let ends = !matches!(text(object, "/spec/restartPolicy"), "" | "Always");
    let is_ready = condition(object, "Ready").is_some_and(|it| it.is("True"));
    if is_ready && (!ends || serves(object)) {
        return healthy("Ready", "its containers are ready");
    }
    if is_ready {
        return progressing("Running", "it runs, and has still to end");
    }
    let unready: Vec<&Value> = containers(object).filter(|it| !is_true(it, "/ready")).collect();
    if !ends && let Some(crashed) = unready.iter().find(|it| it.pointer("/lastState/terminated").is_some()) {
        let code =
            crashed.pointer("/lastState/terminated/exitCode").and_then(Value::as_i64).unwrap_or_default();
        return degraded(
            "ContainerRestarted",
            format!(
                "container {} ended with exit code {code} and is not ready",
                quote(text(crashed, "/name"))
            ),
        );
    }
    match condition(object, "Ready") {
        Some(ready) => ready.assess(Health::Progressing, "NotReady"),
        None => progressing("NotReady", "its containers are not ready"),
    }
}

/// Whether a Pod that is not restarted is nevertheless meant to serve, by the annotation that people who come from
/// Argo CD have in their manifests.
fn serves(object: &Value) -> bool {
    let annotation = |name: &str| object.pointer("/metadata/annotations").and_then(|all| all.get(name));
    annotation("argocd.argoproj.io/ignore-restart-policy").and_then(Value::as_str) == Some("true")
        && annotation("argocd.argoproj.io/hook").is_none()
}

/// The statuses of the Pod's containers, those that come first in its life first.
fn containers(object: &Value) -> impl Iterator<Item = &Value> {
    items(object, "/status/initContainerStatuses").chain(items(object, "/status/containerStatuses"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::health::BuiltInHealth;
    use crate::health::tests::{check, with};
    use gitops_core::HealthRule;

    fn web() -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "web-0", "creationTimestamp": "2026-03-01T10:00:00Z", "annotations": {} },
            "spec": { "restartPolicy": "Always" },
            "status": {
                "phase": "Running",
                "conditions": [{ "type": "Ready", "status": "True" }, { "type": "PodScheduled", "status": "True" }],
                "containerStatuses": [{ "name": "web", "ready": true, "state": { "running": {} } }],
            },
        })
    }

    fn waiting(reason: &str, message: &str) -> Value {
        json!([{ "name": "web", "ready": false, "state": { "waiting": { "reason": reason, "message": message } } }])
    }

    #[test]
    fn a_serving_pod_is_healthy_when_it_is_ready() {
        check(&web(), Health::Healthy, "Ready");
        let starting = with(
            &web(),
            "/status/conditions/0",
            json!({ "type": "Ready", "status": "False", "reason": "ContainersNotReady" }),
        );
        check(&starting, Health::Progressing, "ContainersNotReady");
        check(&with(&web(), "/status", json!({ "phase": "Pending" })), Health::Progressing, "Pending");
        check(&with(&web(), "/status", json!({})), Health::Progressing, "NotObserved");
        check(&with(&web(), "/status/phase", json!("Unknown")), Health::Unknown, "UnknownPhase");
        check(
            &with(&web(), "/metadata/deletionTimestamp", json!("2026-03-01T10:00:00Z")),
            Health::Progressing,
            "Terminating",
        );
    }

    #[test]
    fn a_pod_that_ends_is_healthy_when_it_has_ended() {
        let once = with(&web(), "/spec/restartPolicy", json!("Never"));
        check(&once, Health::Progressing, "Running");
        check(&with(&once, "/status/phase", json!("Succeeded")), Health::Healthy, "Completed");
        let failed = with(
            &once,
            "/status",
            json!({
                "phase": "Failed",
                "containerStatuses": [{ "name": "web", "state": { "terminated": { "exitCode": 3, "message": "password is hunter2" } } }],
            }),
        );
        let assessment = check(&failed, Health::Degraded, "Failed");
        assert_eq!(assessment.message, "container web ended with exit code 3");
        let evicted = with(
            &with(&failed, "/status/reason", json!("Evicted")),
            "/status/message",
            json!("disk is full"),
        );
        assert_eq!(check(&evicted, Health::Degraded, "Evicted").message, "disk is full");

        let annotated = with(
            &once,
            "/metadata/annotations",
            json!({ "argocd.argoproj.io/ignore-restart-policy": "true" }),
        );
        check(&annotated, Health::Healthy, "Ready");
        let hook = with(&annotated, "/metadata/annotations/argocd.argoproj.io~1hook", json!("Sync"));
        check(&hook, Health::Progressing, "Running");
    }

    #[test]
    fn a_container_that_cannot_start_degrades_the_pod_under_every_policy() {
        for policy in ["Always", "OnFailure", "Never"] {
            let pod = with(&web(), "/spec/restartPolicy", json!(policy));
            for reason in [
                "CrashLoopBackOff",
                "ImagePullBackOff",
                "ErrImagePull",
                "CreateContainerConfigError",
                "InvalidImageName",
            ] {
                check(
                    &with(&pod, "/status/containerStatuses", waiting(reason, "")),
                    Health::Degraded,
                    reason,
                );
                let first = with(&pod, "/status/initContainerStatuses", waiting(reason, ""));
                check(&with(&first, "/status/phase", json!("Pending")), Health::Degraded, reason);
            }
        }
        let creating = with(&web(), "/status/phase", json!("Pending"));
        check(
            &with(&creating, "/status/containerStatuses", waiting("ContainerCreating", "")),
            Health::Progressing,
            "Pending",
        );
    }

    #[test]
    fn a_command_line_is_never_quoted() {
        let denied =
            with(&web(), "/status/containerStatuses", waiting("ErrImagePull", "registry says: denied"));
        assert_eq!(
            check(&denied, Health::Degraded, "ErrImagePull").message,
            "container web: registry says: denied"
        );
        let leaky = with(
            &web(),
            "/status/containerStatuses",
            waiting("RunContainerError", "exec --password=hunter2 failed"),
        );
        assert!(!check(&leaky, Health::Degraded, "RunContainerError").message.contains("hunter2"));
    }

    #[test]
    fn a_container_that_ended_and_is_not_back_degrades_a_serving_pod() {
        let crashed = json!([{ "name": "web", "ready": false, "state": { "running": {} },
            "lastState": { "terminated": { "exitCode": 137, "message": "hunter2" } } }]);
        let pod = with(&web(), "/status/conditions/0/status", json!("False"));
        let pod = with(&pod, "/status/containerStatuses", crashed);
        let assessment = check(&pod, Health::Degraded, "ContainerRestarted");
        assert_eq!(assessment.message, "container web ended with exit code 137 and is not ready");
        // A container that crashed long ago and is well again does not count against one that is starting.
        check(&with(&pod, "/status/containerStatuses/0/ready", json!(true)), Health::Progressing, "NotReady");
    }

    #[test]
    fn a_pod_without_a_node_has_fifteen_seconds() {
        let pod = with(
            &web(),
            "/status",
            json!({
                "phase": "Pending",
                "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes" }],
            }),
        );
        let at = |pod: &Value, time: &str| BuiltInHealth.assess(pod, time.parse().unwrap()).unwrap();
        let early = at(&pod, "2026-03-01T10:00:05Z");
        assert_eq!((early.health, early.recheck_after), (Health::Progressing, Some(Duration::from_secs(10))));
        let late = at(&pod, "2026-03-01T10:00:15Z");
        assert_eq!((late.health, late.recheck_after), (Health::Degraded, None));
        assert_eq!(late.message, "0/1 nodes");
        // A clock behind the server's must not wait longer than the grace.
        assert_eq!(at(&pod, "2026-03-01T09:00:00Z").recheck_after, Some(SCHEDULING_GRACE));
        let gated = with(&pod, "/status/conditions/0/reason", json!("SchedulingGated"));
        assert_eq!(at(&gated, "2026-03-01T10:09:00Z").health, Health::Progressing);
        let ageless = with(&pod, "/metadata/creationTimestamp", Value::Null);
        assert_eq!(at(&ageless, "2026-03-01T10:00:00Z").health, Health::Degraded);
    }
}
