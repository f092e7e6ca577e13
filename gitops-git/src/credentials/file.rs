//! Credentials in files.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Reads a file of at most so many bytes. The error names the file and says what is wrong, never what is in it.
pub(crate) fn read(path: &Path, max_bytes: u64) -> Result<Vec<u8>, String> {
    let fail = |reason: &str| format!("{}: {reason}", path.display());
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes))
        // The kind says enough.
        .map_err(|error| fail(&error.kind().to_string()))?;
    if bytes.len() as u64 > max_bytes { Err(fail("the file is too large")) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_read_than_is_allowed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        assert!(read(&path, 4).unwrap_err().ends_with("secret: entity not found"));
        std::fs::write(&path, "1234").unwrap();
        assert_eq!(read(&path, 4).unwrap(), b"1234");
        let refused = read(&path, 3).unwrap_err();
        assert!(refused.contains("too large") && !refused.contains("123"), "{refused}");
    }
}
