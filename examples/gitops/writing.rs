//! What can be said of commits to be made.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args as Group, Subcommand};
use gitops_core::diff::FieldPath;
use gitops_edit::{ImageRef, NewValue, PolicyName};
use gitops_git::write::{Identity, SigningKey, WriteError};

use crate::args::Asked;
use crate::object::ObjectName;
use crate::proposal::Proposal;

/// One thing to be set.
#[derive(Debug, Subcommand)]
pub(crate) enum Set {
    /// Sets the image of a policy, wherever below --path a value is marked for it: `# {"$imagepolicy": "NS:NAME"}`.
    Image(SetImage),
    /// Sets one field of one object.
    Field(SetField),
}

#[derive(Debug, Group)]
pub(crate) struct SetImage {
    #[command(flatten)]
    pub(crate) commit: Committed,
    /// The policy, and the image: `flux-system:web=ghcr.io/acme/web:1.2`.
    #[arg(value_name = "NS:NAME=IMAGE", value_parser = image)]
    pub(crate) image: (PolicyName, ImageRef),
}

#[derive(Debug, Group)]
pub(crate) struct SetField {
    #[command(flatten)]
    pub(crate) commit: Committed,
    /// The object: `Deployment/shop/web`.
    pub(crate) object: ObjectName,
    /// The field, which must be there, and its value: `.spec.replicas=3`,
    /// `.spec.template.spec.containers[name="web"].image=web:1.2`. The value keeps the type that it has.
    #[arg(value_name = "FIELD=VALUE", value_parser = field)]
    pub(crate) field: (FieldPath, String),
    /// The value is JSON, and may have another type than before: `"3"`, `3`, `true`, `null`.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where to go back to.
#[derive(Debug, Group)]
#[group(id = "way", required = true, args = ["revert", "to", "last_good"])]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) commit: Committed,
    /// Undoes what this commit changed, or those of a range `A..B` (which does not undo A), and keeps what came after them.
    /// With --path, only what they changed there.
    #[arg(long, value_name = "COMMIT")]
    pub(crate) revert: Option<String>,
    /// The parent of a merge to go back to, counted from 1: reverts of merges need it.
    #[arg(long, value_name = "PARENT", requires = "revert", conflicts_with_all = ["to", "last_good"])]
    pub(crate) mainline: Option<NonZeroUsize>,
    /// Puts all of --path back to what it was at a revision: a commit's id or the beginning of one (7 digits or more), a branch, a
    /// tag, or a full name (`refs/tags/v1`).
    #[arg(long, value_name = "REVISION", conflicts_with = "revert")]
    pub(crate) to: Option<String>,
    /// Puts all of --path back to the newest revision that was Healthy, as the cluster has recorded it. Other applications may have
    /// come further since, so that the path is to be given: `--path ""` for one that is all of the repository.
    #[arg(long, requires_all = ["name", "path"], conflicts_with_all = ["revert", "to"])]
    pub(crate) last_good: bool,
    /// The application whose last good revision is meant.
    #[arg(long, requires = "last_good", conflicts_with_all = ["revert", "to"])]
    pub(crate) name: Option<String>,
    /// The namespace that holds what is recorded of applications.
    #[arg(long, default_value = "gitops-system")]
    pub(crate) state_namespace: String,
}

/// A commit to be made.
#[derive(Debug, Clone, Group)]
pub(crate) struct Committed {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Pushes nothing, and shows the commit with its diff.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Who makes the commit. The address may be empty, as that of the program itself is.
    #[arg(long, env = "GITOPS_AUTHOR", value_name = "NAME <EMAIL>", default_value = "gitops <>", value_parser = identity)]
    pub(crate) author: Identity,
    /// The commit's message. `{changes}` in it stands for a list of what changes; without a message, that is all of it.
    #[arg(long, short, value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Adds a line at the end of the message; may be given again.
    #[arg(long, value_name = "KEY: VALUE", value_parser = trailer)]
    pub(crate) trailer: Vec<(String, String)>,
    /// Signs the commit with a private SSH key (Ed25519 or ECDSA) without a passphrase.
    #[arg(long, value_name = "FILE")]
    sign_ssh_key: Option<PathBuf>,
    /// Signs the commit with an armored OpenPGP private key. Its passphrase is that in `GITOPS_SIGNING_PASSPHRASE`.
    #[arg(long, value_name = "FILE", conflicts_with = "sign_ssh_key")]
    sign_openpgp_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) proposal: Proposal,
}

impl SetField {
    /// The value, of the type that it is to have.
    pub(crate) fn value(&self) -> anyhow::Result<NewValue> {
        let text = &self.field.1;
        Ok(if self.json {
            NewValue::Exact(serde_json::from_str(text)?)
        } else {
            NewValue::Text(text.clone())
        })
    }
}

impl Committed {
    /// The key that signs the commit, if one does.
    pub(crate) fn signing_key(&self) -> Result<Option<SigningKey>, WriteError> {
        if let Some(file) = &self.sign_ssh_key {
            return SigningKey::ssh_file(file).map(Some);
        }
        let passphrase = std::env::var("GITOPS_SIGNING_PASSPHRASE").ok();
        let openpgp = |file| SigningKey::openpgp_file(file, passphrase.as_deref());
        self.sign_openpgp_key.as_ref().map(openpgp).transpose()
    }
}

fn image(text: &str) -> Result<(PolicyName, ImageRef), String> {
    let (policy, image) = text.split_once('=').ok_or("write NS:NAME=IMAGE")?;
    let policy = policy.parse().map_err(|error| format!("{error}"))?;
    Ok((policy, image.parse().map_err(|error| format!("{error}"))?))
}

/// A path may hold `=` between quotes or brackets, and a value anywhere: the path is the shortest that is one.
fn field(text: &str) -> Result<(FieldPath, String), String> {
    let mut parts = text.match_indices('=').map(|(at, _)| (&text[..at], &text[at + 1..]));
    let found = parts.find_map(|(path, value)| Some((path.parse::<FieldPath>().ok()?, value.to_owned())));
    found.ok_or_else(|| format!("{text:?} sets no field: write .spec.replicas=3"))
}

fn identity(text: &str) -> Result<Identity, String> {
    let parts = text.strip_suffix('>').and_then(|text| text.rsplit_once('<'));
    let (name, email) = parts.ok_or_else(|| format!("{text:?} is no author: write NAME <EMAIL>"))?;
    Identity::new(name, email).map_err(|error| error.to_string())
}

fn trailer(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((key, value)) if !value.trim().is_empty() => Ok((key.to_owned(), value.trim().to_owned())),
        _ => Err(format!("{text:?} is no trailer: write KEY: VALUE")),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::Args;

    #[test]
    fn what_is_to_be_set_is_read() {
        let (policy, image) = image("flux-system:web=ghcr.io:443/acme/web:1.2@sha256:0000000000000000000000000000000000000000000000000000000000000000").unwrap();
        assert_eq!(policy.to_string(), "flux-system:web");
        assert_eq!(image.tag(), Some("1.2"));
        for bad in ["web=a", "a:b", "a:b=", "a:b=x/UPPER", "=a"] {
            assert!(super::image(bad).is_err(), "{bad}");
        }
        let split = |text: &str| field(text).map(|(path, value)| (path.to_string(), value)).ok();
        assert_eq!(split(".spec.replicas=3"), Some((".spec.replicas".into(), "3".into())));
        assert_eq!(
            split(r#".spec.containers[name="a=b"].env[name="X"].value=y=z"#),
            Some((r#".spec.containers[name="a=b"].env[name="X"].value"#.into(), "y=z".into()))
        );
        assert!(split(".spec.replicas").is_none() && split("spec=1").is_none());
    }

    #[test]
    fn one_way_back_is_given_with_what_belongs_to_it() {
        let run = |more: &[&str]| {
            let args = ["gitops", "rollback", "--repo", "r"].iter().chain(more);
            Args::try_parse_from(args).map(drop).map_err(|error| error.to_string())
        };
        for good in [
            &["--revert", "a"][..],
            &["--revert", "a", "--mainline", "1"],
            &["--revert", "a", "--path", "apps"],
            &["--to", "a", "--path", "apps"],
            &["--last-good", "--name", "shop", "--path", "apps"],
            &["--last-good", "--name", "shop", "--path", ""],
        ] {
            run(good).unwrap();
        }
        for bad in [
            &["--revert", "a", "--mainline", "0"][..],
            &["--revert", "a", "--name", "shop"],
            &["--to", "a", "--mainline", "1"],
            &["--to", "a", "--name", "shop"],
            &["--last-good", "--name", "shop", "--path", "apps", "--mainline", "1"],
            &["--last-good"],
            &["--last-good", "--name", "shop"],
            &["--mainline", "1"],
            &[],
        ] {
            assert!(run(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn people_and_trailers_are_read() {
        let ada = identity("Ada Lovelace <ada@example.org>").unwrap();
        assert_eq!(
            (ada.person().name.as_str(), ada.person().email.as_str()),
            ("Ada Lovelace", "ada@example.org")
        );
        assert!(identity("gitops <>").is_ok());
        for bad in ["Ann", "ann@acme.example", "<a@b>", "Ann <a@b", "Ann a@b>", "Ann <a@b> ", "Ann <<a@b>"] {
            assert!(identity(bad).is_err(), "{bad}");
        }
        assert_eq!(trailer("Approved-by: Ada: yes"), Ok(("Approved-by".into(), "Ada: yes".into())));
        assert!(trailer("x").is_err() && trailer("x: ").is_err());
    }
}
