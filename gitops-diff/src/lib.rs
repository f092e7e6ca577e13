//! Differences, field ownership and redaction for Kubernetes-style object trees: pure, no I/O, no async.
