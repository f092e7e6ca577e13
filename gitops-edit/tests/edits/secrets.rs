//! What a Secret holds is told to nobody.

use gitops_core::ResourceId;
use gitops_core::diff::Shown;
use gitops_edit::NewValue;

use crate::{file, path, try_file};

const SECRETS: &str = "apiVersion: v1
kind: Secret
metadata: {name: a, labels: {b: c}}
stringData:
  password: 'hunter2' # x
---
apiVersion: v1
kind: SecretList
items:
- apiVersion: v1
  kind: Secret
  metadata: {name: b}
  data: {password: aHVudGVyMg==}
";

#[test]
fn values_of_secrets_are_not_told() {
    for (name, field) in [("a", ".stringData.password"), ("b", ".data.password")] {
        let id = ResourceId::global("", "Secret", name);
        let new = NewValue::Text("swordfish".into());
        let edited = file(SECRETS).set_field(&id, &path(field), &new).unwrap();
        assert_eq!((&edited.changes[0].old, &edited.changes[0].new), (&Shown::Redacted, &Shown::Redacted));
        let told = format!("{edited:?} {} {:?} {:?}", edited.changes[0], file(SECRETS), new);
        for secret in ["hunter2", "aHVudGVyMg", "swordfish"] {
            assert!(!told.contains(secret), "{told}");
        }
        assert!(String::from_utf8(edited.bytes).unwrap().contains("swordfish"));
    }
    let label = file(SECRETS).set_field(
        &ResourceId::global("", "Secret", "a"),
        &path(".metadata.labels.b"),
        &NewValue::Text("d".into()),
    );
    assert!(label.unwrap().changes[0].to_string().ends_with(".metadata.labels.b: \"c\" → \"d\""));
}

#[test]
fn no_error_repeats_a_value() {
    let id = ResourceId::global("", "Secret", "a");
    let numbers = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pin: 7423, open: true, list: [7423], x: &x 7423, y: *x}\n";
    for field in [
        ".stringData.pin",
        ".stringData.open",
        ".stringData.list",
        ".stringData.list.a",
        ".stringData.x",
        ".stringData.pin.a",
    ] {
        let error =
            file(numbers).set_field(&id, &path(field), &NewValue::Text("swordfish".into())).unwrap_err();
        let told = format!("{error} {error:?}");
        assert!(!told.contains("7423") && !told.contains("swordfish"), "{told}");
    }
}

/// Whatever is wrong with a Secret, as long as it may be: while it is read, and while it is edited.
#[test]
fn nor_does_one_of_a_file_that_cannot_be_read() {
    let digits = "9078563412".repeat(60);
    let mut refused = 0;
    for value in [
        digits.clone(),
        format!("-{digits}"),
        format!("{digits}e{digits}"),
        format!("0x{digits}"),
        format!("!!int {digits}z"),
        format!("!!float {digits}z"),
        format!("!!timestamp {digits}"),
        format!("*{digits}"),
        format!("\"{digits}\\q\""),
        format!("'{digits}"),
        format!("[{digits}"),
        format!("{digits}: {digits}"),
        format!("@{digits}"),
        format!("`{digits}"),
        format!("|9{digits}"),
        format!("%{digits}"),
    ] {
        let text = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData: {{password: {value}, a: b}}\n"
        );
        let new = NewValue::Text("swordfish".into());
        let edited = try_file(&text).and_then(|file| {
            let id = ResourceId::global("", "Secret", "a");
            let password = file.set_field(&id, &path(".stringData.password"), &new)?;
            file.set_field(&id, &path(".stringData.a"), &new).map(|other| (password, other))
        });
        refused += usize::from(edited.is_err());
        let told = match edited {
            Ok((password, other)) => format!("{password:?} {} {other:?}", password.changes[0]),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!told.contains("9078563412") && !told.contains("swordfish"), "{told:.400}");
    }
    assert!(refused > 8, "{refused}");
}
