//! The runtime below podman, such as runc: it starts a program in a running container in a third of the time that `podman exec`
//! takes, and gives it the streams of the caller.
//!
//! `podman exec` copies the streams, so a program in the container would never see that its reader is gone, and the end of a
//! program would wait for everybody who holds its streams. The runtime gives rights, limits and a control group to the program as the
//! engine does. But it does not tell how a program ended, so a shell in the container says that into a pipe of its own.

use std::ffi::OsString;
use std::path::PathBuf;

use super::engine::{Engine, EngineError};

/// Bash code of this host that starts a program by the runtime, lets go of its streams and ends as the program does. Its
/// arguments are the runtime's command.
const ON_HOST: &str = "exec 4<&0 5>&1 3< <(exec \"$@\" <&4 3>&1 >&5 4<&- 5>&-); exec <&- >&- 2>&- 4<&- 5>&-; \
                       read -r -u 3 code; exit \"${code:-255}\"";

/// Bash code of the container that runs the code in its argument and says how that ended.
const IN_CONTAINER: &str = "bash --noprofile --norc -c \"$1\" 3>&-; echo \"$?\" >&3";

/// The runtimes that give streams and a further descriptor to a program.
const KNOWN: [&str; 2] = ["runc", "crun"];

/// Returns the command that starts bash with some code in a running container, if the runtime can be used for that: not below
/// docker or a podman without root, whose containers lie where only they know.
pub(super) fn command(engine: Engine, container: &str, code: &str) -> Result<Option<Vec<OsString>>, EngineError> {
    if engine.program() != "podman" || !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let told = engine.ask(&[
        "container",
        "inspect",
        "--format",
        "{{.OCIRuntime}}\n{{.Id}}",
        container,
    ])?;
    let Some((runtime, id)) = told.split_once('\n') else {
        return Ok(None);
    };
    // The configuration names a program or its path.
    let name = PathBuf::from(runtime);
    if !KNOWN
        .iter()
        .any(|known| name.file_name().is_some_and(|name| name == *known))
    {
        return Ok(None);
    }
    let words = [
        "bash",
        "--noprofile",
        "--norc",
        "-c",
        ON_HOST,
        "atex",
        runtime,
        "exec",
        "--detach",
        "--preserve-fds",
        "1",
        id,
        "bash",
        "--noprofile",
        "--norc",
        "-c",
        IN_CONTAINER,
        "atex",
        code,
    ];
    Ok(Some(words.map(OsString::from).to_vec()))
}
