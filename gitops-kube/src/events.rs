//! The events of a watch, line by line.
//!
//! Read here rather than by kube, because kube makes a tree of each object, and takes lines of any length.

use std::io;
use std::pin::Pin;

use futures_core::Stream;
use futures_util::io::{AsyncBufRead, AsyncBufReadExt as _};
use futures_util::stream;
use gitops_core::{Class, Fault};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{Effect, KubeError, Telling, refused, unanswered};

/// Longer lines end a watch. etcd takes objects of 1.5 MiB, unless somebody raises that.
const LONGEST_LINE: usize = 32 * 1024 * 1024;

/// An event as it was sent.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    /// `ADDED`, `MODIFIED`, `DELETED`, `BOOKMARK` or `ERROR`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The object; of an error, a Status.
    pub(crate) object: Box<RawValue>,
}

#[derive(Deserialize)]
struct Status {
    code: u16,
}

impl Event {
    /// What an `ERROR` says.
    pub(crate) fn error(&self) -> Fault {
        status(self.object.get()).unwrap_or_else(|| misunderstood("has an error without a code"))
    }
}

/// The events of an answer, until it ends.
pub(crate) fn events(
    body: impl AsyncBufRead + Send + 'static,
) -> impl Stream<Item = Result<Event, Fault>> + Send {
    let body: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(body);
    stream::unfold(Some(body), |body| async move {
        let mut body = body?;
        let mut line = Vec::new();
        match read_line(&mut body, &mut line, LONGEST_LINE).await {
            Err(error) => Some((Err(lost(&error)), None)),
            // It broke off: what is missing of it comes when the watch goes on.
            Ok(false) if !is_whole(&line) => None,
            Ok(more) => Some((parse(&line), more.then_some(body))),
        }
    })
}

/// Reads up to a line break, which is left out; false at the end, with what there was before it.
async fn read_line(
    body: &mut Pin<Box<dyn AsyncBufRead + Send>>,
    line: &mut Vec<u8>,
    longest: usize,
) -> io::Result<bool> {
    loop {
        let read = body.fill_buf().await?;
        if read.is_empty() {
            return Ok(false);
        }
        let end = read.iter().position(|byte| *byte == b'\n');
        let part = end.unwrap_or(read.len());
        if line.len() + part > longest {
            return Err(io::Error::other(format!("an event of more than {longest} bytes")));
        }
        line.extend_from_slice(&read[..part]);
        body.consume_unpin(end.map_or(part, |end| end + 1));
        if end.is_some() {
            return Ok(true);
        }
    }
}

fn is_whole(line: &[u8]) -> bool {
    serde_json::from_slice::<&RawValue>(line).is_ok()
}

fn parse(line: &[u8]) -> Result<Event, Fault> {
    serde_json::from_slice(line).map_err(|_| {
        // Some errors come as a Status in place of an event.
        let text = std::str::from_utf8(line).ok();
        text.and_then(status).unwrap_or_else(|| misunderstood("has a line that is no event"))
    })
}

fn status(text: &str) -> Option<Fault> {
    let Status { code } = serde_json::from_str(text).ok()?;
    Some(refused(code, text.as_bytes(), None, Effect::Read, Telling::All))
}

fn misunderstood(why: &str) -> Fault {
    KubeError::Answer { message: format!("the watch {why}") }.fault(Class::RETRY)
}

fn lost(error: &io::Error) -> Fault {
    unanswered(KubeError::Connection { message: error.to_string() }, Effect::Read, true)
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;
    use futures_util::io::Cursor;

    use super::*;

    async fn all(text: &str) -> Vec<Result<String, String>> {
        let text = text.as_bytes().to_vec();
        let shown = |event: Result<Event, Fault>| match event {
            Ok(Event { kind, object }) => Ok(format!("{kind} {object}")),
            Err(fault) => Err(fault.to_string()),
        };
        events(Cursor::new(text)).map(shown).collect().await
    }

    #[tokio::test]
    async fn events_are_read_in_whatever_order_their_fields_come() {
        let text =
            "{\"type\":\"ADDED\",\"object\":{\"a\":1}}\n{\"object\": [2], \"type\": \"X\", \"more\": 0}\n";
        assert_eq!(all(text).await, [Ok("ADDED {\"a\":1}".to_owned()), Ok("X [2]".to_owned())]);
    }

    #[tokio::test]
    async fn what_broke_off_is_no_event_and_no_error() {
        let whole = "{\"type\":\"ADDED\",\"object\":{}}";
        assert_eq!(all(&whole[..whole.len() - 1]).await, []);
        assert_eq!(all(whole).await, [Ok("ADDED {}".to_owned())]);
        assert_eq!(all("").await, []);
    }

    #[tokio::test]
    async fn errors_come_as_events_and_instead_of_them() {
        let status = "{\"kind\":\"Status\",\"status\":\"Failure\",\"message\":\"too old\",\"reason\":\"Expired\",\"code\":410}";
        let as_event = format!("{{\"type\":\"ERROR\",\"object\":{status}}}");
        let event: Event = serde_json::from_str(&as_event).unwrap();
        let said = event.error().to_string();
        assert!(said.contains("too old") && said.contains("410"), "{said}");
        assert_eq!(all(status).await, [Err(said)]);
        let [Err(other)] = &all("<html>hunter2</html>\n").await[..] else { panic!("it is no event") };
        assert!(other.contains("no event") && !other.contains("hunter2"), "{other}");
    }

    #[tokio::test]
    async fn a_line_without_end_is_not_kept() {
        let mut body: Pin<Box<dyn AsyncBufRead + Send>> = Box::pin(Cursor::new(vec![b'x'; 100]));
        let error = read_line(&mut body, &mut Vec::new(), 99).await.unwrap_err();
        assert!(error.to_string().contains("99 bytes"), "{error}");
    }
}
