//! Commits: `set`, `rollback`.

use anyhow::{Context as _, bail};
use gitops_core::{AppId, Class, Cx, Person, RefSpec, Revision, Source as _, Target as _, one_line};
use gitops_git::HistoryOptions;
use gitops_git::pull_request::{Opened, PullRequests};
use gitops_git::write::{
    self, CommitRequest, Edit, GitWriter, Identity, Message, Outcome, Revert, Target, Written,
};
use serde_json::{Value, json};

use crate::args::Output;
use crate::naming::branch_of;
use crate::output::{Code, print, print_json};
use crate::parts;
use crate::place::Place;
use crate::writing::{Committed, Rollback, Set, SetField, SetImage};

pub(crate) async fn set(set: Set) -> anyhow::Result<Code> {
    match set {
        Set::Image(SetImage { commit, image: (policy, image) }) => {
            let words = format!("set-image/{}-{}", policy.namespace(), policy.name());
            let desk = Desk::of(commit).await?.for_change(&words, &["set image", &policy.to_string()])?;
            desk.place.expect_path().await?;
            let edit = write::SetImage::new(desk.place.path.clone(), policy, image);
            desk.commit(edit).await
        }
        Set::Field(set) => {
            let value = set.value()?;
            let SetField { commit, object, field: (field, _), .. } = set;
            let desk = Desk::of(commit).await?;
            desk.place.expect_path().await?;
            let object = desk.place.look(&object).await?.now()?;
            let names = [object.to_string(), field.to_string()];
            let words = format!("set-field/{}{}", names[0], names[1]);
            let desk = desk.for_change(&words, &["set field", &names[0], &names[1]])?;
            let edit = write::SetField::new(desk.place.path.clone(), object, field, value);
            desk.commit(edit).await
        }
    }
}

/// How to go back.
enum Way {
    Revert(Revert),
    To(Revision),
}

pub(crate) async fn rollback(rollback: Rollback) -> anyhow::Result<Code> {
    let Rollback { commit, revert, mainline, to, name, state_namespace, .. } = rollback;
    let desk = Desk::of(commit).await?;
    // The same commits may be named in several ways, and other ones by the same name another day.
    let (way, change) = match (revert, to, name) {
        (Some(commits), _, _) => {
            let (after, newest) = desk.commits(&commits).await?;
            let mut revert = match &after {
                Some(after) => Revert::range(after, &newest)?,
                None => Revert::commit(&newest)?,
            };
            if let Some(parent) = mainline {
                revert = revert.with_mainline(parent.get());
            }
            let after = after.map(|after| after.id).unwrap_or_default();
            let parent = mainline.map(|parent| parent.to_string()).unwrap_or_default();
            let way = Way::Revert(revert.within(desk.place.path.clone()));
            (way, ["revert".into(), after, newest.id, parent].to_vec())
        }
        (None, Some(to), _) => {
            let revision = desk.place.named(&to).await?;
            (Way::To(revision.clone()), ["to".into(), revision.id].to_vec())
        }
        (None, None, Some(name)) => {
            let revision = last_good(&desk.place.cx, &name, &state_namespace).await?;
            (Way::To(revision), ["last good".into(), name].to_vec())
        }
        (None, None, None) => bail!("name what to go back to: --revert, --to, or --last-good with --name"),
    };
    let desk = desk.for_change("rollback", &change.iter().map(String::as_str).collect::<Vec<_>>())?;
    let (cx, request) = (&desk.place.cx, desk.request()?);
    let outcome = match way {
        Way::Revert(revert) => desk.writer.revert(cx, &request, &revert).await?,
        Way::To(revision) => desk.writer.rollback_to(cx, &request, &desk.place.path, &revision).await?,
    };
    desk.tell(&outcome).await
}

/// The newest revision of an application that was Healthy.
async fn last_good(cx: &Cx, name: &str, state_namespace: &str) -> anyhow::Result<Revision> {
    let app: AppId = name.parse()?;
    let target = parts::cluster(state_namespace, None).await?;
    let record = target.recall(cx, &app).await?.with_context(|| format!("nothing is recorded of {app}"))?;
    let good = record.deployments.last_good();
    let (revision, _) = good.with_context(|| format!("no revision of {app} was Healthy yet"))?;
    Ok(revision.clone())
}

/// Where commits are made.
struct Desk {
    asked: Committed,
    place: Place,
    writer: GitWriter,
    /// The branch that they are for.
    base: String,
    /// The branch that is pushed to: another one, if there is to be a pull request.
    head: String,
    target: Target,
    host: Option<Box<dyn PullRequests>>,
}

impl Desk {
    async fn of(asked: Committed) -> anyhow::Result<Self> {
        let repository = &asked.asked.repository;
        let RefSpec::Branch(base) = parts::reference(&repository.reference) else {
            bail!("{} is no branch: commits are made on one", one_line(&repository.reference));
        };
        let host = asked.proposal.host(repository)?;
        let place = Place::of(&asked.asked, &["contents"]).await?;
        let mut writer = place.source.writer(asked.author.clone());
        if let Some(key) = asked.signing_key()? {
            writer = writer.with_signing_key(key);
        }
        Ok(Self { head: base.clone(), target: Target::branch(&base), asked, place, writer, base, host })
    }

    /// For a pull request, on a branch of its own. `words` and `change` name it, if nothing else does: for people, and exactly.
    fn for_change(mut self, words: &str, change: &[&str]) -> anyhow::Result<Self> {
        if self.host.is_some() {
            let usual = branch_of(words, &self.base, &self.place.path, change);
            (self.head, self.target) = self.asked.proposal.head(&self.base, usual)?;
            self.asked.proposal.check(&self.head, &self.base)?;
        }
        Ok(self)
    }

    async fn commit(&self, edit: impl Edit + 'static) -> anyhow::Result<Code> {
        let outcome = self.writer.commit(&self.place.cx, &self.request()?, edit).await?;
        self.tell(&outcome).await
    }

    /// A commit; or the newest of a range, and that which the range comes after.
    async fn commits(&self, text: &str) -> anyhow::Result<(Option<Revision>, Revision)> {
        Ok(match text.split_once("..") {
            Some((after, "")) => (Some(self.place.named(after).await?), self.place.revision.clone()),
            Some((after, newest)) => (Some(self.place.named(after).await?), self.place.named(newest).await?),
            None => (None, self.place.named(text).await?),
        })
    }

    fn request(&self) -> anyhow::Result<CommitRequest> {
        let mut request = CommitRequest::new(self.target.clone());
        if let Some(template) = &self.asked.message {
            request = request.with_message(Message::new(template)?);
        }
        for (key, value) in &self.asked.trailer {
            request = request.with_trailer(key, value)?;
        }
        Ok(if self.asked.dry_run { request.dry_run() } else { request })
    }

    /// Opens the pull request, if there is to be one, and prints what was done: also if there is none after all.
    async fn tell(&self, outcome: &Outcome) -> anyhow::Result<Code> {
        let so_already = match outcome {
            Outcome::Unchanged { tip } if self.is_on_head(tip).await? => &self.head,
            _ => &self.base,
        };
        let (opened, failed) = match self.propose(outcome, so_already).await {
            Ok(opened) => (opened, None),
            Err(error) => (None, Some(error)),
        };
        match (self.asked.asked.output, outcome) {
            (Output::Json, outcome) => print_json(&json(outcome, so_already, opened.as_ref()))?,
            (Output::Text, Outcome::Written(written)) => print_commit(written, &self.asked.author)?,
            (Output::Text, _) => print(&format!("{} is so already: no commit", one_line(so_already)))?,
        }
        if let (Output::Text, Some(opened)) = (self.asked.asked.output, opened) {
            print(&one_line(&format!("pull request {} {}: {}", opened.number, opened.outcome, opened.url)))?;
        }
        failed.map_or(Ok(Code::Good), Err)
    }

    /// Whether the branch of a pull request has it already, and the branch that it is for has not: it may be that only the pull
    /// request is missing.
    async fn is_on_head(&self, tip: &Revision) -> anyhow::Result<bool> {
        let (source, cx) = (&self.place.source, &self.place.cx);
        if self.head == self.base {
            return Ok(false);
        }
        match source.resolve(cx, &RefSpec::Branch(self.head.clone())).await {
            Ok(head) if head.id == tip.id => {
                Ok(source.resolve(cx, &RefSpec::Branch(self.base.clone())).await?.id != tip.id)
            }
            Ok(_) => Ok(false),
            Err(fault) if fault.class == Class::NotFound => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }

    /// Opens or updates the pull request for what is on its branch.
    async fn propose(&self, outcome: &Outcome, so_already: &str) -> anyhow::Result<Option<Opened>> {
        let Some(host) = self.host.as_deref().filter(|_| !self.asked.dry_run) else { return Ok(None) };
        let (commit, message) = match outcome {
            Outcome::Written(written) => (&written.commit, written.message.clone()),
            Outcome::Unchanged { tip } if so_already == self.head => (tip, self.message(tip).await?),
            _ => return Ok(None),
        };
        let opened = self.asked.proposal.open(&self.place.cx, host, (&self.head, &self.base), &message).await;
        let missing =
            || format!("commit {} is pushed to {}, without a pull request", commit.short(), self.head);
        opened.map(Some).with_context(missing)
    }

    /// What a commit says.
    async fn message(&self, commit: &Revision) -> anyhow::Result<String> {
        let cx = &self.place.cx;
        let mut history = self.place.source.history(cx, commit, HistoryOptions::new()).await?;
        Ok(history.next(cx).await?.with_context(|| format!("commit {} is gone", commit.short()))?.message)
    }
}

/// `so_already` is the branch where there was nothing to change.
fn json(outcome: &Outcome, so_already: &str, opened: Option<&Opened>) -> Value {
    let opened = opened.map(|opened| {
        json!({
            "number": opened.number,
            "url": opened.url,
            "outcome": opened.outcome.to_string(),
        })
    });
    match outcome {
        Outcome::Written(written) => json!({
            "commit": written.commit.id,
            "tip": null,
            "parent": written.parent.id,
            "reference": written.reference,
            "pushed": written.pushed,
            "attempts": written.attempts,
            "changed": written.changed.iter().map(|file| json!({
                "path": file.path,
                "change": file.kind.as_str(),
            })).collect::<Vec<_>>(),
            "message": written.message,
            "diff": written.diff,
            "pull_request": opened,
        }),
        other => json!({
            "commit": null,
            "tip": if let Outcome::Unchanged { tip } = other { Some(&tip.id) } else { None },
            "parent": null,
            "reference": format!("refs/heads/{so_already}"),
            "pushed": false,
            "attempts": 0,
            "changed": [],
            "message": null,
            "diff": null,
            "pull_request": opened,
        }),
    }
}

fn print_commit(written: &Written, author: &Identity) -> anyhow::Result<()> {
    let branch = written.reference.strip_prefix("refs/heads/").unwrap_or(&written.reference);
    let what = if written.pushed { "pushed to" } else { "would be pushed to" };
    print(&format!("{} {what} {}", written.commit.short(), one_line(branch)))?;
    if !written.pushed {
        let Person { name, email } = author.person();
        print(&one_line(&format!("Author: {name} <{email}>")))?;
        print("")?;
        for line in written.message.lines() {
            print(one_line(&format!("    {line}")).trim_end())?;
        }
        print("")?;
    }
    for file in &written.changed {
        print(&format!("  {}", one_line(&file.to_string())))?;
    }
    for line in written.diff.iter().flat_map(|diff| diff.lines()) {
        print(&one_line(line))?;
    }
    Ok(())
}
