//! The contracts, on the memory backends; and the suites themselves, on backends that are broken on purpose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test says with them what it expects"
)]

mod broken;
mod source;
mod target;

mod memory {
    mod target {
        gitops_core::target_contract! { crate::target::Memory::new() }
    }

    mod source {
        gitops_core::source_contract! {
            crate::source::Memory::new();
            not_applicable {
                references: "a source in memory has one branch, and no tags",
                counting: "nothing is moved in memory",
                credentials: "a source in memory asks for no credentials",
                silence: "a source in memory answers at once",
                links: "a tree in memory has no symbolic links",
            }
        }
    }
}
