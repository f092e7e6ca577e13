//! The file that says whose SSH keys are trusted: `ALLOWED SIGNERS` in ssh-keygen(1).

use gitops_core::Timestamp;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

use super::ssh::usable;

/// The largest file that is read, in bytes.
const MAX_FILE: usize = 4 * 1024 * 1024;
const MAX_LINES: usize = 20_000;

/// A line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AllowedSigner {
    /// As written: names, or patterns of names.
    pub(super) principals: String,
    pub(super) key: KeyData,
    /// Patterns of what the key may sign for; all where there are none.
    pub(super) namespaces: Option<String>,
    /// The first and the last moment at which the key is valid.
    pub(super) valid_after: Option<Timestamp>,
    pub(super) valid_before: Option<Timestamp>,
}

/// Reads a whole file. What is not understood is an error with the number of its line, never skipped.
pub(super) fn parse(text: &str) -> Result<Vec<AllowedSigner>, String> {
    if text.len() > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    let mut signers = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if signers.len() >= MAX_LINES {
            return Err(format!("it names more than {MAX_LINES} keys"));
        }
        signers.push(signer(line).map_err(|reason| format!("line {}: {reason}", n + 1))?);
    }
    Ok(signers)
}

fn signer(line: &str) -> Result<AllowedSigner, String> {
    let (principals, rest) = principals(line)?;
    let (options, key) = if let Ok(key) = PublicKey::from_openssh(rest) {
        (Options::default(), key)
    } else {
        // As ssh-keygen does: what is no key begins with options.
        let (options, rest) = split_options(rest)?;
        let key = PublicKey::from_openssh(rest)
            .map_err(|error| format!("what should be a public key is none: {error}"))?;
        (Options::parse(options)?, key)
    };
    usable(key.key_data())?;
    Ok(AllowedSigner {
        principals,
        key: key.key_data().clone(),
        namespaces: options.namespaces,
        valid_after: options.valid_after,
        valid_before: options.valid_before,
    })
}

/// The first field, which may be in quotes.
fn principals(line: &str) -> Result<(String, &str), String> {
    let (principals, rest) = match line.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').ok_or("the quotes of the principals have no end")?,
        None => line.split_once([' ', '\t']).ok_or("there is no key after the principals")?,
    };
    let rest = rest.trim_start();
    if principals.split(',').any(|pattern| pattern.trim_start_matches('!').is_empty()) {
        return Err("a principal is empty".into());
    }
    if rest.is_empty() {
        return Err("there is no key after the principals".into());
    }
    Ok((principals.to_owned(), rest))
}

/// Options end at the first space outside of quotes; in quotes, `\"` is one.
fn split_options(text: &str) -> Result<(&str, &str), String> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Ok((&text[..at], text[at..].trim_start())),
            _ => {}
        }
    }
    Err(if quoted { "the quotes of an option have no end" } else { "there is no key after the options" }
        .into())
}

#[derive(Debug, Default)]
struct Options {
    namespaces: Option<String>,
    valid_after: Option<Timestamp>,
    valid_before: Option<Timestamp>,
}

impl Options {
    fn parse(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        let mut left = text;
        while !left.is_empty() {
            let end = left.find(['=', ',']).unwrap_or(left.len());
            let name = left[..end].to_ascii_lowercase();
            left = &left[end..];
            let value = match left.strip_prefix('=') {
                Some(rest) => {
                    let (value, rest) =
                        unquote(rest).ok_or_else(|| format!("{name}= needs a value in quotes"))?;
                    left = rest;
                    Some(value)
                }
                None => None,
            };
            options.set(&name, value)?;
            left = match left.strip_prefix(',') {
                Some("") => return Err("the options end with a comma".into()),
                Some(rest) => rest,
                None if left.is_empty() => left,
                None => return Err(format!("there is no comma after {name}")),
            };
        }
        if let (Some(after), Some(before)) = (options.valid_after, options.valid_before)
            && before <= after
        {
            return Err("valid-before is not later than valid-after".into());
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: Option<String>) -> Result<(), String> {
        fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), String> {
            if place.replace(value).is_some() { Err(format!("{name} is there twice")) } else { Ok(()) }
        }
        match (name, value) {
            ("namespaces", Some(patterns)) => once(&mut self.namespaces, name, patterns),
            ("valid-after", Some(time)) => once(&mut self.valid_after, name, moment(&time)?),
            ("valid-before", Some(time)) => once(&mut self.valid_before, name, moment(&time)?),
            ("cert-authority", None) => {
                Err("cert-authority is not supported: list the keys themselves".into())
            }
            (_, Some(_)) => Err(format!("the option {name}=… is not known")),
            (_, None) => Err(format!("the option {name:?} is not known")),
        }
    }
}

/// A value in quotes, and what comes after it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            // Only a quote can be escaped.
            '\\' if chars.next_if(|(_, next)| *next == '"').is_some() => value.push('"'),
            c => value.push(c),
        }
    }
    None
}

/// `YYYYMMDD`, `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`, each with a `Z`. Without it, ssh-keygen takes the time zone of the machine,
/// which is none that a file should depend on.
fn moment(text: &str) -> Result<Timestamp, String> {
    let digits = text.strip_suffix('Z').or_else(|| text.strip_suffix("UTC")).unwrap_or(text);
    let is_time = digits.bytes().all(|byte| byte.is_ascii_digit()) && matches!(digits.len(), 8 | 12 | 14);
    if !is_time {
        return Err(format!("{text:?} is no time: write YYYYMMDDZ or YYYYMMDDHHMMSSZ"));
    }
    if digits.len() == text.len() {
        return Err(format!("{text:?} is in the time zone of whoever reads it: write {text}Z, in UTC"));
    }
    let full = format!("{digits:0<14}");
    let part = |from: usize, to: usize| &full[from..to];
    let (date, time) =
        ([part(0, 4), part(4, 6), part(6, 8)].join("-"), [part(8, 10), part(10, 12), part(12, 14)].join(":"));
    format!("{date}T{time}Z").parse().map_err(|_| format!("there is no time {text:?}"))
}

/// Whether a list of patterns separated by commas has a text, as `match_pattern_list()` of OpenSSH has it: `*` and `?` stand for
/// characters, and a pattern after `!` that matches is a no, whatever the others say.
pub(super) fn matches_list(text: &str, patterns: &str) -> bool {
    let mut yes = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(text.as_bytes(), pattern.as_bytes()) => return false,
            Some(_) => {}
            None => yes |= matches(text.as_bytes(), pattern.as_bytes()),
        }
    }
    yes
}

/// Goes back to the last `*` only, which is enough: the time is at most that of both lengths multiplied.
fn matches(text: &[u8], pattern: &[u8]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    fn one(line: &str) -> AllowedSigner {
        parse(line).unwrap_or_else(|error| panic!("{line}: {error}")).remove(0)
    }

    #[test]
    fn lines_are_read_as_ssh_keygen_reads_them() {
        let text = format!("# a comment\n\n  ada@example.org,*@ops {KEY} her laptop\r\n");
        let signer = one(&text);
        assert_eq!((&*signer.principals, &signer.namespaces), ("ada@example.org,*@ops", &None));
        assert_eq!(one(&format!("\"two words\" {KEY}")).principals, "two words");
        let full =
            format!("a Namespaces=\"git,f*\",valid-after=\"20260101Z\",valid-before=\"202601021530Z\" {KEY}");
        let signer = one(&full);
        assert_eq!(signer.namespaces.as_deref(), Some("git,f*"));
        assert_eq!(signer.valid_after.unwrap().to_string(), "2026-01-01T00:00:00Z");
        assert_eq!(signer.valid_before.unwrap().to_string(), "2026-01-02T15:30:00Z");
        assert_eq!(one(&format!("a namespaces=\"x\\\"y z\" {KEY}")).namespaces.as_deref(), Some("x\"y z"));
    }

    #[test]
    fn what_is_not_understood_is_an_error_with_its_line() {
        for (line, why) in [
            ("a", "no key after the principals"),
            ("a ssh-ed25519 AAAA", "public key"),
            ("\"a b", "quotes of the principals"),
            (",a KEY", "empty"),
            ("a cert-authority KEY", "cert-authority is not supported"),
            ("a no-touch-required KEY", "not known"),
            ("a shape=\"round\" KEY", "not known"),
            ("a namespaces=git KEY", "in quotes"),
            ("a namespaces=\"git\",namespaces=\"x\" KEY", "twice"),
            ("a namespaces=\"git KEY", "have no end"),
            ("a namespaces=\"git\",  KEY", "comma"),
            ("a valid-after=\"20260101\" KEY", "time zone"),
            ("a valid-after=\"yesterday\" KEY", "no time"),
            ("a valid-after=\"20261301Z\" KEY", "no time"),
            ("a valid-after=\"20260101Z\",valid-before=\"20260101Z\" KEY", "not later"),
            ("a ssh-dss AAAAB3NzaC1kc3MAAAADAQABAAAAAwEAAQAAAAMBAAEAAAADAQAB", "ssh-dss"),
        ] {
            let error = parse(&format!("\n{}", line.replace("KEY", KEY))).unwrap_err();
            assert!(error.starts_with("line 2: ") && error.contains(why), "{line}: {error}");
        }
        assert!(parse(&"#".repeat(MAX_FILE + 1)).is_err());
    }

    #[test]
    fn patterns_are_those_of_openssh() {
        for (patterns, yes) in [
            ("git", true),
            ("*", true),
            ("g?t", true),
            ("file,git", true),
            ("g*t*", true),
            ("file", false),
            ("git2", false),
            ("Git", false),
            ("", false),
            ("!git,*", false),
            ("*,!git", false),
            ("!file,*", true),
            ("!file", false),
        ] {
            assert_eq!(matches_list("git", patterns), yes, "{patterns}");
        }
        let hard = format!("{}b", "a*".repeat(5000));
        assert!(!matches_list(&"a".repeat(5000), &hard));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, options in "[a-z\"\\\\=, -]{0,60}") {
            let _ = parse(&text);
            let _ = parse(&format!("a {options} {KEY}"));
        }
    }
}
