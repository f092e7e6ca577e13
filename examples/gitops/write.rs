//! Commits: `set`, `rollback`.

use anyhow::{Context as _, bail};
use gitops_core::{AppId, Cx, RefSpec, Revision, Target as _, one_line};
use gitops_git::pull_request::{Opened, PullRequests};
use gitops_git::write::{self, CommitRequest, Edit, GitWriter, Message, Outcome, Revert, Target, Written};
use serde_json::{Value, json};

use crate::args::Output;
use crate::output::{Code, print, print_json};
use crate::parts;
use crate::place::Place;
use crate::writing::{Committed, Rollback, Set, SetField, SetImage};

pub(crate) async fn set(set: Set) -> anyhow::Result<Code> {
    match set {
        Set::Image(SetImage { commit, image: (policy, image) }) => {
            let branch = format!("set-image/{}-{}", policy.namespace(), policy.name());
            let desk = Desk::of(commit, &branch).await?;
            let edit = write::SetImage::new(desk.place.path.clone(), policy, image);
            desk.commit(edit).await
        }
        Set::Field(set) => {
            let value = set.value()?;
            let SetField { commit, object, field: (field, _), .. } = set;
            let desk = Desk::of(commit, &format!("set-field/{object}{field}")).await?;
            let object = desk.place.object(&object).await?;
            let edit = write::SetField::new(desk.place.path.clone(), object, field, value);
            desk.commit(edit).await
        }
    }
}

pub(crate) async fn rollback(rollback: Rollback) -> anyhow::Result<Code> {
    let Rollback { commit, revert, mainline, to, name, state_namespace, .. } = rollback;
    let desk = Desk::of(commit, "rollback").await?;
    let (cx, request) = (&desk.place.cx, desk.request()?);
    let outcome = if let Some(commits) = revert {
        let mut revert = desk.commits(&commits).await?;
        if let Some(parent) = mainline {
            revert = revert.with_mainline(parent);
        }
        desk.writer.revert(cx, &request, &revert).await?
    } else {
        let revision = match (to, name) {
            (Some(to), _) => desk.place.named(&to).await?,
            (None, Some(name)) => last_good(cx, &name, &state_namespace).await?,
            (None, None) => bail!("name what to go back to: --revert, --to, or --last-good with --name"),
        };
        desk.writer.rollback_to(cx, &request, &desk.place.path, &revision).await?
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
    branch: String,
    target: Target,
    host: Option<Box<dyn PullRequests>>,
}

impl Desk {
    /// `change` names the branch of a pull request, if nothing else does.
    async fn of(asked: Committed, change: &str) -> anyhow::Result<Self> {
        let repository = &asked.asked.repository;
        let RefSpec::Branch(branch) = parts::reference(&repository.reference) else {
            bail!("{} is no branch: commits are made on one", one_line(&repository.reference));
        };
        let host = asked.proposal.host(repository)?;
        let target = match (&host, &asked.proposal.branch) {
            (None, _) => Target::branch(&branch),
            (Some(_), Some(name)) => Target::new_branch(name, &branch).or_replace(),
            (Some(_), None) => {
                Target::new_branch(format!("gitops/{}", as_branch(change)), &branch).or_replace()
            }
        };
        let place = Place::of(&asked.asked, &["contents"]).await?;
        let mut writer = place.source.writer(asked.author.clone());
        if let Some(key) = asked.signing_key()? {
            writer = writer.with_signing_key(key);
        }
        Ok(Self { asked, place, writer, branch, target, host })
    }

    async fn commit(&self, edit: impl Edit + 'static) -> anyhow::Result<Code> {
        let outcome = self.writer.commit(&self.place.cx, &self.request()?, edit).await?;
        self.tell(&outcome).await
    }

    /// A commit, or those of a range.
    async fn commits(&self, text: &str) -> anyhow::Result<Revert> {
        Ok(match text.split_once("..") {
            Some((after, "")) => Revert::range(&self.place.named(after).await?, &self.place.revision)?,
            Some((after, newest)) => {
                Revert::range(&self.place.named(after).await?, &self.place.named(newest).await?)?
            }
            None => Revert::commit(&self.place.named(text).await?)?,
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

    /// Opens the pull request, if there is to be one, and prints what was done.
    async fn tell(&self, outcome: &Outcome) -> anyhow::Result<Code> {
        let opened = match (outcome, &self.host) {
            (Outcome::Written(written), Some(host)) if written.pushed => {
                Some(self.asked.proposal.open(&self.place.cx, &**host, written, &self.branch).await?)
            }
            _ => None,
        };
        match (self.asked.asked.output, outcome) {
            (Output::Json, outcome) => print_json(&json(outcome, opened.as_ref()))?,
            (Output::Text, Outcome::Written(written)) => print_commit(written)?,
            (Output::Text, _) => print(&format!("{} is so already: no commit", one_line(&self.branch)))?,
        }
        if let (Output::Text, Some(opened)) = (self.asked.asked.output, opened) {
            print(&one_line(&format!("pull request {} {}: {}", opened.number, opened.outcome, opened.url)))?;
        }
        Ok(Code::Good)
    }
}

/// What Git and its hosts take for a branch's name: letters, digits, and what stands between them.
fn as_branch(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || c == '/' { c } else { '-' };
        if !(matches!(c, '-' | '/') && name.ends_with(['-', '/'])) {
            name.push(c);
        }
    }
    name.trim_matches(['-', '/']).to_owned()
}

fn json(outcome: &Outcome, opened: Option<&Opened>) -> Value {
    match outcome {
        Outcome::Written(written) => json!({
            "commit": written.commit.id,
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
            "pull_request": opened.map(|opened| json!({
                "number": opened.number,
                "url": opened.url,
                "outcome": opened.outcome.to_string(),
            })),
        }),
        Outcome::Unchanged { tip } => json!({"commit": null, "tip": tip.id}),
        _ => json!({"commit": null}),
    }
}

fn print_commit(written: &Written) -> anyhow::Result<()> {
    let branch = written.reference.strip_prefix("refs/heads/").unwrap_or(&written.reference);
    let what = if written.pushed { "pushed to" } else { "would be pushed to" };
    print(&format!("{} {what} {}", written.commit.short(), one_line(branch)))?;
    for file in &written.changed {
        print(&format!("  {}", one_line(&file.to_string())))?;
    }
    for line in written.diff.iter().flat_map(|diff| diff.lines()) {
        print(&one_line(line))?;
    }
    Ok(())
}
