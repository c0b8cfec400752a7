//! Generates the trees of the benchmarks: many tests with inheritance, adjust rules and virtual names.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

const TESTS_A_FILE: usize = 20;

const FILES_A_DIRECTORY: usize = 10;

/// Writes a tree: settings at the root, for each directory and each file; a file holds virtual tests, every fifth of which
/// has an adjust rule of its own.
pub(crate) fn make(root: &Path, tests: usize) {
    let write = |path: PathBuf, text: &str| {
        let parent = path.parent().expect("a file lies in a directory");
        fs::create_dir_all(parent).expect("a directory");
        fs::write(path, text).expect("a file");
    };
    write(root.join(".fmf/version"), "1\n");
    write(root.join("plans.fmf"), "discover: {how: fmf}\nexecute: {how: tmt}\n");
    write(
        root.join("tests/main.fmf"),
        "contact: Quality <quality@example.org>\nduration: 5m\nframework: shell\ntag: [all]\n\
         require: [bash, coreutils]\nenvironment: {LANG: C.UTF-8}\n\
         adjust:\n  - when: distro == rhel-9\n    duration: 10m\n    because: it is slow there\n  \
         - when: distro < rhel-8\n    enabled: false\n    because: not there\n",
    );
    let mut made = 0;
    for file in 0..tests.div_ceil(TESTS_A_FILE) {
        let directory = root.join(format!("tests/area{:04}", file / FILES_A_DIRECTORY));
        if file % FILES_A_DIRECTORY == 0 {
            let component = format!("component: [component{}]\ntag+: [area]\n", file / FILES_A_DIRECTORY);
            write(directory.join("main.fmf"), &component);
        }
        let mut text = format!("test: ./run.sh\nrequire+: [package{file}]\nenvironment+: {{GROUP: \"{file}\"}}\n");
        for _ in 0..TESTS_A_FILE.min(tests - made) {
            // Writing to memory cannot fail.
            let _infallible = write!(
                text,
                "\n/case{made}:\n  summary: Checks that case {made} does what it says\n  tier: {}\n  tag+: [tag{}]\n  \
                 description: |\n    The first line of what case {made} is about.\n    And one more line.\n",
                made % 4,
                made % 7
            );
            if made % 5 == 0 {
                text.push_str("  adjust+:\n    - when: distro == rhel-9 and arch != s390x\n      tag+: [adjusted]\n");
            }
            made += 1;
        }
        write(directory.join(format!("group{file:05}.fmf")), &text);
    }
}
