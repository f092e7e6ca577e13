//! The table that is printed at the end.

use std::fmt;

#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
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

    pub(crate) fn misses(&self) -> usize {
        self.lines.iter().filter(|line| line.is_missed()).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| measure | per pair | beside | ratio | budget |\n|---|---|---|---|---|")?;
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
        Ok(())
    }
}
