//! The table that is printed at the end.

use std::fmt;

/// Something that was measured, and what it may be at most.
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) is: f64,
    pub(crate) unit: &'static str,
    pub(crate) at_most: Option<f64>,
}

impl Line {
    fn is_missed(&self) -> bool {
        self.at_most.is_some_and(|at_most| self.is > at_most)
    }
}

#[derive(Default)]
pub(crate) struct Report(Vec<Line>);

impl Report {
    /// Something that has a limit.
    pub(crate) fn limited(&mut self, what: impl Into<String>, is: f64, unit: &'static str, at_most: f64) {
        self.add(what.into(), is, unit, Some(at_most));
    }

    /// Something to compare with.
    pub(crate) fn told(&mut self, what: impl Into<String>, is: f64, unit: &'static str) {
        self.add(what.into(), is, unit, None);
    }

    /// It is also said at once: the whole takes minutes.
    fn add(&mut self, what: String, is: f64, unit: &'static str, at_most: Option<f64>) {
        let line = Line { what, is, unit, at_most };
        eprintln!("{line}");
        self.0.push(line);
    }

    pub(crate) fn misses(&self) -> usize {
        self.0.iter().filter(|line| line.is_missed()).count()
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = usize::from(!self.unit.is_empty()) * 2;
        write!(f, "| {} | {:.digits$} {} | ", self.what, self.is, self.unit)?;
        match self.at_most {
            Some(at_most) => {
                write!(f, "{at_most} {}{} |", self.unit, if self.is_missed() { " MISSED" } else { "" })
            }
            None => write!(f, "|"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | is | at most |\n|---|---|---|")?;
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}
