//! What the engine spends most of its time on: reading manifests, comparing, planning, and having nothing to do.
#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros, and a fixed workload")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gitops_benches::{deployment, placed, yaml};
use gitops_core::decode::{DecodeLimits, decode};
use gitops_core::{
    AppId, Application, Comparison, Cx, Desired, Goal, Inputs, MemoryCluster, MemorySource, MemoryTarget,
    Observe, Policy, Reconciler, RepoPath, Revision, Target, plan,
};
use gitops_diff::schema::BuiltIn;
use gitops_diff::{DiffOptions, FieldSet, compare};

fn reading(c: &mut Criterion) {
    let (file, text) = (RepoPath::new("all.yaml").unwrap(), yaml(1_000));
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    group.bench_function("1,000 Deployments", |b| {
        b.iter(|| decode(&file, black_box(text.as_bytes()), &DecodeLimits::default()).unwrap());
    });
}

fn comparing(c: &mut Criterion) {
    let (desired, live) = (deployment(1), deployment(1));
    let owned = FieldSet::of(&desired, &BuiltIn);
    let options = DiffOptions::default();
    c.bench_function("fingerprint of a Deployment", |b| b.iter(|| owned.fingerprint(black_box(&live))));
    c.bench_function("stated fields of a Deployment", |b| {
        b.iter(|| compare(black_box(&desired), &live, &BuiltIn, &options));
    });
}

fn planning(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let app: AppId = "shop".parse().unwrap();
    let desired = Desired::new(Revision::new("1"), placed(10_000)).unwrap();
    let target = MemoryTarget::new(MemoryCluster::new());
    for object in std::iter::once(
        serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}),
    )
    .chain((0..10_000).map(deployment))
    {
        target.cluster().apply("gitops/shop", &object, true).unwrap();
    }
    let also = desired.objects().keys().cloned().collect();
    let cx = Cx::with_timeout(Duration::from_secs(60));
    let observed = runtime.block_on(target.observe(&cx, &app, &Observe::Everything { also })).unwrap();
    let policy = Policy::default();
    let inputs = Inputs { app: &app, goal: Goal::Sync(&desired), observed: &observed, policy: &policy };
    c.bench_function("plan of 10,000 objects in sync", |b| {
        b.iter(|| plan(black_box(inputs), &|_, _| Comparison::InSync));
    });
}

fn idling(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let source = MemorySource::new("config");
    source.commit("Ada", "all", [("all.yaml", Some(yaml(1_000).as_str()))]).unwrap();
    let cluster = MemoryCluster::new();
    let namespace =
        serde_json::json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    cluster.create("setup", &namespace).unwrap();
    let app = Application::builder("shop", source, MemoryTarget::new(cluster)).build().unwrap();
    let reconciler = Reconciler::builder().with_application(app).build().unwrap();
    runtime.block_on(reconciler.sync("shop")).unwrap();
    let mut group = c.benchmark_group("reconciler");
    group.sample_size(20);
    group.bench_function("whole comparison of 1,000 objects in sync", |b| {
        b.iter(|| runtime.block_on(reconciler.sync("shop")).unwrap());
    });
}

criterion_group!(benches, reading, comparing, planning, idling);
criterion_main!(benches);
