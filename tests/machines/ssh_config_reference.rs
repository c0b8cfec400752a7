//! Tests that atex reads an SSH configuration as OpenSSH does: the results for generated configurations are compared with `ssh
//! -G`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use atex::sut::kind::ssh::config::{ConfigFiles, Here, Only, SshOptions, look_up};
use proptest::prelude::*;
use proptest::sample::select;

/// Blocks that lines stand in.
const HEADS: [&str; 22] = [
    "Host *",
    "Host box",
    "Host b*",
    "host !box b*",
    "HOST lab b?x",
    "Host=box.example",
    "Host \"box\" other",
    "Host Box",
    "Host 10.*",
    "Match all",
    "Match host box",
    "Match host b*,!box",
    "match HOST=10.0.0.1",
    "Match originalhost box user me",
    "Match originalhost b*",
    "Match user me",
    "Match !user me",
    "Match !host 10.*",
    "Match final all",
    "Match final host 10.0.0.1",
    "Match canonical all",
    "Match !final host box",
];

/// Options, each with values that say different things.
const LINES: [(&str, &[&str]); 14] = [
    ("HostName", &["10.0.0.1", "%h.example.com", "REAL.example", "a%%b"]),
    ("Port", &["22", "2222", "\"2200\""]),
    ("User", &["me", "you", "\"me\""]),
    ("IdentityFile", &["/k/one", "/k/two", "\"/k/a b\"", "'/k/three'"]),
    ("CertificateFile", &["/c/one", "/c/two"]),
    ("IdentitiesOnly", &["yes", "no"]),
    ("IdentityAgent", &["/agent", "none", "SSH_AUTH_SOCK"]),
    ("StrictHostKeyChecking", &["yes", "no", "ask", "accept-new", "off"]),
    ("UserKnownHostsFile", &["/h/one", "/h/one /h/two", "none"]),
    ("HostKeyAlias", &["alias", "other"]),
    ("ConnectTimeout", &["5", "1m", "1m30s", "none"]),
    ("ProxyJump", &["gate", "me@gate:2222", "none"]),
    ("ProxyCommand", &["nc -X 5 %h %p # all of it", "none"]),
    ("ServerAliveInterval", &["5"]),
];

fn option() -> impl Strategy<Value = String> {
    let form = select(vec!["{} {}", "{}={}", "\t{} = {}", "  {}\t{} ", "{} {}\r"]);
    (
        select(LINES.to_vec()),
        any::<prop::sample::Index>(),
        form,
        any::<bool>(),
    )
        .prop_map(|((key, values), index, form, lower)| {
            let key = if lower { key.to_lowercase() } else { key.to_owned() };
            // A comment may follow an argument.
            form.replacen("{}", &key, 1)
                .replacen("{}", values[index.index(values.len())], 1)
        })
}

fn block() -> impl Strategy<Value = String> {
    (
        prop::option::weighted(0.9, select(HEADS.to_vec())),
        prop::collection::vec(option(), 0..4),
    )
        .prop_map(|(head, lines)| {
            let mut text = String::new();
            for line in head.map(str::to_owned).into_iter().chain(lines) {
                let _infallible = writeln!(text, "{line}");
            }
            text + "# a comment\n\n"
        })
}

fn configuration() -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![6 => block(), 1 => Just("Include INCLUDED\n".to_owned())],
        0..7,
    )
    .prop_map(|blocks| blocks.concat())
}

/// What `ssh` says.
fn reference(file: &Path, host: &str, user: Option<&str>) -> BTreeMap<String, Vec<String>> {
    let mut ssh = Command::new("ssh");
    ssh.arg("-G").arg("-F").arg(file);
    if let Some(user) = user {
        ssh.args(["-l", user]);
    }
    let output = ssh.arg("--").arg(host).output().expect("ssh is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let (key, value) = line.split_once(' ').unwrap_or((line, ""));
        said.entry(key.to_owned()).or_default().push(value.to_owned());
    }
    said
}

/// The same of ours; where nothing is written, what `ssh` takes by default.
fn ours(options: &SshOptions) -> BTreeMap<&'static str, Vec<String>> {
    let default = |key: &str, value: &str| vec![options.first(key).unwrap_or(value).to_owned()];
    let given = |key: &str| options.first(key).map(str::to_owned).into_iter().collect::<Vec<_>>();
    let list = |key: &str| {
        options
            .list(key)
            .iter()
            .map(|value| value.words[0].clone())
            .collect::<Vec<_>>()
    };
    let mut all = BTreeMap::from([
        ("hostname", given("hostname")),
        ("port", default("port", "22")),
        ("user", default("user", &atex::sut::facts::login_user())),
        ("identityfile", list("identityfile")),
        ("certificatefile", list("certificatefile")),
        ("identitiesonly", default("identitiesonly", "no")),
        ("identityagent", given("identityagent")),
        ("hostkeyalias", given("hostkeyalias")),
        ("proxyjump", given("proxyjump")),
        ("proxycommand", given("proxycommand")),
    ]);
    let strict = match options.first("stricthostkeychecking").unwrap_or("ask") {
        "yes" => "true",
        "no" | "off" => "false",
        other => other,
    };
    all.insert("stricthostkeychecking", vec![strict.to_owned()]);
    let timeout = match options.first("connecttimeout").unwrap_or("none") {
        "1m" => "60",
        "1m30s" => "90",
        other => other,
    };
    all.insert("connecttimeout", vec![timeout.to_owned()]);
    let files = options.value("userknownhostsfile").map(|value| value.words.join(" "));
    all.insert("userknownhostsfile", files.into_iter().collect());
    for key in ["proxyjump", "proxycommand"] {
        // `none` is no value that is told.
        all.entry(key).or_default().retain(|value| value != "none");
    }
    all
}

/// Compares what both say of a host.
fn compare(text: &str, included: &str, host: &str, user: Option<&str>) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("config");
    let other = dir.path().join("included");
    fs::write(&other, included.replace("Include INCLUDED\n", "")).unwrap();
    fs::write(&file, text.replace("INCLUDED", other.to_str().unwrap())).unwrap();
    let said = reference(&file, host, user);
    let files = ConfigFiles {
        here: Here {
            user: atex::sut::facts::login_user(),
            ..Here::default()
        },
        only: Some(Only::File(file)),
    };
    let options = look_up(&files, host, user).unwrap();
    for (key, value) in ours(&options) {
        let mut reference = said.get(key).cloned().unwrap_or_default();
        // Those that are looked for where none is named.
        let usual = |file: &String| match key {
            "userknownhostsfile" => file.ends_with("/.ssh/known_hosts2"),
            "identityfile" => file.starts_with("~/.ssh/id_"),
            _ => false,
        };
        if reference.iter().all(usual) {
            reference.clear();
        }
        prop_assert_eq!(
            &value,
            &reference,
            "{} of {} in\n{}\nincluded:\n{}",
            key,
            host,
            text,
            included
        );
    }
    Ok(())
}

/// What was read in another way before.
#[test]
fn what_differed_once_does_not_differ_again() {
    for text in [
        "ConnectTimeout none\nConnectTimeout 5\n",
        "ProxyJump none\nProxyCommand nc %h\n",
        "ProxyJump none\nProxyJump gate\n",
        "ProxyJump gate\nProxyCommand nc %h\n",
        "ProxyCommand none\nProxyJump gate\n",
    ] {
        compare(text, "", "box", None).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_configuration_says_what_it_says_to_ssh(
        text in configuration(),
        included in configuration(),
        host in select(vec!["box", "bob", "Box", "lab", "box.example", "10.0.0.1"]),
        user in select(vec![None, Some("me")]),
    ) {
        compare(&text, &included, host, user)?;
    }
}
