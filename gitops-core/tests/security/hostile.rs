//! Files that mean harm, and the memory that they take. The tests of `gitops-edit` read them too.

use std::fmt::Write as _;

/// As many bytes as a file may have, less a little.
const SIZE: usize = (4 << 20) - 4096;

fn fill(unit: &str) -> String {
    unit.repeat(SIZE / unit.len())
}

fn numbered(unit: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(SIZE);
    for n in 0.. {
        let next = unit(n);
        if text.len() + next.len() > SIZE {
            return text;
        }
        text += &next;
    }
    text
}

/// A list of as many of these as a file may hold values, or bytes.
fn list(unit: &str, values: usize) -> String {
    format!("[{}]", vec![unit; (400_000 / values - 2).min(SIZE / (unit.len() + 1))].join(","))
}

fn manifest(rest: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n{rest}\n")
}

fn wide(levels: usize) -> String {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..levels {
        let aliases = vec![format!("*a{}", n - 1); 9].join(", ");
        writeln!(text, "a{n}: &a{n} [{aliases}]").unwrap();
    }
    text
}

fn json(data: &str) -> String {
    format!(r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "a"}}, "data": {data}}}"#)
}

/// A name, and what makes the file.
pub(crate) type Input = (&'static str, fn() -> String);

/// Files that take as much as they can, by name. Those that end in `json` are read as JSON.
#[expect(clippy::too_many_lines, reason = "a table")]
pub(crate) fn inputs() -> Vec<Input> {
    vec![
        ("one scalar", || manifest(&format!("data: {}", "x".repeat(SIZE - 200)))),
        ("one quoted scalar", || manifest(&format!("data: \"{}\"", "\\u00e9".repeat(SIZE / 6 - 200)))),
        ("one escaped scalar", || manifest(&format!("data: '{}'", "''".repeat(SIZE / 2 - 200)))),
        ("one folded scalar", || manifest(&format!("data: >\n{}", "  x\n".repeat(SIZE / 4 - 200)))),
        ("one literal scalar", || manifest(&format!("data: |\n{}", "  x\n".repeat(SIZE / 4 - 200)))),
        ("one binary scalar", || manifest(&format!("data: !!binary {}", "QUFB".repeat(SIZE / 4 - 200)))),
        ("one number", || manifest(&format!("data: {}", "9".repeat(SIZE - 200)))),
        ("one key", || manifest(&format!("{}: 1", "k".repeat(SIZE - 200)))),
        ("one quoted key", || manifest(&format!("\"{}\": 1", "k".repeat(SIZE - 200)))),
        ("one anchor", || manifest(&format!("data: &{} x", "a".repeat(SIZE - 200)))),
        ("one alias", || manifest(&format!("data: *{}", "a".repeat(SIZE - 200)))),
        ("one tag", || manifest(&format!("data: !{} x", "t".repeat(SIZE - 200)))),
        ("one comment", || manifest(&format!("# {}", "c".repeat(SIZE - 200)))),
        ("mappings of one", || manifest(&format!("data: {}", list("{a: 1}", 2)))),
        ("mappings of one, in lines", || manifest(&format!("data:\n{}", "- a: 1\n".repeat(190_000)))),
        ("as many mappings as fit", || {
            let data = vec!["{a: 1}"; 38_000].join(",");
            manifest(&format!("data: [{data}]"))
        }),
        ("mappings of nothing", || manifest(&format!("data: {}", list("{}", 1)))),
        ("mappings in mappings", || manifest(&format!("data: {}", list("{a: {a: {a: {a: {}}}}}", 5)))),
        ("mappings deep in mappings", || {
            let deep = format!("{}1{}", "{a: ".repeat(58), "}".repeat(58));
            manifest(&format!("data: {}", list(&deep, 59)))
        }),
        ("sequences of one", || manifest(&format!("data: {}", list("[1]", 2)))),
        ("sequences of nothing", || manifest(&format!("data: {}", list("[]", 1)))),
        ("short scalars", || manifest(&format!("data: {}", list("x", 1)))),
        ("nulls", || manifest(&format!("data: {}", list("~", 1)))),
        ("keys", || manifest(&format!("data:\n{}", numbered(|n| format!("  k{n}: \n"))))),
        ("few keys", || {
            manifest(&format!(
                "data:\n{}",
                (0..199_000).fold(String::new(), |text, n| text + &format!("  k{n}: v\n"))
            ))
        }),
        ("the same key", || manifest(&format!("data:\n{}", fill("  k: v\n")))),
        ("keys that are mappings", || manifest(&format!("data:\n{}", fill("  ? {a: b}\n  : c\n")))),
        ("anchors", || manifest(&format!("data:\n{}", numbered(|n| format!("- &a{n} x\n"))))),
        ("aliases", || manifest(&format!("data: &a x\nmore:\n{}", fill("- *a\n")))),
        ("aliases of a long scalar", || {
            let text = format!("data: &a {}\nmore: [{}]", "x".repeat(1 << 20), vec!["*a"; 10_000].join(", "));
            manifest(&text)
        }),
        ("a few aliases of a long scalar", || {
            let text = format!("data: &a {}\nmore: [{}]", "x".repeat(3 << 20), vec!["*a"; 60].join(", "));
            manifest(&text)
        }),
        ("aliases of a long key", || {
            let text =
                format!("data: &a {{{}: 1}}\nmore: [{}]", "x".repeat(1 << 20), vec!["*a"; 9_000].join(", "));
            manifest(&text)
        }),
        ("aliases of mappings", || {
            let text = format!("data: &a {{{}}}\nmore: [{}]", "a: 1", vec!["*a"; 9_000].join(", "));
            manifest(&text)
        }),
        ("nine times nine times nine", || manifest(&wide(9))),
        ("nine times nine, often", || manifest(&wide(300))),
        ("merged mappings", || {
            let mut text = "m0: &m0 {a: 1, b: 2}\n".to_owned();
            for n in 1..60 {
                writeln!(text, "m{n}: &m{n}\n  <<: [*m{0}, *m{0}, *m{0}]\n  k{n}: 1", n - 1).unwrap();
            }
            manifest(&text)
        }),
        ("an alias of itself", || manifest("data: &a [*a, *a]")),
        ("sequences in each other", || fill("[")),
        ("mappings in each other", || fill("{a: ")),
        ("dashes", || fill("- ")),
        ("question marks", || fill("? ")),
        ("both", || fill("- ? ")),
        ("colons", || fill(": ")),
        ("stairs", || numbered(|n| format!("{}-\n", " ".repeat(n)))),
        ("stairs of keys", || numbered(|n| format!("{}a:\n", " ".repeat(n)))),
        ("indicators", || fill("&a !b ")),
        ("opened quotes", || fill("\"\n")),
        ("directives", || fill("%TAG ! tag:x\n")),
        ("documents", || fill("---\na: 1\n")),
        ("documents that are allowed", || "---\nkind: {a: b}\n".repeat(9_999)),
        ("documents of nothing", || fill("---\n")),
        ("documents that fail", || "--- ]\n".repeat(9_999)),
        ("line breaks", || fill("\n")),
        ("spaces", || fill(" ")),
        ("tabs", || fill("\t")),
        ("a list of things that are none", || format!("kind: AList\nitems: {}", list("1", 1))),
        ("a list of mappings that are none", || format!("kind: AList\nitems: {}", list("{}", 1))),
        ("a list of lists", || format!("kind: AList\nitems: {}", list("{kind: BList, items: []}", 3))),
        ("a list of objects", || {
            let object = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}";
            format!("kind: AList\nitems: {}", list(object, 5))
        }),
        ("mappings of one json", || json(&list(r#"{"a":1}"#, 2))),
        ("mappings deep in mappings json", || {
            let deep = format!("{}1{}", r#"{"a":"#.repeat(58), "}".repeat(58));
            json(&list(&deep, 59))
        }),
        ("mappings of nothing json", || json(&list("{}", 1))),
        ("sequences of one json", || json(&list("[1]", 2))),
        ("short scalars json", || json(&list(r#""x""#, 1))),
        ("one scalar json", || json(&format!("\"{}\"", "x".repeat(SIZE - 200)))),
        ("one escaped scalar json", || json(&format!("\"{}\"", "\\u00e9".repeat(SIZE / 6 - 200)))),
        ("one number json", || json(&"9".repeat(SIZE - 200))),
        ("keys json", || {
            let keys = numbered(|n| format!("\"{n}\":0,"));
            format!("{{{}}}", keys.trim_end_matches(','))
        }),
        ("the same key json", || format!("{{{}}}", list("\"a\":1", 1).trim_matches(['[', ']']))),
        ("sequences in each other json", || fill("[")),
        ("values json", || fill("1\n")),
        ("a list of things that are none json", || {
            format!(r#"{{"kind": "AList", "items": {}}}"#, list("1", 1))
        }),
    ]
}

/// The memory of this process, as Linux counts it.
pub(crate) struct Memory {
    kilobytes: u64,
}

impl Memory {
    /// Begins to look for the peak.
    pub(crate) fn begin() -> Self {
        // Elsewhere nobody asks what it took.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        Self { kilobytes: field("VmRSS:") }
    }

    /// How much more there was, at the peak, in kilobytes.
    pub(crate) fn took(&self) -> u64 {
        field("VmHWM:").saturating_sub(self.kilobytes)
    }
}

fn field(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
