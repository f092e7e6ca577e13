//! Keeping the memory of deployments small.

use super::{Deployment, Deployments, Drift, Good, Healed};
use crate::{Person, Revision};

/// Texts that others wrote are cut to so many bytes.
const TEXT: usize = 256;
/// Names of who signed are kept of so many.
const SIGNERS: usize = 4;

/// A revision without what may be long: of the message the first line.
pub(super) fn brief(revision: &Revision) -> Revision {
    let mut brief = revision.clone();
    let title = revision.title().unwrap_or_default();
    if let Some(provenance) = &mut brief.provenance {
        cut(title).clone_into(&mut provenance.message);
        let person = |person: Option<Person>| {
            person.map(|person| Person {
                name: cut(&person.name).to_owned(),
                email: cut(&person.email).to_owned(),
            })
        };
        provenance.author = person(provenance.author.take());
        provenance.committer = person(provenance.committer.take());
        let text = |text: Option<String>| text.map(|text| cut(&text).to_owned());
        provenance.reference = text(provenance.reference.take());
        provenance.rewrote = text(provenance.rewrote.take());
        provenance.tag = text(provenance.tag.take());
        provenance.verified.truncate(SIGNERS);
        for signer in &mut provenance.verified {
            signer.name = cut(&signer.name).to_owned();
            signer.key = cut(&signer.key).to_owned();
        }
    }
    brief
}

/// Drift with texts that are not long.
pub(super) fn short(drift: &Drift) -> Drift {
    let fields = drift.fields.iter().take(Deployments::FIELDS).map(|field| cut(field).to_owned());
    let by = drift.by.as_deref().map(|by| cut(by).to_owned());
    Drift::new(drift.id.clone(), by, fields.collect())
}

/// The beginning of a text, in whole characters.
fn cut(text: &str) -> &str {
    let mut end = text.len().min(TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Deployments {
    /// Lets go what is too much, and sums it up.
    pub(in crate::target) fn bound(&mut self) {
        while self.recent.len() > Self::RECENT {
            self.fold_deployment();
        }
        self.bound_healed();
        let mut excess = self.bytes().saturating_sub(Self::BYTES);
        while excess > 0 {
            if let Some(oldest) = self.recent.iter_mut().find(|one| !one.changes.is_empty()) {
                oldest.changes.clear();
            } else if !self.healed.is_empty() {
                self.fold_healed();
            } else if self.recent.len() > 1 {
                self.fold_deployment();
            } else {
                return;
            }
            excess = self.bytes().saturating_sub(Self::BYTES);
        }
    }

    /// The same for the number of healed objects alone.
    pub(super) fn bound_healed(&mut self) {
        while self.healed.len() > Self::HEALED {
            self.fold_healed();
        }
    }

    /// The size in JSON.
    pub(super) fn bytes(&self) -> usize {
        serde_json::to_vec(self).map_or(0, |json| json.len())
    }

    /// The oldest deployment becomes part of the summary.
    fn fold_deployment(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        let Deployment { revision, attempted, healthy, .. } = self.recent.remove(0);
        let older = &mut self.older;
        older.deployments = older.deployments.saturating_add(1);
        older.since.get_or_insert(attempted);
        if let Some(healthy) = healthy {
            older.last_good = Some(Good { revision, healthy });
        }
    }

    /// The drift that was put back longest ago becomes part of the summary.
    fn fold_healed(&mut self) {
        if self.healed.is_empty() {
            return;
        }
        let Healed { times, .. } = self.healed.remove(0);
        self.older.healed = self.older.healed.saturating_add(times);
    }
}
