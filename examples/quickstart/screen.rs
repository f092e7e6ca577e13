//! What people see.
#![expect(clippy::print_stdout, reason = "the program's output")]

use gitops_core::Event;

use crate::watcher::Unseen;

/// Prints a timeline for people, or the engine's events as JSON.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    json: bool,
}

impl Screen {
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// The engine's event, in JSON only: the timeline shows it where it belongs.
    pub(crate) fn event(self, event: &Event) {
        if self.json
            && let Ok(line) = gitops_examples::json_line(event)
        {
            println!("{line}");
        }
    }

    pub(crate) fn title(self, text: &str) {
        self.line(text);
    }

    pub(crate) fn step(self, number: u32, text: &str) {
        self.line(&format!("{number:>2} {text}"));
    }

    pub(crate) fn detail(self, text: &str) {
        self.line(&format!("   {text}"));
    }

    pub(crate) fn good(self, text: &str) {
        self.line(&format!("   ✔ {text}"));
    }

    pub(crate) fn drift(self, text: &str) {
        self.line(&format!("   ! {text}"));
    }

    pub(crate) fn bad(self, text: &str) {
        self.line(&format!("   ✖ {text}"));
    }

    pub(crate) fn not_observed(self, unseen: &Unseen) {
        if self.json {
            println!(
                "{}",
                serde_json::json!({"type": "not_observed", "step": unseen.step, "what": unseen.what})
            );
        } else {
            self.bad(&format!("step {}: not observed: {}", unseen.step, unseen.what));
        }
    }

    fn line(self, text: &str) {
        if !self.json {
            println!("{text}");
        }
    }
}
