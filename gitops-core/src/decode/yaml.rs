//! YAML, through serde-saphyr: what kubectl accepts, with limits.

use serde_json::Value;

use super::{DecodeError, DecodeLimits, DecodeProblem, Documents, Left, documents, too_much};
use crate::{Place, RepoPath};

#[expect(clippy::result_large_err, reason = "made once for a file that cannot be used")]
pub(super) fn read(file: &RepoPath, text: &str, limits: &DecodeLimits) -> Result<Documents, DecodeError> {
    let documents = documents::split(text);
    if documents.len() > limits.max_documents {
        return Err(too_much(file, "documents", limits.max_documents as u64));
    }
    let mut left = Left::new(limits);
    let mut read = Vec::with_capacity(documents.len());
    for (document, number) in documents.iter().zip(1_u32..) {
        let place = |line: u32, column: u32| Place {
            file: file.clone(),
            line: document.line + line,
            column,
            document: number,
        };
        if let Some(line) = line_too_deep(document.text, limits.max_depth) {
            let problem =
                DecodeProblem::Syntax(format!("more than {} levels begin on one line", limits.max_depth));
            read.push(Err(DecodeError { place: place(line, 0), problem }));
            continue;
        }
        match serde_saphyr::from_str_with_options::<Value>(document.text, options(limits, left.nodes())) {
            Ok(Value::Null) => {}
            Ok(value) => {
                left.take(&value);
                read.push(Ok((place(documents::first_content(document.text), 1), value)));
            }
            Err(error) => {
                let at = error.location();
                let part = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
                let place = at.map_or_else(
                    || place(0, 0),
                    |at| place(part(at.line()).saturating_sub(1), part(at.column())),
                );
                read.push(Err(DecodeError { place, problem: DecodeProblem::Syntax(message(&error)) }));
            }
        }
    }
    Ok(read)
}

/// The first line, counted from 0, on which more sequences or mappings begin than may be nested: the parser itself
/// recurses into each before its budget is asked.
fn line_too_deep(text: &str, max_depth: usize) -> Option<u32> {
    let indicators =
        |line: &str| line.split_whitespace().take_while(|word| matches!(*word, "-" | "?" | ":")).count();
    text.lines().zip(0..).find(|(line, _)| indicators(line) > max_depth).map(|(_, number)| number)
}

fn options(limits: &DecodeLimits, nodes_left: usize) -> serde_saphyr::Options {
    serde_saphyr::options! {
        // With them comes a limit on how many may follow each other.
        emit_comments: false,
        // kubectl's parser reads YAML 1.1 numbers: `0644` is 420.
        legacy_octal_numbers: true,
        with_snippet: false,
        budget: serde_saphyr::budget! {
            max_documents: 1,
            max_depth: limits.max_depth,
            flow_nesting_limit: limits.max_depth,
            max_nodes: nodes_left,
            max_events: nodes_left.saturating_mul(4).saturating_add(16),
            max_aliases: limits.max_alias_nodes,
            max_total_scalar_bytes: usize::try_from(limits.max_bytes).unwrap_or(usize::MAX).saturating_mul(2),
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: limits.max_alias_nodes.saturating_mul(2),
            max_replay_stack_depth: 32,
        },
    }
}

/// The parser's message without the place, which [`Place`] tells.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    // It repeats the number, which may be a password.
    if text.starts_with("non-finite float") {
        return "a number is too large: put it in quotes, if it is text".into();
    }
    let text = match text.rfind(" at line ") {
        Some(end) if text[end..].contains("column") => &text[..end],
        _ => &text,
    };
    super::message(text.trim_end_matches([':', ',', ' ']))
}
