//! The attempts of one commit, until it lands.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use gitops_core::{Cx, Revision};

use super::attempt::{Attempt, Decision, Sent, Step};
use super::base::{Needed, Role};
use super::outcome::{Outcome, Written};
use super::work::{Built, Job};
use super::{GitWriter, WriteError};
use crate::GitError;
use crate::mirror::{Depth, Repository};
use crate::stop::{self, lock};

/// How often the server may be asked in vain what became of a commit.
const MAX_QUESTIONS: u32 = 6;

/// How often one attempt may find that it needs another commit: tips move while they are fetched.
const FETCHES_PER_ATTEMPT: u32 = 4;

/// The attempts of one commit.
pub(super) struct Run<'a> {
    writer: &'a GitWriter,
    cx: &'a Cx,
    job: Arc<Job>,
    depth: Depth,
    sent: Sent,
    trusted: Option<HashSet<gix::ObjectId>>,
    attempts: u32,
    questions: u32,
    /// The repository of the last attempt.
    made_with: Option<Arc<Repository>>,
}

impl<'a> Run<'a> {
    pub(super) fn new(writer: &'a GitWriter, cx: &'a Cx, job: Arc<Job>) -> Self {
        let source = &writer.source;
        Self {
            depth: if job.work.needs_history() { Depth::Whole } else { source.shallow_depth() },
            trusted: source.verifies_tips().then(HashSet::new),
            writer,
            cx,
            job,
            sent: Sent::default(),
            attempts: 0,
            questions: 0,
            made_with: None,
        }
    }

    /// Ends with a commit that landed, or with the certainty that none did, or the word that nobody knows.
    pub(super) async fn run(&mut self) -> Result<Outcome, WriteError> {
        let done = self.attempts().await;
        let open = lock(&self.sent).last().map(|built| built.commit.to_string());
        match (done, open) {
            (Err(error), Some(commit)) => Err(WriteError::OutcomeUnknown {
                commit,
                reference: self.job.reference.clone(),
                reason: error.to_string(),
            }),
            (done, _) => done,
        }
    }

    async fn attempts(&mut self) -> Result<Outcome, WriteError> {
        let mut fetches = 0;
        loop {
            let step = match self.step().await {
                Ok(Step::Fetch(needed)) if fetches < FETCHES_PER_ATTEMPT => {
                    fetches += 1;
                    match self.fetch(needed).await {
                        Ok(()) => continue,
                        // Another part of the server may lag behind, or somebody has replaced the branch.
                        Err(error) if needed.role != Role::Named && error.is_not_found() => {
                            Ok(Step::Lost(error.to_string()))
                        }
                        Err(error) => Err(error),
                    }
                }
                step => step,
            };
            fetches = 0;
            self.count(&step);
            let mut pause = None;
            let last = match step {
                Ok(Step::Landed(built)) => {
                    self.keep(&built).await;
                    return Ok(self.landed(built));
                }
                Ok(Step::HadLanded(built)) => return Ok(self.landed(built)),
                Ok(Step::Unchanged(tip)) => return Ok(Outcome::Unchanged { tip: revision(tip) }),
                Ok(Step::Deepen) => {
                    self.depth = Depth::Whole;
                    continue;
                }
                Ok(Step::Fetch(_)) => "the branch moves faster than it can be fetched".to_owned(),
                Ok(Step::Lost(reason)) => reason,
                Ok(Step::Unknown { reason, pause: wanted }) => {
                    pause = wanted;
                    reason
                }
                // What was sent before is worth another question.
                Err(error) if error.class().is_transient() && !lock(&self.sent).is_empty() => {
                    pause = error.class().retry_after();
                    error.to_string()
                }
                Err(error) => return Err(error),
            };
            tracing::debug!(reference = %self.job.reference, attempt = self.attempts, %last, "a commit has not landed");
            if !self.may_go_on() {
                let (reference, attempts) = (self.job.reference.clone(), self.attempts);
                return Err(WriteError::NotLanded { reference, attempts, last });
            }
            self.wait(pause.unwrap_or_default()).await?;
        }
    }

    /// Attempts first. When they are used up, it is only asked what became of what was sent.
    fn count(&mut self, step: &Result<Step, WriteError>) {
        match step {
            Ok(Step::Lost(_) | Step::Landed(_)) => self.attempts += 1,
            Ok(Step::Unknown { .. } | Step::Fetch(_)) if !self.only_asks() => self.attempts += 1,
            Ok(Step::Unknown { .. } | Step::Fetch(_)) | Err(_) => self.questions += 1,
            Ok(Step::HadLanded(_) | Step::Unchanged(_) | Step::Deepen) => {}
        }
    }

    fn only_asks(&self) -> bool {
        self.attempts >= self.writer.attempts
    }

    /// Whether there is another attempt, or, if something was sent, another question.
    fn may_go_on(&self) -> bool {
        let is_open = !lock(&self.sent).is_empty();
        self.questions < MAX_QUESTIONS && (!self.only_asks() || is_open)
    }

    async fn wait(&self, at_least: Duration) -> Result<(), WriteError> {
        let failures = self.attempts.max(1) + self.questions;
        let wait = self.writer.backoff.after(failures, self.writer.dice.roll()).max(at_least);
        tokio::select! {
            biased;
            () = self.cx.cancel.cancelled() => Err(GitError::Cancelled.into()),
            done = tokio::time::timeout_at(self.cx.deadline, tokio::time::sleep(wait)) => {
                done.map_err(|_| GitError::Deadline.into())
            }
        }
    }

    async fn fetch(&mut self, needed: Needed) -> Result<(), WriteError> {
        let source = &self.writer.source;
        let onto = self.job.onto.as_deref().filter(|_| needed.role == Role::Onto);
        let reference = onto.unwrap_or(&self.job.reference);
        source.obtain_for_writing(self.cx, needed, self.depth, reference).await.map_err(WriteError::Edit)?;
        if needed.role.is_base()
            && let Some(trusted) = &mut self.trusted
        {
            trusted.insert(needed.id);
        }
        Ok(())
    }

    async fn step(&mut self) -> Result<Step, WriteError> {
        let source = &self.writer.source;
        let repository = source.repository(self.cx, self.depth).await.map_err(WriteError::Edit)?;
        self.made_with = Some(repository.clone());
        let attempt = Attempt {
            job: self.job.clone(),
            remote: source.remote().clone(),
            repository,
            depth: self.depth,
            sent: self.sent.clone(),
            trusted: self.trusted.clone(),
            only_ask: self.only_asks(),
        };
        if self.job.request.dry_run {
            let names = [Some(self.job.reference.clone()), self.job.onto.clone()];
            let tips = source.tips(self.cx, names.into_iter().flatten().collect()).await?;
            let get = |name: Option<&String>| name.and_then(|name| tips.get(name).copied());
            let (tip, onto) = (get(Some(&self.job.reference)), get(self.job.onto.as_ref()));
            stop::run(self.cx, move |stop| Ok(attempt.rehearse(tip, onto, stop))).await?
        } else {
            stop::run(self.cx, move |stop| Ok(attempt.run(stop))).await?
        }
    }

    /// Keeps what was pushed in the mirror it was made with: else it would be fetched when it is needed.
    async fn keep(&self, built: &Built) {
        let Some(made_with) = self.made_with.clone().filter(|_| !self.job.request.dry_run) else { return };
        let kept = self.writer.source.keep_pushed(self.cx, self.depth, made_with, built.pack.clone()).await;
        if let Err(error) = kept {
            tracing::debug!(%error, "what was pushed is not kept in the mirror");
        }
    }

    fn landed(&self, built: Built) -> Outcome {
        lock(&self.sent).clear();
        Outcome::Written(Written {
            commit: revision(built.commit),
            parent: revision(built.base.parent),
            reference: self.job.reference.clone(),
            changed: built.changed,
            message: built.message,
            attempts: self.attempts,
            pushed: !self.job.request.dry_run,
            diff: built.diff,
        })
    }
}

impl Attempt {
    /// All but the push.
    fn rehearse(
        &self,
        tip: Option<gix::ObjectId>,
        onto: Option<gix::ObjectId>,
        stop: &stop::Stop,
    ) -> Result<Step, WriteError> {
        let repo = self.repository.open(self.remote.limits.object_bytes)?.with_object_memory();
        Ok(match self.place(tip, onto, &repo, stop)? {
            Decision::Push(built) => Step::Landed(built),
            Decision::Stop(ended) => ended,
        })
    }
}

fn revision(id: gix::ObjectId) -> Revision {
    Revision::new(id.to_string())
}
