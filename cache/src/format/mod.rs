//! File formats that are checked when they are read: JSON documents for what people may want to look at, and binary files for
//! what is large and can be made again.

pub mod binary;
pub(crate) mod json;
