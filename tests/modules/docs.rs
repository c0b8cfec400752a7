//! Tests that the documents agree with the code: paths exist, tables of keys are complete, and diagrams have all states.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether a file's name ends with `.md` or the like.
fn is_named(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

/// All files of the repository and their directories, relative to its root.
fn files() -> BTreeSet<String> {
    fn walk(dir: &Path, all: &mut BTreeSet<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() && !["target", ".git"].iter().any(|end| name.ends_with(end)) {
                walk(&path, all);
            }
            all.insert(name);
        }
    }
    let mut all = BTreeSet::new();
    walk(root(), &mut all);
    all
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// `a/{b,c}.rs` as `a/b.rs` and `a/c.rs`.
fn expanded(path: &str) -> Vec<String> {
    let Some((before, rest)) = path.split_once('{') else {
        return vec![path.to_owned()];
    };
    let Some((choices, after)) = rest.split_once('}') else {
        return vec![path.to_owned()];
    };
    choices
        .split(',')
        .flat_map(|choice| expanded(&format!("{before}{choice}{after}")))
        .collect()
}

#[test]
fn every_path_that_a_document_or_a_comment_names_is_there() {
    const TOP: [&str; 9] = [
        "src/",
        "tests/",
        "docs/",
        "graph/",
        "cache/",
        "fmf/",
        "benches/",
        "examples/",
        ".ci/",
    ];
    let all = files();
    let is_document = |name: &&String| is_named(name, "md") || is_named(name, "rs") && !name.contains("tests/");
    let is_there = |path: &str| {
        let path = path.trim_end_matches('/');
        match path.split_once('*') {
            Some((before, after)) => all.iter().any(|name| name.starts_with(before) && name.ends_with(after)),
            None => all.contains(path),
        }
    };
    let mut missing = Vec::new();
    for name in all.iter().filter(is_document).filter(|name| *name != "CHANGELOG.md") {
        let text = read(name);
        let comments: String = if is_named(name, "rs") {
            let comment = |line: &&str| line.trim_start().starts_with("//");
            text.lines().filter(comment).collect::<Vec<_>>().join("\n")
        } else {
            text
        };
        // A crate of the workspace names its own files from its own root.
        let own = name
            .split('/')
            .next()
            .filter(|top| ["graph", "cache", "fmf"].contains(top));
        let is_there = |path: &str| is_there(path) || own.is_some_and(|own| is_there(&format!("{own}/{path}")));
        let paths = quoted(&comments).filter(|path| TOP.iter().any(|top| path.starts_with(top)));
        for path in paths.filter(|path| !path.contains([' ', '<', '…', '$', ':']) && !path.contains("NAME")) {
            missing.extend(
                expanded(path)
                    .into_iter()
                    .filter(|path| !is_there(path))
                    .map(|path| format!("{name}: `{path}`")),
            );
        }
    }
    assert!(missing.is_empty(), "these name no file:\n{}", missing.join("\n"));
}

#[test]
fn every_link_of_a_document_leads_to_a_file() {
    let all = files();
    let mut missing = Vec::new();
    for name in all.iter().filter(|name| is_named(name, "md")) {
        let text = read(name);
        let dir = Path::new(name).parent().unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
        {
            if !link.is_empty() && !link.contains("://") && !root().join(dir).join(link).exists() {
                missing.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(missing.is_empty(), "these lead nowhere:\n{}", missing.join("\n"));
}

/// The part of a Markdown text below a heading, up to the next one.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let (_, rest) = text
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("no heading `{heading}`"));
    rest.split("\n#").next().unwrap()
}

/// The rows of the first table of a text: the cells without their backticks.
fn rows(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows = lines.take_while(|line| line.starts_with('|')).map(|line| {
        let cells = line.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    });
    rows.collect()
}

/// The texts in quotes of an item of Rust, from its beginning to its end.
fn strings(code: &str, from: &str, to: &str) -> BTreeSet<String> {
    let (_, rest) = code.split_once(from).unwrap_or_else(|| panic!("no `{from}`"));
    let (item, _) = rest.split_once(to).unwrap();
    item.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Keys with what atex makes of them, as a section of the page says it; `key` is the column of the keys.
fn said(heading: &str, key: usize) -> BTreeMap<String, String> {
    let page = read("docs/metadata.md");
    let rows = rows(section(&page, heading));
    let said: BTreeMap<_, _> = rows
        .iter()
        .map(|row| (row[key].clone(), row[key + 1].clone()))
        .collect();
    assert_eq!(said.len(), rows.len(), "{heading}: a key stands there twice");
    said
}

fn keys(said: &BTreeMap<String, String>) -> BTreeSet<String> {
    said.keys().cloned().collect()
}

/// The keys of a table of the schema with what becomes of each: `obeyed`, `tmt_only`, `verdict`, `unsupported`.
fn table(schema: &str, name: &str) -> BTreeMap<String, String> {
    let from = format!("const {name}: &[MetadataKey] = &[");
    let (_, rest) = schema.split_once(&from).unwrap_or_else(|| panic!("no `{from}`"));
    let (rows, _) = rest.split_once("\n];").unwrap();
    let row = |line: &str| {
        let (meaning, rest) = line.trim().split_once("(\"").expect("a row");
        (rest.split('"').next().unwrap().to_owned(), meaning.to_owned())
    };
    rows.lines().filter(|line| line.contains("(\"")).map(row).collect()
}

#[test]
fn the_page_of_metadata_has_the_keys_that_lint_knows() {
    let schema = read("src/compile/metadata/schema.rs");
    let list = |name: &str| strings(&schema, &format!("const {name}: &[&str] = &["), "];");
    assert_eq!(keys(&said("## Tests, plans and stories", 0)), list("COMMON"));
    let extra = said("## Keys of atex", 0);
    for key in list("EXTRA") {
        assert!(extra.contains_key(&key), "{key}");
    }
    let (on_page, tests) = (said("## Tests", 0), table(&schema, "TEST"));
    assert_eq!(keys(&on_page), keys(&tests));
    for (key, _) in tests.iter().filter(|(_, meaning)| *meaning == "tmt_only") {
        assert_eq!(
            on_page[key], "used",
            "{key}: some values, or those of some tests, are obeyed"
        );
    }
    let (on_page, plans) = (said("## Plans", 0), table(&schema, "PLAN"));
    assert_eq!(keys(&on_page), keys(&plans));
    for (key, meaning) in plans {
        let word = match meaning.as_str() {
            "obeyed" => "used",
            "verdict" | "unsupported" => "warned",
            "tmt_only" => "ignored",
            other => panic!("{key}: {other}"),
        };
        assert_eq!(on_page[&key], word, "{key} of plans");
    }
}

#[test]
fn the_page_of_metadata_has_the_keys_of_sections_and_phases() {
    let schema = read("src/compile/metadata/schema.rs");
    let (_, section_keys) = schema.split_once("const SECTION: Keys").unwrap();
    let how = read("src/compile/how/mod.rs");
    let common = strings(&how, "const COMMON: &[&str] = &[", "];");
    let discover = said("### Discover", 0);
    let of = |word: &str| -> BTreeSet<String> {
        let of_word = discover
            .iter()
            .filter(|(key, said)| !common.contains(*key) && *said == word);
        of_word.map(|(key, _)| key.clone()).collect()
    };
    assert_eq!(of("used"), strings(section_keys, "read: &[", "]"));
    assert_eq!(of("warned"), strings(section_keys, "known: &[", "]"));
    assert!(common.iter().all(|key| discover.contains_key(key)));

    let page = read("docs/metadata.md");
    let phases = rows(section(&page, "### Prepare and finish"));
    let of = |how: &str, is_used: bool| -> BTreeSet<String> {
        let of_how = phases
            .iter()
            .filter(|row| row[0] == how && (row[2] != "warned") == is_used);
        of_how.map(|row| row[1].clone()).collect()
    };
    assert_eq!(of("all", true), common);
    let mut hows = BTreeSet::new();
    for name in files()
        .iter()
        .filter(|name| name.starts_with("src/compile/how/") && is_named(name, "rs"))
    {
        let code = read(name);
        let Some((_, row)) = code.split_once("const HOW: How = How {") else {
            continue;
        };
        let word = strings(row, "word:", ",").pop_first().unwrap();
        let known = strings(row, "known: &[", "]");
        assert_eq!(of(&word, false), known, "{word}");
        for key in of(&word, true) {
            assert!(code.contains(&format!("\"{key}\"")), "{word} reads {key}");
        }
        hows.insert(word);
    }
    let on_page: BTreeSet<String> = phases
        .iter()
        .map(|row| row[0].clone())
        .filter(|how| how != "all")
        .collect();
    assert_eq!(on_page, hows);
}

#[test]
fn the_page_of_metadata_has_the_keys_of_the_configuration() {
    let parse = read("src/cli/config/parse.rs");
    let read_in = |function: &str| -> BTreeSet<String> {
        let (_, code) = parse.split_once(&format!("\nfn {function}(")).unwrap();
        let code = code.split("\n}\n").next().unwrap();
        let parts = code.split("section.read(\"").skip(1);
        parts.map(|part| part.split('"').next().unwrap().to_owned()).collect()
    };
    let page = read("docs/metadata.md");
    let on_page = |heading: &str| -> BTreeSet<String> {
        let rows = rows(section(&page, heading));
        rows.into_iter().map(|row| row[0].clone()).collect()
    };
    assert_eq!(on_page("### `[defaults]`"), read_in("defaults"));
    assert_eq!(on_page("### `[group.NAME]`"), read_in("group"));
    assert_eq!(on_page("### `[lint]`"), read_in("lint_allow"));
    let parameters = atex::sut::kind::Parameters::names().into_iter().map(str::to_owned);
    let of_sut: BTreeSet<String> = read_in("sut").into_iter().chain(parameters).collect();
    assert_eq!(on_page("### `[sut.NAME]`"), of_sut);
}

#[test]
fn the_diagram_of_a_sut_has_the_states_of_the_schedule() {
    let code = read("src/exec/schedule/sut.rs");
    let state = code
        .split("enum ")
        .find(|part| part.contains("    Spare,\n"))
        .expect("the states");
    let variants = state.split("\n}").next().unwrap();
    let is_variant = |line: &&str| line.starts_with("    ") && line[4..].starts_with(char::is_uppercase);
    let of_code: BTreeSet<String> = variants
        .lines()
        .filter(is_variant)
        .map(|line| {
            line.trim()
                .split(|c: char| !c.is_alphanumeric())
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    let page = read("docs/architecture.md");
    let diagram = section(&page, "### A SUT in the schedule");
    let arrows = diagram.lines().filter_map(|line| line.trim().split_once(" --> "));
    let of_diagram: BTreeSet<String> = arrows
        .flat_map(|(from, to)| [from, to.split(':').next().unwrap()].map(|state| state.trim().to_owned()))
        .filter(|state| state != "[*]")
        .collect();
    assert_eq!(of_diagram, of_code);
}
