//! The provisioners that atex brings with it. They are bash programs in its binary, so nothing has to be installed beside it.

/// The shipped programs: the word that names each in a target, and its text.
const SHIPPED: &[(&str, &str)] = &[("ssh-pool", include_str!("ssh-pool.bash"))];

/// Returns the text of a shipped program.
pub(super) fn text(name: &str) -> Option<&'static str> {
    SHIPPED.iter().find(|(own, _)| *own == name).map(|(_, text)| *text)
}
