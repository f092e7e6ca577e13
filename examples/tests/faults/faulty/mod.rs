//! What engines go through here, and what must hold at the end.

pub(crate) mod audit;
pub(crate) mod life;
pub(crate) mod proxy;
pub(crate) mod scenario;
pub(crate) mod stage;
