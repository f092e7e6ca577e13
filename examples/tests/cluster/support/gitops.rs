//! The command line as people use it: processes, their output and their exit codes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, timeout, timeout_at};

use super::PATIENCE;
use super::manifests::PATH;
use crate::common::{Repo, json_lines, program};

/// An application that is handled by the command line.
#[derive(Clone)]
pub(crate) struct App<'a> {
    name: &'a str,
    url: String,
    mirror: PathBuf,
    kubeconfig: PathBuf,
    /// Of the environment, what only this application's programs see.
    env: Vec<(&'static str, OsString)>,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// The only JSON line of a type.
    #[track_caller]
    pub(crate) fn line(&self, kind: &str) -> Value {
        let mut lines: Vec<_> =
            json_lines(&self.out).into_iter().filter(|line| line["type"] == kind).collect();
        assert_eq!(lines.len(), 1, "{kind}: {self:#?}");
        lines.remove(0)
    }
}

fn command(kubeconfig: &Path) -> Command {
    let mut command = Command::new(program("gitops"));
    command.env("KUBECONFIG", kubeconfig).env("USER", "ada").env_remove("RUST_LOG").kill_on_drop(true);
    command
}

impl<'a> App<'a> {
    pub(crate) fn new(name: &'a str, repo: &Repo, kubeconfig: PathBuf) -> Self {
        Self::at(name, repo.url(), repo.mirror(), kubeconfig)
    }

    /// From a repository anywhere.
    pub(crate) fn at(name: &'a str, url: String, mirror: PathBuf, kubeconfig: PathBuf) -> Self {
        Self { name, url, mirror, kubeconfig, env: Vec::new() }
    }

    pub(crate) fn with_env(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.env.push((name, value.into()));
        self
    }

    fn command(&self, what: &str) -> Command {
        let mut command = command(&self.kubeconfig);
        command.args([what, "--name", self.name]).envs(self.env.iter().cloned());
        if !matches!(what, "status" | "remove") {
            command.args(["--repo", &self.url, "--path", PATH]).arg("--mirror").arg(&self.mirror);
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn gitops(&self, what: &str, more: &[&str]) -> Ended {
        let mut command = self.command(what);
        let output = timeout(PATIENCE, command.args(more).output()).await.expect("it ends").unwrap();
        Ended::of(&output)
    }

    /// Starts `gitops run`, with its events as JSON.
    pub(crate) fn run(&self, more: &[&str]) -> Running {
        let mut command = self.command("run");
        command.args(["--output", "json"]).args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Running { child, lines, history: Vec::new() }
    }
}

/// A `gitops run`. Dropping it kills the process.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    history: Vec<String>,
}

impl Running {
    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// The next line; none at the end of the output.
    async fn next(&mut self, deadline: Instant, what: &str) -> Option<Value> {
        let Ok(line) = timeout_at(deadline, self.lines.next_line()).await else {
            panic!("not observed: {what}; the output was:\n{}", self.history.join("\n"));
        };
        let line = line.unwrap()?;
        let value = json_lines(&line).pop();
        self.history.push(line);
        value
    }

    /// Waits for the first line from now on for which `pick` has an answer.
    pub(crate) async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&Value) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let Some(line) = self.next(deadline, what).await else {
                let mut err = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut err).await.unwrap();
                panic!("not observed: {what}; it ended with {err}\nafter\n{}", self.history.join("\n"));
            };
            if let Some(picked) = pick(&line) {
                return picked;
            }
        }
    }

    /// Waits for the first event of a type.
    pub(crate) async fn event(&mut self, kind: &str) -> Value {
        self.until(kind, |line| (line["type"] == kind).then(|| line.clone())).await
    }

    /// Asks it to end, and waits until it does: the exit code, and the last line.
    pub(crate) async fn terminate(mut self) -> (Option<i32>, Value) {
        let sent = Command::new("kill").args(["-TERM", &self.id().to_string()]).status().await.unwrap();
        assert!(sent.success());
        let deadline = Instant::now() + PATIENCE;
        let mut last = Value::Null;
        while let Some(line) = self.next(deadline, "the end").await {
            last = line;
        }
        let status = timeout_at(deadline, self.child.wait()).await.expect("it ends").unwrap();
        (status.code(), last)
    }

    /// Kills it at once, as a crash would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}
