//! Service and Ingress.

use gitops_core::{Assessment, Timestamp};
use serde_json::Value;

use super::read::{healthy, items, progressing, quote, text};

pub(super) fn service(object: &Value, _now: Timestamp) -> Assessment {
    if text(object, "/spec/type") != "LoadBalancer" {
        return healthy("Ready", "it needs nothing from outside");
    }
    if text(object, "/spec/clusterIP").is_empty() {
        return progressing("NoClusterIP", "it has no address inside the cluster yet");
    }
    reachable(object, "its load balancer")
}

pub(super) fn ingress(object: &Value, _now: Timestamp) -> Assessment {
    reachable(object, "its ingress controller")
}

fn reachable(object: &Value, who: &str) -> Assessment {
    let address = items(object, "/status/loadBalancer/ingress")
        .flat_map(|entry| [text(entry, "/hostname"), text(entry, "/ip")])
        .find(|address| !address.is_empty());
    match address {
        Some(address) => healthy("Reachable", format!("its address is {}", quote(address))),
        None => progressing("NoAddress", format!("{who} has given it no address yet")),
    }
}

#[cfg(test)]
mod tests {
    use gitops_core::Health;
    use serde_json::json;

    use crate::health::tests::{check, with};

    #[test]
    fn only_a_load_balancer_needs_an_address() {
        let service = json!({ "apiVersion": "v1", "kind": "Service", "spec": {}, "status": {} });
        for kind in ["", "ClusterIP", "NodePort", "ExternalName"] {
            check(&with(&service, "/spec/type", json!(kind)), Health::Healthy, "Ready");
        }
        let service = with(&service, "/spec", json!({ "type": "LoadBalancer" }));
        check(&service, Health::Progressing, "NoClusterIP");
        let service = with(&service, "/spec/clusterIP", json!("10.0.0.9"));
        check(&service, Health::Progressing, "NoAddress");
        for (ingress, health) in [
            (json!([]), Health::Progressing),
            (json!([{}]), Health::Progressing),
            (json!([{ "ip": "", "hostname": "" }]), Health::Progressing),
            (json!([{}, { "ip": "192.0.2.1" }]), Health::Healthy),
            (json!([{ "hostname": "lb.example.com" }]), Health::Healthy),
        ] {
            let service = with(&service, "/status/loadBalancer", json!({ "ingress": ingress }));
            check(&service, health, if health == Health::Healthy { "Reachable" } else { "NoAddress" });
        }
    }

    #[test]
    fn an_ingress_needs_an_address() {
        let ingress = json!({ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "status": { "loadBalancer": {} } });
        check(&ingress, Health::Progressing, "NoAddress");
        let served = with(&ingress, "/status/loadBalancer/ingress", json!([{ "ip": "2001:db8::1" }]));
        check(&served, Health::Healthy, "Reachable");
    }
}
