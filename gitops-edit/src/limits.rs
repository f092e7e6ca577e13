//! How much one file may hold.

/// How much a file that is edited may hold. One that holds more is an error, so that no input takes much memory: 64 MiB beside
/// the text with the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EditLimits {
    /// Bytes of the file.
    pub max_bytes: usize,
    /// Documents in the file.
    pub max_documents: usize,
    /// Values nested in each other. The readers recurse: 64 levels fit into the 2 MiB of stack that Rust gives a thread, even
    /// without optimisation.
    pub max_depth: usize,
    /// Values (scalars and keys, mappings, sequences, aliases) in the file.
    pub max_nodes: usize,
    /// Values that aliases add to the file.
    pub max_alias_nodes: usize,
    /// Lines of comments in a row.
    pub max_comments: usize,
    /// Values that one edit is about.
    pub max_places: usize,
}

impl Default for EditLimits {
    /// 6 MiB, 10,000 documents, 64 levels, 150,000 values, 20,000 values by aliases, 20,000 comments in a row,
    /// 10,000 values in one edit.
    fn default() -> Self {
        Self {
            max_bytes: 6 << 20,
            max_documents: 10_000,
            max_depth: 64,
            max_nodes: 150_000,
            max_alias_nodes: 20_000,
            max_comments: 20_000,
            max_places: 10_000,
        }
    }
}
