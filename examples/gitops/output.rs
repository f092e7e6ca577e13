//! What is printed, and the exit codes.
#![expect(clippy::print_stderr, reason = "the program's own errors")]

use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use gitops_core::{
    AppRecord, Assessment, Deployments, Event, EventStream, Health, Plan, Reconciler, Revision, Timestamp,
    one_line,
};
use serde::Serialize;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::advice::for_people;
use crate::args::Output;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    /// All is well.
    Good = 0,
    /// It is not as Git wants it.
    Differs = 1,
    /// Nothing could be done.
    Error = 2,
    /// Somebody must approve the plan.
    NeedsApproval = 3,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

pub(crate) fn complain(error: &anyhow::Error) {
    let nobody_reads = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    if !error.downcast_ref().is_some_and(nobody_reads) {
        eprintln!("gitops: {}", one_line(&for_people(&format!("{error:#}"))));
    }
}

pub(crate) fn note(text: &str) {
    eprintln!("gitops: {}", one_line(text));
}

/// Prints a reconciler's events in the background.
pub(crate) struct Printing(JoinHandle<()>);

impl Printing {
    /// Begins. The reconciler stops when somebody interrupts the program, and when nobody reads what it prints any more.
    pub(crate) fn of(reconciler: Reconciler, output: Output) -> (Reconciler, Self) {
        let mut events: EventStream = reconciler.subscribe();
        let (unread, is_unread) = oneshot::channel();
        let printing = tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if print_event(output, &event).is_err() {
                    let _ = unread.send(());
                    return;
                }
            }
        });
        let is_unread = async {
            if is_unread.await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        (reconciler.shutdown_on_signal().shutdown_on(is_unread), Self(printing))
    }

    /// Ends the reconciler, and waits until the last event is printed.
    pub(crate) async fn end(self, reconciler: Reconciler) {
        drop(reconciler);
        let _ = tokio::time::timeout(Duration::from_secs(5), self.0).await;
    }
}

fn print_event(output: Output, event: &Event) -> anyhow::Result<()> {
    match output {
        Output::Json => print_json(event),
        Output::Text => print(&format!("{} {event}", event.at.strftime("%H:%M:%S"))),
    }
}

pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{text}")?;
    Ok(())
}

pub(crate) fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&gitops_examples::json_line(value)?)
}

/// A plan with its digest: a line for each field, or whole differences.
pub(crate) fn plan(output: Output, plan: &Plan, unified: bool) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Line<'a> {
        r#type: &'static str,
        #[serde(flatten)]
        plan: &'a Plan,
    }
    match output {
        Output::Json => print_json(&Line { r#type: "plan", plan }),
        Output::Text if unified => print(&plan.display().unified().color(is_colourful()).to_string()),
        Output::Text => print(&format!("{}\nplan {}", plan.display().color(is_colourful()), plan.digest())),
    }
}

/// What waiting for health came to. What the sync did was said by its event.
pub(crate) fn waited(output: Output, app: &str, health: &Assessment) -> anyhow::Result<()> {
    match output {
        Output::Json => print_json(&json!({"type": "waited", "app": app, "health": health})),
        // Which object is the least healthy of healthy ones is of no interest.
        Output::Text if health.health == Health::Healthy => print(&format!("{app}: {}", health.health)),
        Output::Text => print(&format!("{app}: {health}")),
    }
}

pub(crate) fn status(
    output: Output,
    app: &str,
    record: Option<&AppRecord>,
    health: &Assessment,
) -> anyhow::Result<()> {
    if output == Output::Json {
        let good = record.and_then(|record| record.deployments.last_good());
        let good = good.map(|(revision, healthy)| json!({"revision": revision, "healthy": healthy}));
        let status = json!({
            "type": "status", "app": app, "record": record, "last_good": good, "health": health,
        });
        return print_json(&status);
    }
    let Some(record) = record else {
        return print(&format!("{app} was never deployed here"));
    };
    let revision =
        |revision: &Option<Revision>| revision.as_ref().map_or("none".to_owned(), ToString::to_string);
    print(&format!("application  {app}"))?;
    print(&format!("source       {}", one_line(&record.source)))?;
    print(&format!("attempted    {}", revision(&record.attempted)))?;
    print(&format!("applied      {}", revision(&record.applied)))?;
    for signer in record.attempted.as_ref().map_or(&[][..], Revision::signers) {
        print(&format!("signed by    {signer}"))?;
    }
    match record.deployments.last_good() {
        Some((good, healthy)) => print(&format!("last good    {good}, {healthy}"))?,
        None => print("last good    none")?,
    }
    print(&format!("health       {health}"))?;
    if let Some(finished) = record.finished {
        print(&format!("finished     {finished}"))?;
    }
    let mut table = table(["object", "last outcome"]);
    for outcome in &record.outcomes {
        let text = outcome.to_string();
        let (id, what) = text.split_once(": ").unwrap_or((&text, ""));
        table.add_row([id, what]);
    }
    print(&table.to_string())?;
    deployments(&record.deployments)
}

fn table<const N: usize>(header: [&str; N]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(header);
    table
}

/// So many changes of a deployment are named to people; JSON has all that are recorded.
const FEW: usize = 5;

/// What was deployed and healed, the newest first.
fn deployments(all: &Deployments) -> anyhow::Result<()> {
    let when = |time: Option<Timestamp>| time.map_or("no".to_owned(), |time| time.to_string());
    if !all.recent.is_empty() {
        let mut table = table(["deployment", "attempted", "applied", "healthy", "changes"]);
        for one in all.recent.iter().rev() {
            let changes = one.changes.iter().take(FEW);
            let changes: Vec<_> = changes.map(|change| format!("{} {}", change.action, change.id)).collect();
            let more = if one.changes.len() > FEW { ", …" } else { "" };
            let what = format!("{}: {}{more}", one.counts, changes.join(", "));
            let what = if changes.is_empty() { one.counts.to_string() } else { what };
            let attempted = one.attempted.to_string();
            let (applied, healthy) = (when(one.applied), when(one.healthy));
            table.add_row([one.revision.to_string(), attempted, applied, healthy, what]);
        }
        print(&format!("\n{table}"))?;
    }
    if !all.healed.is_empty() {
        let mut table = table(["healed", "changed by", "fields", "times", "last"]);
        for one in all.healed.iter().rev() {
            let by = one_line(one.drift.by.as_deref().unwrap_or("unknown")).into_owned();
            let fields = match one.drift.fields.as_slice() {
                [] => "it was gone".to_owned(),
                fields => one_line(&fields.join(", ")).into_owned(),
            };
            let (times, last) = (one.times.to_string(), one.last.to_string());
            table.add_row([one.drift.id.to_string(), by, fields, times, last]);
        }
        print(&format!("\n{table}"))?;
    }
    if let Some(since) = all.older.since {
        let (deployments, healed) = (all.older.deployments, all.older.healed);
        print(&format!(
            "\nand {deployments} older deployments since {since}; {healed} times drift was healed"
        ))?;
    }
    Ok(())
}

/// Whether to write in colour: to a terminal, unless `NO_COLOR` (<https://no-color.org>) has a value.
fn is_colourful() -> bool {
    wants_colour(io::stdout().is_terminal(), std::env::var_os("NO_COLOR").as_deref())
}

fn wants_colour(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_of_people_who_want_it() {
        for (terminal, no_color, expected) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("0"), false),
            (true, Some("1"), false),
            (false, None, false),
            (false, Some(""), false),
        ] {
            assert_eq!(wants_colour(terminal, no_color.map(OsStr::new)), expected, "{terminal} {no_color:?}");
        }
    }
}
