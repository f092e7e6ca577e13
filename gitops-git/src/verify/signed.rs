//! What of an object is signed, and the signature over it.

use std::borrow::Cow;

use gitops_core::Timestamp;
use gix::ObjectId;

use crate::refusal::Refusal;

/// The longest signature that is read, in bytes of its armor; those of RSA keys of 8,192 bits have less than 3,000.
pub(super) const MAX_SIGNATURE: usize = 32 * 1024;

/// An object's signature, and the bytes that it is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed<'a> {
    pub(super) payload: Vec<u8>,
    pub(super) signature: Cow<'a, [u8]>,
    /// When the object says that it was made.
    pub(super) at: Timestamp,
}

/// The parts of an annotated tag that matter here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub(super) target: ObjectId,
    pub(super) name: &'a [u8],
    pub(super) signed: Signed<'a>,
}

/// Takes a raw commit apart.
///
/// The signature is in the header `gpgsig`, whose further lines each begin with a space; the rest of the object is what was
/// signed, but for headers that hold signatures over its form with other hashes, as `parse_signed_commit()` of Git has it.
pub(super) fn commit(raw: &[u8]) -> Result<Signed<'_>, Refusal> {
    let headers = Headers::of(raw)?;
    let mut signature = None;
    let mut payload = Vec::with_capacity(raw.len());
    for (name, line) in headers.iter() {
        if name == b"gpgsig" && signature.replace(unfold(line)?).is_some() {
            return Err(malformed("the commit has more than one"));
        }
        if !is_signature(name) {
            payload.extend_from_slice(line);
        }
    }
    payload.extend_from_slice(headers.rest);
    let signature = Cow::Owned(signature.ok_or(Refusal::Unsigned)?);
    Ok(Signed { payload, signature, at: time_of(&headers, b"committer")? })
}

/// Takes a raw tag apart: the signature is the end of its message, from the last line that begins one.
pub(super) fn tag(raw: &[u8]) -> Result<Tag<'_>, Refusal> {
    let start = last_signature(raw).ok_or(Refusal::Unsigned)?;
    let (signed, signature) = raw.split_at(start);
    if signature.len() > MAX_SIGNATURE {
        return Err(too_long());
    }
    let headers = Headers::of(signed)?;
    let mut payload = Vec::with_capacity(signed.len());
    for (_, line) in headers.iter().filter(|(name, _)| !is_signature(name)) {
        payload.extend_from_slice(line);
    }
    payload.extend_from_slice(headers.rest);
    let target = headers.value(b"object").and_then(|id| ObjectId::from_hex(id).ok());
    let name = headers.value(b"tag");
    let (Some(target), Some(name)) = (target, name) else {
        return Err(strange("it names no object, or has no name"));
    };
    let at = time_of(&headers, b"tagger")?;
    Ok(Tag { target, name, signed: Signed { payload, signature: Cow::Borrowed(signature), at } })
}

/// What an annotated tag is of, signed or not.
pub(super) fn target(raw: &[u8]) -> Option<ObjectId> {
    let id = raw.strip_prefix(b"object ")?.split(|byte| *byte == b'\n').next()?;
    ObjectId::from_hex(id).ok()
}

/// The header of an object: lines up to the first empty one.
struct Headers<'a> {
    head: &'a [u8],
    /// The empty line and all that comes after it.
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    fn of(raw: &'a [u8]) -> Result<Self, Refusal> {
        let end = raw.windows(2).position(|two| two == b"\n\n");
        let (head, rest) = raw.split_at(end.map_or(raw.len(), |end| end + 1));
        // A header that continues nothing, or the empty line right at the start: nothing that Git writes.
        if head.first().is_none_or(|byte| matches!(byte, b' ' | b'\n')) {
            return Err(strange("it has no header"));
        }
        Ok(Self { head, rest })
    }

    /// Each header with its name, in all its lines, line ends included.
    fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut left = self.head;
        std::iter::from_fn(move || {
            if left.is_empty() {
                return None;
            }
            let mut end = 0;
            loop {
                end +=
                    left[end..].iter().position(|byte| *byte == b'\n').map_or(left.len() - end, |at| at + 1);
                if left.get(end) != Some(&b' ') {
                    break;
                }
            }
            let (header, rest) = left.split_at(end);
            left = rest;
            let name = header.split(|byte| matches!(byte, b' ' | b'\n')).next().unwrap_or_default();
            Some((name, header))
        })
    }

    /// The value of the first header of a name, if it has one line.
    fn value(&self, name: &[u8]) -> Option<&'a [u8]> {
        let (_, line) = self.iter().find(|(found, _)| *found == name)?;
        line.strip_prefix(name)?
            .strip_prefix(b" ")?
            .strip_suffix(b"\n")
            .filter(|value| !value.contains(&b'\n'))
    }
}

/// `gpgsig`, and `gpgsig-sha256` beside it: neither is part of what is signed.
fn is_signature(name: &[u8]) -> bool {
    name.starts_with(b"gpgsig")
}

/// The value of a header of several lines, without the spaces that they begin with.
fn unfold(header: &[u8]) -> Result<Vec<u8>, Refusal> {
    if header.len() > MAX_SIGNATURE {
        return Err(too_long());
    }
    let mut value = Vec::with_capacity(header.len());
    for (n, line) in header.split_inclusive(|byte| *byte == b'\n').enumerate() {
        value.extend_from_slice(
            line.strip_prefix(if n == 0 { &b"gpgsig "[..] } else { b" " }).unwrap_or(line),
        );
    }
    Ok(value)
}

/// Where the last line begins that begins a signature.
fn last_signature(raw: &[u8]) -> Option<usize> {
    let begins: [&[u8]; 4] = [
        b"-----BEGIN PGP SIGNATURE-----",
        b"-----BEGIN PGP MESSAGE-----",
        b"-----BEGIN SIGNED MESSAGE-----",
        b"-----BEGIN SSH SIGNATURE-----",
    ];
    let mut at = 0;
    let mut found = None;
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        if begins.iter().any(|begin| line.starts_with(begin)) {
            found = Some(at);
        }
        at += line.len();
    }
    found
}

/// The time of a person: the last word but one, seconds since 1970.
fn time_of(headers: &Headers<'_>, who: &[u8]) -> Result<Timestamp, Refusal> {
    let seconds = headers.value(who).and_then(|person| {
        let mut words = person.rsplit(|byte| *byte == b' ');
        let seconds = words.nth(1)?;
        std::str::from_utf8(seconds).ok()?.parse().ok()
    });
    seconds
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .ok_or_else(|| strange("it does not say when it was made"))
}

fn malformed(reason: &str) -> Refusal {
    Refusal::Malformed { reason: reason.to_owned() }
}

fn strange(reason: &str) -> Refusal {
    Refusal::MalformedObject { reason: reason.to_owned() }
}

fn too_long() -> Refusal {
    Refusal::Malformed { reason: format!("it is longer than {MAX_SIGNATURE} bytes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n";
    const WHO: &str = "author A <a@x> 100 +0000\ncommitter B <b@x> 200 +0100\n";

    #[test]
    fn the_header_with_the_signature_is_taken_out_and_nothing_else() {
        let tag = "mergetag object 1\n tag v1\n gpgsig inside\n \n end\n";
        let sig = "gpgsig -----BEGIN X-----\n \n abc\n -----END X-----\n";
        let other = "gpgsig-sha256 -----BEGIN Y-----\n z\n";
        let body = "\nsubject\n\ngpgsig in the message\n more\n";
        let raw = format!("{TREE}{WHO}{tag}{sig}{other}encoding x\n{body}");
        let signed = commit(raw.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(signed.payload).unwrap(), format!("{TREE}{WHO}{tag}encoding x\n{body}"));
        assert_eq!(&*signed.signature, b"-----BEGIN X-----\n\nabc\n-----END X-----\n");
        assert_eq!(signed.at.as_second(), 200);
    }

    #[test]
    fn what_has_no_signature_or_two_is_refused() {
        assert_eq!(commit(format!("{TREE}{WHO}\ngpgsig no\n").as_bytes()), Err(Refusal::Unsigned));
        let twice = format!("{TREE}{WHO}gpgsig a\ngpgsig b\n\nx");
        assert!(matches!(commit(twice.as_bytes()), Err(Refusal::Malformed { .. })));
        let long = format!("{TREE}{WHO}gpgsig {}\n\nx", "a".repeat(MAX_SIGNATURE));
        assert!(matches!(commit(long.as_bytes()), Err(Refusal::Malformed { .. })));
        for raw in ["", "\n", " x\n\n", "\n\n"] {
            assert!(matches!(commit(raw.as_bytes()), Err(Refusal::MalformedObject { .. })), "{raw:?}");
        }
        assert_eq!(commit(b"x"), Err(Refusal::Unsigned));
    }

    #[test]
    fn a_tag_is_signed_up_to_the_last_signature() {
        let id = "1".repeat(40);
        let head = format!("object {id}\ntype commit\ntag v1\ntagger A <a@x> 300 +0000\n");
        let message = "\none\n-----BEGIN PGP SIGNATURE-----\nquoted\n";
        let sig = "-----BEGIN SSH SIGNATURE-----\nabc\n-----END SSH SIGNATURE-----\n";
        let raw = format!("{head}gpgsig-sha256 x\n y\n{message}{sig}");
        let tag = tag(raw.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(tag.signed.payload).unwrap(), format!("{head}{message}"));
        assert_eq!(&*tag.signed.signature, sig.as_bytes());
        assert_eq!(
            (tag.name, tag.target.to_string(), tag.signed.at.as_second()),
            (&b"v1"[..], id.clone(), 300)
        );
        assert_eq!(target(raw.as_bytes()).unwrap().to_string(), id);
        assert_eq!(super::tag(format!("{head}\nx\n").as_bytes()), Err(Refusal::Unsigned));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(raw: Vec<u8>, head in "[a-z \n-]{0,200}") {
            let _ = commit(&raw);
            let _ = tag(&raw);
            let _ = commit(head.as_bytes());
            let sig = format!("{head}-----BEGIN SSH SIGNATURE-----\n{head}");
            let _ = tag(sig.as_bytes());
            if let Ok(signed) = commit(head.as_bytes()) {
                proptest::prop_assert!(signed.payload.len() < head.len());
            }
        }
    }
}
