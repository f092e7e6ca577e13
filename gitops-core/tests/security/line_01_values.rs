//! What cannot be read is not repeated: it may be a password.

use gitops_core::RepoPath;
use gitops_core::decode::{DecodeLimits, decode};

#[test]
fn an_error_repeats_no_value() {
    let digits = "9078563412".repeat(60);
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
        for name in ["a.yaml", "a.json"] {
            let text = if name == "a.yaml" {
                format!(
                    "apiVersion: v1\nkind: Secret\nmetadata: {{name: a}}\nstringData: {{password: {value}}}\n"
                )
            } else {
                format!("{{\"stringData\": {{\"password\": {value}}}}}")
            };
            if let Err(errors) =
                decode(&RepoPath::new(name).unwrap(), text.as_bytes(), &DecodeLimits::default())
            {
                let told = format!("{errors:?} {errors} {:?}", errors.clone().into_fault());
                assert!(!told.contains("9078563412"), "{told:.400}");
            }
        }
    }
}
