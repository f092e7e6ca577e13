//! The oracle as a child process.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A program that answers what the reference implementations make of an input.
pub(crate) struct Oracle {
    child: Child,
    requests: Option<BufWriter<ChildStdin>>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts the reference implementations of the merges: the program that `GITOPS_ORACLE` names, or else a new one, which
    /// needs Go.
    pub(crate) fn start() -> Self {
        Self::run("GITOPS_ORACLE", &[])
    }

    /// Starts Kubernetes' defaulters: the program that `GITOPS_DEFAULTS` names, or else a new one, which needs Go.
    pub(crate) fn start_defaults() -> Self {
        Self::run("GITOPS_DEFAULTS", &["defaults"])
    }

    fn run(variable: &str, which: &[&str]) -> Self {
        let path = std::env::var_os(variable).map_or_else(|| build(which), PathBuf::from);
        let mut child = Command::new(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let requests = child.stdin.take().map(BufWriter::new);
        let answers = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        Self { child, requests, answers }
    }

    /// Asks everything at once; the answers come in the order of the requests.
    pub(crate) fn ask(&mut self, requests: &[&Value]) -> Vec<Value> {
        let mut writer = self.requests.take().expect("the oracle takes requests");
        let answers = &mut self.answers;
        // Both ends at the same time: pipes hold little.
        let (writer, answers) = std::thread::scope(|scope| {
            let sent = scope.spawn(move || {
                for request in requests {
                    writeln!(writer, "{request}").expect("the oracle listens");
                }
                writer.flush().expect("the oracle listens");
                writer
            });
            let answers: Vec<Value> = requests.iter().map(|request| read(answers, request)).collect();
            (sent.join().expect("requests are sent"), answers)
        });
        self.requests = Some(writer);
        answers
    }
}

fn read(answers: &mut impl BufRead, request: &Value) -> Value {
    let mut line = String::new();
    answers.read_line(&mut line).expect("the oracle answers");
    let answer: Value =
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error} in {line:?} to {request}"));
    assert!(answer.get("bad_request").is_none(), "{answer} to {request}");
    answer
}

fn build(which: &[&str]) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../hack/oracle/build");
    let output = Command::new(&script).args(which).stderr(Stdio::inherit()).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", script.display()));
    assert!(output.status.success(), "the oracle cannot be built: is Go there?");
    PathBuf::from(String::from_utf8(output.stdout).expect("a path").trim())
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It ends when there is nothing more to read.
        drop(self.requests.take());
        let _ = self.child.wait();
    }
}
