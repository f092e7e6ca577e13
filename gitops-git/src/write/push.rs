//! Pushing one reference: `git-receive-pack` (gitprotocol-pack(5), "Pushing Data To a Server").

use std::io::{Read as _, Write as _};
use std::ops::ControlFlow;

use gix::bstr::ByteSlice as _;
use gix::protocol::Handshake;
use gix::protocol::handshake::Ref;
use gix::protocol::transport::client::blocking_io::{ExtendedBufRead, ReadlineBufRead as _, Transport};
use gix::protocol::transport::client::{MessageKind, WriteMode};

use super::report::is_whole;
use crate::refs::agent;

/// A report is a line or two.
const MAX_REPORT_BYTES: u64 = 1024 * 1024;

/// What is kept of what the server says beside the report.
const MAX_REMARKS_BYTES: usize = 4096;

/// What one reference is to become.
#[derive(Debug)]
pub(super) struct Command<'a> {
    pub(super) reference: &'a str,
    /// Where it must point to; the null id if it must not be there.
    pub(super) old: gix::ObjectId,
    pub(super) new: gix::ObjectId,
}

/// What the server said.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) report: Vec<u8>,
    pub(super) remarks: String,
}

/// Where a reference points to, as the server says.
pub(super) fn tip(hello: &Handshake, reference: &str) -> Option<gix::ObjectId> {
    hello.refs.iter().flatten().find_map(|entry| match entry {
        Ref::Direct { full_ref_name, object } => (full_ref_name == reference).then_some(*object),
        Ref::Symbolic { full_ref_name, object, tag, .. } => {
            (full_ref_name == reference).then_some(tag.unwrap_or(*object))
        }
        Ref::Peeled { full_ref_name, tag, .. } => (full_ref_name == reference).then_some(*tag),
        Ref::Unborn { .. } => None,
    })
}

/// Whether the server says what became of a push; without, nothing can be known.
pub(super) fn reports(hello: &Handshake) -> bool {
    hello.capabilities.contains("report-status") || hello.capabilities.contains("report-status-v2")
}

/// Sends a command and a pack, and reads what the server says. The command is a compare-and-swap: the server moves the
/// reference only from where it was seen.
pub(super) fn send(
    transport: &mut dyn Transport,
    hello: &Handshake,
    command: &Command<'_>,
    pack: &[u8],
) -> gix::Result<Answer> {
    let offered = |name: &str| hello.capabilities.contains(name);
    let sideband = offered("side-band-64k");
    let mut wanted =
        vec![if offered("report-status-v2") { "report-status-v2" } else { "report-status" }.to_owned()];
    if sideband {
        wanted.push("side-band-64k".into());
    }
    // The only hash that is known here; servers of before 2020 do not name it.
    if offered("object-format") {
        wanted.push("object-format=sha1".into());
    }
    if offered("agent")
        && let (name, Some(value)) = agent()
    {
        wanted.push(format!("{name}={value}"));
    }
    let Command { reference, old, new } = command;
    let line = format!("{old} {new} {reference}\0 {}", wanted.join(" "));
    let mut request =
        transport.request(WriteMode::Binary, MessageKind::Flush, false).map_err(gix::Error::from_error)?;
    request.write_all(line.as_bytes()).map_err(gix::Error::from_error)?;
    request.write_message(MessageKind::Flush).map_err(gix::Error::from_error)?;
    let (mut raw, answer) = request.into_parts();
    raw.write_all(pack).and_then(|()| raw.flush()).map_err(gix::Error::from_error)?;
    drop(raw);
    hear(answer, sideband)
}

fn hear<'a>(mut answer: Box<dyn ExtendedBufRead<'a> + Unpin + 'a>, sideband: bool) -> gix::Result<Answer> {
    let remarks = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let mut report = Vec::new();
    if sideband {
        let heard = remarks.clone();
        answer.set_progress_handler(Some(Box::new(move |_, text: &[u8]| {
            let mut heard = heard.borrow_mut();
            let room = MAX_REMARKS_BYTES.saturating_sub(heard.len());
            heard.extend_from_slice(&text[..text.len().min(room)]);
            ControlFlow::Continue(())
        })));
        let read = (&mut answer).take(MAX_REPORT_BYTES).read_to_end(&mut report);
        // After the report, hooks may be at work for long. What it says counts, whatever becomes of the connection.
        read.or_else(|error| if is_whole(&report) { Ok(0) } else { Err(error) })
            .map_err(gix::Error::from_error)?;
    } else {
        // The lines come without their lengths.
        while let Some(line) = answer.readline() {
            let line = line.map_err(gix::Error::from_error)??;
            if let Some(text) = line.as_slice() {
                report.extend_from_slice(format!("{:04x}", text.len() + 4).as_bytes());
                report.extend_from_slice(text);
            }
            if report.len() as u64 > MAX_REPORT_BYTES {
                break;
            }
        }
    }
    drop(answer);
    let remarks = remarks.borrow().to_str_lossy().into_owned();
    Ok(Answer { report, remarks })
}
