//! Random inputs for the engines and the oracle, made from the types of the built-in kinds.

mod cases;
mod dice;
mod mutate;
mod patches;
mod session;
mod shrink;
mod stored;
mod values;
mod world;

pub(crate) use self::cases::{patch_case, typed_case};
pub(crate) use self::dice::Dice;
pub(crate) use self::session::Session;
pub(crate) use self::shrink::{CaseTree, Cases};
pub(crate) use self::stored::Places;
pub(crate) use self::world::World;
