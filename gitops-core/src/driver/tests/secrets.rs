//! Values of Secrets appear nowhere: a whole life of an application with a planted value, and all that was told.

use std::sync::{Arc, Mutex};

use super::*;

const PLANTED: [&str; 4] =
    ["hunter2-planted", "aHVudGVyMi1wbGFudGVk", "swordfish-planted", "c3dvcmRmaXNoLXBsYW50ZWQ"];

fn secret(field: &str, value: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: db, namespace: shop, annotations: {{kubectl.kubernetes.io/last-applied-configuration: '{{\"kind\":\"Secret\",\"data\":{{\"password\":\"aHVudGVyMi1wbGFudGVk\"}}}}'}}}}\n{field}: {{password: {value}}}\n"
    )
}

/// All that is logged, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn no_value_is_told_anywhere() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // Of a single subscriber, `tracing` asks the thread that first logs at a place whether anybody listens there: the thread
    // of another test would say no for all of them.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());

    let mut told = Vec::new();
    let mut world = World::new(|app| app);
    world.commit("first", &[("web", Some("one"))]);
    let string_data = secret("stringData", PLANTED[0]);
    world.source.commit("Ada", "secret", [("shop/db.yaml", Some(string_data.as_str()))]).unwrap();
    let plan = world.reconciler.plan("shop").await.unwrap();
    told.push(format!(
        "{plan:?} {} {} {}",
        plan.display(),
        plan.display().unified(),
        serde_json::to_string(&plan).unwrap()
    ));
    let db = ResourceId::namespaced("", "Secret", "shop", "db");
    let handle = world.reconciler.handle();
    let (mut events, mut finished, mut drifts, mut refused) = (Vec::new(), 0, 0, 0);
    beside!(world, {
        events.extend(world.over(seconds(1)).await);
        assert_eq!(world.cluster.get(&db).unwrap()["data"]["password"], "aHVudGVyMi1wbGFudGVk");
        // Drift of the value, an added key, a deletion.
        world
            .cluster
            .update("kubectl", &db, |o| o["data"]["password"] = json!("c3dvcmRmaXNoLXBsYW50ZWQ="))
            .unwrap();
        events.extend(world.over(seconds(1)).await);
        assert_eq!(world.cluster.get(&db).unwrap()["data"]["password"], "aHVudGVyMi1wbGFudGVk");
        world.cluster.delete("kubectl", &db).unwrap();
        events.extend(world.over(seconds(1)).await);
        // Another value, another form, a failure, a refusal, a value that the server insists on.
        let data = secret("data", "c3dvcmRmaXNoLXBsYW50ZWQ=");
        world.cluster.faults().inject(FaultRule::new(Effect::Deny).on(Operation::Apply).named("db").times(1));
        world.source.commit("Ada", "secret", [("shop/db.yaml", Some(data.as_str()))]).unwrap();
        events.extend(world.over(seconds(600)).await);
        world.cluster.set_admission(|object| {
            if object["kind"] == "Secret" {
                object["data"]["password"] = json!("aHVudGVyMi1wbGFudGVk");
            }
        });
        handle.sync("shop").unwrap();
        world.cluster.delete("kubectl", &db).unwrap();
        events.extend(world.over(seconds(1)).await);
        // Text that cannot be read, in several ways, next to the value and as the value.
        for bad in [
            format!("{string_data}a: ["),
            format!("{string_data}stringData: {{password: {}}}", PLANTED[2]),
            secret("stringData", "*hunter2-planted"),
            secret("stringData", "!hunter2-planted x"),
            secret("stringData", "&hunter2-planted *hunter2-planted"),
            secret("stringData", "\"hunter2-planted \\q\""),
            secret("stringData", "@hunter2-planted"),
            secret("stringData", "{a: hunter2-planted, a: hunter2-planted}"),
            secret("stringData", "[hunter2-planted"),
            secret("stringData", "'hunter2-planted"),
            secret("stringData", "a: hunter2-planted: b"),
            secret("stringData", "!!int hunter2-planted"),
            secret("stringData", "!!binary hunter2-planted$"),
            secret("stringData", "!!bool hunter2-planted"),
            "apiVersion: v1\nkind: hunter2-planted\nstringData: x".to_owned(),
        ] {
            world.source.commit("Ben", "oops", [("shop/db.yaml", Some(bad.as_str()))]).unwrap();
            events.extend(world.over(seconds(1)).await);
        }
        for bad in [
            r#"{"kind": "Secret", "data": {"p": "hunter2-planted", "p": "hunter2-planted"}}"#,
            r#"{"data": "hunter2-planted"#,
            r#"{"data": hunter2-planted}"#,
        ] {
            world
                .source
                .commit("Ben", "oops", [("shop/db.yaml", None), ("shop/db.json", Some(bad))])
                .unwrap();
            events.extend(world.over(seconds(1)).await);
        }
        told.push(format!("{:?} {}", handle.status("shop"), handle.status("shop").unwrap()));
        told.push(serde_json::to_string(&handle.status("shop")).unwrap());
    });
    for event in &events {
        finished += u32::from(matches!(event, EventKind::SyncFinished { .. }));
        refused += u32::from(matches!(event, EventKind::SourceFailed { .. }));
        drifts += u32::from(matches!(event, EventKind::Drift { .. }));
        told.push(format!("{event} {event:?} {}\n", serde_json::to_string(event).unwrap()));
    }
    assert!(finished >= 4 && drifts >= 2 && refused >= 12, "{finished} {drifts} {refused}");
    let record = world.reconciler.recall("shop").await.unwrap();
    told.push(format!("{record:?} {:?} {:?} {:?}", world.reconciler, world.source, world.cluster));
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("drift: Secret/shop/db"), "the log was listened to");
    told.push(log);
    let told = told.join("\n");
    for planted in PLANTED {
        if let Some(at) = told.find(planted) {
            let from = told[..at].char_indices().rev().nth(200).map_or(0, |(at, _)| at);
            panic!("{planted} was told: {}", &told[from..at + planted.len()]);
        }
    }
}
