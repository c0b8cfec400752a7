//! What is done to the store as a whole: counting, collecting and checking it.

pub(crate) mod du;
pub(crate) mod gc;
pub(crate) mod verify;
