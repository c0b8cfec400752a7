//! Upkeep of the store as a whole: counting (`du`), collecting (`gc`) and checking (`verify`) it.

pub(crate) mod du;
pub(crate) mod gc;
pub(crate) mod verify;
