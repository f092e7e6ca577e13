//! One attempt: a conversation with the server, from its tip to its verdict.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gix::protocol::Handshake;
use gix::protocol::transport::Service;
use gix::protocol::transport::client::blocking_io::Transport;

use super::WriteError;
use super::base::{Needed, Role};
use super::error::damaged;
use super::push::{self, Command};
use super::report::{self, Verdict};
use super::work::{Built, Job};
use crate::GitError;
use crate::mirror::{Depth, Repository};
use crate::refs::handshake;
use crate::remote::Remote;
use crate::stop::{Stop, lock};
use crate::transport::converse;

/// What came of an attempt.
pub(super) enum Step {
    /// A commit has to be fetched first.
    Fetch(Needed),
    /// The whole history is needed.
    Deepen,
    /// Nothing is to change on this tip.
    Unchanged(gix::ObjectId),
    /// The commit is on the server.
    Landed(Built),
    /// One that was sent before is on the server.
    HadLanded(Built),
    /// It is not, and may be another time.
    Lost(String),
    /// It was sent, and no verdict came. The server may have asked to be left alone for some time.
    Unknown { reason: String, pause: Option<Duration> },
}

impl Step {
    fn unknown(reason: String) -> Self {
        Self::Unknown { reason, pause: None }
    }
}

/// Commits that were sent, and of which nobody knows yet whether they landed.
pub(super) type Sent = Arc<Mutex<Vec<Built>>>;

/// What an attempt needs to know.
pub(super) struct Attempt {
    pub(super) job: Arc<Job>,
    pub(super) remote: Remote,
    pub(super) repository: Arc<Repository>,
    pub(super) depth: Depth,
    pub(super) sent: Sent,
    /// Commits that may be built upon, where not every one may.
    pub(super) trusted: Option<HashSet<gix::ObjectId>>,
    /// Whether it is only asked what became of what was sent.
    pub(super) only_ask: bool,
}

impl Attempt {
    pub(super) fn run(&self, stop: &Stop) -> Result<Step, WriteError> {
        let repo = self.repository.open(self.remote.limits.object_bytes)?.with_object_memory();
        let mut under_way = false;
        let talked = converse(&self.remote, Service::ReceivePack, stop, "pushing", |transport| {
            let hello = handshake(&mut *transport, Service::ReceivePack, stop)?;
            let built = match self.decide(&hello, &repo, stop) {
                Ok(Decision::Push(built)) => built,
                Ok(Decision::Stop(ended)) => {
                    end(transport);
                    return Ok(Ok(ended));
                }
                Err(error) => {
                    end(transport);
                    return Ok(Err(error));
                }
            };
            stop.check().map_err(|error| gix::Error::from_error(std::io::Error::other(error.to_string())))?;
            lock(&self.sent).push(built.clone());
            under_way = true;
            let command = Command { reference: &self.job.reference, old: built.base.old, new: built.commit };
            let answer = push::send(transport, &hello, &command, &built.pack)?;
            Ok(self.verdict(&answer, built, stop))
        });
        match talked {
            Ok(said) => said,
            Err(error) if under_way && !refuses(&error) => {
                let pause = error.class().retry_after();
                Ok(Step::Unknown { reason: stop.hide(&error.to_string()), pause })
            }
            Err(error) => {
                if under_way {
                    lock(&self.sent).pop();
                }
                Err(error.into())
            }
        }
    }

    fn decide(&self, hello: &Handshake, repo: &gix::Repository, stop: &Stop) -> Result<Decision, WriteError> {
        if !push::reports(hello) {
            let detail = "it does not say what becomes of a push (report-status)".into();
            return Err(GitError::Unsupported { detail }.into());
        }
        let job = &self.job;
        let tip = push::tip(hello, &job.reference);
        let onto = job.onto.as_ref().and_then(|onto| push::tip(hello, onto));
        self.place(tip, onto, repo, stop)
    }

    /// Decides what to do from where the references are now.
    pub(super) fn place(
        &self,
        tip: Option<gix::ObjectId>,
        onto: Option<gix::ObjectId>,
        repo: &gix::Repository,
        stop: &Stop,
    ) -> Result<Decision, WriteError> {
        if let Some(tip) = tip
            && let Some(step) = self.what_became_of_it(repo, tip, stop)?
        {
            return Ok(Decision::Stop(step));
        }
        if self.only_ask {
            return Ok(Decision::Stop(Step::unknown("the server does not have it yet".into())));
        }
        let base = self.job.request.target.place(tip, onto)?;
        // Whichever of the two comes first: they are the same commit.
        if let Some(sent) = lock(&self.sent).iter().find(|sent| sent.base == base) {
            return Ok(Decision::Push(sent.clone()));
        }
        let role = if base.parent == base.old { Role::Tip } else { Role::Onto };
        let tips = [Needed { id: base.parent, role }].into_iter();
        let tips = tips.chain(base.replaced().map(|id| Needed { id, role: Role::Seen }));
        let named = self.job.work.needs().into_iter().map(|id| Needed { id, role: Role::Named });
        for needed in tips.chain(named) {
            let is_trusted = !needed.role.is_base()
                || self.trusted.as_ref().is_none_or(|trusted| trusted.contains(&needed.id));
            if self.repository.is_damaged() || !is_trusted || !repo.has_object(needed.id) {
                return Ok(Decision::Stop(Step::Fetch(needed)));
            }
        }
        let built = self.job.build(repo, base, stop).inspect_err(|error| {
            if error.is_damage() {
                self.repository.mark_damaged();
            }
        })?;
        let Some(built) = built else { return Ok(Decision::Stop(Step::Unchanged(base.parent))) };
        if let Some(old) = base.replaced()
            && is_the_same(repo, old, built.commit)?
        {
            return Ok(Decision::Stop(Step::Unchanged(old)));
        }
        Ok(Decision::Push(built))
    }

    /// Whether something that was sent before is what the branch points to, or comes before that.
    fn what_became_of_it(
        &self,
        repo: &gix::Repository,
        tip: gix::ObjectId,
        stop: &Stop,
    ) -> Result<Option<Step>, WriteError> {
        let sent = lock(&self.sent).clone();
        for built in sent {
            if tip == built.commit {
                return Ok(Some(Step::HadLanded(built)));
            }
            // It can only have come after where the branch was.
            if tip == built.base.old || tip == built.base.parent {
                continue;
            }
            if self.depth != Depth::Whole {
                return Ok(Some(Step::Deepen));
            }
            if !repo.has_object(tip) {
                return Ok(Some(Step::Fetch(Needed { id: tip, role: Role::Seen })));
            }
            let hidden = Some(built.base.parent).filter(|id| repo.has_object(*id));
            if descends(repo, tip, built.commit, hidden, stop)? {
                return Ok(Some(Step::HadLanded(built)));
            }
            // The branch has gone elsewhere, so that it cannot land any more.
            lock(&self.sent).retain(|sent| sent.commit != built.commit);
        }
        Ok(None)
    }

    fn verdict(&self, answer: &push::Answer, built: Built, stop: &Stop) -> Result<Step, WriteError> {
        let verdict = match report::read(&answer.report, &self.job.reference, &answer.remarks) {
            Ok(verdict) => verdict,
            Err(error) => return Ok(Step::unknown(stop.hide(&error.to_string()))),
        };
        let landed = |built| Ok(Step::Landed(built));
        match if built.base.replaced().is_some() { verdict.of_replacing() } else { verdict } {
            Verdict::Landed { instead: None } => landed(built),
            Verdict::Landed { instead: Some(commit) } => landed(Built { commit, ..built }),
            Verdict::Lost { reason } | Verdict::Failed { reason } => {
                lock(&self.sent).pop();
                Ok(Step::Lost(stop.hide(&reason)))
            }
            Verdict::Refused { reason } => {
                lock(&self.sent).pop();
                let reason = stop.hide(&reason);
                Err(WriteError::PushRefused { reference: self.job.reference.clone(), reason })
            }
        }
    }
}

/// What to do next.
pub(super) enum Decision {
    Push(Built),
    Stop(Step),
}

/// Whether an error means that the server took nothing of what was sent. One of TLS may come after all was taken.
fn refuses(error: &GitError) -> bool {
    matches!(
        error,
        GitError::Denied { .. }
            | GitError::RepositoryNotFound { .. }
            | GitError::Credential { .. }
            | GitError::CredentialProvider(_)
            | GitError::RedirectRefused { .. }
            | GitError::AddressRefused { .. }
            // Too many requests: this one, too.
            | GitError::ServerTrouble { status: 403 | 429, .. }
    )
}

/// Whether a tip is a commit, or comes after it. What `hidden` come after is not looked at.
pub(super) fn descends(
    repo: &gix::Repository,
    tip: gix::ObjectId,
    id: gix::ObjectId,
    hidden: impl IntoIterator<Item = gix::ObjectId>,
    stop: &Stop,
) -> Result<bool, WriteError> {
    let walk = repo.rev_walk([tip]).with_hidden(hidden).all().map_err(|error| damaged(&error))?;
    for commit in walk {
        stop.check()?;
        if commit.map_err(|error| damaged(&error))?.id == id {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether two commits have the same files after the same commit, say the same of it, and are by the same people; and whether both
/// are signed or neither is.
fn is_the_same(repo: &gix::Repository, a: gix::ObjectId, b: gix::ObjectId) -> Result<bool, WriteError> {
    let seen = |id| {
        let mut commit = repo.find_commit(id)?.decode()?.into_owned()?;
        let is_signed = commit.extra_headers().pgp_signature().is_some();
        // Where the two may differ.
        (commit.author.time, commit.committer.time) = Default::default();
        commit.extra_headers.clear();
        Ok((commit, is_signed))
    };
    let both: gix::Result<_> = seen(a).and_then(|a| Ok(a == seen(b)?));
    both.map_err(|error| damaged(&error))
}

/// Says that nothing more comes.
fn end(transport: &mut dyn Transport) {
    if transport.connection_persists_across_multiple_requests() {
        let mut through = transport;
        // If the other side has gone, that is as well.
        let _ = gix::protocol::indicate_end_of_interaction(&mut through, false);
    }
}
