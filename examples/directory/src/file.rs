//! What a manifest says of a file.

use gitops_core::{Class, Fault, FaultNote, GroupKind, Manifest, RepoPath, ResourceId};
use serde_json::{Value, json};

pub(crate) const GROUP: &str = "files";
pub(crate) const KIND: &str = "File";
pub(crate) const VERSION: &str = "v1";

/// The directory of the target itself.
pub(crate) const OWN: &str = ".gitops";

pub(crate) fn kind() -> GroupKind {
    GroupKind::new(GROUP, KIND)
}

/// The stated fields of a file; what is not stated is left as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stated {
    pub(crate) content: Option<Vec<u8>>,
    pub(crate) executable: Option<bool>,
}

/// An object with a content and a mode, as it is compared.
pub(crate) fn object(path: &RepoPath, content: &[u8], executable: Option<bool>) -> Value {
    let mut spec = match std::str::from_utf8(content) {
        Ok(text) => json!({ "content": text }),
        // JSON has no bytes.
        Err(_) => json!({ "hex": hex(content) }),
    };
    if let Some(executable) = executable {
        spec["executable"] = executable.into();
    }
    json!({"apiVersion": format!("{GROUP}/{VERSION}"), "kind": KIND, "metadata": {"name": path.as_str()}, "spec": spec})
}

/// Where the file of a manifest goes, and what is stated of it; or why that cannot be told.
pub(crate) fn read(manifest: &Manifest) -> Result<(RepoPath, Stated), FaultNote> {
    let wrong = |why: String| FaultNote::new(Class::Invalid, why);
    if manifest.id.group_kind() != kind() {
        return Err(FaultNote::new(
            Class::NotFound,
            format!("a directory has no {}", manifest.id.group_kind()),
        ));
    }
    if manifest.version != VERSION {
        return Err(FaultNote::new(Class::NotFound, format!("{KIND} has no version {}", manifest.version)));
    }
    let path = path(&manifest.id).map_err(|fault| fault.note())?;
    let object = manifest.object();
    let spec = object.get("spec");
    let field = |name: &str| spec.and_then(|spec| spec.get(name)).filter(|value| !value.is_null());
    let content = match (field("content"), field("hex")) {
        (Some(Value::String(text)), None) => Some(text.as_bytes().to_vec()),
        (None, Some(Value::String(text))) => Some(
            unhex(text)
                .ok_or_else(|| wrong("spec.hex must be an even number of hexadecimal digits".into()))?,
        ),
        (None, None) => None,
        _ => return Err(wrong("spec.content must be a text; or spec.hex, but not both".into())),
    };
    let executable = match field("executable") {
        None => None,
        Some(Value::Bool(executable)) => Some(*executable),
        Some(_) => return Err(wrong("spec.executable must be true or false".into())),
    };
    Ok((path, Stated { content, executable }))
}

/// The file that an id names.
pub(crate) fn path(id: &ResourceId) -> Result<RepoPath, Fault> {
    let path = RepoPath::new(&id.name).map_err(|error| Fault::invalid(error).at(id))?;
    if path.is_root() || path.parts().next() == Some(OWN) {
        return Err(Fault::invalid(format!("no file of ours can be there: {OWN} is the target's own")).at(id));
    }
    Ok(path)
}

pub(crate) fn id(path: &RepoPath) -> ResourceId {
    ResourceId::global(GROUP, KIND, path.as_str())
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c.to_digit(16)?).ok()).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use gitops_core::Place;

    use super::*;

    fn read_back(object: &Value) -> Result<(RepoPath, Stated), FaultNote> {
        read(&Manifest::new(object, Place::file(RepoPath::root())).unwrap())
    }

    #[test]
    fn contents_come_back_as_they_were() {
        let path = RepoPath::new("etc/motd").unwrap();
        for content in ["".as_bytes(), "größe\n".as_bytes(), &[0xff, 0, 0x10]] {
            let (at, stated) = read_back(&object(&path, content, Some(true))).unwrap();
            assert_eq!(
                (at, stated.content.as_deref(), stated.executable),
                (path.clone(), Some(content), Some(true))
            );
        }
    }

    #[test]
    fn what_cannot_be_a_file_says_why() {
        let path = RepoPath::new("a").unwrap();
        for (field, value) in [("hex", "0"), ("hex", "zz"), ("content", "both")] {
            let mut object = object(&path, &[0xff], None);
            object["spec"][field] = value.into();
            assert_eq!(read_back(&object).unwrap_err().class, Class::Invalid);
        }
        for name in ["../a", "/etc/passwd", ".gitops/state.json", ".git/config", "."] {
            let mut object = object(&path, b"", None);
            object["metadata"]["name"] = name.into();
            assert_eq!(read_back(&object).unwrap_err().class, Class::Invalid, "{name}");
        }
    }
}
