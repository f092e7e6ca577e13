//! The API server's audit log.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use gitops_core::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep};

/// A request that was answered.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) user: String,
    pub(crate) verb: String,
    /// With the query.
    pub(crate) uri: String,
    pub(crate) code: u64,
    /// When the answer was complete; of a watch, when it began.
    pub(crate) at: Timestamp,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }

    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    pub(crate) fn has_written(&self) -> bool {
        self.is_write() && (200..300).contains(&self.code)
    }

    /// Whether it is about what is recorded of the application.
    pub(crate) fn is_record(&self) -> bool {
        self.path().starts_with("/api/v1/namespaces/gitops-system/secrets")
    }
}

/// Reads the log as it grows.
#[derive(Debug)]
pub(crate) struct Log {
    file: PathBuf,
    read: u64,
    /// A line that is not wholly written yet.
    rest: String,
    seen: BTreeSet<String>,
}

impl Log {
    pub(crate) fn of(file: PathBuf) -> Self {
        Self { file, read: 0, rest: String::new(), seen: BTreeSet::new() }
    }

    /// The requests since the last call, each once.
    pub(crate) fn more(&mut self) -> Result<Vec<Request>> {
        let mut file = match File::open(&self.file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        file.seek(SeekFrom::Start(self.read))?;
        let mut new = Vec::new();
        self.read += file.read_to_end(&mut new)? as u64;
        self.rest.push_str(std::str::from_utf8(&new)?);
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        let lines: String = self.rest.drain(..whole).collect();
        let mut requests = Vec::new();
        for line in lines.lines() {
            let entry: Value = serde_json::from_str(line)?;
            let text = |at: &str| entry.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
            if self.seen.insert(text("/auditID")) {
                requests.push(Request {
                    user: text("/user/username"),
                    verb: text("/verb"),
                    uri: text("/requestURI"),
                    code: entry.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
                    at: text("/stageTimestamp").parse()?,
                });
            }
        }
        Ok(requests)
    }

    /// The first new request that is what is looked for.
    pub(crate) async fn wait(
        &mut self,
        within: Duration,
        mut is_it: impl FnMut(&Request) -> bool,
    ) -> Result<Request> {
        let until = Instant::now() + within;
        loop {
            if let Some(found) = self.more()?.into_iter().find(&mut is_it) {
                return Ok(found);
            }
            if Instant::now() >= until {
                bail!("what was waited for did not happen within {within:?}");
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}
