//! What people see.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the program's output")]

use clap::ValueEnum;
use gitops_core::one_line;
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

/// Prints who does what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    output: Output,
}

impl Screen {
    pub(crate) fn new(output: Output) -> Self {
        Self { output }
    }

    /// One step: who, what for people, and what for programs.
    pub(crate) fn tell(self, who: &str, text: &str, mut fields: Value) {
        match self.output {
            Output::Text => println!("{who:<11} {}", one_line(text)),
            Output::Json => {
                fields["who"] = who.into();
                println!("{fields}");
            }
        }
    }
}

pub(crate) fn complain(error: &anyhow::Error) {
    eprintln!("two_repositories: {}", one_line(&format!("{error:#}")));
}
