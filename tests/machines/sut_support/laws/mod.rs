//! The laws that hold for every kind of SUT, by topic.

pub(crate) mod daemons;
pub(crate) mod ending;
pub(crate) mod jobs;
pub(crate) mod lease;
pub(crate) mod prepared;
pub(crate) mod room;
pub(crate) mod sync;
pub(crate) mod trust;
