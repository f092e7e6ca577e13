//! Reads an object and asks the built-in schema for its kind: `benches/compare` compares the size of this program with that of
//! `schema-without`, and takes the time that the first question takes.
#![allow(clippy::print_stdout, reason = "it is a program")]

use std::time::Instant;

use gitops_diff::TypeRef;
use gitops_diff::schema::{BuiltIn, Schema};

fn main() -> serde_json::Result<()> {
    let object: serde_json::Value = serde_json::from_str(&std::env::args().nth(1).unwrap_or_default())?;
    let schema: &dyn Schema = &BuiltIn;
    let began = Instant::now();
    let known = schema.type_of(&TypeRef::of(&object)).is_some();
    println!("{} {known}", began.elapsed().as_nanos());
    Ok(())
}
