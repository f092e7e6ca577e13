//! The README's embed, compiled. The programs are beside this: `quickstart` and `gitops`.

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
