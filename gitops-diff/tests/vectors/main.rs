//! The crate's own vectors: made by `tests/oracle`, with results of the reference implementations. Those in `defaults.json`
//! are objects and what the API server stores for them.

#[path = "../../examples/conformance/runner/mod.rs"]
mod runner;

use std::path::Path;

use runner::{Folder, Outcome, VectorFile};

#[test]
fn all_pass() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let mut failed = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let file = VectorFile::read(&path).unwrap();
        let folder = Folder::beside(&path);
        for case in &file.cases {
            count += 1;
            if let Outcome::Failed(why) = runner::run(case, &file.name, &folder) {
                failed.push(format!("{}: {why}", case.name));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {count} failed\n{}", failed.len(), failed.join("\n"));
    assert!(count > 250, "only {count} cases were found");
}
