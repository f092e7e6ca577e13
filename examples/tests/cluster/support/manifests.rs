//! The quickstart's shop, in a namespace of the test's own.

#[path = "../../../quickstart/manifests.rs"]
mod shop;

/// Where manifests are in the repository; and a file that is none.
pub(crate) use shop::{PATH, README};

fn moved(text: &str, namespace: &str) -> String {
    text.replace(": shop\n", &format!(": {namespace}\n"))
}

/// A Namespace, a Secret and a ConfigMap.
pub(crate) fn base(namespace: &str) -> String {
    moved(shop::BASE, namespace)
}

/// Another ConfigMap.
pub(crate) fn debug(namespace: &str) -> String {
    moved(shop::DEBUG, namespace)
}

/// A Service and a Deployment of three.
pub(crate) fn web(namespace: &str, version: &str) -> String {
    moved(&shop::web(version), namespace)
}

/// An edit gone wrong.
pub(crate) fn broken(namespace: &str, version: &str) -> String {
    moved(&shop::broken(version), namespace)
}

/// A ConfigMap.
pub(crate) fn config_map(namespace: &str, name: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n  namespace: {namespace}\ndata:\n  key: {value}\n---\n"
    )
}
