//! The same program as `schema-with`, with a schema that knows nothing.
#![allow(clippy::print_stdout, reason = "it is a program")]

use std::time::Instant;

use gitops_diff::TypeRef;
use gitops_diff::schema::{Deduced, Schema};

fn main() -> serde_json::Result<()> {
    let object: serde_json::Value = serde_json::from_str(&std::env::args().nth(1).unwrap_or_default())?;
    let schema: &dyn Schema = &Deduced;
    let began = Instant::now();
    let known = schema.type_of(&TypeRef::of(&object)).is_some();
    println!("{} {known}", began.elapsed().as_nanos());
    Ok(())
}
