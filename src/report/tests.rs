//! Tests of the reporters: scripted events, compared with snapshots of the whole output.

mod terminal;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use atex_graph::Kind;

use super::console::live::Size;
use super::*;
use crate::control::Status;
use crate::event::Mode;
use crate::event::{Event, NodeOutcome, NodeRef, SutEvent};
use crate::json_version::JsonVersion;
use crate::rundir::{self, RunInfo};
use terminal::Terminal;

/// A writer whose content can be read while a reporter owns it.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Returns the text with control characters made visible, line by line.
    fn visible(&self) -> String {
        self.text().replace('\x1b', "␛").replace('\r', "␍")
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that fails.
struct Broken(io::ErrorKind);

impl Write for Broken {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const START: u64 = 1_700_000_000_000;

fn at(offset: u64, event: Event) -> Stamped {
    Stamped {
        time: START + offset,
        event,
    }
}

fn node(label: &str) -> NodeRef {
    NodeRef::from_label(label).unwrap()
}

fn run_started(dir: &Path, suts: &[&str]) -> Event {
    Event::RunStarted {
        version: JsonVersion,
        run: "20231114-221320-ab12".into(),
        dir: dir.to_string_lossy().into_owned(),
        command: Mode::Build,
        plans: vec!["/plans/smoke".into()],
        suts: suts.iter().map(|&sut| sut.to_owned()).collect(),
        tests: 5,
        to_run: BTreeMap::from([(Kind::Prepare, 1), (Kind::Test, 4), (Kind::Finish, 1)]),
    }
}

fn started(label: &str, sut: &str) -> Event {
    Event::NodeStarted {
        node: node(label),
        key: "00".into(),
        sut: sut.into(),
        attempt: 1,
    }
}

fn cached(label: &str, sut: &str, age: u64) -> Event {
    Event::NodeCached {
        node: node(label),
        key: "00".into(),
        sut: sut.into(),
        age,
        outcome: NodeOutcome::Pass,
        seen: None,
    }
}

fn finished(label: &str, sut: &str, outcome: NodeOutcome, duration: u64, note: &str, log: &str) -> Event {
    Event::NodeFinished {
        node: node(label),
        key: "00".into(),
        sut: sut.into(),
        outcome,
        duration,
        note: note.into(),
        log: log.into(),
        results: BTreeMap::new(),
        again: false,
    }
}

fn sut(sut: &str, state: SutEvent, note: &str) -> Event {
    Event::Sut {
        sut: sut.into(),
        state,
        note: note.into(),
    }
}

fn run_finished(exit_code: Exit) -> Event {
    Event::RunFinished {
        exit_code,
        duration: 12_300,
        tests: BTreeMap::from([(NodeOutcome::Pass, 3), (NodeOutcome::Fail, 1), (NodeOutcome::Infra, 1)]),
        cached: 1,
    }
}

/// Returns the events of a run in which everything happens that can happen. The last SUT is dropped.
fn script(dir: &Path, suts: &[&str]) -> Vec<Stamped> {
    let (first, last) = (suts[0], suts[suts.len() - 1]);
    let mut fruitful = finished(
        "test /c",
        first,
        NodeOutcome::Pass,
        3_000,
        "",
        "tests/c/files/output.txt",
    );
    if let Event::NodeFinished { results, .. } = &mut fruitful {
        *results = BTreeMap::from([(Status::Pass, 11), (Status::Skip, 1)]);
    }
    vec![
        at(0, run_started(dir, suts)),
        at(
            1,
            Event::Warning {
                text: "plans.fmf:7: `how: ansible` of plan `/plans/smoke` is not honoured".into(),
            },
        ),
        at(2, sut(first, SutEvent::Waiting, "held by pid 4711 for 2m")),
        at(50, cached("test /a", "", 200_000)),
        at(60, cached("prepare /plans/smoke#1 install", first, 7_300_000)),
        at(100, started("prepare /plans/smoke#2 shell", first)),
        at(
            1_300,
            finished(
                "prepare /plans/smoke#2 shell",
                first,
                NodeOutcome::Pass,
                1_200,
                "",
                "prepare.log",
            ),
        ),
        at(1_310, started("test /b", first)),
        at(
            2_000,
            finished(
                "test /b",
                first,
                NodeOutcome::Fail,
                690,
                "exit code 1",
                "tests/b/files/output.txt",
            ),
        ),
        at(2_010, started("test /c", first)),
        at(
            2_500,
            Event::Result {
                node: node("test /c"),
                name: Some("part one".into()),
                status: Status::Pass,
            },
        ),
        at(5_010, fruitful),
        at(5_020, started("test /evil\x1b[2J\u{202e}", last)),
        at(
            8_000,
            finished(
                "test /evil\x1b[2J\u{202e}",
                last,
                NodeOutcome::Infra,
                2_980,
                "timeout: after 3s\n",
                "",
            ),
        ),
        at(8_010, sut(last, SutEvent::Dropped, "tainted: test ended by timeout")),
        at(
            8_020,
            Event::NodeSkipped {
                node: node("test /d"),
                reason: "no SUT is left".into(),
                outcome: NodeOutcome::Infra,
            },
        ),
        at(12_300, run_finished(Exit::Infra)),
    ]
}

/// A run's directory with logs. Snapshots show only the fixed part of its name.
struct RunDir(tempfile::TempDir);

impl RunDir {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (log, text) in [
            ("prepare.log", "installing\n\x1b[32mok\x1b[0m\n".to_owned()),
            (
                "tests/b/files/output.txt",
                (1..=12).fold(String::new(), |text, n| text + &format!("line {n}\n")),
            ),
            ("tests/c/files/output.txt", "10%\r100%\n".to_owned()),
        ] {
            let path = dir.path().join(log);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Self(dir)
    }

    fn hidden(&self, text: &str) -> String {
        text.replace(&*self.0.path().to_string_lossy(), "RUN")
    }
}

fn console(verbosity: Verbosity, palette: Palette, suts: &[&str]) -> String {
    let (dir, screen) = (RunDir::new(), Screen::default());
    let mut sink = Reporters::new().with(Console::new(screen.clone(), palette, verbosity));
    for event in script(dir.0.path(), suts) {
        sink.event(&event);
        sink.tick(event.time + 10);
    }
    sink.finish().unwrap();
    dir.hidden(&screen.visible())
}

#[test]
fn a_pipe_gets_a_line_for_each_finished_node() {
    insta::assert_snapshot!(console(Verbosity::Normal, Palette::new(false), &["local"]));
}

#[test]
fn a_pool_names_the_sut_on_each_line() {
    insta::assert_snapshot!(console(
        Verbosity::Normal,
        Palette::new(false),
        &["alpha", "beta.example"]
    ));
}

#[test]
fn quiet_keeps_failures_and_the_summary() {
    insta::assert_snapshot!(console(Verbosity::Quiet, Palette::new(false), &["local"]));
}

#[test]
fn verbose_shows_outputs_and_results() {
    insta::assert_snapshot!(console(Verbosity::Verbose, Palette::new(false), &["local"]));
}

#[test]
fn colours_mark_words_and_nothing_of_a_test_reaches_the_terminal_raw() {
    insta::assert_snapshot!(console(Verbosity::Normal, Palette::new(true), &["local"]));
}

#[test]
fn a_terminal_sees_what_runs_and_how_much_is_left() {
    let (dir, screen) = (RunDir::new(), Screen::default());
    let console = Console::new(screen.clone(), Palette::new(false), Verbosity::Normal);
    let mut sink = Reporters::new().with(console.with_live(Box::new(|| Size { columns: 44, rows: 12 })));
    let suts = ["alpha", "beta", "gamma", "delta"];
    sink.event(&at(0, run_started(dir.0.path(), &suts)));
    for (offset, sut) in suts.iter().enumerate() {
        sink.event(&at(
            10 + offset as u64,
            started(&format!("test /on/{sut}/with a long name"), sut),
        ));
    }
    sink.tick(START + 60);
    sink.tick(START + 2_000);
    sink.tick(START + 2_050);
    sink.event(&at(
        2_500,
        finished("test /on/beta", "beta", NodeOutcome::Pass, 2_400, "", ""),
    ));
    sink.event(&at(
        2_501,
        finished("test /on/alpha", "alpha", NodeOutcome::Fail, 2_400, "exit code 2", ""),
    ));
    sink.tick(START + 2_700);
    sink.event(&at(3_000, run_finished(Exit::Failed)));
    sink.tick(START + 3_200);
    insta::assert_snapshot!(dir.hidden(&screen.visible()));
}

#[test]
fn a_run_that_breaks_off_leaves_a_clean_terminal() {
    let screen = Screen::default();
    let console = Console::new(screen.clone(), Palette::new(false), Verbosity::Normal);
    let mut sink = Reporters::new().with(console.with_live(Box::new(|| Size { columns: 80, rows: 24 })));
    sink.event(&at(0, started("test /a", "local")));
    sink.tick(START + 100);
    drop(sink);
    assert!(screen.text().ends_with("\r\x1b[1A\x1b[J"), "{}", screen.visible());
}

#[test]
fn json_is_a_line_for_each_event_and_reads_back() {
    let screen = Screen::default();
    let mut sink = Reporters::new().with(Json::new(screen.clone()));
    let events = script(Path::new("/run"), &["local"]);
    for event in &events {
        sink.event(event);
    }
    let read: Vec<Stamped> = screen
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, events);
}

#[test]
fn results_reach_json_with_the_next_tick() {
    let screen = Screen::default();
    let mut sink = Reporters::new().with(Json::new(screen.clone()));
    sink.event(&at(
        0,
        Event::Result {
            node: node("test /a"),
            name: None,
            status: Status::Pass,
        },
    ));
    assert_eq!(screen.text(), "");
    sink.tick(START + 100);
    assert!(screen.text().ends_with("}\n"));
}

#[test]
fn a_run_is_complete_when_run_json_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let info = RunInfo {
        tree: "/src/tree".into(),
        tree_digest: "ab".repeat(32),
        context: BTreeMap::from([("distro".into(), vec!["fedora-41".into()])]),
    };
    let mut sink = Reporters::new().with(Recorder::create(dir.path(), info).unwrap());
    let events = script(Path::new("/run"), &["local"]);
    for event in &events[..events.len() - 1] {
        sink.event(event);
    }
    let names = || {
        let mut names: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(), ["events.jsonl"]);
    sink.event(&events[events.len() - 1]);
    sink.finish().unwrap();
    assert_eq!(names(), ["events.jsonl", "run.json"]);
    let recorded = std::fs::read_to_string(dir.path().join("events.jsonl")).unwrap();
    let recorded: Vec<Stamped> = recorded
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(recorded, events);
    let text = std::fs::read_to_string(dir.path().join("run.json")).unwrap();
    assert_eq!(
        rundir::RunDir::open(dir.path())
            .unwrap()
            .summary()
            .unwrap()
            .unwrap()
            .exit_code,
        Exit::Infra
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_used_directory_is_not_recorded_over() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("events.jsonl"), "old").unwrap();
    assert!(Recorder::create(dir.path(), RunInfo::default()).is_err());
}

#[test]
fn a_closed_pipe_ends_one_reporter_and_no_other() {
    let screen = Screen::default();
    let mut sink = Reporters::new()
        .with(Json::new(Broken(io::ErrorKind::BrokenPipe)))
        .with(Json::new(screen.clone()));
    sink.event(&at(0, run_finished(Exit::Passed)));
    sink.event(&at(1, run_finished(Exit::Passed)));
    assert_eq!(screen.text().lines().count(), 2);
    sink.finish().unwrap();
}

#[test]
fn many_events_at_once_are_told_as_one_by_one() {
    let events = script(Path::new("/run"), &["local"]);
    let told = |at_once: bool| {
        let (json, console) = (Screen::default(), Screen::default());
        let mut sink = Reporters::new()
            .with(Json::new(Broken(io::ErrorKind::BrokenPipe)))
            .with(Json::new(json.clone()))
            .with(Json::new(Broken(io::ErrorKind::StorageFull)))
            .with(Console::new(console.clone(), Palette::new(false), Verbosity::Verbose));
        if at_once {
            sink.events(&events);
        } else {
            for event in &events {
                sink.event(event);
            }
        }
        assert!(matches!(sink.finish(), Err(ReportError::Output { .. })));
        (json.text(), console.text())
    };
    let (json, console) = told(true);
    assert_eq!(json.lines().count(), events.len());
    assert_eq!((json, console), told(false));
}

#[test]
fn what_is_cached_reaches_a_pipe_with_the_next_tick() {
    let screen = Screen::default();
    let mut sink = Reporters::new().with(Console::new(screen.clone(), Palette::new(false), Verbosity::Normal));
    let cached = Event::NodeCached {
        node: node("test /a"),
        key: String::new(),
        sut: String::new(),
        age: 7_200_000,
        outcome: NodeOutcome::Pass,
        seen: None,
    };
    sink.event(&at(0, cached));
    assert_eq!(screen.text(), "");
    sink.tick(START + 100);
    assert_eq!(screen.text(), "cached        2h ago  test /a\n");
}

#[test]
fn a_full_disk_is_kept_as_trouble() {
    let mut sink = Reporters::new().with(Json::new(Broken(io::ErrorKind::StorageFull)));
    sink.event(&at(0, run_finished(Exit::Passed)));
    assert!(sink.trouble().is_some());
    assert!(matches!(sink.finish(), Err(ReportError::Output { .. })));
}

#[test]
fn when_it_is_over_a_terminal_shows_what_a_pipe_holds() {
    let suts = ["alpha", "beta", "gamma"];
    for step in [3, 37, 101, 5_000] {
        let (dir, screen) = (RunDir::new(), Screen::default());
        let console = Console::new(screen.clone(), Palette::new(false), Verbosity::Verbose);
        let mut sink = Reporters::new().with(console.with_live(Box::new(|| Size { columns: 200, rows: 24 })));
        let mut now = START;
        let mut busiest = 0;
        for event in script(dir.0.path(), &suts) {
            while now < event.time {
                sink.tick(now);
                now += step;
            }
            sink.event(&event);
            busiest = busiest.max(screen.text().len());
        }
        drop(sink);
        let mut terminal = Terminal::default();
        terminal.show(&screen.text());
        let pipe = {
            let screen = Screen::default();
            let mut sink = Reporters::new().with(Console::new(screen.clone(), Palette::new(false), Verbosity::Verbose));
            for event in script(dir.0.path(), &suts) {
                sink.event(&event);
            }
            screen.text()
        };
        assert!(busiest > pipe.len(), "the region was drawn at a step of {step} ms");
        assert_eq!(terminal.text().trim_end(), pipe.trim_end(), "at a step of {step} ms");
    }
}
