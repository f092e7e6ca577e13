//! Backends that are broken on purpose: each must fail the clause that it breaks, so that the suites are known to see it.

mod session;
mod source;
mod target;
