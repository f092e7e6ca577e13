//! What is printed, and the exit codes.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the program's output")]

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

use gitops_core::{AppRecord, Assessment, Event, EventStream, Plan, Reconciler, Revision, SyncReport, one_line};
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinHandle;

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
    eprintln!("gitops: {}", one_line(&format!("{error:#}")));
}

pub(crate) fn note(text: &str) {
    eprintln!("gitops: {text}");
}

/// Prints a reconciler's events in the background.
pub(crate) struct Printing(JoinHandle<()>);

impl Printing {
    pub(crate) fn of(reconciler: &Reconciler, output: Output) -> Self {
        let mut events: EventStream = reconciler.subscribe();
        Self(tokio::spawn(async move {
            while let Some(event) = events.next().await {
                if print_event(output, &event).is_err() {
                    return;
                }
            }
        }))
    }

    /// Ends the reconciler, and waits until the last event is printed.
    pub(crate) async fn end(self, reconciler: Reconciler) {
        drop(reconciler);
        let _ = tokio::time::timeout(Duration::from_secs(5), self.0).await;
    }
}

fn print_event(output: Output, event: &Event) -> anyhow::Result<()> {
    match output {
        Output::Json => print_json(event)?,
        Output::Text => println!("{} {event}", event.at.strftime("%H:%M:%S")),
    }
    Ok(())
}

fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// A plan with its digest: a line for each field, or whole differences.
pub(crate) fn plan(output: Output, plan: &Plan, unified: bool) -> anyhow::Result<()> {
    match output {
        Output::Json => print_json(plan)?,
        Output::Text if unified => println!("{}", plan.display().unified().color(is_colourful())),
        Output::Text => println!("{}\nplan {}", plan.display(), plan.digest()),
    }
    Ok(())
}

/// What a sync did, and what waiting for health came to. In JSON the event of the finished sync has said the first.
pub(crate) fn report(output: Output, report: &SyncReport, health: Option<&Assessment>) -> anyhow::Result<()> {
    match (output, health) {
        (Output::Json, Some(health)) => print_json(&json!({"type": "waited", "health": health}))?,
        (Output::Json, None) => {}
        (Output::Text, Some(health)) => println!("{}; {health}", report.counts),
        (Output::Text, None) => println!("{report}"),
    }
    Ok(())
}

pub(crate) fn status(output: Output, app: &str, record: Option<&AppRecord>, health: &Assessment) -> anyhow::Result<()> {
    if output == Output::Json {
        return print_json(&json!({"type": "status", "app": app, "record": record, "health": health}));
    }
    let Some(record) = record else {
        println!("{app} was never deployed here");
        return Ok(());
    };
    let revision = |revision: &Option<Revision>| revision.as_ref().map_or("none".to_owned(), ToString::to_string);
    println!("application  {app}");
    println!("source       {}", one_line(&record.source));
    println!("attempted    {}", revision(&record.attempted));
    println!("applied      {}", revision(&record.applied));
    println!("health       {health}");
    if let Some(finished) = record.finished {
        println!("finished     {finished}");
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(["object", "last outcome"]);
    for outcome in &record.outcomes {
        let text = outcome.to_string();
        let (id, what) = text.split_once(": ").unwrap_or((&text, ""));
        table.add_row([id, what]);
    }
    println!("{table}");
    Ok(())
}

fn is_colourful() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
