//! Text from outside cannot steer a terminal, nor break a line of a log.

use gitops_core::{
    Class, Event, Fault, FaultNote, Person, Provenance, RefSpec, RepoPath, ResourceId, Revision, one_line,
};
use proptest::prelude::*;
use serde_json::Value;

/// C0 and C1 controls, what ends lines elsewhere, and what reorders text.
const EVIL: &str = "a\r\nb\u{0}\u{7}\u{8}\t\u{b}\u{c}\u{1b}[2J\u{1b}]0;x\u{7}\u{7f}\u{80}\u{85}\u{90}\u{9b}31m\u{9c}\u{2028}\u{2029}\
\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}z";

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[track_caller]
fn assert_harmless(what: &str, text: &str) {
    assert!(!text.contains(is_harmful), "{what}: {text:?}");
}

/// Puts harm into each text of a value but the names of variants.
fn spoil(value: &mut Value, kept: &[&str]) {
    match value {
        Value::String(text) if !kept.contains(&text.as_str()) => *text = format!("{EVIL}{text}"),
        Value::Array(items) => items.iter_mut().for_each(|item| spoil(item, kept)),
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                // These are no texts, or checked ones.
                if ![
                    "at", "app", "digest", "time", "path", "trigger", "type", "class", "health", "from",
                    "kind",
                ]
                .contains(&name.as_str())
                    || (name == "at" && value.as_str().is_some_and(|at| !at.contains('Z')))
                {
                    spoil(value, kept);
                }
            }
        }
        _ => {}
    }
}

/// Every event of the documentation, with harm in every text of it.
#[test]
fn one_event_is_one_line_whatever_it_holds() {
    let page = include_str!("../../../docs/events.md");
    let mut spoiled = 0;
    let mut types = std::collections::BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with('{')) {
        let mut event: Value = serde_json::from_str(line).unwrap();
        let original = event.clone();
        let kept = [
            "created",
            "changed",
            "unchanged",
            "create",
            "update",
            "prune",
            "adopt",
            "release",
            "overruled",
            "skipped",
        ];
        spoil(&mut event, &kept);
        let text = event.to_string();
        let event: Event = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        spoiled += usize::from(serde_json::to_value(&event).unwrap() != original);
        types.insert(original["type"].as_str().unwrap().to_owned());
        assert_harmless("an event", &event.to_string());
        assert_harmless("an event's Debug", &format!("{event:?}"));
        assert!(!serde_json::to_string(&event).unwrap().contains(['\n', '\r', '\u{1b}']));
    }
    assert!(spoiled >= 10 && types.len() >= 15, "{spoiled} of {types:?}");
}

#[test]
fn what_others_name_is_shown_on_one_line() {
    let mut provenance = Provenance::default();
    provenance.reference = Some(EVIL.into());
    provenance.message = format!("{EVIL}\n\n{EVIL}");
    provenance.author = Some(Person { name: EVIL.into(), email: EVIL.into() });
    let revision = Revision::new(EVIL).with_provenance(provenance);
    let fault = || Fault::new(Class::Invalid, EVIL).at(EVIL);
    let shown = [
        one_line(EVIL).into_owned(),
        revision.to_string(),
        ResourceId::namespaced(EVIL, EVIL, EVIL, EVIL).to_string(),
        format!("{:#}", ResourceId::global(EVIL, EVIL, EVIL)),
        ResourceId::global(EVIL, EVIL, EVIL).group_kind().to_string(),
        fault().to_string(),
        fault().note().to_string(),
        fault().note().message,
        FaultNote { class: Class::Bug, at: Some(EVIL.into()), message: EVIL.into() }.to_string(),
        RefSpec::Branch(EVIL.into()).to_string(),
        RefSpec::Tag(EVIL.into()).to_string(),
        RefSpec::Commit(EVIL.into()).to_string(),
        RepoPath::new(&EVIL.replace('\0', "")).unwrap().to_string(),
        RepoPath::new(&format!("../{EVIL}")).unwrap_err().to_string(),
        format!("{revision:?} {:?}", fault()),
    ];
    for text in shown {
        assert_harmless("a text", &text);
    }
}

proptest! {
    #[test]
    fn one_line_is_one_line(text in "[a-c\\x00-\\x1f\\x7f-\\u{9f}\\u{200b}-\\u{200f}\\u{2028}-\\u{202e}\\u{2066}-\\u{2069}\\u{feff}]{0,40}") {
        let line = one_line(&text);
        prop_assert!(!line.contains(is_harmful), "{line:?}");
        prop_assert!(one_line(&line) == line, "{line:?}");
    }
}
