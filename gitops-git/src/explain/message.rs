//! The parts of a commit's message: subject, body and trailers, by Git's own rules.

/// A line at the end of a message that says something by a name, such as `Reviewed-by: Ada <ada@example.org>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer {
    /// What stands before the `:`, as it is written. Git compares these without regard to case.
    pub key: String,
    /// What stands after it; several lines are put into one.
    pub value: String,
}

/// What Git takes for white space.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

fn is_blank(line: &str) -> bool {
    line.chars().all(is_space)
}

/// The message without the blank lines before it.
fn begun(message: &str) -> &str {
    let blank: usize = message.split_inclusive('\n').take_while(|line| is_blank(line)).map(str::len).sum();
    message.get(blank..).unwrap_or_default()
}

/// The first paragraph, and what follows it.
fn split(message: &str) -> (&str, &str) {
    let message = begun(message);
    let end: usize = message.split_inclusive('\n').take_while(|line| !is_blank(line)).map(str::len).sum();
    message.split_at(end)
}

/// The first paragraph as one line: `%s` of `git log`.
pub(crate) fn subject(message: &str) -> String {
    let lines: Vec<&str> = split(message).0.lines().map(|line| line.trim_end_matches(is_space)).collect();
    lines.join(" ")
}

/// All after the first paragraph, without the blank lines before and after: `%b` of `git log`.
pub(super) fn body(message: &str) -> &str {
    begun(split(message).1).trim_end_matches(is_space)
}

/// The trailers, from the first to the last, as `git interpret-trailers --parse` finds them without configuration
/// (git-interpret-trailers(1), "Description"; the rules are those of Git's `trailer.c`): the last paragraph that is not
/// the first, if all its lines are trailers, or if one of them is Git's own and a quarter are trailers.
pub(crate) fn trailers(message: &str) -> Vec<Trailer> {
    let message = begun(message);
    let text = message.get(..end_of_trailers(message)).unwrap_or_default();
    let Some(block) = text.get(start_of_trailers(text)..) else { return Vec::new() };
    let mut logical: Vec<(String, bool)> = Vec::new();
    for line in block.split_inclusive('\n') {
        match logical.last_mut() {
            Some((before, true)) if line.starts_with(is_space) => before.push_str(line),
            _ => logical.push((line.to_owned(), separator(line).is_some())),
        }
    }
    logical.iter().filter_map(|(line, _)| parse(line)).collect()
}

fn parse(line: &str) -> Option<Trailer> {
    let (key, value) = line.split_at(separator(line)?);
    let value = value.get(1..).unwrap_or_default().trim_matches(is_space);
    Some(Trailer { key: key.trim_matches(is_space).to_owned(), value: unfold(value) })
}

/// Line breaks with the white space after them become one space.
fn unfold(value: &str) -> String {
    let mut lines = value.split('\n');
    let mut whole = lines.next().unwrap_or_default().to_owned();
    let mut skipping = false;
    for line in lines {
        let line = line.trim_start_matches(is_space);
        // Blank lines are white space after the break before them.
        if !skipping {
            whole.push(' ');
        }
        whole.push_str(line);
        skipping = line.is_empty();
    }
    whole.trim_matches(is_space).to_owned()
}

/// Where the `:` of a trailer is: after letters, digits and `-`, and perhaps spaces.
fn separator(line: &str) -> Option<usize> {
    let mut spaces = false;
    for (at, c) in line.bytes().enumerate() {
        match c {
            b':' => return (at > 0).then_some(at),
            b'-' if !spaces => {}
            c if !spaces && c.is_ascii_alphanumeric() => {}
            b' ' | b'\t' if at > 0 => spaces = true,
            _ => return None,
        }
    }
    None
}

/// Git writes these lines itself.
const GENERATED: [&str; 2] = ["Signed-off-by: ", "(cherry picked from commit "];

/// Where the trailers begin; the end of the text if there are none.
fn start_of_trailers(text: &str) -> usize {
    let none = text.len();
    let title: usize = text
        .split_inclusive('\n')
        .take_while(|line| line.starts_with('#') || !is_blank(line))
        .map(str::len)
        .sum();
    let (mut trailers, mut others, mut continuations) = (0_usize, 0_usize, 0_usize);
    let (mut generated, mut only_spaces) = (false, true);
    let mut end = text.len();
    for line in text.split_inclusive('\n').rev() {
        let start = end - line.len();
        if start < title {
            break;
        }
        if line.starts_with('#') {
            others += continuations;
            continuations = 0;
        } else if is_blank(line) {
            if !only_spaces {
                others += continuations;
                let found = if generated { trailers * 3 >= others } else { trailers > 0 && others == 0 };
                return if found || (trailers > 0 && others == 0) { end } else { none };
            }
        } else {
            only_spaces = false;
            if GENERATED.iter().any(|own| line.starts_with(own)) {
                trailers += 1;
                continuations = 0;
                generated = true;
            } else if line.starts_with(is_space) {
                continuations += 1;
            } else if separator(line).is_some() {
                trailers += 1;
                continuations = 0;
            } else {
                others += 1 + continuations;
                continuations = 0;
            }
        }
        end = start;
    }
    none
}

/// Where the text ends for Git: before comments, blank lines and lists of conflicts at its end, and before what
/// `git commit --verbose` cuts off.
fn end_of_trailers(text: &str) -> usize {
    const CUT: &str = "# ------------------------ >8 ------------------------\n";
    let cut = if text.starts_with(CUT) {
        0
    } else {
        text.find(&format!("\n{CUT}")).map_or(text.len(), |at| at + 1)
    };
    let (mut at, mut ignored, mut conflicts) = (0, None, false);
    for line in text.split_inclusive('\n') {
        if at >= cut {
            break;
        }
        if line.starts_with(['#', '\n']) {
            ignored.get_or_insert(at);
        } else if line == "Conflicts:\n" {
            conflicts = true;
            ignored.get_or_insert(at);
        } else if !(conflicts && line.starts_with('\t')) && ignored.is_some() {
            ignored = None;
            conflicts = false;
        }
        at += line.len();
    }
    // A message that begins with a comment has, for Git, nothing to ignore there.
    ignored.filter(|at| *at > 0).unwrap_or(cut)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// What Git finds.
    fn git(message: &str) -> String {
        let mut child = Command::new("git")
            .args(["interpret-trailers", "--parse", "--no-divider"])
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(message.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success());
        String::from_utf8(done.stdout).unwrap()
    }

    fn ours(message: &str) -> String {
        let lines: Vec<_> =
            trailers(message).iter().map(|trailer| format!("{}: {}\n", trailer.key, trailer.value)).collect();
        lines.concat()
    }

    #[test]
    fn a_message_has_its_parts() {
        let message = "\n web 1.4.2  \nand more\n\nlong\nstory\n\nIssue: 7\nAcked-by: Ben\n  of Ops\n";
        assert_eq!(subject(message), " web 1.4.2 and more");
        assert_eq!(body(message), "long\nstory\n\nIssue: 7\nAcked-by: Ben\n  of Ops");
        let found = trailers(message);
        assert_eq!((found[1].key.as_str(), found[1].value.as_str()), ("Acked-by", "Ben of Ops"));
        assert_eq!(found.len(), 2);
        assert_eq!((subject(""), body("")), (String::new(), ""));
        assert_eq!(trailers("Issue: 7\n"), [], "the title is none");
    }

    /// A line of a message.
    fn line() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => "[A-Z][a-z]{0,5}(-by)?[ \t]{0,2}:[ \t]{0,2}[a-z]{0,6}( [a-z]{1,3})?",
            2 => Just("Signed-off-by: Ada <ada@example.org>".to_owned()),
            1 => Just("(cherry picked from commit 1234)".to_owned()),
            3 => Just(String::new()),
            2 => "[ \t]{1,2}[a-z]{0,5}(: [a-z])?",
            2 => "[a-z]{1,4} [a-z.!]{1,4}",
            1 => "# ?[a-z]{0,5}",
            1 => Just("Conflicts:".to_owned()),
            1 => "\t[a-z]{1,3}",
            1 => Just("# ------------------------ >8 ------------------------".to_owned()),
            1 => "[A-Za-z: \t#ä-]{0,8}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]
        #[test]
        fn trailers_are_those_that_git_finds(
            title in "[a-z]{1,5}( [a-z]{1,5})?(: [a-z]{1,3})?",
            lines in proptest::collection::vec(line(), 0..12),
            ends in any::<bool>(),
        ) {
            let mut message = format!("{title}\n{}", lines.join("\n"));
            if ends {
                message.push('\n');
            }
            prop_assert_eq!(ours(&message), git(&message), "{:?}", message);
        }
    }
}
