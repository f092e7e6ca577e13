//! A GitOps target over Kubernetes: server-side apply, membership, drift by fingerprint, health.
