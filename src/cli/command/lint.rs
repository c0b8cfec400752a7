//! `atex lint`: reports what is wrong with the metadata, grouped by file, with the lines at fault.

use std::collections::BTreeSet;

use atex_fmf::MarkedLine;
use clap::Args;
use serde::Serialize;

use crate::cli::args::values;
use crate::cli::config::settings::Settings;
use crate::cli::error::CliError;
use crate::cli::output::Out;
use crate::compile::lint::{self, Finding, LintCode, LintError, LintReport, LintRequest, Score, Severity, Share};
use crate::report::palette::paint;
use crate::report::text::{fit, harmless, width};
use crate::report::{Exit, Verbosity};

/// Say what of the metadata is wrong, or not obeyed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  atex lint                             the whole tree
  atex lint /tests/upload               one node, or all whose name has that in it
  atex lint --allow missing-file        all but one kind of finding
  atex lint --tmt                       also where tmt does otherwise, and a score

Exit codes: 0 nothing found, 1 something found, 2 the tree cannot be read")]
pub(crate) struct LintArgs {
    /// Tests, plans and stories by name, or regular expressions [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,

    /// Do not report findings with this code (repeatable)
    #[arg(long, value_name = "CODE")]
    pub(crate) allow: Vec<String>,

    /// Report also where tmt would treat the tree in another way
    #[arg(long)]
    pub(crate) tmt: bool,
}

/// How many columns of a line are shown at most.
const SHOWN: usize = 120;

/// A finding as one line of JSON.
#[derive(Serialize)]
struct JsonFinding<'a> {
    code: &'static str,
    severity: String,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
    message: &'a str,
    hint: Option<&'a str>,
    node: &'a str,
    nodes: usize,
}

/// The score as a line of JSON, after the findings.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct JsonScore<'a> {
    plans: JsonShare,
    tests: JsonShare,
    blockers: Vec<JsonBlocker<'a>>,
    not_looked_at: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct JsonShare {
    all: usize,
    as_under_tmt: usize,
}

#[derive(Serialize)]
struct JsonBlocker<'a> {
    what: &'a str,
    plans: usize,
    tests: usize,
}

impl From<Share> for JsonShare {
    fn from(Share { all, as_under_tmt }: Share) -> Self {
        Self { all, as_under_tmt }
    }
}

impl<'a> From<&'a Score> for JsonScore<'a> {
    fn from(score: &'a Score) -> Self {
        let blockers = score.blockers.iter().map(|blocker| JsonBlocker {
            what: &blocker.what,
            plans: blocker.plans,
            tests: blocker.tests,
        });
        Self {
            plans: score.plans.into(),
            tests: score.tests.into(),
            blockers: blockers.collect(),
            not_looked_at: &score.not_looked_at,
        }
    }
}

/// Checks the tree and prints the findings.
pub(crate) fn run(args: &LintArgs, settings: &Settings, out: &mut Out) -> Result<Exit, CliError> {
    let defaults = settings.config.defaults.context.iter().flatten();
    let request = LintRequest {
        start: settings.tree_root()?.to_owned(),
        names: args.names.clone(),
        tmt: args.tmt,
        allow: codes(&args.allow)?
            .into_iter()
            .chain(settings.config.lint_allow.iter().flatten().copied())
            .collect(),
        dimensions: defaults.map(|(dimension, _)| dimension.clone()).collect(),
    };
    let report = lint::lint(&request)?;
    if settings.json {
        for finding in &report.findings {
            out.json(&json(finding))?;
        }
        if args.tmt {
            out.json(&JsonScore::from(&report.score))?;
        }
    } else {
        print(&report, args.tmt, settings, out)?;
    }
    Ok(if report.findings.is_empty() {
        Exit::Passed
    } else {
        Exit::Failed
    })
}

fn codes(names: &[String]) -> Result<BTreeSet<LintCode>, CliError> {
    let code = |name: &String| values::lint_code(name).map_err(CliError::from);
    names.iter().map(code).collect()
}

fn json(finding: &Finding) -> JsonFinding<'_> {
    let marked = finding.marked.as_ref();
    JsonFinding {
        code: finding.code.name(),
        severity: finding.code.severity().to_string(),
        file: marked.map(|marked| marked.location.file.display().to_string()),
        line: marked.map(|marked| marked.location.line),
        column: marked.map(|marked| marked.column),
        message: &finding.message,
        hint: finding.hint.as_deref(),
        node: &finding.node,
        nodes: finding.nodes,
    }
}

/// Prints the findings for people, file by file, and their number.
fn print(report: &LintReport, tmt: bool, settings: &Settings, out: &mut Out) -> Result<(), CliError> {
    let file = |finding: &Finding| finding.marked.as_ref().map(|marked| marked.location.file.clone());
    for group in report.findings.chunk_by(|left, right| file(left) == file(right)) {
        let name = file(&group[0]).map_or_else(|| "(no file)".to_owned(), |file| file.display().to_string());
        out.line(paint(out.palette.bold, harmless(&name)))?;
        let columns = Columns::of(group);
        for finding in group {
            print_finding(finding, columns, settings.verbosity, out)?;
        }
        out.line("")?;
    }
    out.line(summary(report))?;
    if tmt {
        print_score(&report.score, out)?;
    }
    for url in &report.score.not_looked_at {
        let url = harmless(url);
        out.line(format_args!(
            "not looked at, because it would have to be fetched: what is at `{url}`"
        ))?;
    }
    Ok(())
}

/// Prints how much is as under tmt, and what keeps the rest from it.
fn print_score(score: &Score, out: &mut Out) -> Result<(), CliError> {
    let Score {
        plans,
        tests,
        blockers,
        not_looked_at: _,
    } = score;
    out.line("")?;
    out.line(paint(
        out.palette.bold,
        format_args!(
            "{} of {} plans and {} of {} tests behave as under tmt",
            plans.as_under_tmt, plans.all, tests.as_under_tmt, tests.all
        ),
    ))?;
    if !blockers.is_empty() {
        let heading = format!("{:>7}  {:>7}  {}", "PLANS", "TESTS", "WHAT KEEPS THE OTHERS FROM IT");
        out.line(paint(out.palette.dim, heading))?;
    }
    for blocker in blockers {
        let what = blocker.what.replace('\n', " ");
        out.line(format_args!(
            "{:>7}  {:>7}  {}",
            blocker.plans,
            blocker.tests,
            harmless(&what)
        ))?;
    }
    Ok(())
}

/// The widths of the columns of a group.
#[derive(Clone, Copy)]
struct Columns {
    position: usize,
    code: usize,
}

impl Columns {
    fn of(group: &[Finding]) -> Self {
        let widest = |width: &dyn Fn(&Finding) -> usize| group.iter().map(width).max().unwrap_or(0);
        Self {
            position: widest(&|finding| position(finding).len()),
            code: widest(&|finding| finding.code.name().len()),
        }
    }
}

fn print_finding(finding: &Finding, columns: Columns, verbosity: Verbosity, out: &mut Out) -> Result<(), CliError> {
    let palette = out.palette;
    let severity = finding.code.severity();
    let style = match severity {
        Severity::Error => palette.bad,
        Severity::Warning => palette.warn,
    };
    let position = format!("{:1$}", position(finding), columns.position);
    let severity = format!("{:7}", severity.to_string());
    let code = format!("{:1$}", finding.code.name(), columns.code);
    let message = finding.message.replace('\n', " ");
    out.line(format_args!(
        "  {}  {}  {code}  {}",
        paint(palette.dim, position),
        paint(style, severity),
        harmless(&message)
    ))?;
    if verbosity == Verbosity::Quiet {
        return Ok(());
    }
    let margin = columns.position + 2;
    if let Some(marked) = finding.marked.as_ref().filter(|marked| !marked.text.trim().is_empty()) {
        let (text, marks) = excerpt(marked);
        out.line(format_args!("{:margin$} {} {text}", "", paint(palette.dim, "|")))?;
        out.line(format_args!(
            "{:margin$} {} {}",
            "",
            paint(palette.dim, "|"),
            paint(style, marks)
        ))?;
    }
    if let Some(hint) = &finding.hint {
        let label = paint(palette.reused, "hint:");
        out.line(format_args!("{:margin$}   {label} {}", "", harmless(hint)))?;
    }
    let more = match finding.nodes.saturating_sub(1) {
        0 => String::new(),
        1 => " and one more".to_owned(),
        more => format!(" and {more} more"),
    };
    let node = format!("{}{more}", harmless(&finding.node));
    out.line(format_args!("{:margin$}   {}", "", paint(palette.dim, node)))
}

fn position(finding: &Finding) -> String {
    finding.marked.as_ref().map_or_else(String::new, |marked| {
        format!("{}:{}", marked.location.line, marked.column)
    })
}

/// Returns the line without its indentation, and the marks below it.
fn excerpt(marked: &MarkedLine) -> (String, String) {
    let blanks = marked.text.chars().take_while(|c| c.is_whitespace()).count();
    let column = usize::try_from(marked.column).unwrap_or(1).saturating_sub(1);
    let marked_width = usize::try_from(marked.width).unwrap_or(1);
    let (before, rest): (String, String) = {
        let shown: Vec<char> = marked.text.chars().skip(blanks).collect();
        let at = column.saturating_sub(blanks).min(shown.len());
        (
            shown[..at].iter().collect(),
            shown[at..].iter().take(marked_width).collect(),
        )
    };
    let plain = |text: &str| harmless(&text.replace('\t', " ")).into_owned();
    let text = plain(marked.text.trim());
    let start = width(&plain(&before));
    let room = SHOWN.saturating_sub(start);
    let marks = "^".repeat(width(&plain(&rest)).clamp(1, room.max(1)));
    let marks = if start < SHOWN {
        format!("{:start$}{marks}", "")
    } else {
        String::new()
    };
    (fit(&text, SHOWN).into_owned(), marks)
}

fn summary(report: &LintReport) -> String {
    let errors = report
        .findings
        .iter()
        .filter(|finding| finding.code.severity() == Severity::Error);
    let errors = errors.count();
    let warnings = report.findings.len() - errors;
    let looked = match report.nodes {
        1 => "one test, plan or story".to_owned(),
        nodes => format!("{nodes} tests, plans and stories"),
    };
    let count = |number: usize, word: &str| match number {
        1 => format!("1 {word}"),
        number => format!("{number} {word}s"),
    };
    match (errors, warnings) {
        (0, 0) => format!("nothing found in {looked}"),
        (errors, 0) => format!("{} in {looked}", count(errors, "error")),
        (0, warnings) => format!("{} in {looked}", count(warnings, "warning")),
        _ => format!("{}, {} in {looked}", count(errors, "error"), count(warnings, "warning")),
    }
}

impl From<LintError> for CliError {
    fn from(error: LintError) -> Self {
        let (message, hint) = (error.to_string(), error.hint());
        Self::usage(message).hint_if(hint)
    }
}
