//! The tests that are written beside the command line's code: cargo does not run those of examples by itself.
#![allow(dead_code, reason = "only the tests are wanted")]

#[path = "../gitops/access.rs"]
mod access;
#[path = "../gitops/advice.rs"]
mod advice;
#[path = "../gitops/args.rs"]
mod args;
#[path = "../gitops/content.rs"]
mod content;
#[path = "../gitops/naming.rs"]
mod naming;
#[path = "../gitops/object.rs"]
mod object;
#[path = "../gitops/parts.rs"]
mod parts;
#[path = "../gitops/progress.rs"]
mod progress;
#[path = "../gitops/proposal.rs"]
mod proposal;
#[path = "../gitops/webhook.rs"]
mod webhook;
#[path = "../gitops/writing.rs"]
mod writing;
