//! A control plane for all tests of this program, and what people and engines do to it.
#![allow(dead_code, unused_imports, reason = "each test program uses another part of it")]

mod engine;
mod gitops;
pub(crate) mod manifests;
mod server;

pub(crate) use engine::{Engine, application};
pub(crate) use gitops::{App, Running};
pub(crate) use gitops_kube::PART_OF;
pub(crate) use server::{Cluster, Request, apps, builder, core, plane};

use std::time::Duration;

/// How long anything may take. Nothing takes that long; the tests end early when they see what they wait for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
