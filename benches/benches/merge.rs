//! The merges and what drift detection asks for each event, on objects of many kinds. `benches/compare` runs the same
//! beside the Go modules.
#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros, and a fixed workload")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gitops_benches::pairs::{MANAGER, Pair, pairs};
use gitops_diff::schema::{BuiltIn, Schema, Type};
use gitops_diff::three_way::{self, ThreeWayOptions};
use gitops_diff::{FieldSet, Glance, TypeRef, WriteOptions, apply, merge_patch, strategic, typed};
use serde_json::Value;

/// As many as stay in the processor's cache.
const PAIRS: usize = 100;

struct Trees {
    last_applied: Value,
    desired: Value,
    live: Value,
    ty: Option<Type<'static>>,
}

fn trees(pairs: &[Pair]) -> Vec<Trees> {
    let parse = |text: &str| serde_json::from_str(text).unwrap();
    let trees = pairs.iter().map(|pair| {
        let desired: Value = parse(&pair.desired);
        let ty = BuiltIn.type_of(&TypeRef::of(&desired));
        Trees { last_applied: parse(&pair.last_applied), desired, live: parse(&pair.live), ty }
    });
    trees.collect()
}

fn merging(c: &mut Criterion) {
    let pairs = pairs(PAIRS);
    let trees = trees(&pairs);
    let mut group = c.benchmark_group("merge of 100 pairs");
    group.sample_size(50).throughput(Throughput::Elements(PAIRS as u64));
    let options = ThreeWayOptions::default();
    group.bench_function("three-way from bytes", |b| {
        b.iter(|| {
            for pair in black_box(&pairs) {
                let [last, desired, live] =
                    [&pair.last_applied, &pair.desired, &pair.live].map(String::as_bytes);
                let (patch, _) = three_way::patch_from_json(last, desired, live, &BuiltIn, &options).unwrap();
                black_box(serde_json::to_vec(&patch).unwrap());
            }
        });
    });
    group.bench_function("three-way of trees", |b| {
        b.iter(|| {
            for Trees { last_applied, desired, live, ty } in black_box(&trees) {
                black_box(match ty {
                    Some(ty) => {
                        strategic::three_way(last_applied, desired, live, *ty, &options.merge).unwrap()
                    }
                    None => merge_patch::three_way(last_applied, desired, live, &[]).unwrap(),
                });
            }
        });
    });
    group.bench_function("merge and compare", |b| {
        b.iter(|| {
            for Trees { desired, live, ty, .. } in black_box(&trees) {
                let ty = ty.unwrap_or_else(Type::deduced);
                let merged = typed::merge(live, desired, ty).unwrap();
                black_box(typed::compare(live, &merged, ty).unwrap());
            }
        });
    });
    let write = WriteOptions::new(MANAGER).with_force(true);
    group.bench_function("apply with managedFields", |b| {
        b.iter(|| {
            for Trees { desired, live, .. } in black_box(&trees) {
                black_box(apply(Some(live), desired, &BuiltIn, &write).unwrap());
            }
        });
    });
    group.finish();
}

fn watching(c: &mut Criterion) {
    let pairs = pairs(PAIRS);
    let trees = trees(&pairs);
    let bytes = pairs.iter().map(|pair| pair.live.len() as u64).sum();
    let mut group = c.benchmark_group("100 watch events");
    group.sample_size(50).throughput(Throughput::Bytes(bytes));
    group.bench_function("serde_json parses", |b| {
        b.iter(|| {
            for pair in black_box(&pairs) {
                black_box(serde_json::from_slice::<Value>(pair.live.as_bytes()).unwrap());
            }
        });
    });
    group.bench_function("bytes to unchanged", |b| {
        b.iter(|| {
            for pair in black_box(&pairs) {
                black_box(Glance::of_json(pair.live.as_bytes(), MANAGER, &BuiltIn).unwrap());
            }
        });
    });
    group.bench_function("tree to unchanged", |b| {
        b.iter(|| {
            for tree in black_box(&trees) {
                black_box(Glance::of(&tree.live, MANAGER, &BuiltIn).unwrap());
            }
        });
    });
    group.finish();
    let mut group = c.benchmark_group("fingerprint");
    for size in [10, 1_000] {
        let object = Value::Object((0..size).map(|i| (format!("key-{i}"), Value::from(i))).collect());
        let set = FieldSet::of(&object, &BuiltIn);
        group.bench_with_input(BenchmarkId::new("of so many fields", size), &object, |b, object| {
            b.iter(|| set.fingerprint(black_box(object)));
        });
    }
}

criterion_group!(benches, merging, watching);
criterion_main!(benches);
