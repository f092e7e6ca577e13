//! A small GitOps command line on the public API of the crates: copy it, and make it yours.

mod access;
mod advice;
mod args;
mod commands;
mod content;
mod explain;
mod naming;
mod object;
mod output;
mod parts;
mod place;
mod progress;
mod proposal;
mod recorded;
mod webhook;
mod write;
mod writing;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    // What matters is told by events and errors; RUST_LOG shows more.
    let quiet = |_| tracing_subscriber::EnvFilter::new("error,kube_client=off,rustls_platform_verifier=off");
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(quiet))
        .with_writer(std::io::stderr)
        .init();
    // The libraries leave the choice of the TLS provider to the program. If there is one already, it stays.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match args.command {
        Command::Run(run) => commands::run(run).await,
        Command::Sync(sync) => commands::sync(sync).await,
        Command::Plan(plan) => commands::plan(plan).await,
        Command::Diff(diff) => commands::diff(diff).await,
        Command::Status(status) => commands::status(status).await,
        Command::Remove(remove) => commands::remove(remove).await,
        Command::History(history) => explain::history(history).await,
        Command::Changes(changes) => explain::changes(changes).await,
        Command::Blame(blame) => explain::blame(blame).await,
        Command::Set(set) => write::set(set).await,
        Command::Rollback(rollback) => write::rollback(rollback).await,
    };
    match done {
        Ok(code) => code.into(),
        Err(error) => {
            output::complain(&error);
            output::Code::Error.into()
        }
    }
}
