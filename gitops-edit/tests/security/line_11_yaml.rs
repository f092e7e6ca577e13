//! Editing no file takes more memory, or more time, than a file may.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

use gitops_core::{RepoPath, ResourceId};
use gitops_edit::{NewValue, YamlFile};

use crate::hostile::{Input, Memory, inputs};

/// The most memory that an edit may take, beside the file itself.
const PEAK_KILOBYTES: u64 = 64 << 10;

const MARKER: &str = "# {\"$imagepolicy\": \"ns:app\"}";

/// Files that are hard to edit, beside those that are hard to read.
fn edited() -> Vec<Input> {
    vec![
        ("marked values", || format!("- a {MARKER}\n").repeat(10_000)),
        ("more marked values than may be", || format!("- a {MARKER}\n").repeat(100_000)),
        ("marked keys", || {
            (0..10_000).fold(String::new(), |mut text, n| {
                writeln!(text, "k{n}: a {MARKER}").unwrap();
                text
            })
        }),
        ("marked documents", || format!("---\na: b {MARKER}\n").repeat(9_999)),
        ("marked flow", || format!("[{}\n]", format!("a, {MARKER}\n").repeat(10_000))),
        ("marked deeply", || {
            let levels = (0..60).fold(String::new(), |text, n| text + &" ".repeat(n) + "a:\n");
            let items = format!("{}- x {MARKER}\n", " ".repeat(60)).repeat(10_000);
            format!("{levels}{items}")
        }),
        ("marked secrets", || {
            let secret =
                format!("---\nkind: Secret\napiVersion: v1\nmetadata: {{name: a}}\ndata:\n  a: b {MARKER}\n");
            secret.repeat(9_999)
        }),
        ("marked among much else", || {
            // 5 MB, 10,000 markers.
            let unit = format!(
                "- image: ghcr.io/acme/shop:1.0 {MARKER}\n  text: |\n{}",
                "    some words in a text\n".repeat(17)
            );
            unit.repeat(10_000)
        }),
        ("one scalar of 6 MiB", || head() + &"x".repeat((6 << 20) - 200)),
        ("one escaped scalar of 6 MiB", || {
            format!("{}\"{}\"", head(), "\\u00e9".repeat((6 << 20) / 6 - 200))
        }),
        ("one literal scalar of 6 MiB", || format!("{}|\n{}", head(), "  x\n".repeat((6 << 18) - 200))),
        ("one comment of 6 MiB", || format!("{}a # {}", head(), "x".repeat((6 << 20) - 200))),
        ("comments of 6 MiB", || format!("{}\n{}  a\n", head(), "#\n".repeat((3 << 20) - 200))),
        ("comments in a list of 6 MiB", || format!("{}[\n{}  a]\n", head(), "#\n".repeat((3 << 20) - 200))),
        ("a few aliases of a scalar of 4 MiB", || {
            format!("{}&a {}\nmore: [{}]\n", head(), "x".repeat(4 << 20), ["*a"; 60].join(", "))
        }),
        ("one alias of a scalar of 4 MiB", || {
            format!("{}&a {}\nmore: *a\n", head(), "x".repeat((4 << 20) - 200))
        }),
        ("merges of a large mapping", || {
            let keys = (0..9_000).fold(String::new(), |text, n| text + &format!(" k{n}: v\n"));
            format!("{}\nx: &x\n{keys}y:\n{}", head(), "- {<<: *x}\n".repeat(30_000))
        }),
        ("as many keys as fit", || {
            (0..74_900).fold(format!("{}\n", head()), |text, n| text + &format!("  k{n}: v\n"))
        }),
        ("as many tagged keys as fit", || {
            (0..74_900).fold(format!("{}\n", head()), |text, n| text + &format!("  k{n}: !!str v\n"))
        }),
        ("as many long keys as fit", || {
            let key = "k".repeat(73);
            (0..74_900).fold(format!("{}\n", head()), |text, n| text + &format!("  {key}{n}: v\n"))
        }),
        ("as many anchors as fit", || {
            (0..49_900).fold(format!("{}\n", head()), |text, n| text + &format!("- &a{n} v\n"))
        }),
        ("comments that are allowed", || {
            let comments = format!("# {}\n", "x".repeat(400)).repeat(19_900);
            format!("{}\n{comments}  a\n", head())
        }),
        ("a mapping that merges itself", || format!("{}\nx: &x {{<<: *x}}\n", head())),
        ("lists that are in themselves", || "&x\nkind: List\nitems: [*x, *x]\n".to_owned()),
        ("keys of items", || {
            format!("{}\n  {{}}\nitems:\n{}", head(), "- {name: a, value: b}\n".repeat(29_000))
        }),
        ("markers that mark nothing", || format!("{MARKER}\n").repeat(100_000)),
        ("markers behind a bracket", || format!("- [] {MARKER}\n").repeat(100_000)),
        ("markers that are none", || "- a # {\"$imagepolicy\": \"ns:app\"\n".repeat(100_000)),
        ("a marker that is long", || {
            format!("a: b # {{\"$imagepolicy\": \"{}\"}}\n", "a".repeat(4 << 20 >> 1))
        }),
        ("a marker that is deep", || format!("a: b # {{\"$imagepolicy\": {}\n", "[".repeat(4 << 20 >> 1))),
        ("merges of merges", || {
            let mut text =
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nm0: &m0 {a: 1}\n".to_owned();
            for n in 1..5_000 {
                writeln!(text, "m{n}: &m{n} {{<<: [*m{0}, *m{0}]}}", n - 1).unwrap();
            }
            text + "kind2: {<<: *m4999}\n"
        }),
        ("lists of lists by aliases", || {
            let mut text = "x0: &x0 {kind: List, items: []}\n".to_owned();
            for n in 1..50 {
                writeln!(text, "x{n}: &x{n} {{kind: List, items: [*x{0}, *x{0}, *x{0}, *x{0}]}}", n - 1)
                    .unwrap();
            }
            format!("{text}kind: List\nitems: [{}]\n", vec!["*x49"; 1_000].join(", "))
        }),
    ]
}

fn head() -> String {
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: ".to_owned()
}

/// Tries all three ways, and tells what came of them.
fn edit(text: &str) -> String {
    let name = RepoPath::new("a.yaml").unwrap();
    let file = match YamlFile::parse(&name, text.as_bytes()) {
        Ok(file) => file,
        Err(error) => return error.to_string(),
    };
    let mut told = String::new();
    let path = ".metadata.name".parse().unwrap();
    let by_field =
        file.set_field(&ResourceId::global("", "ConfigMap", "a"), &path, &NewValue::Text("new".into()));
    let images = [("ns:app".parse().unwrap(), "a:2".parse().unwrap())];
    for edited in [by_field, file.set_marked(&images), file.set_kustomize_image("a", &images[0].1)] {
        match edited {
            Ok(edited) => write!(told, "{} changes; ", edited.changes.len()).unwrap(),
            Err(error) => write!(told, "{error}; ").unwrap(),
        }
    }
    told
}

/// Says what one file took; each is edited in a process of its own, where `GITOPS_TEST_INPUT` names it.
fn edit_one(only: &str) {
    let (_, text) = all().into_iter().find(|(name, _)| *name == only).unwrap();
    let text = text();
    let start = Instant::now();
    let before = Memory::begin();
    let what = edit(&text);
    println!("took {} kB: {what}", before.took());
    assert!(what.len() < 3_000, "{} bytes of errors", what.len());
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

fn all() -> Vec<Input> {
    inputs().into_iter().chain(edited()).collect()
}

/// What is wrong with what a file took, if anything is.
fn complaint(name: &str) -> Option<String> {
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "line_11_yaml::each_file_is_edited_or_refused_soon_within_64_mib", "--nocapture"])
        .env("GITOPS_TEST_INPUT", name)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    let Some((_, took)) = said.split_once("took ").filter(|_| done.status.success()) else {
        return Some(format!("{name}: {said}{}", String::from_utf8_lossy(&done.stderr)));
    };
    let (kilobytes, what) = took.split_once(" kB: ").unwrap();
    println!("{name}: {kilobytes} kB for {what:.200}");
    (kilobytes.parse::<u64>().unwrap() > PEAK_KILOBYTES)
        .then(|| format!("{name}: {kilobytes} kB for {what:.300}"))
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc, to see how much memory a process takes")]
fn each_file_is_edited_or_refused_soon_within_64_mib() {
    const AT_ONCE: usize = 3;
    if let Ok(only) = std::env::var("GITOPS_TEST_INPUT") {
        return edit_one(&only);
    }
    let names: Vec<_> = all().into_iter().map(|(name, _)| name).collect();
    let complaints: Vec<String> = std::thread::scope(|scope| {
        let run = |first: usize| {
            let mine: Vec<_> = names.iter().copied().skip(first).step_by(AT_ONCE).collect();
            scope.spawn(move || mine.into_iter().filter_map(complaint).collect::<Vec<_>>())
        };
        let threads: Vec<_> = (0..AT_ONCE).map(run).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
