use std::fmt::Write as _;

use super::*;
use proptest::prelude::*;

fn file(name: &str) -> RepoPath {
    RepoPath::new(name).unwrap()
}

fn yaml(text: &str) -> Result<Vec<Manifest>, DecodeErrors> {
    decode(&file("apps/web.yaml"), text.as_bytes(), &DecodeLimits::default())
}

fn one_error(text: &str) -> String {
    let errors = yaml(text).unwrap_err();
    assert_eq!(errors.errors().len(), 1, "{errors:?}");
    errors.errors()[0].to_string()
}

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n";

#[test]
fn documents_become_manifests_with_places() {
    let text = format!("# a comment\n{NAMESPACE}---\n\n{NAMESPACE}");
    let manifests = yaml(&text).unwrap();
    let places: Vec<String> = manifests.iter().map(|m| m.place.to_string()).collect();
    assert_eq!(places, ["apps/web.yaml:2:1 (document 1)", "apps/web.yaml:8:1 (document 2)"]);
}

#[test]
fn comments_are_no_limit() {
    let comments = "# why\n".repeat(3_000);
    let manifests =
        yaml(&format!("{comments}{NAMESPACE}{comments}  labels:\n{comments}    a: b\n{comments}"));
    assert_eq!(manifests.unwrap().len(), 1);
}

#[test]
fn an_error_has_the_line_of_the_file() {
    let text = format!(
        "{NAMESPACE}---\napiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  labels:\n    app: web\n   tier x\n"
    );
    let error = one_error(&text);
    assert!(error.starts_with("apps/web.yaml:1") && error.contains("(document 2): "), "{error}");
    assert!(!error.contains("at line"), "{error}");
    assert!(one_error("a: 1\na: 2\n").contains("uplicate"), "{}", one_error("a: 1\na: 2\n"));
}

#[test]
fn every_error_of_a_file_is_told() {
    let errors = yaml("a: [\n---\nkind: 3\n---\n- 1\n").unwrap_err();
    let documents: Vec<u32> = errors.errors().iter().map(|e| e.place.document).collect();
    assert_eq!(documents, [1, 2, 3]);
    let fault = errors.into_fault();
    assert_eq!(fault.class, Class::Invalid);
    assert!(fault.at.as_deref().unwrap().starts_with("apps/web.yaml:"));
    assert!(fault.to_string().contains("(document 3)"), "{fault}");
}

#[test]
fn scalars_are_read_as_kubectl_reads_them() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nmode: 0644\nbig: 9007199254740993\nyes: yes\nfloat: 1.0\ndate: 2024-01-01\n";
    let object = yaml(text).unwrap().remove(0).object();
    assert_eq!(object["mode"], 420);
    assert_eq!(object["big"], 9_007_199_254_740_993_u64);
    assert_eq!(object["float"], serde_json::json!(1.0));
    assert_eq!(object["date"], "2024-01-01");
}

#[test]
fn lists_are_unfolded() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: a}}\n- apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}\n";
    let names: Vec<String> = yaml(text).unwrap().iter().map(|m| m.id.to_string()).collect();
    assert_eq!(names, ["Namespace/a", "ConfigMap/b"]);
    assert!(yaml("apiVersion: v1\nkind: List\nitems: []\n").unwrap().is_empty());
}

#[test]
fn what_only_a_server_writes_is_left_out_and_named() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  uid: x\n  creationTimestamp: null\n  managedFields: [{manager: x}]\nstatus: {phase: Running}\n";
    let pod = yaml(text).unwrap().remove(0);
    assert_eq!(pod.stripped, ["status", "metadata.managedFields", "metadata.uid"]);
    assert_eq!(
        pod.object(),
        serde_json::json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})
    );
}

#[test]
fn what_cannot_be_applied_says_so() {
    assert!(one_error("apiVersion: v1\nkind: Pod\nmetadata: {generateName: a-}\n").contains("generateName"));
    assert!(
        one_error("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n").contains("kustomize")
    );
    assert_eq!(
        decode(&file("a.yaml"), b"\xff", &DecodeLimits::default()).unwrap_err().errors()[0].problem,
        DecodeProblem::NotUtf8
    );
}

#[test]
fn json_is_read_strictly() {
    let read = |text: &str| decode(&file("a.json"), text.as_bytes(), &DecodeLimits::default());
    let one = r#"{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}"#;
    assert_eq!(read(&format!("\n\t{one}\n{one}")).unwrap().len(), 2);
    assert_eq!(read(&format!("\n\t{one}")).unwrap()[0].place.line, 2);
    assert!(read(r#"{"a": 1, "a": 2}"#).unwrap_err().errors()[0].to_string().contains("written twice"));
    assert!(
        read("{\n\"a\": }").unwrap_err().errors()[0].to_string().starts_with("a.json:2:6 (document 1): ")
    );
    assert!(read(&"[".repeat(5000)).is_err());
    assert!(read(&format!("[{}]", "0,".repeat(500_000).trim_end_matches(','))).is_err());
}

#[test]
fn bombs_are_refused() {
    let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (from, to) in ('a'..'i').zip('b'..='i') {
        let _ = writeln!(
            bomb,
            "{to}: &{to} [*{from},*{from},*{from},*{from},*{from},*{from},*{from},*{from},*{from}]"
        );
    }
    assert!(yaml(&bomb).is_err());
    assert!(yaml(&"[".repeat(100_000)).is_err());
    assert!(
        one_error(&format!("a: 1\nb:\n{}", "- ".repeat(100_000)))
            .starts_with("apps/web.yaml:3 (document 1): ")
    );
    assert!(yaml(&"? ".repeat(100_000)).is_err());
    assert!(yaml(&"- ? ".repeat(1_000)).is_err());
    let stairs =
        |mark: &str| (0..2_000).map(|n| format!("{}{mark}", " ".repeat(n))).collect::<Vec<_>>().join("\n");
    assert!(yaml(&stairs("-")).is_err());
    assert!(yaml(&stairs("a:")).is_err());
    assert!(yaml(&stairs("?")).is_err());
    assert!(yaml(&"---\na: 1\n".repeat(20_000)).is_err());
    assert!(yaml(&format!("[{}]", "0,".repeat(1_000_000))).is_err());
    assert!(yaml(&"a".repeat(5 << 20)).is_err());
    assert!(yaml(&format!("a: &a b\nb: [{}]", "*a,".repeat(50_000))).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[-a-z0-9:{}\\[\\]&*!|>'\"%@#, \n\t]{0,120}") {
        let _ = yaml(&text);
        let _ = decode(&file("a.json"), text.as_bytes(), &DecodeLimits::default());
    }
}

/// All errors of all files are told, each with its place; the first decides where the fault is.
#[test]
fn many_errors_are_told_up_to_twenty() {
    let text = (0..30).map(|n| format!("kind: {n}")).collect::<Vec<_>>().join("\n---\n");
    let errors = yaml(&text).unwrap_err();
    assert_eq!(errors.errors().len(), 30);
    let fault = errors.into_fault().note();
    assert_eq!(fault.at.as_deref(), Some("apps/web.yaml:1:1 (document 1)"));
    assert!(fault.message.ends_with("; and 10 more"), "{}", fault.message);
    assert_eq!(fault.message.matches("apps/web.yaml:").count(), 19);
    assert!(!fault.message.contains('\n'));
}
