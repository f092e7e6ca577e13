//! The Go program, which waits for commands while it is not measured.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::Value;

pub(crate) struct Peer {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// What the peer answers to one command.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    digests: Vec<String>,
    nanos: Option<u64>,
    #[serde(default)]
    result: Value,
    error: Option<String>,
}

impl Peer {
    pub(crate) fn start(program: &Path, workload: &Path, swagger: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .arg("-workload")
            .arg(workload)
            .arg("-swagger")
            .arg(swagger)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let commands = child.stdin.take().context("the peer has no input")?;
        let answers = BufReader::new(child.stdout.take().context("the peer has no output")?);
        Ok(Self { child, commands, answers })
    }

    /// The hash of a measure's result for each pair.
    pub(crate) fn digests(&mut self, measure: &str) -> Result<Vec<String>> {
        Ok(self.ask(&format!("digest {measure}"))?.digests)
    }

    /// A measure's result for one pair.
    pub(crate) fn show(&mut self, measure: &str, pair: usize) -> Result<Value> {
        Ok(self.ask(&format!("show {measure} {pair}"))?.result)
    }

    /// How long a measure takes for all pairs.
    pub(crate) fn time(&mut self, measure: &str) -> Result<Duration> {
        let nanos = self.ask(&format!("time {measure}"))?.nanos;
        Ok(Duration::from_nanos(nanos.context("the peer has timed nothing")?))
    }

    fn ask(&mut self, command: &str) -> Result<Answer> {
        writeln!(self.commands, "{command}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Answer = serde_json::from_str(&line).context("the peer has not answered")?;
        match answer.error {
            Some(error) => bail!("the peer: {error}"),
            None => Ok(answer),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends by itself when its input does, but nobody needs to wait for that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
