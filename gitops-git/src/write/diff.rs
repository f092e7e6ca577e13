//! The text of a difference, in the unified format.

use std::io;

use gitops_core::decode::{DecodeLimits, decode};
use gitops_core::{PlainManifests, RepoPath};
use gix::bstr::ByteSlice as _;
use gix::diff::blob::unified_diff::{ConsumeHunk, ContextSize, DiffLineKind, HunkHeader};
use gix::diff::blob::{Algorithm, InternedInput, UnifiedDiff, diff_with_slider_heuristics};
use gix::objs::tree::EntryKind as Mode;

use super::WriteError;
use super::differing::{Difference, Leaf};
use super::error::damaged;

/// What is shown of all files together, at most.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Files that are larger are named, and not compared.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// So far Git looks for a NUL, which it takes for the mark of a file that is no text.
const BINARY_BYTES: usize = 8000;

/// How files differ, as `git diff --no-renames` says it.
pub(super) fn unified(repo: &gix::Repository, files: &[Difference]) -> Result<String, WriteError> {
    let mut text = Vec::new();
    for file in files {
        // A change of kind is shown as a removal and an addition.
        match (file.old, file.new) {
            (Some(old), Some(new)) if is_file(old) != is_file(new) => {
                one(repo, file, Some(old), None, &mut text)?;
                one(repo, file, None, Some(new), &mut text)?;
            }
            (old, new) => one(repo, file, old, new, &mut text)?,
        }
        if text.len() > MAX_BYTES {
            text.extend_from_slice(b"... and more that is not shown\n");
            break;
        }
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Whether Git takes it for something else than text.
pub(super) fn is_binary(content: &[u8]) -> bool {
    content.iter().take(BINARY_BYTES).any(|byte| *byte == 0)
}

fn is_file(leaf: Leaf) -> bool {
    matches!(leaf.1, Mode::Blob | Mode::BlobExecutable)
}

fn mode(leaf: Leaf) -> &'static str {
    match leaf.1 {
        Mode::BlobExecutable => "100755",
        Mode::Link => "120000",
        Mode::Commit => "160000",
        Mode::Blob | Mode::Tree => "100644",
    }
}

fn one(
    repo: &gix::Repository,
    file: &Difference,
    old: Option<Leaf>,
    new: Option<Leaf>,
    text: &mut Vec<u8>,
) -> Result<(), WriteError> {
    let path = &file.path;
    let mut line = |line: String| text.extend_from_slice(line.as_bytes());
    line(format!("diff --git a/{path} b/{path}\n"));
    match (old, new) {
        (Some(old), None) => line(format!("deleted file mode {}\n", mode(old))),
        (None, Some(new)) => line(format!("new file mode {}\n", mode(new))),
        (Some(old), Some(new)) if mode(old) != mode(new) => {
            line(format!("old mode {}\nnew mode {}\n", mode(old), mode(new)));
        }
        _ => {}
    }
    if old.map(|old| old.0) == new.map(|new| new.0) {
        return Ok(());
    }
    let (Some(before), Some(after)) = (content(repo, old)?, content(repo, new)?) else {
        line("it is too large to be shown\n".into());
        return Ok(());
    };
    let name =
        |leaf: Option<Leaf>, side| leaf.map_or_else(|| "/dev/null".to_owned(), |_| format!("{side}/{path}"));
    let (from, to) = (name(old, "a"), name(new, "b"));
    if is_binary(&before) || is_binary(&after) {
        line(format!("Binary files {from} and {to} differ\n"));
        return Ok(());
    }
    if [&before, &after].iter().any(|bytes| may_hold_secrets(&file.path.to_string(), bytes)) {
        line("it holds Secrets, and is not shown\n".into());
        return Ok(());
    }
    if before != after {
        line(format!("--- {from}\n+++ {to}\n"));
    }
    let input = InternedInput::new(before.as_slice(), after.as_slice());
    let diff = diff_with_slider_heuristics(Algorithm::Myers, &input);
    let hunks = UnifiedDiff::new(&diff, &input, Hunks(text), ContextSize::symmetrical(3));
    // Memory takes all of it.
    let _: io::Result<()> = hunks.consume();
    Ok(())
}

/// Whether a file has a Secret among its manifests, or cannot be read and may have one. What they hold is shown to nobody.
fn may_hold_secrets(path: &str, text: &[u8]) -> bool {
    if !PlainManifests::is_manifest(path) {
        return false;
    }
    // What kustomize makes Secrets of may be there.
    if text.contains_str("secretGenerator") {
        return true;
    }
    if !text.contains_str("Secret") {
        return false;
    }
    let Ok(path) = RepoPath::new(path) else { return true };
    match decode(&path, text, &DecodeLimits::default()) {
        Ok(manifests) => manifests.iter().any(|one| one.id.group.is_empty() && one.id.kind == "Secret"),
        Err(_) => true,
    }
}

/// `None` if it is too large.
fn content(repo: &gix::Repository, leaf: Option<Leaf>) -> Result<Option<Vec<u8>>, WriteError> {
    let Some((id, mode)) = leaf else { return Ok(Some(Vec::new())) };
    if mode == Mode::Commit {
        return Ok(Some(format!("Subproject commit {id}\n").into_bytes()));
    }
    if repo.find_header(id).map_err(|error| damaged(&error))?.size() > MAX_FILE_BYTES {
        return Ok(None);
    }
    Ok(Some(repo.find_blob(id).map_err(|error| damaged(&error))?.take_data()))
}

struct Hunks<'a>(&'a mut Vec<u8>);

impl ConsumeHunk for Hunks<'_> {
    type Out = ();

    fn consume_hunk(&mut self, header: HunkHeader, lines: &[(DiffLineKind, &[u8])]) -> io::Result<()> {
        let side = |start: u32, length: u32| match length {
            // Where there is nothing, Git names the line before.
            0 => format!("{},0", start - 1),
            1 => start.to_string(),
            length => format!("{start},{length}"),
        };
        let before = side(header.before_hunk_start, header.before_hunk_len);
        let after = side(header.after_hunk_start, header.after_hunk_len);
        self.0.extend_from_slice(format!("@@ -{before} +{after} @@\n").as_bytes());
        for (kind, line) in lines {
            self.0.push(match kind {
                DiffLineKind::Context => b' ',
                DiffLineKind::Add => b'+',
                DiffLineKind::Remove => b'-',
            });
            self.0.extend_from_slice(line);
            if !line.ends_with_str("\n") {
                self.0.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
        Ok(())
    }

    fn finish(self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_with_secrets_are_known() {
        let secret = b"apiVersion: v1\nkind: Secret\nmetadata: {name: db}\n";
        let external = b"apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: db}\n";
        let list = b"apiVersion: v1\nkind: SecretList\nitems:\n- metadata: {name: db}\n";
        for (path, text, holds) in [
            ("db.yaml", &secret[..], true),
            ("list.yml", list, true),
            ("template.yaml", b"kind: Secret\ndata: {{ .Values }}\n", true),
            ("external.yaml", external, false),
            ("readme.md", b"a Secret", false),
            ("kustomization.yaml", b"secretGenerator:\n- literals: [a=b]\n", true),
            ("web.yaml", b"a: 1", false),
        ] {
            assert_eq!(may_hold_secrets(path, text), holds, "{path}");
        }
    }
}
