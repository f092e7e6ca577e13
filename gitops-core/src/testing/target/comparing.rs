//! What `compare` says.

use std::sync::Arc;

use gitops_diff::FieldPath;
use serde_json::Value;

use super::TargetHarness;
use super::bench::{Bench, adopt, create, prune, refused, update};
use crate::testing::{Checked, Failure, cx};
use crate::{Class, Comparison, IgnoreRule, IgnoreRules};

pub(super) async fn what_was_applied_is_in_sync(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    if let Comparison::Differs(fields) | Comparison::Overruled(fields) =
        bench.compare(&member.placed, &member.live)
    {
        return Err(Failure::violated(format!("just created, and it differs: {fields:?}")));
    }
    bench.in_sync(&member.placed, "just created").await?;
    h.put(member.id(), "by hand").await;
    let drifted = bench.seen(member.id()).await?;
    bench.step(update(&member.placed, &drifted)).await?;
    bench.in_sync(&member.placed, "just updated").await?;
    let changed = bench.desired("a", "another").await?;
    let live = bench.seen(member.id()).await?;
    bench.step(update(&changed, &live)).await?;
    bench.in_sync(&changed, "just updated to another value").await
}

/// Fails where fields that differ do not count, and where others are said to differ.
fn differs(comparison: &Comparison, path: &FieldPath, when: &str) -> Checked {
    match comparison {
        Comparison::Unsure => Ok(()),
        Comparison::Differs(fields) => {
            let is_named = fields.iter().any(|field| field.path == *path);
            ensure!(is_named, "{when}: {path} is not among the differences: {fields:?}");
            Ok(())
        }
        other => Err(Failure::violated(format!("{when}: {other:?}"))),
    }
}

pub(super) async fn a_changed_field_is_not_in_sync(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    for value in ["by hand", "by hand, again"] {
        h.put(member.id(), value).await;
        for bench in [&bench, &bench.restarted().await] {
            let live = bench.seen(member.id()).await?;
            differs(&bench.compare(&member.placed, &live), &h.value_path(), "changed by hand")?;
        }
    }
    Ok(())
}

pub(super) async fn another_desired_value_is_not_in_sync(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    bench.create("a", "v").await?;
    let changed = bench.desired("a", "another").await?;
    for bench in [&bench, &bench.restarted().await] {
        let live = bench.seen(&changed.id).await?;
        differs(&bench.compare(&changed, &live), &h.value_path(), "another value is desired")?;
    }
    let (placed, live) = bench.foreign("nobodys", "theirs").await?;
    let ours = bench.desired("nobodys", "ours").await?;
    ensure!(placed.id == ours.id, "one name is two objects");
    differs(&bench.compare(&ours, &live), &h.value_path(), "an object of nobody has another value")
}

pub(super) async fn an_ignored_field_counts_for_nothing(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    h.put(member.id(), "by hand").await;
    let rules = IgnoreRules::new([IgnoreRule::new([h.value_path()])]);
    let others = IgnoreRules::new([IgnoreRule::new([h.value_path()]).with_name("another")]);
    let live = bench.seen(member.id()).await?;
    match bench.target.compare(&member.placed, &live, &rules) {
        Comparison::InSync | Comparison::Unsure => {}
        other => return Err(Failure::violated(format!("its only difference is ignored: {other:?}"))),
    }
    let not_bound = bench.target.compare(&member.placed, &live, &others);
    differs(&not_bound, &h.value_path(), "only another object's difference is ignored")
}

pub(super) async fn comparing_is_pure(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let member = bench.create("a", "v").await?;
    let same = bench.seen(member.id()).await?;
    h.put(member.id(), "by hand").await;
    let drifted = bench.seen(member.id()).await?;
    let mut answers: Vec<[Comparison; 2]> = Vec::new();
    for bench in [&bench, &bench, &bench.restarted().await] {
        answers.push([bench.compare(&member.placed, &same), bench.compare(&member.placed, &drifted)]);
    }
    ensure!(answers[0] == answers[1], "asked twice, it says {:?} and {:?}", answers[0], answers[1]);
    // Another process knows less, but may not know otherwise.
    let contradicts = |one: &Comparison, two: &Comparison| {
        one != two && *one != Comparison::Unsure && *two != Comparison::Unsure
    };
    let any = answers[0].iter().zip(&answers[2]).any(|(one, two)| contradicts(one, two));
    ensure!(!any, "two processes contradict each other: {:?} and {:?}", answers[0], answers[2]);
    Ok(())
}

pub(super) async fn what_is_not_stated_counts_for_nothing(h: &dyn TargetHarness) -> Checked {
    let (bench, second) = (Bench::new(h).await, h.second()?);
    let member = bench.create("a", "v").await?;
    let [sample, _] = second.samples();
    second.put(member.id(), sample).await;
    bench.in_sync(&member.placed, "a field that is not stated was set by hand").await?;
    h.put(member.id(), "by hand").await;
    let drifted = bench.seen(member.id()).await?;
    bench.step(update(&member.placed, &drifted)).await?;
    bench.stored(member.id(), Some("v"), "after an update").await?;
    let left = second.read(member.id()).await;
    ensure!(left.as_deref() == Some(sample), "an update made {left:?} of a field that is not stated");
    Ok(())
}

pub(super) async fn what_is_left_to_others_stays(h: &dyn TargetHarness) -> Checked {
    let (bench, second) = (Bench::new(h).await, h.second()?);
    let [stated, theirs] = second.samples();
    let member = bench.create_from(second.manifest("a", "v", stated)).await?;
    let left = |value: &str| {
        let mut object: Value = second.manifest("a", value, stated).object();
        second.path().remove(&mut object);
        let placed = (*member.placed).clone().with_object(&object).with_left(vec![second.path()]);
        Arc::new(placed)
    };
    // Nobody has taken it over yet, and then somebody has.
    for (value, expected) in [("one", stated), ("two", theirs)] {
        if expected == theirs {
            second.put(member.id(), theirs).await;
        }
        let live = bench.seen(member.id()).await?;
        bench.step(update(&left(value), &live)).await?;
        bench.stored(member.id(), Some(value), "after an update").await?;
        let stays = second.read(member.id()).await;
        ensure!(
            stays.as_deref() == Some(expected),
            "left to others as {expected:?}, an update made it {stays:?}"
        );
    }
    Ok(())
}

pub(super) async fn what_the_target_stores_otherwise_is_overruled(h: &dyn TargetHarness) -> Checked {
    let bench = Bench::new(h).await;
    let insisted = h.overrule().await?;
    let member = bench.create("a", "v").await?;
    bench.stored(member.id(), Some(&insisted), "the system was told to insist").await?;
    let is_named = member.done.overruled.iter().any(|field| field.path == h.value_path());
    ensure!(is_named, "stored as {insisted:?}, and told as overruled: {:?}", member.done.overruled);
    let live = bench.seen(member.id()).await?;
    match bench.compare(&member.placed, &live) {
        Comparison::Overruled(fields) if fields.iter().any(|field| field.path == h.value_path()) => {}
        other => return Err(Failure::violated(format!("the system insists on {insisted:?}: {other:?}"))),
    }
    let again = bench.step(update(&member.placed, &live)).await?;
    ensure!(!again.wrote, "the system insists on {insisted:?}, and an update says that it wrote");
    Ok(())
}

pub(super) async fn no_value_of_a_secret_is_told(h: &dyn TargetHarness) -> Checked {
    // Long enough to be nothing else, and short enough to be quoted whole.
    let (ours, theirs) = ("desired-aUoL93k", "live-Zt72mQx");
    let manifest = h.secret("s", ours)?;
    let bench = Bench::new(h).await;
    let placed = bench.place(manifest.clone()).await?;
    let mut told = vec![format!("{manifest:?} {placed:?}")];
    let session = bench.begin(&[&placed]).await?;
    let done = session.run(&cx(), &create(&placed)).await?;
    told.push(format!("{done:?}"));
    let refusal = session.run(&cx(), &create(&placed)).await;
    told.push(format!("{refusal:?}"));
    refused(refusal, Class::Precondition, "creating a Secret that exists")?;
    h.put(&placed.id, theirs).await;
    let live = bench.seen(&placed.id).await?;
    told.push(format!("{live:?} {:?}", live.health));
    let comparison = bench.compare(&placed, &live);
    ensure!(comparison != Comparison::InSync, "a Secret was changed, and is in sync");
    told.push(format!("{comparison:?}"));
    if let Comparison::Differs(fields) = &comparison {
        told.extend(fields.iter().map(ToString::to_string));
        told.extend(serde_json::to_string(fields).ok());
    }
    for step in [adopt(&placed, &done.live.unwrap_or_else(|| live.clone())), prune(&placed.id, &stale(&live))]
    {
        told.push(format!("{step:?}"));
        if let Err(fault) = session.run(&cx(), &step).await {
            told.push(format!("{fault} {fault:?} {:?}", fault.note()));
        }
    }
    for text in &told {
        for value in [ours, theirs] {
            let hidden = !text.contains(value) && !text.contains(&base64(value));
            ensure!(hidden, "the value {value:?} of a Secret is told: {text}");
        }
    }
    Ok(())
}

fn stale(live: &crate::Live) -> crate::Token {
    crate::Token { version: "1".into(), ..live.token.clone() }
}

/// What a Secret holds of a text, by RFC 4648, without the padding.
fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut encoded = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - three.len()));
        encoded.extend((0..=three.len()).map(|n| char::from(LETTERS[bits >> (18 - 6 * n) & 63])));
    }
    encoded
}

#[cfg(test)]
mod tests {
    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, encoded) in [("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(super::base64(text), encoded);
        }
    }
}
