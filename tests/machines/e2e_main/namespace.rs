//! Calls that run in a mount namespace of their own: their mounts end with the namespace, and nothing outside is touched.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{Atex, Ran};

/// Runs a bash script that finds `places` as `$1`, `$2`…, and the call as the function `call`. `None` where this machine does not let
/// us mount; the script says so with exit code 77.
pub(crate) fn run(atex: &Atex, places: &[&Path], script: &str) -> Option<Ran> {
    let inner = atex.command();
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "--propagation", "private", "bash", "-c"]);
    let count = places.len();
    command.arg(format!(
        "rest=(\"${{@:{}}}\"); call() {{ \"${{rest[@]}}\"; }}\n{script}",
        count + 1
    ));
    command.arg("namespace").args(places);
    command.arg(inner.get_program()).args(inner.get_args());
    command.current_dir(atex.world().tree()).env_clear();
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output: Output = command.output().ok()?;
    if output.status.code() == Some(77) || output.stderr.starts_with(b"unshare:") {
        eprintln!("SKIPPED: no filesystem can be mounted here (user namespaces, or root, are needed)");
        return None;
    }
    Some(atex.ran(&output))
}
