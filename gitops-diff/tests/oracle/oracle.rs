//! The oracle as a child process.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A program that answers what the reference implementations make of an input: `hack/oracle`.
pub(crate) struct Oracle {
    child: Child,
    requests: Option<BufWriter<ChildStdin>>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts the program that the environment names.
    pub(crate) fn start() -> Self {
        let path = std::env::var_os("GITOPS_ORACLE")
            .expect("GITOPS_ORACLE must name the oracle's binary: GITOPS_ORACLE=$(hack/oracle/build)");
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

impl Drop for Oracle {
    fn drop(&mut self) {
        // It ends when there is nothing more to read.
        drop(self.requests.take());
        let _ = self.child.wait();
    }
}
