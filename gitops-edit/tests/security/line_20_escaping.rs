//! What somebody wrote into a file steers no terminal when an edit tells of it.

use gitops_core::{RepoPath, ResourceId};
use gitops_edit::{NewValue, YamlFile};

const EVIL: &str = "x\u{1b}[2J\u{7}\u{9b}31m\u{85}\u{202e}\u{2066}\ny";

fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[test]
fn changes_and_errors_are_one_line_each() {
    let spelled: Vec<_> = EVIL.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
    let spelled = spelled.concat();
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: \"{spelled}\"}}\ndata: {{\"{spelled}\": \"{spelled}\"}}\nn: {{\"{spelled}\": [1]}}\n"
    );
    let name = RepoPath::new("a.yaml").unwrap();
    let file = YamlFile::parse(&name, text.as_bytes()).unwrap();
    let (id, new) = (ResourceId::global("", "ConfigMap", EVIL), NewValue::Text(format!("new {EVIL}")));
    let field = |first: &str| gitops_core::diff::FieldPath::of_fields([first, EVIL]);
    let edited = file.set_field(&id, &field("data"), &new).unwrap();
    let mut told = vec![edited.changes[0].to_string(), format!("{edited:?}"), format!("{file:?}")];
    let missing = ResourceId::global("", "ConfigMap", format!("{EVIL}2"));
    for error in [
        file.set_field(&id, &field("n"), &new).unwrap_err(),
        file.set_field(&id, &field("m"), &new).unwrap_err(),
        file.set_field(&missing, &field("data"), &new).unwrap_err(),
        YamlFile::parse(&name, format!("a: *{EVIL}\n").as_bytes()).unwrap_err(),
        YamlFile::parse(&name, format!("a: !{EVIL} b\n").as_bytes()).unwrap_err(),
    ] {
        told.push(error.to_string());
    }
    for line in told {
        assert!(!line.contains(is_harmful), "{line:?}");
    }
}
