//! For each lint code, a tree that has the finding and a tree that only looks as if it had.

/// A code, a tree that is wrong with the places of what is wrong, and a tree that is right. A text `-> x` stands for a symlink to `x`.
pub(crate) struct Case {
    pub(crate) code: &'static str,
    pub(crate) wrong: &'static [(&'static str, &'static str)],
    pub(crate) at: &'static [&'static str],
    pub(crate) right: &'static [(&'static str, &'static str)],
}

/// What makes a directory a repository.
const HEAD: (&str, &str) = (".git/HEAD", "ref: refs/heads/main\n");
const OBJECTS: (&str, &str) = (".git/objects/x", "");
const REFS: (&str, &str) = (".git/refs/x", "");
const SCRIPT: (&str, &str) = ("t.sh", "#!/bin/sh\n");

macro_rules! case {
    ($code:literal: $wrong:expr => $at:expr; right: $right:expr) => {
        Case {
            code: $code,
            wrong: &$wrong,
            at: &$at,
            right: &$right,
        }
    };
}

pub(crate) const CASES: &[Case] = &[
    case!("unknown-key":
        [("a.fmf", "test: 'true'\n\ndurration: 5m\nextra-atex-input: x\n"),
         ("b.fmf", "execute: {how: tmt}\ndiscover:\n  how: fmf\n  tests: x\n"),
         ("c.fmf", "tset: ./x\nduration: 5m\n"),
         ("d.fmf", "test: x\nadjust:\n  - when: distro == a\n    tier: 1\n    requires+: [x]\n"),
         ("e.fmf", "execute: {how: tmt}\nprepare:\n- how: shell\n  scripts: true\n")]
        => ["a.fmf:3:1", "a.fmf:4:1", "b.fmf:4:3", "c.fmf:1:1", "d.fmf:5:5", "e.fmf:4:3"];
        right: [("main.fmf", "extra-mine: 1\nsummary: x\nlink: y\n"),
         ("a.fmf", "test: x\nduration: 5m\ntier: 1\nextra-atex-inputs: ['**']\nextra-priority: 2\n"),
         ("b.fmf", "execute: {how: tmt}\nprovision: {how: local}\nlogin: {when: fail}\n"),
         ("c.fmf", "anything: goes\ntext: here\n"),
         ("d.fmf", "story: as a user\nexample: x\npriority: must have\n")]),
    case!("misplaced-key":
        [("a.fmf", "test: x\nprepare: {how: shell, script: y}\n"), ("b.fmf", "execute: {how: tmt}\nrequire: x\n")]
        => ["a.fmf:2:1", "b.fmf:2:1"];
        right: [("main.fmf", "prepare: {how: shell, script: y}\nrequire: x\nadjust:\n- when: distro == a\n  require+: z\n"),
         ("a.fmf", "test: x\n"), ("b.fmf", "execute: {how: tmt}\n")]),
    case!("ignored-key":
        [("p.fmf", "execute: {how: tmt}\ndiscover:\n  how: fmf\n  prune: true\n  ref: main\nprepare:\n- how: shell\n  script: x\n  url: u\n")]
        => ["p.fmf:4:3", "p.fmf:5:3", "p.fmf:9:3"];
        right: [("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf, url: u, ref: r, path: /p, test: x, when: a == b}\nprepare: {how: install, package: x, order: 1, name: n, summary: s}\n")]),
    case!("ignored-phase":
        [("p.fmf", "execute: {how: tmt}\nprepare:\n- how: artifact\n  playbook: x\n- how: shell\n  script: x\nfinish:\n  how: install\n  package: x\n")]
        => ["p.fmf:3:8", "p.fmf:8:8"];
        right: [("p.fmf", "execute: {how: tmt}\nprepare: [{script: x}, {how: install, package: y}]\nfinish: {how: shell, script: z}\n")]),
    case!("ignored-section":
        [("p.fmf", "execute: {how: tmt}\ndiscover:\n  how: shel\n  tests: []\n")]
        => ["p.fmf:3:8"];
        right: [("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf}\n"), ("q.fmf", "execute:\ndiscover: {tests: [{name: x, test: y}]}\n")]),
    case!("not-a-plan":
        [("p.fmf", "prepare: {how: shell, script: x}\n")] => ["p.fmf:1:1"];
        right: [("p.fmf", "prepare: {how: shell, script: x}\n\n/a:\n  execute: {how: tmt}\n/b:\n  summary: no plan\n")]),
    case!("wrong-type":
        [("a.fmf", "test: [x]\ntag: {a: 1}\norder: first\n"), ("b.fmf", "execute: {how: tmt}\nprepare: text\ndiscover: [x]\n"), ("c.fmf", "execute: {how: tmt, exit-first: maybe}\ndiscover: {how: fmf}\n")]
        => ["a.fmf:1:1", "a.fmf:2:1", "a.fmf:3:1", "b.fmf:2:1", "b.fmf:3:1", "c.fmf:1:21"];
        right: [("a.fmf", "test: x\ntag: [a, b]\norder: '7'\nrequire: [a, {type: library, nick: l}]\n"), ("b.fmf", "execute: {how: tmt}\nprepare:\ndiscover: []\n")]),
    case!("not-boolean":
        [("a.fmf", "test: x\nenabled: no\ntty: 1\n")] => ["a.fmf:2:10", "a.fmf:3:6"];
        right: [("a.fmf", "test: x\nenabled: false\ntty:\n")]),
    case!("bad-duration":
        [("a.fmf", "test: x\nduration: 5x\nadjust:\n- when: distro == a\n  duration: 1.5h\n")] => ["a.fmf:2:11", "a.fmf:5:13"];
        right: [("a.fmf", "test: x\nduration: 1h 30m *2\nadjust:\n- when: distro == a\n  duration: 90\n")]),
    case!("bad-variable":
        [("a.fmf", "test: x\nenvironment:\n  A: 1\n  B-C: 2\n"), ("b.fmf", "test: x\nenvironment: [A]\n"), ("c.fmf", "execute: {how: tmt}\nenvironment: {A: [1]}\n")]
        => ["a.fmf:4:3", "b.fmf:2:15", "c.fmf:2:15"];
        right: [("a.fmf", "test: x\nenvironment: ['A=1', {B: 2}]\n"), ("c.fmf", "execute: {how: tmt}\nenvironment: {A: 1.5, B: true}\n")]),
    case!("bad-glob":
        [("a.fmf", "test: x\nextra-atex-inputs: ['lib/**', '[a']\n")] => ["a.fmf:2:32"];
        right: [("a.fmf", "test: x\nextra-atex-inputs: './*.sh'\n")]),
    case!("bad-path":
        [("a.fmf", "test: x\npath: ../..\n"), ("b.fmf", "test: x\npath: /gone\n"), ("p.fmf", "execute: {how: tmt}\ndiscover:\n  how: fmf\n  path: /nowhere/at/all\n")]
        => ["a.fmf:2:7", "b.fmf:2:7", "p.fmf:4:9"];
        right: [("a.fmf", "test: x\npath: /lib\n"), ("lib/x", ""), ("b.fmf", "test: x\npath: /gone\nenabled: false\n"), ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf, path: '$REPO'}\n")]),
    case!("empty-script":
        [("a.fmf", "test:\n"), ("b.fmf", "test: ' '\n"), ("p.fmf", "execute: {how: tmt}\nprepare:\n- how: shell\n- how: shell\n  script: ''\n")]
        => ["a.fmf:1:1", "b.fmf:1:1", "p.fmf:3:3", "p.fmf:5:3"];
        right: [("a.fmf", "test: ':'\n"), ("p.fmf", "execute: {how: tmt}\nprepare: {how: shell, script: ['', x]}\n")]),
    case!("empty-package":
        [("p.fmf", "execute: {how: tmt}\nprepare:\n- how: install\n  package: []\n")] => ["p.fmf:4:3"];
        right: [("p.fmf", "execute: {how: tmt}\nprepare: {how: install, package: x}\n")]),
    case!("bad-regex":
        [("a.fmf", "test: x\nadjust:\n- when: distro ~ (\n"), ("p.fmf", "execute: {how: tmt}\ndiscover:\n  how: fmf\n  test:\n  - a\n  - a(\n  exclude: '*'\n  filter: tag:[\n")]
        => ["a.fmf:3:9", "p.fmf:6:5", "p.fmf:7:13", "p.fmf:8:11"];
        right: [("a.fmf", "test: x\nadjust: [{when: \"distro ~ ^rhel-[89]\"}]\n"), ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf, test: '(?i)A', exclude: b$, filter: 'tag:-a.*'}\n")]),
    case!("bad-condition":
        [("a.fmf", "test: x\n"), ("p.fmf", "execute: {how: tmt}\ndiscover:\n- how: fmf\n  name: one\n  condition: tag ==\n- how: fmf\n  name: two\n  condition: test + 1 > 2\n")]
        => ["p.fmf:5:14", "p.fmf:8:14"];
        right: [("a.fmf", "test: x\n"), ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf, condition: \"test == 'x' or gone\"}\n")]),
    case!("bad-adjust":
        [("a.fmf", "test: x\nadjust: yes\n"), ("b.fmf", "test: x\nadjust:\n- text\n"), ("c.fmf", "test: x\nadjust:\n- when: a == b\n  continue: 1\n")]
        => ["a.fmf:2:1", "b.fmf:3:3", "c.fmf:4:3"];
        right: [("a.fmf", "test: x\nadjust: {when: a == b, tag: c}\n"), ("b.fmf", "test: x\nadjust: []\n"), ("c.fmf", "test: x\nadjust: [{tag+: c, continue: true}]\n")]),
    case!("bad-rule":
        [("a.fmf", "test: x\nadjust:\n- when: distro is fedora\n- when: distro == a and\n- when: 1\n"), ("p.fmf", "execute: {how: tmt}\nprepare:\n  script: x\n  when: distro\n")]
        => ["a.fmf:3:9", "a.fmf:4:9", "a.fmf:5:3", "p.fmf:4:9"];
        right: [("a.fmf", "test: x\nadjust: [{when: true}, {when: distro is not defined}]\n"), ("p.fmf", "execute: {how: tmt}\nprepare: {script: x, when: [a == b, c != d]}\n")]),
    case!("dead-rule":
        [("a.fmf", "test: x\nadjust:\n- when: distro < fedora\n- when: distro == a && arch == b\n- when: arch is not defined and arch == x\n")]
        => ["a.fmf:3:9", "a.fmf:4:9", "a.fmf:5:9"];
        right: [("a.fmf", "test: x\nadjust: [{when: distro < fedora-40}, {when: 'component == a b, c-d'}, {when: arch is not defined or arch == x}]\n")]),
    case!("unknown-dimension":
        [("a.fmf", "test: x\nadjust:\n- when: a == b or distros == fedora\n")] => ["a.fmf:3:19"];
        right: [("a.fmf", "test: x\nadjust: [{when: mine == b}, {when: archs == x}]\n"), ("p.fmf", "execute: {how: tmt}\ncontext: {archs: x}\n")]),
    case!("unreachable-rule":
        [("a.fmf", "test: x\nadjust:\n- tag: a\n  continue: false\n- when: distro == b\n  tag: c\n")] => ["a.fmf:5:3"];
        right: [("a.fmf", "test: x\nadjust:\n- tag: a\n- when: distro == b\n  continue: false\n- when: arch is not defined\n  continue: false\n- tag: c\n")]),
    case!("section-name":
        [("p.fmf", "execute: {how: tmt}\ndiscover:\n- how: fmf\n- how: fmf\n  name: a/b\n- how: fmf\n  name: c\n- how: fmf\n  name: c\n  when: a == b\nprepare:\n- {script: x, name: a}\n- {script: y, name: a}\n")]
        => ["p.fmf:5:3", "p.fmf:9:3", "p.fmf:13:15"];
        right: [("p.fmf", "execute: {how: tmt}\ndiscover:\n- {how: fmf, name: a}\n- {how: fmf, when: a == b}\n- {how: fmf}\nprepare: [{script: x}, {script: y}, {script: z, name: a}]\n"), ("b.fmf", "test: x\nexecute: {how: tmt}\ndiscover: {how: fmf}\nrequire: x\n"), ("q.fmf", "discover: [{how: fmf}]\n")]),
    case!("bad-discover":
        [("p.fmf", "execute:\ndiscover:\n  how: shell\n  tests:\n  - name: x\n"), ("q.fmf", "execute:\ndiscover:\n  tests:\n  - name: a/../b\n    test: x\n"),
         ("r.fmf", "execute:\n  script: x\ndiscover: {how: fmf}\n"), ("t.fmf", "test: x\n")]
        => ["p.fmf:5:5", "q.fmf:4:5", "r.fmf:2:3"];
        right: [("p.fmf", "execute:\ndiscover: {how: shell, tests: [{name: a/b, test: x}, {name: /c, test: y}]}\n"),
         ("r.fmf", "execute: {script: [x, y]}\n")]),
    case!("several-guests":
        [("p.fmf", "execute: {how: tmt}\nprovision:\n- {how: virtual, name: server}\n- {how: virtual, name: client}\n"),
         ("q.fmf", "execute: {how: tmt}\nprovision: {how: virtual, name: one, role: server}\nprepare:\n- script: x\n  where: client\n")]
        => ["p.fmf:2:1", "q.fmf:5:3"];
        right: [("p.fmf", "execute: {how: tmt}\nprovision: [{how: virtual, name: one, role: server}]\nprepare:\n- {script: x, where: server}\n- {script: x, where: [one, two]}\n"),
         ("q.fmf", "execute: {how: tmt, where: default-0}\n")]),
    case!("filter-matches-nothing":
        [("a.fmf", "test: x\ntag: smoke\n"), ("p.fmf", "execute: {how: tmt}\ndiscover:\n  how: fmf\n  filter: [\"tag:smoke\", \"tags:smoke\"]\n  condition: tag == 'other'\n")]
        => ["p.fmf:4:26", "p.fmf:5:14"];
        right: [("a.fmf", "test: x\ntag: smoke\nadjust: {when: a == b, tag+: other, tier: 1}\n"), ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf, filter: 'tag:other & tier:1', condition: tag == 'other'}\n")]),
    case!("name-matches-nothing":
        [("a.fmf", "test: x\n"), ("p.fmf", "execute: {how: tmt}\ndiscover:\n  how: fmf\n  test: [/a, /b]\n  exclude: /c\n")]
        => ["p.fmf:4:14", "p.fmf:5:12"];
        right: [("a.fmf", "test: x\n"), ("b.fmf", "test: x\n"), ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf, test: '^/[ab]$', include: '^/a', exclude: b}\n"), ("q.fmf", "discover: {how: fmf, url: 'https://host/x', test: /c}\n")]),
    case!("no-tests":
        [("a.fmf", "test: x\n"), ("p.fmf", "execute: {how: tmt}\ndiscover:\n  how: fmf\n  test: a\n  exclude: /a\n"), ("q.fmf", "execute: {how: tmt}\n")]
        => ["p.fmf:3:3", "q.fmf:1:1"];
        right: [("a.fmf", "test: x\nenabled: false\nadjust: {when: a == b, enabled: true}\n"), ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf, test: a}\n"), ("q.fmf", "discover: {how: fmf}\n")]),
    case!("missing-file":
        [("d/a.fmf", "test: ./t.sh\n"), ("b.fmf", "test: A=1 bash -x other.sh\n"), ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf}\nprepare:\n- how: shell\n  script:\n  - true\n  - scripts/setup.sh a\n"), SCRIPT]
        => ["b.fmf:1:19", "d/a.fmf:1:7", "p.fmf:7:5"];
        right: [SCRIPT, ("d/a.fmf", "test: ../t.sh\n"), ("b.fmf", "test: cd d && ./made.sh\n"), ("c.fmf", "test: make && ./made\n"), ("e.fmf", "test: ./gone\nmanual: true\n"), ("f.fmf", "test: ./$X.sh\n"), ("g.fmf", "test: ./t.sh\npath: /\n"), ("p.fmf", "discover: {how: fmf, url: u}\nprepare: {script: ./x.sh}\n")]),
    case!("not-executable":
        [("a.fmf", "test: ./t.txt\n"), ("t.txt", "true\n"), ("b.fmf", "test: ./d\n"), ("d/x", "")] => ["a.fmf:1:7", "b.fmf:1:7"];
        right: [("a.fmf", "test: sh ./t.txt\n"), ("t.txt", "true\n"), SCRIPT, ("b.fmf", "test: ./t.sh\n")]),
    case!("not-a-command":
        [SCRIPT, ("a.fmf", "test: t.sh --all\n")] => ["a.fmf:1:7"];
        right: [SCRIPT, ("a.fmf", "test: ./t.sh --all\n"), ("make", ""), ("b.fmf", "test: make\n"), ("c.fmf", "test: other.sh\n")]),
    case!("left-out":
        [HEAD, OBJECTS, REFS, (".gitignore", "# data\n*.bin\n/built/\nlocal.env\n"), SCRIPT,
         ("d/a.fmf", "test: |\n  set -e\n  ./x.bin\n"), ("d/x.bin", "#!/bin/sh\n"),
         ("b.fmf", "test: ./run.sh\n"), ("run.sh", "#!/bin/bash\n\ncp d/*.bin /opt\n"),
         ("c.fmf", "test: ./t.sh\npath: /built\n"), ("built/t.sh", "#!/bin/sh\n"), ("built/main.fmf", "test: ./t.sh\n"),
         ("e.fmf", "test: ./t.sh\nrequire:\n- type: file\n  pattern: /d/x.bin\nextra-atex-inputs: ['d/*.bin']\n"),
         ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf}\nprepare:\n- how: install\n  package: [gcc, built/x.rpm]\n- how: shell\n  script:\n  - true\n  - . $TMT_TREE/local.env\n"),
         ("local.env", "A=1\n"), ("built/x.rpm", "")]
        => ["built/main.fmf:1:7", "c.fmf:2:7", "d/a.fmf:3:3", "e.fmf:4:12", "e.fmf:5:22", "p.fmf:5:18", "p.fmf:9:7", "run.sh:3:4"];
        right: [HEAD, OBJECTS, REFS, (".gitignore", "*.bin\n!kept.bin\n*.log\n/out/\n"), SCRIPT,
         ("kept.bin", "x"), ("other.bin", "x"), ("x.log", ""), ("q.fmf", "execute: {how: tmt}\ndiscover: {how: fmf}\nprepare: {how: install, package: out}\n"), ("out/x", ""),
         ("a.fmf", "test: cat kept.bin\n"), ("b.fmf", "test: ./t.sh > x.log; cat x.log\n"), ("c.fmf", "test: make && ./out/x\n"),
         ("d.fmf", "test: cat gone.bin\n"), ("e.fmf", "test: cat other.bin\nmanual: true\n"), ("f.fmf", "test: echo other.bin\n"),
         ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf}\nprepare: {script: 'mkdir -p out; cp /etc/hosts out; cat out/x'}\n")]),
    case!("link-out":
        [("a.fmf", "test: x\n"), ("d/b.fmf", "test: x\n"), ("d/link", "-> /etc/passwd"), ("up", "-> ../elsewhere"), ("twice", "-> up")]
        => ["d/link:1:1", "twice:1:1", "up:1:1"];
        right: [("a.fmf", "test: x\n"), ("d/x", ""), ("link", "-> d/x"), ("d/up", "-> ../a.fmf"), ("circle", "-> circle"), ("gone", "-> d/gone")]),
    case!("duplicate-id":
        [("a.fmf", "test: x\nid: one\n"), ("b.fmf", "id: two\n/c:\n  test: x\n/d:\n  test: x\n"), ("e.fmf", "test: x\nid: one\n")]
        => ["a.fmf:2:5", "b.fmf:1:5", "e.fmf:2:5"];
        right: [("a.fmf", "test: x\nid: one\n"), ("b.fmf", "execute: {how: tmt}\nid: one\n"), ("c.fmf", "test: x\nid: two\n")]),
    case!("tmt-key":
        [("a.fmf", "test: x\ncheck: avc\nresult: xfail\nextra-atex-interface: atex\n"), ("b.fmf", "test: x\nresult: skip\ncheck: [dmesg, {how: watchdog}]\n"), ("p.fmf", "execute:\n  how: tmt\n  interactive: true\nprovision: {how: container}\n")]
        => ["a.fmf:2:1", "a.fmf:3:1", "b.fmf:2:1", "b.fmf:3:1", "p.fmf:3:3", "p.fmf:4:1"];
        right: [("a.fmf", "test: x\ncheck: []\nresult: respect\nframework: shell\n"), ("b.fmf", "test: x\nresult: xfail\n"), ("c.fmf", "test: x\nresult: custom\ncheck: [avc, {how: watchdog, enabled: false}]\nrestart-on-exit-code: 5\nrestart-max-count: 3\nrestart-with-reboot: true\n"), ("p.fmf", "execute: {how: tmt, name: n, exit-first: true, ignore-duration: true, restraint-compatible: true}\nprovision: {how: local}\nreport: {how: display}\n")]),
    case!("tmt-form":
        [("a.fmf", "test: x\npath: d\nenvironment: [A=1]\n"), ("d/x", ""), ("p.fmf", "discover:\n  how: fmf\n  condition: test\n")]
        => ["a.fmf:2:7", "a.fmf:3:1", "p.fmf:1:1", "p.fmf:3:3"];
        right: [("a.fmf", "test: x\npath: /d\nenvironment: {A: 1}\n"), ("d/x", ""), ("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf}\n")]),
    case!("tmt-expansion":
        [("p.fmf", "execute: {how: tmt}\ndiscover:\n  how: fmf\n  url: https://host/${REPO}\nenvironment:\n  B: $A\n  C: $TMT_TREE/c\n  D: ${TMT_PLAN_DATA}\n")]
        => ["p.fmf:7:6", "p.fmf:8:6"];
        right: [("p.fmf", "execute: {how: tmt}\ndiscover: {how: fmf, test: a$}\nenvironment: {A: $B}\nprepare: {script: 'echo $VAR $1 $@distro $TMT_TREE $TMT_PLAN_DATA'}\n"), ("a.fmf", "test: echo $HOME\n")]),
    case!("tmt-variable":
        [("a.fmf", "test: |\n  cd /\n  touch $TMT_TEST_DATA/x\nextra-atex-interface: atex\n"), ("b.fmf", "test: ./t.sh\n"), ("t.sh", "#!/bin/sh\n# $TMT_DEBUG\nls \"$TMT_TEST_PIDFILE\"\n")]
        => ["a.fmf:3:10", "t.sh:3:6"];
        right: [("a.fmf", "test: echo $TMT_TREE $TMT_MINE $TMT_REBOOT_COUNT\nenvironment: {TMT_MINE: 1}\n"), ("b.fmf", "test: touch $TMT_TEST_DATA/x $TMT_PLAN_DATA\n")]),
    case!("tmt-command":
        [("a.fmf", "test: tmt-report-result x PASS\nextra-atex-interface: atex\n"), ("b.fmf", "test: rhts-reboot\nextra-atex-interface: atex\n")] => ["a.fmf:1:7", "b.fmf:1:7"];
        right: [("a.fmf", "test: ls /tmp/tmt-report-results tmt-lint\n"), ("b.fmf", "test: tmt-report-result x PASS; tmt-abort\n"), ("c.fmf", "test: tmt-reboot; ls $TMT_REBOOT_REQUEST\n")]),
    case!("tmt-require":
        [("a.fmf", "test: x\nrequire:\n- make\n- type: library\n  url: https://host/lib\n  ref: '@file'\n")] => ["a.fmf:6:9"];
        right: [("a.fmf", "test: x\nrequire:\n- make\n- /usr/bin/cc\n- library(x/y)\n- url: https://host/lib\n  ref: main\nrecommend: {type: file, pattern: x}\n")]),
];
