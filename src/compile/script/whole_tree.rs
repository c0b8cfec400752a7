//! Decides whether a script names the whole tree: with a word that stands for all files, or with a path that is known only when
//! it runs.
//!
//! A script starts in the root of the tree. The text is searched, word by word and without quotes and comments, for:
//!
//! - `.` (except as the command that reads a file), `./`, `*`, `./*`, `**`, `$PWD`, `$(pwd)`, `$TMT_TREE`, `$OLDPWD`, alone or
//!   with `/`, `/.` or a glob behind it, as an argument of a command;
//! - commands that take the directory they are in: `make`, `find`, `ls`, `git`, `tar` and others;
//! - a relative path, or one of the tree, with a variable or a command's output in it (`$dir/file`, `lib/$x`).
//!
//! The search errs towards the whole tree.

/// Commands that read the files of the current directory.
const TAKERS: [&str; 22] = [
    "make",
    "gmake",
    "cmake",
    "meson",
    "ninja",
    "find",
    "fd",
    "git",
    "cargo",
    "npm",
    "yarn",
    "pip",
    "pip3",
    "tox",
    "rpmbuild",
    "mock",
    "tito",
    "packit",
    "ansible-playbook",
    "podman-compose",
    "docker-compose",
    "pushd",
];

/// Commands that read the current directory only if they are given no other.
const LISTERS: [&str; 4] = ["ls", "du", "tree", "dir"];

/// Variables whose value is the root of the tree, or a path in it.
const ROOTS: [&str; 8] = [
    "$TMT_TREE",
    "${TMT_TREE}",
    "$PWD",
    "${PWD}",
    "$OLDPWD",
    "${OLDPWD}",
    "$(pwd)",
    "`pwd`",
];

/// Words before a command that are not commands themselves.
const BEFORE: [&str; 17] = [
    "sudo", "exec", "env", "time", "nice", "command", "then", "do", "else", "if", "while", "until", "!", "{", "(",
    "eval", "xargs",
];

/// Returns whether a script names every file of the tree.
pub(crate) fn names_all(script: &str) -> bool {
    script.lines().any(line_names_all)
}

fn line_names_all(line: &str) -> bool {
    let line = line.replace(['"', '\''], "");
    if line.trim_start().starts_with('#') {
        return false;
    }
    let code = line.split(" #").next().unwrap_or_default();
    let commands = code.replace("$(pwd)", "$PWD").replace("`pwd`", "$PWD");
    let arithmetic = commands.contains("((") || commands.contains("[[") || commands.trim_start().starts_with("case ");
    let mut parts = commands.split([';', '&', '|', '`']).flat_map(|part| part.split("$("));
    parts.any(|part| command_names_all(part, arithmetic))
}

fn command_names_all(command: &str, arithmetic: bool) -> bool {
    let words = command
        .split_whitespace()
        .map(|word| word.trim_start_matches(['(', '{']).trim_end_matches(')'));
    let mut words = words.skip_while(|word| {
        let assigns = word.split_once('=').is_some_and(|(name, _)| is_name(name));
        word.is_empty() || BEFORE.contains(word) || (assigns && !word.contains('$'))
    });
    let Some(first) = words.next() else { return false };
    let rest: Vec<&str> = words.collect();
    let program = first.rsplit('/').next().unwrap_or_default();
    if TAKERS.contains(&program) || (LISTERS.contains(&program) && rest.iter().all(|word| word.starts_with('-'))) {
        return !(program == "git" && rest.first() == Some(&"config"));
    }
    if matches!(
        first,
        "echo" | "printf" | "export" | "[" | "test" | "expr" | "let" | "return" | "exit"
    ) {
        return false;
    }
    std::iter::once(first)
        .filter(|first| first.contains('/'))
        .chain(rest.iter().copied())
        .any(|word| {
            let word = word.trim_start_matches(['>', '<', '2', '1']);
            let word = word.split_once('=').map_or(word, |(_, value)| value);
            stands_for_all(word, arithmetic) || is_computed(word)
        })
}

/// Returns whether a word is the tree's root, or everything in it.
fn stands_for_all(word: &str, arithmetic: bool) -> bool {
    let word = word.trim_end_matches(',');
    let rooted = ROOTS.iter().find_map(|root| word.strip_prefix(root));
    let rest = match rooted {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        None if word.starts_with('.') || (word.starts_with('*') && !arithmetic) => word,
        Some(_) | None => return false,
    };
    rest.split('/').all(|part| matches!(part, "" | "." | ".." | "*" | "**"))
}

/// Returns whether a word is a path that may be in the tree, of which a part is known only when the script runs.
fn is_computed(word: &str) -> bool {
    let rest = ROOTS.iter().find_map(|root| word.strip_prefix(root));
    match rest {
        Some(rest) => rest.contains('$'),
        None => !word.starts_with(['/', '-', '~']) && !word.contains(':') && word.contains('/') && word.contains('$'),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || character == '_')
}

#[cfg(test)]
mod tests {
    use super::names_all;

    #[test]
    fn words_for_the_whole_tree_name_all_of_it() {
        for script in [
            "cp -r . /opt",
            "cp -r ./ /opt",
            "cp -r $TMT_TREE /opt",
            "cp -r \"$TMT_TREE/.\" /opt",
            "cp -r ${TMT_TREE}/* /opt",
            "cp -r $PWD /opt",
            "cp -r \"$(pwd)\" /opt",
            "tar c * | tar x -C /opt",
            "tar czf /tmp/x.tgz .",
            "make install",
            "cd lib && sudo make",
            "git archive HEAD",
            "rsync -a ./ /opt",
            "find . -name x",
            "for x in $(ls); do cp $x /opt; done",
            "for f in *; do cp $f /opt; done",
            "cp $dir/file /opt",
            "cp $TMT_TREE/$name /opt",
            "bash lib/$x.sh",
        ] {
            assert!(names_all(script), "{script}");
        }
    }

    #[test]
    fn other_words_do_not() {
        for script in [
            "dnf install -y foo",
            "systemctl enable --now sshd",
            "echo $((2 * 3))",
            "# cp -r . /opt",
            ". lib/x.sh",
            ". /etc/os-release",
            "cp lib/x /opt",
            "rm -rf /var/cache/*",
            "sed -i 's/a/b/' /etc/x",
            "useradd \"$USER\"",
            "curl https://example.com/$x -o /tmp/x",
            "echo done.",
            "touch /opt/$x/y",
            "[[ $x == * ]] && true",
        ] {
            assert!(!names_all(script), "{script}");
        }
    }
}
