//! What references point to, asked of the server: `ls-refs`, which moves no objects.

use gitops_core::VersionRange;
use gix::bstr::ByteSlice as _;
use gix::progress::Discard;
use gix::protocol::handshake::Ref;
use gix::protocol::ls_refs::RefPrefixes;
use gix::protocol::transport::client::blocking_io::Transport;
use gix::protocol::transport::{Protocol, Service};
use gix::protocol::{Handshake, LsRefsCommand};

use crate::GitError;
use crate::reference::Want;
use crate::remote::Remote;
use crate::stop::Stop;
use crate::transport::converse;

/// How we name ourselves to servers.
pub(crate) fn agent() -> gix::protocol::command::Feature {
    ("agent", Some(concat!("gitops-git/", env!("CARGO_PKG_VERSION")).into()))
}

/// Opens a conversation. Credentials, where there are any, are in the transport already.
pub(crate) fn handshake(
    transport: &mut dyn Transport,
    service: Service,
    stop: &Stop,
) -> gix::Result<Handshake> {
    let hello = gix::protocol::handshake(transport, service, |_| Ok(None), Vec::new(), &mut Discard)?;
    let format = hello
        .capabilities
        .capability("object-format")
        .and_then(|format| format.value().map(ToOwned::to_owned));
    match format {
        Some(format) if format != "sha1" => {
            stop.explain(GitError::Unsupported {
                detail: format!("its ids are {format}, and only SHA-1 is known here"),
            });
            Err(gix::Error::from_error(std::io::Error::other("the object format is not supported")))
        }
        _ => Ok(hello),
    }
}

/// A reference and the commit that it points to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tip {
    /// The full name; for HEAD, of the branch that it points to.
    pub(crate) reference: String,
    pub(crate) id: gix::ObjectId,
    /// The annotated tag that it points to first.
    pub(crate) tag: Option<gix::ObjectId>,
}

/// Asks where a reference points to now.
pub(crate) fn tip(remote: &Remote, want: &Want, stop: &Stop) -> Result<Tip, GitError> {
    let name = match want {
        Want::Head => "HEAD",
        Want::Reference(name) => name,
        Want::Newest(range) => return newest(remote, range, stop),
        Want::Commit(id) => {
            return Err(GitError::Bug(format!("commit {id} is no reference")));
        }
    };
    let (found, empty) = converse(remote, Service::UploadPack, stop, "asking for references", |transport| {
        let hello = handshake(transport, Service::UploadPack, stop)?;
        let refs = list(transport, &hello, name)?;
        if let Some(tip) = refs.iter().find_map(|entry| tip_of(entry, name)) {
            return Ok((Some(tip), false));
        }
        // Rare: it is worth another question whether the branch is missing, or everything is.
        let any = match &hello.refs {
            Some(all) => !all.is_empty(),
            None => list(transport, &hello, "refs/heads/")?
                .iter()
                .any(|entry| entry.unpack().2.is_some() || entry.unpack().1.is_some()),
        };
        Ok((None, !any))
    })?;
    found.ok_or_else(|| {
        let reference = want.shown();
        if empty {
            GitError::EmptyRepository { reference }
        } else {
            GitError::ReferenceNotFound { reference }
        }
    })
}

/// Asks for all tags, and chooses.
fn newest(remote: &Remote, range: &VersionRange, stop: &Stop) -> Result<Tip, GitError> {
    const TAGS: &str = "refs/tags/";
    let (found, tags) = converse(remote, Service::UploadPack, stop, "asking for tags", |transport| {
        let hello = handshake(transport, Service::UploadPack, stop)?;
        let refs = list(transport, &hello, TAGS)?;
        let tags = || {
            refs.iter().filter_map(|entry| {
                let name = entry.unpack().0.to_str().ok()?;
                Some((name.strip_prefix(TAGS)?, (name, entry)))
            })
        };
        let tip = range.newest(tags()).and_then(|(name, entry)| tip_of(entry, name));
        Ok((tip, tags().count()))
    })?;
    found.ok_or_else(|| GitError::NoVersion { range: range.text().to_owned(), tags })
}

fn list(transport: &mut dyn Transport, hello: &Handshake, prefix: &str) -> gix::Result<Vec<Ref>> {
    // Servers of before 2018 say everything at once.
    if let Some(all) = &hello.refs {
        return Ok(all.clone());
    }
    debug_assert_eq!(hello.server_protocol_version, Protocol::V2);
    let mut prefixes = RefPrefixes::new();
    prefixes.extend([prefix.into()]);
    LsRefsCommand::new(Some(prefixes), &hello.capabilities, agent()).invoke_blocking(
        transport,
        &mut Discard,
        false,
    )
}

/// The commit, if this is the reference of that name. The prefix brings `main2` when `main` was asked for.
fn tip_of(entry: &Ref, name: &str) -> Option<Tip> {
    let (full_name, id, reference) = match entry {
        Ref::Peeled { full_ref_name, object, .. } | Ref::Direct { full_ref_name, object } => {
            (full_ref_name, object, full_ref_name)
        }
        Ref::Symbolic { full_ref_name, target, object, .. } => {
            (full_ref_name, object, if name == "HEAD" { target } else { full_ref_name })
        }
        Ref::Unborn { .. } => return None,
    };
    let tag = match entry {
        Ref::Peeled { tag, .. } => Some(*tag),
        _ => None,
    };
    (full_name == name).then(|| Tip { reference: reference.to_str_lossy().into_owned(), id: *id, tag })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: &str) -> gix::ObjectId {
        gix::ObjectId::from_hex(digit.repeat(40).as_bytes()).unwrap()
    }

    #[test]
    fn only_the_wanted_name_counts_and_tags_are_peeled() {
        let main2 = Ref::Direct { full_ref_name: "refs/heads/main2".into(), object: id("1") };
        assert_eq!(tip_of(&main2, "refs/heads/main"), None);
        let tag = Ref::Peeled { full_ref_name: "refs/tags/v1".into(), tag: id("2"), object: id("3") };
        let tip = tip_of(&tag, "refs/tags/v1").unwrap();
        assert_eq!((tip.id, tip.tag), (id("3"), Some(id("2"))));
        let head = Ref::Symbolic {
            full_ref_name: "HEAD".into(),
            target: "refs/heads/trunk".into(),
            tag: None,
            object: id("4"),
        };
        let tip = tip_of(&head, "HEAD").unwrap();
        assert_eq!((tip.reference.as_str(), tip.id), ("refs/heads/trunk", id("4")));
        let unborn = Ref::Unborn { full_ref_name: "HEAD".into(), target: "refs/heads/main".into() };
        assert_eq!(tip_of(&unborn, "HEAD"), None);
    }
}
