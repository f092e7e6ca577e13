//! What happened in a repository: `history`, `changes`, `blame`.

use gitops_core::diff::{Difference, DifferenceKind};
use gitops_core::one_line;
use gitops_git::{Actor, BlameOptions, ChangeKind, Commit, HistoryOptions};
use serde_json::{Map, Value, json};

use crate::args::{Blame, Changes, History, Output};
use crate::output::{self, Code, print, print_json};
use crate::place::Place;

pub(crate) async fn history(asked: History) -> anyhow::Result<Code> {
    let place = Place::of(&asked.asked, &[]).await?;
    let mut options = HistoryOptions::new().with_first_parent(asked.first_parent);
    options = match &asked.object {
        Some(name) => options.with_object(place.path.clone(), place.look(name).await?.at_any_time()?),
        None => options.with_path(place.path.clone()),
    };
    if let Some(since) = asked.since {
        options = options.with_since(since);
    }
    if let Some(until) = asked.until {
        options = options.with_until(until);
    }
    let mut history = place.source.history(&place.cx, &place.revision, options).await?;
    while let Some(commit) = history.next(&place.cx).await? {
        match asked.asked.output {
            Output::Json => print_json(&commit_json(&commit))?,
            Output::Text => print(&commit_line(&commit))?,
        }
    }
    if !history.is_complete() {
        output::note("the local copy has no more of the history than this");
    }
    Ok(Code::Good)
}

pub(crate) async fn changes(asked: Changes) -> anyhow::Result<Code> {
    let place = Place::of(&asked.asked, &[]).await?;
    let (from, to) = &asked.range;
    let from = place.named(from).await?;
    let to = if to.is_empty() { place.revision.clone() } else { place.named(to).await? };
    let changes = place.source.changes(&place.cx, &from, &to, &place.path).await?;
    for change in &changes.objects {
        match asked.asked.output {
            Output::Json => print_json(&object([
                ("from", json!(from.id)),
                ("to", json!(to.id)),
                ("object", json!(change.id)),
                ("change", json!(change.kind.to_string())),
                ("from_place", json!(change.from)),
                ("to_place", json!(change.to)),
                ("differences", json!(change.differences)),
            ]))?,
            Output::Text => print_change(change)?,
        }
    }
    for file in &changes.unreadable {
        match asked.asked.output {
            Output::Json => print_json(&object([
                ("from", json!(from.id)),
                ("to", json!(to.id)),
                ("unreadable", json!(file.file)),
                ("side", json!(file.side.to_string())),
                ("problem", json!(file.problem)),
                ("objects", json!(file.objects)),
            ]))?,
            Output::Text => {
                print(&format!(
                    "? {} cannot be read ({}): {}",
                    file.file,
                    file.side,
                    one_line(&file.problem)
                ))?;
            }
        }
    }
    Ok(Code::Good)
}

pub(crate) async fn blame(asked: Blame) -> anyhow::Result<Code> {
    let place = Place::of(&asked.asked, &[]).await?;
    let id = place.look(&asked.object).await?.at_any_time()?;
    let options = BlameOptions::new().with_first_parent(asked.first_parent);
    let blame =
        place.source.blame(&place.cx, &place.revision, &place.path, &id, &asked.field, options).await?;
    let Some(blame) = blame else {
        output::note(&format!("{} of {id} was never there", asked.field));
        return Ok(Code::Differs);
    };
    match asked.asked.output {
        Output::Json => {
            let mut line = commit_json(&blame.commit);
            line.append(&mut object([
                ("object", json!(id)),
                ("field", json!(asked.field)),
                ("value", json!(blame.value())),
                ("place", json!(blame.place)),
            ]));
            print_json(&line)?;
        }
        Output::Text => {
            let value = blame.value().map_or("absent".to_owned(), ToString::to_string);
            let at = blame.place.as_ref().map(|place| format!("  ({place})")).unwrap_or_default();
            print(&format!("{id} {}  {}{at}", asked.field, one_line(&value)))?;
            print(&commit_line(&blame.commit))?;
            if blame.commit.boundary {
                output::note("the local copy does not have what was before that commit: it may be older");
            }
        }
    }
    Ok(Code::Good)
}

fn print_change(change: &gitops_git::Change) -> anyhow::Result<()> {
    let sign = match change.kind {
        ChangeKind::Added => '+',
        ChangeKind::Removed => '-',
        _ => '~',
    };
    let place = change.to.as_ref().or(change.from.as_ref());
    let place = place.map(|place| format!("  {place}")).unwrap_or_default();
    print(&format!("{sign} {}{place}", change.id))?;
    change.differences.iter().try_for_each(|difference| print(&format!("    {}", field_line(difference))))
}

/// `.spec.replicas  2 → 3`
fn field_line(difference: &Difference) -> String {
    let (path, from, to) = (&difference.path, &difference.live, &difference.desired);
    match difference.kind {
        DifferenceKind::Added => format!("{path}  added: {to}"),
        DifferenceKind::Removed => format!("{path}  removed: {from}"),
        DifferenceKind::Moved => format!("{path}  moved from position {from} to {to}"),
        _ => format!("{path}  {from} → {to}"),
    }
}

/// `91b2c07  2026-11-21T10:00:00Z  Ada  web 1.4.2`
fn commit_line(commit: &Commit) -> String {
    let id = commit.id.get(..7).unwrap_or(&commit.id);
    let time = commit.committer.time.map_or("at an unknown time".to_owned(), |time| time.to_string());
    let subject = commit.subject();
    let end = if commit.boundary { "  (the local copy ends here)" } else { "" };
    format!("{id}  {time}  {}  {}{end}", one_line(&commit.author.name), one_line(&subject))
}

fn commit_json(commit: &Commit) -> Map<String, Value> {
    let actor = |actor: &Actor| {
        let fields =
            [("name", json!(actor.name)), ("email", json!(actor.email)), ("time", json!(actor.time))];
        Value::Object(object(fields))
    };
    let trailers: Vec<Value> =
        commit.trailers().into_iter().map(|one| json!({"key": one.key, "value": one.value})).collect();
    object([
        ("commit", json!(commit.id)),
        ("parents", json!(commit.parents)),
        ("author", actor(&commit.author)),
        ("committer", actor(&commit.committer)),
        ("subject", json!(commit.subject())),
        ("message", json!(commit.message)),
        ("trailers", json!(trailers)),
        ("signed", json!(commit.signed)),
        ("boundary", json!(commit.boundary)),
    ])
}

/// Fields, less those that are absent.
fn object<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    let there = fields.into_iter().filter(|(_, value)| !value.is_null());
    there.map(|(name, value)| (name.to_owned(), value)).collect()
}
