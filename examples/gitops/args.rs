//! What can be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as Group, Parser, Subcommand, ValueEnum};
use gitops_core::diff::FieldPath;
use gitops_core::{Digest, Timestamp};

use crate::access::Access;
use crate::content::Content;
use crate::object::ObjectName;
use crate::writing::{Rollback, Set};

/// Deploys what a Git repository says, and keeps it so.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Keeps an application as Git wants it, until it is interrupted.
    Run(Run),
    /// Brings an application in force, once.
    ///
    /// Exit code 0 if everything is as Git wants it, 1 if something failed or is not healthy in time, 2 if nothing could
    /// be done, 3 if the plan needs approval.
    Sync(Sync),
    /// Prints what a sync would do, and the digest to approve it. Writes nothing; a read-only token is enough.
    Plan(App),
    /// Prints what differs from Git. Exit code 0 if nothing does, 1 if something does, 2 if that cannot be told.
    Diff(App),
    /// Prints what the cluster has recorded of an application: attempted and applied revision, health, last outcomes.
    Status(Deployed),
    /// Gives an application up. Its objects stay, unless they are asked to go.
    Remove(Remove),
    /// Prints the commits that touched what is deployed, newest first: when, who, why.
    History(History),
    /// Prints which objects differ between two revisions, and in which fields.
    Changes(Changes),
    /// Prints the commit that last set the value of a field. Exit code 1 if the field was never there.
    Blame(Blame),
    /// Commits a change of one value, and pushes it. The rest of the file stays as it is, byte by byte.
    #[command(subcommand)]
    Set(Set),
    /// Commits a way back, and pushes it: what commits changed is undone, or the path is put back to what it was.
    Rollback(Rollback),
}

/// What, and how to read it.
#[derive(Debug, Clone, Group)]
pub(crate) struct Repository {
    /// The repository: `https://…`, `ssh://user@host/path` or `user@host:path`, or a directory of this machine.
    #[arg(long)]
    pub(crate) repo: String,
    /// What to follow: a branch, a full name (`refs/tags/v1`, `refs/pull/1/head`), a full commit id, or `semver:` and a range
    /// of versions, of which the newest tag is taken (`semver:1.x`).
    #[arg(long = "ref", default_value = "main")]
    pub(crate) reference: String,
    /// The directory in the repository that holds the manifests.
    #[arg(long, default_value = "")]
    pub(crate) path: String,
    /// A file with a private key without a passphrase, for a repository over SSH.
    #[arg(long, value_name = "FILE", requires = "known_hosts", conflicts_with_all = ["token_file", "ssh_agent"])]
    pub(crate) ssh_key: Option<PathBuf>,
    /// Takes the keys of the agent that `SSH_AUTH_SOCK` names, for a repository over SSH.
    #[arg(long, requires = "known_hosts", conflicts_with = "token_file")]
    pub(crate) ssh_agent: bool,
    /// The file with the host keys that SSH servers are known by. No other server is trusted.
    #[arg(long, value_name = "FILE")]
    pub(crate) known_hosts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) access: Access,
    /// Also allows `http://`, without encryption, and servers on this machine.
    #[arg(long)]
    pub(crate) allow_http: bool,
    /// Where the local copy of the repository is kept, from run to run. Without it, in the user's cache.
    #[arg(long)]
    pub(crate) mirror: Option<PathBuf>,
}

/// A question about a repository.
#[derive(Debug, Clone, Group)]
pub(crate) struct Asked {
    #[command(flatten)]
    pub(crate) repository: Repository,
    /// How to print: for people, or one JSON value on each line.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// How long it may take.
    #[arg(long, default_value = "10m", value_parser = duration)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Group)]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Only commits of this time or later: `24h` or `7d` ago, or `2026-11-21T10:00:00Z`.
    #[arg(long, value_parser = moment)]
    pub(crate) since: Option<Timestamp>,
    /// Only commits of this time or earlier.
    #[arg(long, value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
    /// Follows the first parent of merges: when did it arrive on the branch?
    #[arg(long)]
    pub(crate) first_parent: bool,
    /// Only commits that changed this object: `Deployment/shop/web`, or `Deployment.apps/shop/web` if it is gone.
    #[arg(long)]
    pub(crate) object: Option<ObjectName>,
}

#[derive(Debug, Group)]
pub(crate) struct Changes {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Two revisions: branches, `refs/tags/…`, or commit ids. Without the second one, what --ref points to.
    #[arg(value_name = "A..B", value_parser = range)]
    pub(crate) range: (String, String),
}

#[derive(Debug, Group)]
pub(crate) struct Blame {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Names the merge that brought the value in, not the commit on the branch.
    #[arg(long)]
    pub(crate) first_parent: bool,
    /// The object: `Deployment/shop/web`, or `Deployment.apps/shop/web` if it is gone.
    pub(crate) object: ObjectName,
    /// The field: `.spec.replicas`, `.spec.template.spec.containers[name="web"].image`; `.` is the whole object.
    pub(crate) field: FieldPath,
}

/// Where to.
#[derive(Debug, Clone, Group)]
pub(crate) struct Deployed {
    /// The application's name.
    #[arg(long)]
    pub(crate) name: String,
    /// What to deploy to: the cluster of the usual kubeconfig rules, or one in this process's memory, to try things out.
    #[arg(long, value_enum, default_value_t = TargetKind::Kube)]
    pub(crate) target: TargetKind,
    /// The namespace that holds what is recorded of applications. It must exist.
    #[arg(long, default_value = "gitops-system")]
    pub(crate) state_namespace: String,
    /// How to print: for people, or one JSON value on each line.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
}

/// What, from where, and where to.
#[derive(Debug, Clone, Group)]
pub(crate) struct App {
    #[command(flatten)]
    pub(crate) deployed: Deployed,
    #[command(flatten)]
    pub(crate) repository: Repository,
    #[command(flatten)]
    pub(crate) trust: Trust,
    #[command(flatten)]
    pub(crate) content: Content,
    /// Deletes what is no longer in Git; a plan that would delete too much waits for approval.
    #[arg(long)]
    pub(crate) prune: bool,
    /// Takes over objects that exist and belong to nobody.
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Where manifests name no namespace.
    #[arg(long)]
    pub(crate) namespace: Option<String>,
}

/// Whose signatures count.
#[derive(Debug, Clone, Group)]
pub(crate) struct Trust {
    /// Deploys only what was signed by a trusted key: the commit, the tag that is followed, both, or every commit that is
    /// new. What fails is refused, and so is what does not descend from the revision in force.
    #[arg(long, value_enum)]
    pub(crate) verify: Option<Verify>,
    /// A file of armored OpenPGP public keys that are trusted.
    #[arg(long, requires = "verify")]
    pub(crate) trusted_keys: Vec<PathBuf>,
    /// A file of SSH keys that are trusted, in the format of ssh-keygen's ALLOWED SIGNERS.
    #[arg(long, requires = "verify")]
    pub(crate) allowed_signers: Vec<PathBuf>,
    /// The full id of a commit that is trusted with all that comes before it: where signing began.
    #[arg(long, requires = "verify")]
    pub(crate) trusted_since: Option<String>,
    /// Also deploys what does not descend from the revision in force, if it is signed.
    #[arg(long, requires = "verify")]
    pub(crate) allow_other_history: bool,
}

#[derive(Debug, Group)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) app: App,
    /// The time between two polls of the repository.
    #[arg(long, default_value = "60s", value_parser = duration)]
    pub(crate) interval: Duration,
    /// Listens here for webhooks of the Git host, and polls as soon as it says that something was pushed. Plain HTTP: let
    /// something before it end TLS.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "webhook_secret_file")]
    pub(crate) webhook: Option<SocketAddr>,
    /// A file with the secret that was entered at the Git host. Several, while one takes the place of another.
    #[arg(long, value_name = "FILE", requires = "webhook")]
    pub(crate) webhook_secret_file: Vec<PathBuf>,
}

#[derive(Debug, Group)]
pub(crate) struct Sync {
    #[command(flatten)]
    pub(crate) app: App,
    /// Waits until everything is healthy.
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait, and how long the sync itself may take.
    #[arg(long, default_value = "5m", value_parser = duration)]
    pub(crate) timeout: Duration,
    /// The digest of the plan to carry out, as `plan` printed it; no other plan is.
    #[arg(long)]
    pub(crate) approve: Option<Digest>,
}

#[derive(Debug, Group)]
pub(crate) struct Remove {
    #[command(flatten)]
    pub(crate) deployed: Deployed,
    /// Deletes the application's objects too. Without it, they only cease to belong to the application.
    #[arg(long)]
    pub(crate) delete: bool,
    /// The digest of the removal to carry out, where deleting needs approval.
    #[arg(long)]
    pub(crate) approve: Option<Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TargetKind {
    Kube,
    Memory,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verify {
    Head,
    Tag,
    TagAndHead,
    Every,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    Text,
    Json,
}

/// `90s`, `5m`, `1h`, or seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let (digits, unit) =
        text.split_at(text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len()));
    let count: f64 = digits.parse().map_err(|_| format!("{text:?} is no duration: write 90s, 5m or 1h"))?;
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("{unit:?} is no unit of time: use ms, s, m or h")),
    };
    let duration = Duration::try_from_secs_f64(count * seconds).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("it must be longer than zero".to_owned()) } else { Ok(duration) }
}

/// A point in time, or how long ago it was.
fn moment(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let ago = match text.strip_suffix('d') {
        Some(days) => days.parse().ok().map(|days: u32| Duration::from_secs(86_400 * u64::from(days))),
        None => duration(text).ok(),
    };
    ago.and_then(|ago| Timestamp::now().checked_sub(ago).ok())
        .ok_or_else(|| format!("{text:?} is no time: write 24h, 7d or 2026-11-21T10:00:00Z"))
}

/// `A..B`; without B, what is followed.
fn range(text: &str) -> Result<(String, String), String> {
    match text.split_once("..") {
        Some((from, to)) if !from.is_empty() && !to.starts_with('.') => Ok((from.to_owned(), to.to_owned())),
        _ => Err(format!("{text:?} is no range: write two revisions as in v1..v2")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_webhook_needs_a_secret() {
        let run = |more: &[&str]| {
            let args = ["gitops", "run", "--name", "shop", "--repo", "r"].iter().chain(more);
            Args::try_parse_from(args).is_ok()
        };
        assert!(run(&[]));
        assert!(run(&[
            "--webhook",
            "127.0.0.1:0",
            "--webhook-secret-file",
            "a",
            "--webhook-secret-file",
            "b"
        ]));
        assert!(!run(&["--webhook", "127.0.0.1:0"]) && !run(&["--webhook-secret-file", "a"]));
    }

    #[test]
    fn what_goes_together_is_given_together() {
        let run = |more: &[&str]| {
            let args = ["gitops", "run", "--name", "shop", "--repo", "r"].iter().chain(more);
            Args::try_parse_from(args).is_ok()
        };
        let app = ["--github-app", "a", "--github-installation", "7", "--github-key", "k"];
        assert!(run(&app) && !run(&app[..4]) && !run(&app[2..]));
        assert!(!run(&[&app[..], &["--token-file", "t"]].concat()));
        assert!(run(&["--client-cert", "c", "--client-key", "k"]) && !run(&["--client-cert", "c"]));
        assert!(!run(&["--client-key", "k"]) && !run(&["--proxy", "http://p", "--no-proxy"]));
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert!(
            moment("2d").is_ok() && moment("2026-11-21T10:00:00Z").is_ok() && moment("yesterday").is_err()
        );
        assert_eq!(range("a..b"), Ok(("a".into(), "b".into())));
        assert!(range("a...b").is_err() && range("a").is_err() && range("..b").is_err());
        assert!(["", "x", "5d", "0s", "-1s", "9e9h"].into_iter().all(|bad| duration(bad).is_err()));
    }
}
