//! Makes the script that switches features of the operating system. This is text only: what runs is `features.bash` below a line that
//! is made here.

use crate::sut::agent::job_text::quote;

const SCRIPT: &str = include_str!("bash/features.bash");

/// Makes the script for features, each a name and `enabled` or `disabled`.
pub fn feature_script(features: &[String]) -> String {
    let quoted = features
        .iter()
        .map(|feature| String::from_utf8_lossy(&quote(feature.as_bytes())).into_owned());
    format!("features=({})\n{SCRIPT}", quoted.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Runs the script as if the system were another one, with a stand-in for dnf and rpm, and returns the exit code and what it said
    /// and called.
    fn on(system: &str, features: &[&str]) -> (Option<i32>, String) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("os-release");
        std::fs::write(&file, system).unwrap();
        let features: Vec<String> = features.iter().map(|feature| (*feature).to_owned()).collect();
        let stand_ins = "EUID_OF_TEST=0\nrpm() { return 1; }\ndnf() {\n    if [[ $1 == repolist ]]; then\n        \
                         printf '%s\\n' 'repo id repo' 'crb CRB' 'crb-debuginfo x' 'baseos y'\n    else\n        echo \"dnf $*\"\n    fi\n}\n";
        let script = feature_script(&features).replace("((EUID != 0))", "((EUID_OF_TEST != 0))");
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &format!("set -eo pipefail\n{stand_ins}{script}")]);
        let output = bash.env("os_release", &file).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    }

    #[test]
    fn a_system_without_the_features_is_left_as_it_is() {
        let (code, said) = on(
            "ID=debian\nVERSION_ID=12\n",
            &["crb enabled", "epel disabled", "fips enabled"],
        );
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.matches("atex: warning: ").count(), 3, "{said}");
        assert!(!said.contains("dnf "), "{said}");
    }

    #[test]
    fn repositories_are_switched_with_what_they_need() {
        let manager = "dnf -y install dnf-command(config-manager)\n";
        let (code, said) = on("ID=centos\nVERSION_ID=9\n", &["epel enabled"]);
        let expected = format!(
            "dnf -y install epel-release epel-next-release\n{manager}dnf config-manager --set-enabled epel epel-next\n{manager}dnf \
             config-manager --set-enabled crb\n"
        );
        assert_eq!((code, said), (Some(0), expected));
        let (code, said) = on("ID=rhel\nVERSION_ID=8.9\n", &["epel disabled", "crb disabled"]);
        assert_eq!(
            (code, said),
            (Some(0), format!("{manager}dnf config-manager --set-disabled crb\n"))
        );
    }
}
