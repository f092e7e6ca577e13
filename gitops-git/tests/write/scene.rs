//! What the tests have in common.

use gitops_core::Fault;
use gitops_git::GitError;
use gitops_git::write::{
    CommitRequest, Edit, Files, GitWriter, Identity, Outcome, Target, WriteError, Written,
};

use crate::common::{Repo, git, path};

pub fn ada() -> Identity {
    Identity::new("Ada", "ada@example.org").unwrap()
}

pub fn on_main() -> CommitRequest {
    CommitRequest::new(Target::branch("main"))
}

/// A writer over the path of the repository.
pub fn local(repo: &Repo) -> GitWriter {
    crate::common::local(&repo.bare(), &repo.mirrors()).build().unwrap().writer(ada())
}

/// Writes a file.
pub fn put(file: &str, content: &str) -> impl Edit + use<> {
    let (file, content) = (path(file), content.to_owned());
    move |files: &mut Files<'_>| files.write(&file, content.clone())
}

/// Adds a line to the end of a file.
pub fn add_line(file: &str, line: &str) -> impl Edit + use<> {
    let (file, line) = (path(file), format!("{line}\n"));
    move |files: &mut Files<'_>| {
        let mut content = files.read(&file)?.unwrap_or_default();
        content.extend_from_slice(line.as_bytes());
        files.write(&file, content)
    }
}

pub fn written(outcome: Result<Outcome, Fault>) -> Written {
    let outcome = outcome.unwrap_or_else(|fault| panic!("{fault}"));
    outcome.written().expect("a commit")
}

/// The error of something that must not succeed.
pub fn error<T>(result: Result<T, Fault>) -> WriteError {
    let fault = crate::common::fault(result);
    let class = fault.class;
    let error = *fault.source.downcast::<WriteError>().unwrap_or_else(|other| panic!("{other}"));
    assert_eq!(class, error.class());
    error
}

pub fn git_error<T>(result: Result<T, Fault>) -> GitError {
    *crate::common::fault(result).source.downcast::<GitError>().unwrap()
}

/// What the server's repository has at a revision and a path.
pub fn show(repo: &Repo, at: &str) -> String {
    git(&repo.bare(), &["show", at])
}

pub fn rev(repo: &Repo, name: &str) -> String {
    git(&repo.bare(), &["rev-parse", name])
}

/// That Git finds nothing wrong with the server's repository.
pub fn fsck(repo: &Repo) {
    git(&repo.bare(), &["fsck", "--strict", "--no-dangling"]);
}
