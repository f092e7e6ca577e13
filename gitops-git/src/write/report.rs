//! What a server says about a push (gitprotocol-pack(5), "Report Status").

use gix::bstr::ByteSlice as _;

use super::WriteError;
use crate::GitError;
use crate::error::shorten;

/// What became of the one reference that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It points to what was pushed; or to another commit that the server made of it.
    Landed { instead: Option<gix::ObjectId> },
    /// It was not where it was seen, or somebody else was moving it.
    Lost { reason: String },
    /// Nothing of it lands, however often it is tried.
    Refused { reason: String },
    /// The server could not do it, for a reason of its own.
    Failed { reason: String },
}

/// That the new commit does not come after the one that is there.
const NOT_A_FAST_FORWARD: &str = "non-fast-forward";

/// What others who push to the same reference cause. The words are those of Git's `receive-pack` and `refs` code, of all
/// versions since 2.0, and of hosts that say it with their own.
const LOST: [&str; 14] = [
    NOT_A_FAST_FORWARD,
    "fetch first",
    "stale info",
    "failed to update ref",
    "failed to lock",
    "cannot lock ref",
    "unable to lock",
    "transaction failed",
    "incorrect old value",
    "reference already exists",
    "reference does not exist",
    "but expected",
    "try again",
    "has been updated",
];

/// What somebody has forbidden. A hook may decline for any reason, also one that holds words from above.
const REFUSED: [&str; 11] = [
    "hook declined",
    "protected",
    "deny updating",
    "denyupdating",
    "deleting the current branch",
    "branch is currently checked out",
    "prohibited",
    "not allowed",
    "permission denied",
    "denied",
    "rule violations",
];

impl Verdict {
    /// The same for a push that replaces what was there. A server that lets branches only grow says of it what would else be
    /// a lost race.
    pub(super) fn of_replacing(self) -> Self {
        match self {
            Self::Lost { reason } if reason.contains(NOT_A_FAST_FORWARD) => Self::Refused { reason },
            other => other,
        }
    }
}

/// Reads the report on one reference. `remarks` is what the server said beside it.
pub(super) fn read(report: &[u8], reference: &str, remarks: &str) -> Result<Verdict, WriteError> {
    let mut lines = lines(report)?.into_iter();
    let unpacked = lines.next().unwrap_or_default();
    let with_remarks = |reason: &str| shorten(&format!("{reason} {remarks}"));
    match unpacked.strip_prefix("unpack ") {
        Some("ok") => {}
        Some(reason) => return Ok(Verdict::Failed { reason: with_remarks(reason) }),
        None => return Err(broken("it does not begin with what became of the pack")),
    }
    let mut verdict = None;
    for line in lines {
        if let Some(id) = line.strip_prefix("option new-oid ") {
            if let Some(Verdict::Landed { instead }) = &mut verdict {
                *instead = gix::ObjectId::from_hex(id.trim().as_bytes()).ok();
            }
        } else if let Some(name) = line.strip_prefix("ok ") {
            verdict = (name == reference).then_some(Verdict::Landed { instead: None }).or(verdict);
        } else if let Some((name, reason)) = line.strip_prefix("ng ").and_then(|line| line.split_once(' '))
            && name == reference
        {
            // A reason may repeat the name, which may have any words in it.
            verdict = Some(refusal(&reason.replace(reference, ""), &with_remarks(reason)));
        }
    }
    verdict.ok_or_else(|| broken("it says nothing of the reference"))
}

/// What a reason means; `told` is what people are told.
fn refusal(reason: &str, told: &str) -> Verdict {
    let said = reason.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let reason = told.to_owned();
    if has(&REFUSED) {
        Verdict::Refused { reason }
    } else if has(&LOST) {
        Verdict::Lost { reason }
    } else {
        Verdict::Failed { reason }
    }
}

/// Whether a report has come to its end.
pub(super) fn is_whole(mut report: &[u8]) -> bool {
    loop {
        let length = report.get(..4).and_then(|digits| usize::from_str_radix(digits.to_str().ok()?, 16).ok());
        match length {
            Some(length @ 4..) if length <= report.len() => report = &report[length..],
            Some(0) => return true,
            _ => return false,
        }
    }
}

/// The texts of packet lines: each begins with its length, in four hexadecimal digits.
fn lines(mut report: &[u8]) -> Result<Vec<String>, WriteError> {
    let mut lines = Vec::new();
    while !report.is_empty() {
        let length = report.get(..4).and_then(|digits| digits.to_str().ok());
        let length = length.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let Some(length) = length else { return Err(broken("it is cut off")) };
        if length < 4 {
            break;
        }
        let text = report.get(4..length).ok_or_else(|| broken("it is cut off"))?;
        lines.push(text.to_str_lossy().trim_end_matches('\n').to_owned());
        report = &report[length..];
    }
    Ok(lines)
}

fn broken(reason: &str) -> WriteError {
    GitError::Protocol { doing: "reading the report of the push", detail: reason.into() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "refs/heads/main";

    fn report(lines: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            bytes.extend_from_slice(format!("{:04x}{line}\n", line.len() + 5).as_bytes());
        }
        bytes.extend_from_slice(b"0000");
        bytes
    }

    fn ng(reason: &str) -> Verdict {
        read(&report(&["unpack ok", &format!("ng {MAIN} {reason}")]), MAIN, "").unwrap()
    }

    #[test]
    fn what_landed_is_told_from_what_did_not() {
        let landed = Verdict::Landed { instead: None };
        assert_eq!(read(&report(&["unpack ok", "ok refs/heads/main"]), MAIN, "").unwrap(), landed);
        let id = "1".repeat(40);
        let other = report(&["unpack ok", "ok refs/heads/main", &format!("option new-oid {id}")]);
        let instead = gix::ObjectId::from_hex(id.as_bytes()).ok();
        assert_eq!(read(&other, MAIN, "").unwrap(), Verdict::Landed { instead });
        let whole = report(&["unpack ok", "ok refs/heads/main"]);
        assert!((0..whole.len()).all(|at| !is_whole(&whole[..at])) && is_whole(&whole));
        for cut in ["", "00", "000eunpack ok"] {
            assert!(read(cut.as_bytes(), MAIN, "").is_err(), "{cut:?}");
        }
        assert!(read(&report(&["unpack ok"]), MAIN, "").is_err());
        assert!(read(&report(&["unpack ok", "ok refs/heads/main2"]), MAIN, "").is_err());
        let full = read(&report(&["unpack index-pack failed", "ng refs/heads/main x"]), MAIN, "");
        assert!(matches!(full.unwrap(), Verdict::Failed { .. }));
    }

    #[test]
    fn a_lost_race_is_told_from_a_refusal() {
        for lost in [
            "non-fast-forward",
            "fetch first",
            "stale info",
            "failed to update ref",
            "atomic transaction failed",
            "cannot lock ref 'refs/heads/main': is at 1 but expected 2",
            "incorrect old value provided",
        ] {
            assert!(matches!(ng(lost), Verdict::Lost { .. }), "{lost}");
        }
        for refused in [
            "pre-receive hook declined",
            "hook declined",
            "protected branch hook declined",
            "deny updating a hidden ref",
            "branch is currently checked out",
            "push declined due to repository rule violations",
        ] {
            assert!(matches!(ng(refused), Verdict::Refused { .. }), "{refused}");
        }
        assert!(matches!(ng("something else"), Verdict::Failed { .. }));
    }

    #[test]
    fn the_name_of_a_reference_is_no_reason() {
        const BRANCH: &str = "refs/heads/env/protected";
        let said = format!("ng {BRANCH} cannot lock ref '{BRANCH}': is at 1 but expected 2");
        let verdict = read(&report(&["unpack ok", &said]), BRANCH, "").unwrap();
        let Verdict::Lost { reason } = verdict else { panic!("{verdict:?}") };
        assert!(reason.contains(BRANCH), "{reason}");
    }

    #[test]
    fn a_server_that_lets_branches_only_grow_refuses_to_replace() {
        assert!(matches!(ng("non-fast-forward").of_replacing(), Verdict::Refused { .. }));
        assert!(matches!(ng("failed to update ref").of_replacing(), Verdict::Lost { .. }));
    }

    #[test]
    fn what_the_server_says_is_one_line() {
        let report = report(&["unpack ok", "ng refs/heads/main hook declined"]);
        let Verdict::Refused { reason } = read(&report, MAIN, "no\n\u{1b}[31mway").unwrap() else { panic!() };
        assert_eq!(reason, "hook declined no \\u{1b}[31mway");
    }
}
