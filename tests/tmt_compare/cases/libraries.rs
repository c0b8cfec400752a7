//! What tests require: libraries, files, packages.

use super::Case;

/// Makes the repository `/var/tmp/CASE/lib` with two libraries, of which one requires the other.
const REPOSITORY: (&str, &str) = (
    "tmt-compare.sh",
    r"
mkdir -p /var/tmp/CASE/lib/{.fmf,one,two/deep}
cd /var/tmp/CASE/lib
echo 1 >.fmf/version
echo 'require: [{url: /var/tmp/CASE/lib, name: /two/deep}]' >one/main.fmf
echo 'echo one' >one/lib.sh
echo 'summary: inherited' >two/main.fmf
echo 'tag: deep' >two/deep/main.fmf
echo 'echo deep' >two/deep/lib.sh
git init -q -b main .
git add -A
git -c user.name=a -c user.email=a@example.org commit -q -m all
git checkout -q -b other
echo 'echo other' >one/lib.sh
git -c user.name=a -c user.email=a@example.org commit -q -a -m other
git checkout -q main
",
);

/// Keeps the list of the files of these libraries, and their scripts. Under atex those of other plans can be beside them.
const LIST: (&str, &str) = (
    "list.sh",
    "until [ -d libs ]; do cd ..; done; cd libs\nfind \"$@\" -type f | sort | tee $TMT_TEST_DATA/list\nfind \"$@\" -name lib.sh | sort | xargs cat >$TMT_TEST_DATA/scripts\n",
);

pub(super) const CASES: &[Case] = &[
    Case::new(
        "library-url",
        &[
            REPOSITORY,
            LIST,
            (
                "t.fmf",
                "/url: {test: bash ./CASE/list.sh lib/one lib/two, path: /, require: [{url: /var/tmp/CASE/lib, name: /one}]}\n",
            ),
        ],
    ),
    Case::new(
        "library-ref",
        &[
            REPOSITORY,
            LIST,
            (
                "t.fmf",
                "/ref: {test: bash ./CASE/list.sh lib/one lib/two, path: /, require: [{type: library, url: /var/tmp/CASE/lib, ref: other, name: /one}]}\n",
            ),
        ],
    ),
    Case::new(
        "library-nick",
        &[
            REPOSITORY,
            LIST,
            (
                "t.fmf",
                "/nick: {test: bash ./CASE/list.sh other-name, path: /, require: [{url: /var/tmp/CASE/lib, nick: other-name, name: /two/deep}]}\n",
            ),
        ],
    ),
    Case::new(
        "library-path",
        &[
            REPOSITORY,
            LIST,
            (
                "t.fmf",
                "/path: {test: bash ./CASE/list.sh lib/two/deep, path: /, require: [{type: library, path: /var/tmp/CASE/lib, name: /two/deep}]}\n",
            ),
        ],
    ),
    Case::new(
        "library-recommended",
        &[
            REPOSITORY,
            LIST,
            (
                "t.fmf",
                "/got: {test: bash ./CASE/list.sh lib/two/deep, path: /, recommend: [{url: /var/tmp/CASE/lib, name: /two/deep}]}\n",
            ),
        ],
    ),
    Case::new(
        "library-name-missing",
        &[
            REPOSITORY,
            (
                "t.fmf",
                "/a: {test: 'true', require: [{url: /var/tmp/CASE/lib, name: /three}]}\n/b: {test: 'true'}\n",
            ),
        ],
    ),
    Case::new(
        "require-file",
        &[
            (
                "t.fmf",
                "/file: {test: '[ -e data/one.txt ] && [ -e data/sub/three ]', require: [{type: file, pattern: ['/CASE/data/.*\\.txt', /CASE/data/sub]}]}\n",
            ),
            ("data/one.txt", "1\n"),
            ("data/two.txt", "2\n"),
            ("data/sub/three", "3\n"),
        ],
    ),
    Case::new(
        "require-provided",
        &[(
            "t.fmf",
            "/a: {test: 'true', require: [bash, coreutils]}\n/b: {test: 'true', recommend: [bash]}\n",
        )],
    ),
    Case::new(
        "require-of-disabled",
        &[(
            "t.fmf",
            "/a: {test: 'true'}\n/b: {test: 'true', require: [no-such-package-at-all], enabled: false}\n",
        )],
    ),
    Case::new(
        "install",
        &[
            ("t.fmf", "/a: {test: 'true'}\n"),
            (
                "plan.fmf",
                "discover: {how: fmf, test: [^/CASE/]}\nexecute: {how: tmt}\nprepare:\n- {how: install, package: [bash, tar]}\n- {how: install, package: no-such-package-at-all, missing: skip}\n- {how: install, package: [no-such-package-at-all], missing: skip, exclude: [no-such-other]}\n",
            ),
        ],
    ),
];
