//! Tests of how words reach programs behind a login shell.

use super::*;

#[test]
fn words_reach_programs_as_they_are_through_all_login_shells() {
    let words = ["", "a b", "'", r"\", r"a\\b", r"\'", r"'\''", r"\n$HOME`id`*~;&|\"];
    for shell in ["sh", "bash", "dash", "fish", "tcsh"] {
        for word in words {
            let mut command = OsString::from("printf %s ");
            command.push(quoted(word));
            let output = match Command::new(shell).arg("-c").arg(command).output() {
                Ok(output) => output,
                Err(error) => {
                    assert!(std::env::var_os("CI").is_none(), "`{shell}`: {error}");
                    eprintln!("SKIPPED: `{shell}`: {error}");
                    break;
                }
            };
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word, "{shell}");
        }
    }
}
