//! Records: their content, their format on disk, the right to write one, and finding them.

pub(crate) mod claim;
pub(crate) mod document;
pub(crate) mod index;
pub(crate) mod lookup;
pub(crate) mod record;
pub(crate) mod search;
