//! What a mirror remembers beside objects: where references pointed to, and which commits took the place of others.
//!
//! It is a text file beside the repository, so that it outlives a repository that is made anew:
//!
//! ```text
//! tip refs/heads/main 91b2c07…
//! rewrote refs/heads/main <the commit that was forced in> <the commit that was there before>
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use gix::ObjectId;

/// Force-pushes that are remembered; the oldest are forgotten.
const MAX_REWROTE: usize = 1000;

/// A reference, the commit that it was forced to, and the one that it pointed to before.
#[derive(Debug, PartialEq, Eq)]
struct Rewrote {
    reference: String,
    new: ObjectId,
    old: ObjectId,
}

/// The notes of one mirror.
#[derive(Debug)]
pub(crate) struct Notes {
    path: PathBuf,
    tips: BTreeMap<String, ObjectId>,
    /// The latest last.
    rewrote: Vec<Rewrote>,
}

impl Notes {
    /// Reads the notes of a directory. What cannot be read was never noted: a force-push goes unreported at worst.
    pub(crate) fn open(dir: &Path) -> Self {
        let path = dir.join("notes");
        let mut notes = Self { tips: BTreeMap::new(), rewrote: Vec::new(), path };
        let text = fs::read(&notes.path).unwrap_or_default();
        for line in String::from_utf8_lossy(&text).lines() {
            let words: Vec<_> = line.split(' ').collect();
            let id = |text: &str| ObjectId::from_hex(text.as_bytes()).ok();
            match words[..] {
                ["tip", name, tip] => {
                    notes.tips.extend(id(tip).map(|tip| (name.to_owned(), tip)));
                }
                ["rewrote", name, new, old] => {
                    let reference = name.to_owned();
                    notes.rewrote.extend(id(new).zip(id(old)).map(|(new, old)| Rewrote {
                        reference,
                        new,
                        old,
                    }));
                }
                _ => {}
            }
        }
        notes
    }

    /// Where a reference pointed to when it was fetched last.
    pub(crate) fn tip(&self, reference: &str) -> Option<ObjectId> {
        self.tips.get(reference).copied()
    }

    /// What a commit took the place of when a reference was forced to it.
    pub(crate) fn rewrote(&self, reference: &str, id: ObjectId) -> Option<ObjectId> {
        self.rewrote
            .iter()
            .rev()
            .find(|note| note.new == id && note.reference == reference)
            .map(|note| note.old)
    }

    /// Notes where a reference points to now, and whether that replaced another history.
    pub(crate) fn record(
        &mut self,
        reference: &str,
        tip: ObjectId,
        rewrote: Option<ObjectId>,
    ) -> std::io::Result<()> {
        self.tips.insert(reference.to_owned(), tip);
        self.rewrote.extend(rewrote.map(|old| Rewrote { reference: reference.to_owned(), new: tip, old }));
        let forgotten = self.rewrote.len().saturating_sub(MAX_REWROTE);
        self.rewrote.drain(..forgotten);
        self.save()
    }

    fn save(&self) -> std::io::Result<()> {
        let mut text = String::new();
        for (name, id) in &self.tips {
            let _ = writeln!(text, "tip {name} {id}");
        }
        for Rewrote { reference, new, old } in &self.rewrote {
            let _ = writeln!(text, "rewrote {reference} {new} {old}");
        }
        // Beside, then renamed: a crash leaves the old notes or the new ones.
        let staged = self.path.with_extension("new");
        let mut file = File::create(&staged)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(staged, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: usize) -> ObjectId {
        ObjectId::from_hex(format!("{n:040x}").as_bytes()).unwrap()
    }

    #[test]
    fn notes_are_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut notes = Notes::open(dir.path());
        assert_eq!(notes.tip("refs/heads/main"), None);
        notes.record("refs/heads/main", id(1), None).unwrap();
        notes.record("refs/heads/main", id(2), Some(id(1))).unwrap();
        let mut notes = Notes::open(dir.path());
        assert_eq!(notes.tip("refs/heads/main"), Some(id(2)));
        let main = |notes: &Notes, n| notes.rewrote("refs/heads/main", id(n));
        assert_eq!((main(&notes, 2), main(&notes, 1)), (Some(id(1)), None));
        assert_eq!(notes.rewrote("refs/heads/other", id(2)), None);

        for n in 10..MAX_REWROTE + 20 {
            notes.rewrote.push(Rewrote { reference: "refs/heads/x".into(), new: id(n), old: id(n + 1) });
        }
        notes.record("refs/heads/main", id(5), Some(id(2))).unwrap();
        assert_eq!(notes.rewrote.len(), MAX_REWROTE);
        assert_eq!((main(&notes, 2), main(&notes, 5)), (None, Some(id(2))));
    }

    #[test]
    fn strange_notes_are_none() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("notes"),
            b"tip\ntip a b c d\nrewrote x y\n\xff\xfe\ntip refs/heads/x 12\n",
        )
        .unwrap();
        let notes = Notes::open(dir.path());
        assert!(notes.tips.is_empty() && notes.rewrote.is_empty());
    }
}
