//! The machine that a plan's `provision` asks for, as a target of `-s`. It is read only for `-s plan`.
//!
//! The values come from a tree and end in a target, so nothing gets there that could be read as another part of one.

use std::fmt::Write as _;

use crate::compile::error::{CompileError, MetadataProblem};
use crate::compile::metadata::read::Scope;
use crate::compile::plan::guests::{self, PROVISION};

/// The user as whom tmt connects where the plan names none.
const USER: &str = "root";

/// The image that tmt takes where the plan names none.
const IMAGE: &str = "fedora";

/// What a plan asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provision {
    /// The name of the plan.
    pub plan: String,
    /// The target of `-s` for it.
    pub target: String,
}

/// Returns the target of a plan's guest.
pub(crate) fn of_plan(
    plan: &Scope<'_>,
    applies: &mut dyn FnMut(&Scope<'_>) -> Result<bool, CompileError>,
) -> Result<Provision, CompileError> {
    let none = |scope: &Scope<'_>, key: &str, how: &str| scope.error(key, MetadataProblem::NoMachine(how.to_owned()));
    let guests = guests::of_plan(plan, applies)?;
    // A plan with several guests was refused when it was read.
    let Some(guest) = guests.first() else {
        return Err(none(plan, "execute", "virtual"));
    };
    let target = match guest.text("how")?.as_deref() {
        Some("local") => "local".to_owned(),
        Some("connect") => connect(guest)?,
        Some("container") => container(guest)?,
        Some(how) => return Err(none(guest, "how", how)),
        None => return Err(none(guest, PROVISION, "virtual")),
    };
    Ok(Provision {
        plan: plan.node().to_owned(),
        target,
    })
}

/// Returns the target of a machine that is there already and is reached by SSH.
fn connect(guest: &Scope<'_>) -> Result<String, CompileError> {
    if guest.value("password").is_some() {
        return Err(guest.error("password", MetadataProblem::Password));
    }
    if !guest.texts("ssh-option")?.is_empty() {
        return Err(guest.error("ssh-option", MetadataProblem::SshOption));
    }
    let host = guest.text("guest")?.unwrap_or_default();
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || ".-_:".contains(c);
    if host.is_empty() || host.starts_with('-') || !host.chars().all(is_of_name) {
        return Err(guest.error("guest", MetadataProblem::Host(host)));
    }
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    let mut target = format!(
        "ssh://{host}?user={}",
        encoded(&guest.text("user")?.unwrap_or_else(|| USER.to_owned()))
    );
    if let Some(port) = guest.value("port") {
        let number = u16::try_from(guest.integer("port", 0)?)
            .ok()
            .filter(|number| *number > 0);
        let number = number.ok_or_else(|| guest.wrong("port", "a number from 1 to 65535", port))?;
        let _infallible = write!(target, "&port={number}");
    }
    match guest.texts("key")?.as_slice() {
        [] => {}
        [key] => {
            let _infallible = write!(target, "&key={}", encoded(key));
        }
        _ => return Err(guest.error("key", MetadataProblem::SeveralKeys)),
    }
    if guest.boolean("become", false)? {
        target.push_str("&become=sudo");
    }
    Ok(target)
}

/// Returns the target of a container of an image.
fn container(guest: &Scope<'_>) -> Result<String, CompileError> {
    let user = guest.text("user")?.unwrap_or_else(|| USER.to_owned());
    if user != USER {
        return Err(guest.error(
            "user",
            MetadataProblem::NoMachine(format!("container` as user `{user}")),
        ));
    }
    let image = guest.text("image")?.unwrap_or_else(|| IMAGE.to_owned());
    let mut target = format!("podman:{}", encoded(&image));
    if guest.boolean("pull", false)? {
        target.push_str("?pull=always");
    }
    Ok(target)
}

/// Writes a value so that it is one value of a parameter.
fn encoded(value: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    value.bytes().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn no_value_ends_its_parameter() {
        assert_eq!(
            encoded("~/.ssh/a&key=b?c%20\u{e9} d"),
            "~/.ssh/a%26key%3Db%3Fc%2520%C3%A9%20d"
        );
    }
}
