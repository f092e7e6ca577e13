//! A line that says how far long work is.

use std::io::IsTerminal as _;
use std::sync::Arc;

use gitops_core::{NoProgress, Progress};
use indicatif::{ProgressBar, ProgressStyle};

struct Bar(ProgressBar);

impl Progress for Bar {
    fn report(&self, step: &str, done: u64, total: Option<u64>) {
        match total {
            Some(total) if done < total => self.0.set_message(format!("{step}: {done} of {total}")),
            Some(_) => self.0.set_message(String::new()),
            None => self.0.set_message(format!("{step}: {done}")),
        }
        self.0.tick();
    }
}

/// On a terminal, a line that comes and goes; elsewhere nothing.
pub(crate) fn on_terminal() -> Arc<dyn Progress> {
    if !std::io::stderr().is_terminal() {
        return Arc::new(NoProgress);
    }
    let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    Arc::new(Bar(ProgressBar::new_spinner().with_style(style)))
}
