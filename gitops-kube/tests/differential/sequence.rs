//! One sequence, on both sides.

use std::fmt::Write as _;

use crate::compare::{Seen, difference, seen};
use crate::kinds::Kind;
use crate::memory_side::MemorySide;
use crate::operations::Operation;
use crate::outcome::{Outcome, Told};
use crate::server_side::ServerSide;

/// What was done, and what came of it.
pub(crate) type Counted = Vec<(String, &'static str)>;

/// The word for a write that changed nothing but an object's version.
pub(crate) const REWRITTEN: &str = "rewritten";

/// Runs a sequence on both sides; what came of it, or where they differ.
pub(crate) async fn run(
    kind: &Kind,
    operations: &[Operation],
    client: &kube::Client,
) -> Result<Counted, String> {
    let (mut memory, mut server) = (MemorySide::new(kind), ServerSide::new(kind, client).await);
    let mut counted = Vec::new();
    for (at, operation) in operations.iter().enumerate() {
        let (here, there) = (memory.run(operation).await, server.run(operation).await);
        if there == Outcome::Incomplete {
            // From here on, they are about different objects.
            counted.push((format!("{} {}", kind.name, operation.word()), there.word()));
            return Ok(counted);
        }
        if (&here, &there) == (&Outcome::NoOp, &Outcome::Changed)
            && operation.name().is_some_and(|name| is_only_rewritten(&memory, &server, name, kind))
        {
            // From here on, versions and events differ.
            counted.push((format!("{} {}", kind.name, operation.word()), REWRITTEN));
            return Ok(counted);
        }
        let mut text = String::new();
        if let Some(why) = differs(&here, &there, kind) {
            let _ = writeln!(text, "memory: {here}\nserver: {there}\n{why}");
        }
        for name in crate::operations::NAMES {
            let of = |live: Option<&serde_json::Value>| live.map(|object| seen(object, kind));
            if let Some(why) =
                difference(of(memory.history.live(name)).as_ref(), of(server.history.live(name)).as_ref())
            {
                let _ = writeln!(text, "{name}: {why}");
            }
        }
        if !text.is_empty() {
            return Err(format!("after step {}, {operation} ({}):\n{text}", at + 1, there.word()));
        }
        counted.push((format!("{} {}", kind.name, operation.word()), there.word()));
        if let Outcome::Events(told, _) = &there {
            counted.extend(told.iter().map(|told| match told.word.as_str() {
                "ADDED" => ("event".to_owned(), "ADDED"),
                "MODIFIED" => ("event".to_owned(), "MODIFIED"),
                _ => ("event".to_owned(), "DELETED"),
            }));
        }
    }
    Ok(counted)
}

/// Whether the server may have changed nothing but what it does not show.
///
/// Where an apply was the last to give up labels or annotations of a custom kind, and somebody else owns the map, the server
/// answers without the map; and if what it answered is sent back, the object gets another version, and is otherwise what
/// it was. What it stored had more than it showed. A cluster in memory keeps nothing that it does not show.
fn is_only_rewritten(memory: &MemorySide<'_>, server: &ServerSide<'_>, name: &str, kind: &Kind) -> bool {
    let (Some(here), Some(there)) = (memory.history.live(name), server.history.live(name)) else {
        return false;
    };
    let is_hidden = |map: &str| {
        let path = format!(".metadata.{map}");
        there["metadata"].get(map).is_none()
            && seen(there, kind).owners.values().any(|owned| owned.contains(&path))
    };
    seen(here, kind) == seen(there, kind) && ["labels", "annotations"].into_iter().any(is_hidden)
}

/// Why two outcomes are not the same.
fn differs(memory: &Outcome, server: &Outcome, kind: &Kind) -> Option<String> {
    match (memory, server) {
        (Outcome::Events(here, hints), Outcome::Events(there, wanted)) => {
            if hints != wanted {
                return Some("the hints differ".to_owned());
            }
            if here.len() != there.len() {
                return Some("the events differ".to_owned());
            }
            here.iter().zip(there).find_map(|(here, there)| {
                if here.word != there.word {
                    return Some(format!("{} in memory, {} on the server", here.word, there.word));
                }
                let of = |told: &Told| seen(&told.object, kind);
                difference(Some(&of(here)), Some(&of(there))).map(|why| format!("{}: {why}", here.word))
            })
        }
        (Outcome::Expired(here, hints), Outcome::Expired(there, wanted)) => {
            let of = |all: &[serde_json::Value]| all.iter().map(|one| seen(one, kind)).collect::<Vec<Seen>>();
            (hints != wanted || of(here) != of(there)).then(|| "the lists or the hints differ".to_owned())
        }
        (Outcome::Odd(_), _) | (_, Outcome::Odd(_)) => Some("odd".to_owned()),
        (memory, server) => (memory != server).then(|| "the outcomes differ".to_owned()),
    }
}

/// The shortest sequence found that still differs by leaving out steps, and how.
pub(crate) async fn shrunk(
    kind: &Kind,
    mut operations: Vec<Operation>,
    client: &kube::Client,
) -> (Vec<Operation>, String) {
    let Err(mut failure) = run(kind, &operations, client).await else {
        return (operations, "it does not differ when it is repeated".to_owned());
    };
    let mut at = operations.len();
    while at > 0 {
        at -= 1;
        let mut fewer = operations.clone();
        fewer.remove(at);
        if let Err(smaller) = run(kind, &fewer, client).await {
            (operations, failure) = (fewer, smaller);
        }
    }
    (operations, failure)
}
