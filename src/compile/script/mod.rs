//! Finds out from the text of a script, without running it, which files it uses.

pub(crate) mod first_command;
pub(crate) mod named_files;
pub(crate) mod read_files;
pub(crate) mod whole_tree;
