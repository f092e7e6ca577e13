//! Receiving what a commit needs and the mirror lacks.

use std::io::{self, BufRead, Read};
use std::num::NonZeroU32;
use std::sync::atomic::Ordering;

use gix::negotiate::Algorithm;
use gix::odb::pack;
use gix::progress::{Discard, StepShared};
use gix::protocol::Handshake;
use gix::protocol::fetch::refmap::{Mapping, Source, SpecIndex};
use gix::protocol::fetch::{self, Arguments, RefMap, Shallow, Tags, negotiate};
use gix::protocol::transport::Service;
use gix::protocol::transport::client::blocking_io::Transport;

use crate::GitError;
use crate::mirror::{Depth, damaged};
use crate::refs::{agent, handshake};
use crate::remote::{Limits, Remote};
use crate::stop::Stop;
use crate::transport::converse;
use crate::unpacked;

/// Fetches one commit into the repository, with its whole history or, where the server can do that, without; by the id of an
/// annotated tag, that too. Objects that the repository has are not sent again.
///
/// Until the pack is complete and checked, nothing of it can be seen: it is written beside, then renamed.
pub(crate) fn fetch(
    remote: &Remote,
    repo: &gix::Repository,
    id: gix::ObjectId,
    depth: Depth,
    stop: &Stop,
) -> Result<(), GitError> {
    let talk = |transport: &mut dyn Transport| receive(transport, repo, id, depth, remote.limits, stop);
    converse(remote, Service::UploadPack, stop, "fetching", talk).map_err(|error| match error {
        GitError::RevisionNotFound { .. } => GitError::RevisionNotFound { id: id.to_string() },
        other => other,
    })
}

fn receive(
    transport: &mut dyn Transport,
    repo: &gix::Repository,
    id: gix::ObjectId,
    depth: Depth,
    limits: Limits,
    stop: &Stop,
) -> gix::Result<()> {
    let mut hello = handshake(&mut *transport, Service::UploadPack, stop)?;
    if !gives_out(&hello, id) {
        let detail = format!(
            "it speaks the Git protocol of before 2018, and gives out only what references point to, which is not {id}"
        );
        stop.explain(GitError::Unsupported { detail });
        return Err(gix::Error::from_error(io::Error::other("the commit cannot be asked for")));
    }
    // The commit is asked for by its id, so that no reference need be listed, and none that moves meanwhile can matter.
    let ref_map = RefMap {
        mappings: vec![Mapping {
            remote: Source::ObjectId(id),
            local: None,
            spec_index: SpecIndex::ExplicitInRemote(0),
        }],
        object_hash: repo.object_hash(),
        ..RefMap::default()
    };
    let shallow = match depth {
        Depth::Commit if cuts_histories(&hello) => Shallow::DepthAtRemote(NonZeroU32::MIN),
        _ => Shallow::NoChange,
    };
    let mut objects = repo.objects.clone();
    // Commits of the other side that are looked for and missing must not make us read the directory each time.
    objects.refresh = gix::odb::store::RefreshMode::Never;
    let mut graph = gix::revwalk::Graph::new(&objects, None);
    let mut negotiation = Negotiation {
        repo,
        objects: &objects,
        graph: &mut graph,
        ref_map: &ref_map,
        shallow: &shallow,
        negotiator: Algorithm::Consecutive.into_negotiator(),
        stop,
    };
    let pack_dir = repo.objects.store_ref().path().join("pack");
    let persists = transport.connection_persists_across_multiple_requests();
    let mut through = &mut *transport;
    gix::protocol::fetch(
        &mut negotiation,
        |pack, _progress, flag| {
            stop.expect_pack(true);
            let written = unpacked::capped(limits.unpacked_bytes, stop, |meter| {
                let mut pack = Capped::new(pack, limits, meter.unpacked(), stop);
                pack::Bundle::write_to_directory(
                    &mut pack,
                    Some(&pack_dir),
                    meter,
                    flag,
                    Some(objects.clone()),
                    repo.object_hash(),
                    pack::bundle::write::Options {
                        alloc_limit_bytes: usize::try_from(limits.object_bytes).ok(),
                        ..Default::default()
                    },
                )
            })
            // A base that we said we have, or a pack that is no pack: in either case it helps to begin anew.
            .inspect_err(|error| {
                if error.is_corrupted() || error.is_not_found() {
                    stop.explain(damaged(error));
                }
            })?;
            // It keeps collectors away from packs without references; nothing collects in a mirror.
            if let Some(keep) = written.keep_path {
                std::fs::remove_file(keep).map_err(gix::Error::from_error)?;
            }
            Ok(true)
        },
        Discard,
        stop.flag(),
        fetch::Context {
            handshake: &mut hello,
            transport: &mut through,
            user_agent: agent(),
            trace_packetlines: false,
        },
        fetch::Options {
            shallow_file: repo.shallow_file()?,
            shallow: &shallow,
            tags: Tags::None,
            // Its history would end somewhere, and force-pushes could not be told.
            reject_shallow_remote: false,
        },
    )?;
    if persists {
        // The other side would wait for another request. If it has gone, that is as well.
        let _ = gix::protocol::indicate_end_of_interaction(through, false);
    }
    Ok(())
}

/// Whether a commit may be asked for by its id. Since version 2 of the protocol any may; before, the server says which.
fn gives_out(hello: &Handshake, id: gix::ObjectId) -> bool {
    let Some(refs) = &hello.refs else { return true };
    let any = ["allow-tip-sha1-in-want", "allow-reachable-sha1-in-want", "allow-any-sha1-in-want"];
    any.iter().any(|name| hello.capabilities.contains(name))
        || refs.iter().any(|entry| {
            let (_, target, object) = entry.unpack();
            target.is_some_and(|target| target == id) || object.is_some_and(|object| object == id)
        })
}

/// Whether the server can leave out what came before a commit.
fn cuts_histories(hello: &Handshake) -> bool {
    match hello.capabilities.capability("fetch") {
        Some(fetch) => fetch.supports("shallow").unwrap_or(false),
        None => hello.capabilities.contains("shallow"),
    }
}

struct Negotiation<'a, 'b, 'c> {
    repo: &'a gix::Repository,
    objects: &'a gix::OdbHandle,
    graph: &'a mut gix::negotiate::Graph<'b, 'c>,
    ref_map: &'a RefMap,
    shallow: &'a Shallow,
    negotiator: Box<dyn gix::negotiate::Negotiator>,
    stop: &'a Stop,
}

impl Negotiation<'_, '_, '_> {
    /// What the negotiation reads is ours alone; so if that fails, the mirror is to blame.
    fn blame<T>(&self, done: gix::Result<T>) -> gix::Result<T> {
        done.inspect_err(|error| self.stop.explain(damaged(error)))
    }
}

impl fetch::Negotiate for Negotiation<'_, '_, '_> {
    fn mark_complete_and_common_ref(&mut self) -> gix::Result<negotiate::Action> {
        let done = negotiate::mark_complete_and_common_ref(
            self.objects,
            &self.repo.refs,
            || Ok(std::iter::empty::<(gix::refs::file::Store, gix::OdbHandle)>()),
            &mut *self.negotiator,
            self.graph,
            self.ref_map,
            self.shallow,
            |_| false,
        );
        self.blame(done)
    }

    fn add_wants(&mut self, arguments: &mut Arguments, known: &[bool]) -> bool {
        negotiate::add_wants(self.objects, arguments, self.ref_map, known, self.shallow, |_| false)
    }

    fn one_round(
        &mut self,
        state: &mut negotiate::one_round::State,
        arguments: &mut Arguments,
        previous: Option<&fetch::Response>,
    ) -> gix::Result<(negotiate::Round, bool)> {
        let done = negotiate::one_round(&mut *self.negotiator, self.graph, state, arguments, previous);
        self.blame(done)
    }
}

/// How much an object of a pack may take there beyond its own size: it is compressed, as a rule.
const SLACK_BYTES: u64 = 1024 * 1024;

/// A reader that fails beyond a limit, and tells how far it is.
///
/// gix keeps in memory what an object takes in the pack, until it has all of it, and has no limit for that. So an object
/// must end before it has taken more than an object may.
struct Capped<'a> {
    inner: &'a mut dyn BufRead,
    seen: u64,
    limits: Limits,
    /// Of all objects so far: it changes when one ends.
    unpacked: StepShared,
    /// What `unpacked` was when an object ended last, and what had come until then.
    ended: (usize, u64),
    stop: &'a Stop,
}

impl<'a> Capped<'a> {
    fn new(inner: &'a mut dyn BufRead, limits: Limits, unpacked: StepShared, stop: &'a Stop) -> Self {
        Self { inner, seen: 0, limits, unpacked, ended: (0, 0), stop }
    }

    fn count(&mut self, bytes: usize) -> io::Result<()> {
        self.seen = self.seen.saturating_add(bytes as u64);
        self.stop.received(self.seen);
        if self.seen > self.limits.received_bytes {
            self.stop.explain(GitError::ReceivedTooMuch { limit: self.limits.received_bytes });
            return Err(io::Error::other("the pack is too large"));
        }
        let unpacked = self.unpacked.load(Ordering::Relaxed);
        if unpacked != self.ended.0 {
            self.ended = (unpacked, self.seen);
        }
        let limit = self.limits.object_bytes;
        if self.seen - self.ended.1 > limit.saturating_add(SLACK_BYTES) {
            self.stop.explain(GitError::ObjectTooLarge { doing: "fetching", limit });
            return Err(io::Error::other("an object is too large"));
        }
        Ok(())
    }
}

impl Read for Capped<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buf)?;
        self.count(bytes)?;
        Ok(bytes)
    }
}

impl BufRead for Capped<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, bytes: usize) {
        self.inner.consume(bytes);
        // An error cannot be told here; the next read tells it.
        let _ = self.count(bytes);
    }
}
