//! Finds the files that a script reads by plain words, as far as its text tells, for messages to people.
//!
//! Unlike [`mentions`](crate::compile::script::named_files), which decides about inputs, this errs towards naming too little. A
//! file that the script makes or removes itself is no longer taken for a file of the tree, and after a command that may make
//! anything (`make`, `git`, a compiler), no file is. Nothing is guessed about words that the shell expands, or about the
//! directory after a `cd` to a computed path.

use std::path::{Component, Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use crate::compile::plan::environment::is_name;

/// A word of a script that names files.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    /// The line in the script, from 1.
    pub(crate) line: u32,
    /// The word as it is written, without quotes.
    pub(crate) word: String,
    pub(crate) what: Named,
}

/// The files that a word names, relative to the root of the tree.
#[derive(Clone, Debug)]
pub(crate) enum Named {
    Path(PathBuf),
    Glob(GlobMatcher),
}

impl Named {
    /// Returns the meaning of a path. A path that ends in a glob for any name at all means nothing.
    pub(crate) fn of(path: PathBuf) -> Option<Self> {
        let text = path.to_str()?;
        if !text.contains(['*', '?', '[', '{']) {
            return Some(Self::Path(path));
        }
        let last = text
            .rsplit('/')
            .next()
            .filter(|last| last.contains(char::is_alphanumeric));
        let glob = last.and_then(|_| GlobBuilder::new(text).literal_separator(true).build().ok())?;
        Some(Self::Glob(glob.compile_matcher()))
    }
}

/// What a command does with the files that it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Reads,
    /// The command makes or removes them.
    Writes,
    /// The command reads all but the last one, which it makes.
    Copies,
    /// The command reads them and makes other files.
    Unpacks,
    /// The command may make any file.
    Makes,
    /// The command prints their names or checks whether they exist.
    Asks,
    Enters,
}

/// Words before a command that are not commands themselves; `rlRun` is beakerlib's.
const BEFORE: [&str; 17] = [
    "sudo", "exec", "env", "time", "nice", "command", "then", "do", "else", "if", "elif", "while", "until", "!",
    "eval", "xargs", "rlRun",
];

/// Parts of the names of options whose value is an output file.
const OUTPUTS: [&str; 6] = ["out", "log", "xml", "report", "html", "dest"];

/// The root of the tree, as a variable.
const ROOTS: [&str; 2] = ["$TMT_TREE", "${TMT_TREE}"];

/// The current directory of the script, as a variable.
const HERE: [&str; 2] = ["$PWD", "${PWD}"];

fn does(program: &str) -> Does {
    match program {
        "rm" | "mkdir" | "rmdir" | "touch" | "tee" | "truncate" | "mktemp" | "mkfifo" | "dd" | "virtualenv"
        | "rlFileBackup" => Does::Writes,
        "cp" | "mv" | "ln" | "install" | "rsync" | "scp" => Does::Copies,
        "tar" | "bsdtar" | "unzip" | "gunzip" | "bunzip2" | "unxz" | "gzip" | "xz" | "cpio" | "rpm2cpio" | "patch" => {
            Does::Unpacks
        }
        "make" | "gmake" | "cmake" | "meson" | "ninja" | "cargo" | "go" | "mvn" | "gradle" | "npm" | "yarn"
        | "node-gyp" | "git" | "rpmbuild" | "mock" | "tito" | "packit" | "tox" | "gcc" | "g++" | "cc" | "c++"
        | "clang" | "ld" | "ar" | "curl" | "wget" | "javac" | "rustc" | "ansible-playbook" | "openssl"
        | "ssh-keygen" | "zip" | "split" => Does::Makes,
        "echo" | "printf" | "[" | "[[" | "test" | "expr" | "let" | "export" | "local" | "return" | "exit" | "case"
        | "function" | "alias" | "unset" | "declare" | "read" | "trap" | "kill" | "sleep" | "pip" | "dnf" | "yum" => {
            Does::Asks
        }
        "cd" | "pushd" | "popd" => Does::Enters,
        _ if program.starts_with("rl") => Does::Asks,
        _ => Does::Reads,
    }
}

/// Returns the words that name files in a script that starts in a directory of the tree.
pub(crate) fn reads(script: &str, directory: &Path) -> Vec<Read> {
    let mut reader = NodeReader {
        directory: Some(directory.to_owned()),
        made: Vec::new(),
        found: Vec::new(),
    };
    let mut document: Option<String> = None;
    let mut whole = String::new();
    for (number, line) in (1..).zip(script.lines()) {
        if let Some(end) = &document {
            if line.trim() == end {
                document = None;
            }
            continue;
        }
        document = end_of_document(line);
        let first = number - u32::try_from(whole.matches('\n').count()).unwrap_or(0);
        if let Some(start) = line.strip_suffix('\\') {
            whole.push_str(start);
            whole.push('\n');
            continue;
        }
        whole.push_str(line);
        let ended = !reader.line(first, &whole);
        if ended {
            break;
        }
        whole.clear();
    }
    reader.found
}

/// Returns a line without the comment for people in beakerlib's `rlRun "command" status "comment"`.
fn without_comment_of_beakerlib(line: &str) -> &str {
    let Some(start) = line
        .find(['"', '\''])
        .filter(|_| line.trim_start().starts_with("rlRun "))
    else {
        return line;
    };
    let (before, rest) = line.split_at(start + 1);
    let end = before.chars().next_back().and_then(|quote| rest.find(quote));
    end.map_or(line, |end| &line[..before.len() + end])
}

/// Returns the line that ends a here-document.
fn end_of_document(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("<<")?;
    let word = rest.trim_start_matches('-').trim_start();
    let word: String = word
        .trim_start_matches(['"', '\'', '\\'])
        .chars()
        .take_while(|character| character.is_ascii_alphanumeric() || *character == '_')
        .collect();
    (!word.is_empty() && !rest.starts_with('<')).then_some(word)
}

#[derive(Debug)]
struct NodeReader {
    /// The current directory of the script, if it is known.
    directory: Option<PathBuf>,
    /// The files that the script has made or removed so far.
    made: Vec<PathBuf>,
    found: Vec<Read>,
}

impl NodeReader {
    /// Reads a line. Returns `false` if nothing is known about what comes after it.
    fn line(&mut self, number: u32, line: &str) -> bool {
        let line = without_comment_of_beakerlib(line).replace(['"', '\''], "");
        if line.trim_start().starts_with('#') {
            return true;
        }
        let code = line.split(" #").next().unwrap_or_default();
        let code = code
            .replace("$(pwd)", "$PWD")
            .replace("`pwd`", "$PWD")
            .replace("&>", ">");
        let mut parts = code.split([';', '&', '|', '`']).flat_map(|part| part.split("$("));
        parts.all(|part| self.command(number, part))
    }

    fn command(&mut self, number: u32, command: &str) -> bool {
        let grouped = command.trim_start().starts_with('(');
        let words = command.split_whitespace();
        let words = words.map(|word| word.trim_start_matches(['(', '{']).trim_end_matches(')'));
        let mut words = words.skip_while(|word| {
            let assigns = word.split_once('=').is_some_and(|(name, _)| is_name(name));
            word.is_empty() || BEFORE.contains(word) || word.starts_with('-') || assigns
        });
        let Some(first) = words.next() else { return true };
        let rest: Vec<&str> = words.collect();
        let program = first.rsplit('/').next().unwrap_or_default();
        if let ("bash" | "sh", Some((flags, script))) = (program, rest.split_first())
            && flags.starts_with('-')
            && flags.ends_with('c')
        {
            return self.command(number, &script.join(" "));
        }
        let mut does = does(program);
        if program.starts_with("python") && rest.starts_with(&["-m", "venv"]) {
            does = Does::Makes;
        }
        if does == Does::Enters {
            self.enter(rest.first().copied().filter(|_| program != "popd" && !grouped));
            return true;
        }
        if first.contains('/') {
            self.read(number, first);
        }
        self.arguments(number, does, &rest);
        !matches!(does, Does::Makes | Does::Unpacks)
    }

    fn arguments(&mut self, number: u32, does: Does, words: &[&str]) {
        let (mut given, mut written) = (Vec::new(), false);
        for word in words {
            let target = word.trim_start_matches(|character: char| character.is_ascii_digit());
            if let Some(target) = target.strip_prefix('>') {
                let target = target.trim_start_matches(['>', '|']);
                self.make(target);
                written = target.is_empty();
            } else if std::mem::take(&mut written) {
                self.make(word);
            } else if let Some(option) = word.strip_prefix('-') {
                let long = option.trim_start_matches('-');
                let output = matches!(long, "o" | "O") || OUTPUTS.iter().any(|name| long.contains(name));
                match word.split_once('=') {
                    Some((_, value)) => self.make(value),
                    None => written = output,
                }
            } else {
                given.push(word.trim_start_matches('<'));
            }
        }
        let last = if does == Does::Copies { given.pop() } else { None };
        for word in given {
            match does {
                Does::Reads | Does::Unpacks | Does::Copies => self.read(number, word),
                Does::Writes => self.make(word.trim_start_matches("of=")),
                Does::Makes | Does::Asks | Does::Enters => {}
            }
        }
        if let Some(word) = last {
            self.make(word);
        }
    }

    fn enter(&mut self, target: Option<&str>) {
        self.directory = target
            .filter(|target| !target.starts_with('-'))
            .and_then(|target| self.path(target));
    }

    fn make(&mut self, word: &str) {
        self.made.extend(self.path(word));
    }

    fn read(&mut self, line: u32, word: &str) {
        // A word without a slash or a dot, or without any letter or digit, is usually not a file.
        let may_be = word.contains(['/', '.']) && word.contains(char::is_alphanumeric);
        let Some(path) = self.path(word).filter(|_| may_be) else {
            return;
        };
        if self.made.iter().any(|made| path.starts_with(made)) {
            return;
        }
        let word = word.to_owned();
        self.found.extend(Named::of(path).map(|what| Read { line, word, what }));
    }

    /// Returns the path in the tree to which a word leads, if it is known.
    fn path(&self, word: &str) -> Option<PathBuf> {
        let behind = |roots: &[&str]| {
            let rest = roots.iter().find_map(|root| word.strip_prefix(root))?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/').to_owned())
        };
        let (start, rest) = match (behind(&ROOTS), behind(&HERE)) {
            (Some(rest), _) => (PathBuf::new(), rest),
            (_, Some(rest)) => (self.directory.clone()?, rest),
            _ => (self.directory.clone()?, word.to_owned()),
        };
        let elsewhere = rest.starts_with(['/', '~']) || rest.contains(['$', '\\', ':']);
        if elsewhere || word.is_empty() {
            return None;
        }
        inside(&start, &rest)
    }
}

/// Returns the path of a word relative to the tree, or `None` if it leads out of the tree, where nothing is uploaded.
pub(crate) fn inside(directory: &Path, word: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in directory.join(word).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::ParentDir if !path.pop() => return None,
            _ => {}
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Named, reads};

    /// Returns whether a script that starts in `t` reads a file.
    fn is_read(script: &str, path: &str) -> bool {
        reads(script, Path::new("t")).iter().any(|read| match &read.what {
            Named::Path(found) => found == Path::new(path),
            Named::Glob(glob) => glob.is_match(path),
        })
    }

    #[test]
    fn a_file_that_a_command_is_given_is_read() {
        for script in [
            "./data.bin",
            "bash data.bin",
            "bash -ec 'cat data.bin'",
            ". ./data.bin",
            "source data.bin",
            "A=1 ./data.bin | tee log",
            "cat < data.bin",
            "cp data.bin /opt",
            "cp \"$TMT_TREE/t/data.bin\" /opt",
            "cp $(pwd)/data.bin /opt",
            "dnf --version\nrpm -i *.bin",
            "for file in data.*; do cat $file; done",
            "if true; then ./data.bin; fi",
            "cd ../lib && cat ../t/data.bin",
            "rlRun \"cp data.bin /opt\" 0 'Copies it'",
            "rlRun cat data.bin",
            "rlRun -s 'cat ./data.bin'",
            "grep x \\\n  data.bin",
            "cat <<EOF\nx\nEOF\ncat data.bin",
            "tar xf data.bin && ./made",
            "[ -e data.bin ] || exit 1\ncat data.bin",
        ] {
            assert!(is_read(script, "t/data.bin"), "{script}");
        }
    }

    #[test]
    fn what_the_script_makes_or_only_names_is_not() {
        for script in [
            "# ./data.bin",
            "true # data.bin",
            "echo data.bin",
            "rlRun -s './gen | cat' 0 \"Makes 'data.bin' by itself\"",
            "./gen > data.bin; cat data.bin",
            "./gen 2>data.bin; cat data.bin",
            "./gen | tee data.bin; cat data.bin",
            "./gen -o data.bin && cat data.bin",
            "./gen --log-file data.bin && cat data.bin",
            "./gen --junitxml=data.bin && cat data.bin",
            "touch data.bin; cat data.bin",
            "rm -f data.bin",
            "bash -c 'rm data.bin'",
            "cp /etc/x data.bin; cat data.bin",
            "make; ./data.bin",
            "gcc x.c; ./data.bin",
            "git clone x; cat data.bin",
            "OUTPUT=data.bin",
            "cd /tmp; cat data.bin",
            "cd $dir; cat data.bin",
            "(cd sub; cat data.bin)",
            "[ -e data.bin ] && exit 1",
            "cat > x <<EOF\ncat data.bin\nEOF",
            "cat $dir/data.bin",
            "cat *",
            "cat ../../t/data.bin",
        ] {
            assert!(!is_read(script, "t/data.bin"), "{script}");
        }
    }

    #[test]
    fn the_line_is_that_of_the_command() {
        let found = reads("set -e\n\ncat a.x \\\n b.x\ncat c.x\n", Path::new(""));
        let lines: Vec<_> = found.iter().map(|read| (read.word.as_str(), read.line)).collect();
        assert_eq!(lines, [("a.x", 3), ("b.x", 3), ("c.x", 5)]);
    }
}
