//! The table that is printed at the end.

use std::fmt;

#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
    budgets: Vec<Budget>,
}

/// Something that may not be more than so much.
pub(crate) struct Budget {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) is: f64,
    pub(crate) at_most: f64,
}

/// One measure, in microseconds for each pair.
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
    /// How many times faster than theirs it has to be.
    pub(crate) at_least: Option<f64>,
}

impl Line {
    fn ratio(&self) -> f64 {
        self.theirs / self.ours
    }

    fn is_missed(&self) -> bool {
        self.at_least.is_some_and(|at_least| self.ratio() < at_least)
    }
}

impl Report {
    pub(crate) fn add(&mut self, line: Line) {
        self.lines.push(line);
    }

    pub(crate) fn budget(&mut self, budget: Budget) {
        self.budgets.push(budget);
    }

    pub(crate) fn misses(&self) -> usize {
        self.lines.iter().filter(|line| line.is_missed()).count()
            + self.budgets.iter().filter(|budget| budget.is > budget.at_most).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| measure | per pair | beside | times as fast | at least |\n|---|---|---|---|---|")?;
        for line in &self.lines {
            let budget = match line.at_least {
                Some(at_least) if line.is_missed() => format!("{at_least:.2} × MISSED"),
                Some(at_least) => format!("{at_least:.2} ×"),
                None => String::new(),
            };
            writeln!(
                f,
                "| {} | {:.1} µs | {}: {:.1} µs | {:.2} × | {budget} |",
                line.name,
                line.ours,
                line.what,
                line.theirs,
                line.ratio(),
            )?;
        }
        if !self.budgets.is_empty() {
            writeln!(f, "\n| what | is | at most |\n|---|---|---|")?;
        }
        for Budget { name, unit, is, at_most } in &self.budgets {
            let missed = if is > at_most { " MISSED" } else { "" };
            writeln!(f, "| {name} | {is:.2} {unit} | {at_most} {unit}{missed} |")?;
        }
        Ok(())
    }
}
