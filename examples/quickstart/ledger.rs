//! What changed, who did it, when and why: from the engine's events alone.

use gitops_core::{Action, Event, EventKind, Outcome, ResourceId, Revision, Verdict};

/// Lines for people, the newest first.
pub(crate) fn lines(history: &[Event]) -> Vec<String> {
    let mut lines: Vec<String> = history.iter().filter_map(line).collect();
    lines.reverse();
    lines
}

fn line(event: &Event) -> Option<String> {
    let time = event.at.strftime("%H:%M:%S");
    match &event.kind {
        EventKind::Object { outcome, differences, revision: Some(revision), trigger, .. } => {
            // What was put back has a line already, with the name of whoever changed it.
            if *trigger == gitops_core::Trigger::Live || outcome.verdict != Verdict::Changed {
                return None;
            }
            let what = match differences.first() {
                Some(first) => format!(
                    "{} {}",
                    name(&outcome.id),
                    short(&first.path.to_string(), &first.live.to_string(), &first.desired.to_string())
                ),
                None => format!("{} {}", name(&outcome.id), done(outcome)),
            };
            Some(format!(
                "  {time}  {}  {:<14} {what:<52} \"{}\"",
                revision.short(),
                author(revision),
                revision.title().unwrap_or_default()
            ))
        }
        EventKind::Drift { id, differences, missing, .. } => {
            let writer = differences.iter().find_map(|difference| difference.writer.clone());
            let what = match differences.first() {
                Some(first) => format!(
                    "{} {}, healed",
                    name(id),
                    short(&first.path.to_string(), &first.desired.to_string(), &first.live.to_string())
                ),
                None if *missing => format!("{} deleted, restored", name(id)),
                None => name(id),
            };
            Some(format!(
                "  {time}  {:<7}  {:<14} {what:<52} (not in Git)",
                "–",
                writer.as_deref().unwrap_or("somebody")
            ))
        }
        _ => None,
    }
}

/// The last revision that was wholly in force before another one.
pub(crate) fn last_good_before(history: &[Event], revision: &str) -> Option<Revision> {
    let mut good = None;
    for event in history {
        match &event.kind {
            EventKind::SyncFinished { report } if report.counts.all_good() => {
                let now = report.revision.as_ref()?;
                if now.id == revision {
                    return good;
                }
                good = Some(now.clone());
            }
            _ => {}
        }
    }
    None
}

fn name(id: &ResourceId) -> String {
    format!("{}/{}", id.kind, id.name)
}

fn done(outcome: &Outcome) -> &'static str {
    match outcome.action {
        Some(Action::Create) => "created",
        Some(Action::Prune) => "pruned",
        _ => "changed",
    }
}

fn author(revision: &Revision) -> String {
    let author = revision.provenance.as_ref().and_then(|provenance| provenance.author.as_ref());
    author.map(|author| author.name.clone()).unwrap_or_default()
}

/// The last part of a path, and what happened to it.
fn short(path: &str, from: &str, to: &str) -> String {
    let field = path.rsplit('.').next().unwrap_or(path);
    let plain = |text: &str| text.trim_matches('"').rsplit('/').next().unwrap_or_default().to_owned();
    format!("{field} {} → {}", plain(from), plain(to))
}
