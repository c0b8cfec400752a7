//! The Python process that answers for fmf: one JSON request a line, one JSON answer a line, all in one process.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

/// Asks a script of `tests/fmf/python` all requests at once. `None` where the comparison is to be left out, which CI may not.
pub(crate) fn answers(script: &str, requests: &[String]) -> Option<Vec<String>> {
    if env::var_os("ATEX_SKIP_REFERENCE").is_some_and(|value| value == "1") {
        assert!(
            env::var_os("CI").is_none(),
            "ATEX_SKIP_REFERENCE is set, but in CI the comparison is not left out"
        );
        eprintln!("ATEX_SKIP_REFERENCE is set: not compared with Python's fmf");
        return None;
    }
    let python = env::var("ATEX_FMF_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let hint = "`python3 -m venv DIR && DIR/bin/pip install fmf==1.7.0`, then ATEX_FMF_PYTHON=DIR/bin/python \
                (or ATEX_SKIP_REFERENCE=1 to leave the comparison out)";
    let mut child = Command::new(&python)
        .arg(format!("{}/tests/fmf/python/{script}", env!("CARGO_MANIFEST_DIR")))
        .env("PYTHONHASHSEED", "0")
        .env("PYTHONUTF8", "1")
        .env_remove("PYTHONUNBUFFERED")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start `{python}`: {error}; {hint}"));
    let mut stdin = child.stdin.take().expect("piped");
    let input: String = requests.iter().flat_map(|request| [request, "\n"]).collect();
    // A write error means that Python is gone; its status tells.
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the process can be waited for");
    drop(writer.join().expect("the writer does not panic"));
    assert!(output.status.success(), "`{python}` cannot answer for fmf; {hint}");
    let text = String::from_utf8(output.stdout).expect("JSON is UTF-8");
    let answers: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), requests.len(), "one answer for each request");
    Some(answers)
}
