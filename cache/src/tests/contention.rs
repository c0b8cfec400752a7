//! Tests with several processes that want one node: one runs it, and the others wait and take its record. The children print
//! lines that say who runs, and the runner goes on when its stdin ends, so no test depends on how long anything takes.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::{Env, child, key, put_all, record};
use crate::{ClaimPatience, Lookup, Store};

/// The code of the child process.
fn process_that_wants_the_node(dir: &Path, id: String) {
    let store = Store::open(&dir.join("cache")).expect("the store");
    let first = match store.claim(key("a")).expect("a lookup") {
        Lookup::Busy(_) => {
            println!("child: busy");
            store
                .claim_waiting(key("a"), |_| true, ClaimPatience::default())
                .expect("a lookup")
        }
        first => first,
    };
    match first {
        Lookup::Hit(record) => println!("child: took {}", record.sut),
        Lookup::Busy(holder) => panic!("endless patience ended: {holder}"),
        Lookup::Miss(ticket) => {
            let mut witness = OpenOptions::new()
                .append(true)
                .create(true)
                .open(dir.join("witness"))
                .expect("a file");
            witness.write_all(format!("{id}\n").as_bytes()).expect("a line");
            ticket.begin().expect("begin");
            println!("child: running");
            std::io::stdin().read_to_end(&mut Vec::new()).expect("the end of stdin");
            let mut record = record(key("a"), "test /a", put_all(&store, &[b"output"]));
            record.sut = id;
            ticket.commit(record).expect("a commit");
        }
    }
    println!("child: done");
}

/// A child process, whose output is read.
struct Process(Child);

impl Process {
    fn start(dir: &Path, id: usize, said: &Sender<(usize, String)>) -> Self {
        let mut command = child::command(
            "tests::contention::one_process_runs_the_node_and_the_others_take_its_record",
            dir,
            &id.to_string(),
        );
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a child");
        let (lines, said) = (BufReader::new(child.stdout.take().expect("its stdout")), said.clone());
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                if let Some((_, words)) = line.split_once("child: ")
                    && said.send((id, words.to_owned())).is_err()
                {
                    return;
                }
            }
        });
        Self(child)
    }

    fn go_on(&mut self) {
        drop(self.0.stdin.take());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _status = self.0.wait();
    }
}

/// Starts `count` processes and waits until one of them runs and the others wait. Returns the number of the running one.
fn start(dir: &Path, count: usize) -> (Vec<Process>, Receiver<(usize, String)>, usize) {
    let (sender, said) = channel();
    let processes = (0..count).map(|id| Process::start(dir, id, &sender)).collect();
    let mut runner = None;
    for _ in 0..count {
        match said.recv().expect("a word") {
            (id, word) if word == "running" => assert_eq!(runner.replace(id), None, "two run"),
            (_, word) => assert_eq!(word, "busy"),
        }
    }
    (processes, said, runner.expect("one runs"))
}

/// Waits until `count` processes are done. For each one that took a record, returns whose record it took.
fn taken(said: &Receiver<(usize, String)>, count: usize) -> Vec<String> {
    let mut taken = Vec::new();
    let mut done = 0;
    while done < count {
        match said.recv().expect("a word").1.as_str() {
            "done" => done += 1,
            word => taken.push(word.strip_prefix("took ").expect("it took the record").to_owned()),
        }
    }
    taken
}

#[test]
fn one_process_runs_the_node_and_the_others_take_its_record() {
    if let Some((dir, id)) = child::orders() {
        return process_that_wants_the_node(&dir, id);
    }
    for count in [2, 8] {
        let env = Env::new();
        let (mut processes, said, runner) = start(env.dir.path(), count);
        processes[runner].go_on();
        assert_eq!(taken(&said, count), vec![runner.to_string(); count - 1]);
        let witness = fs::read_to_string(env.dir.path().join("witness")).expect("the witness");
        assert_eq!(witness, format!("{runner}\n"));
    }
}

#[test]
fn another_process_takes_over_from_one_that_was_killed() {
    let env = Env::new();
    env.commit(key("unrelated"), "test /b", &[]);
    let (mut processes, said, killed) = start(env.dir.path(), 4);
    processes[killed].0.kill().expect("a kill");
    let (next, word) = said.recv().expect("a word");
    assert_eq!(word, "running");
    assert_ne!(next, killed);
    processes[next].go_on();
    assert_eq!(taken(&said, 3), vec![next.to_string(); 2]);
    let witness = fs::read_to_string(env.dir.path().join("witness")).expect("the witness");
    assert_eq!(witness, format!("{killed}\n{next}\n"));
}

#[test]
fn threads_of_one_process_run_the_node_once() {
    let env = Env::new();
    let runs = thread::scope(|scope| {
        let want = || match env
            .store
            .claim_waiting(key("a"), |_| true, ClaimPatience::default())
            .expect("a lookup")
        {
            Lookup::Miss(ticket) => {
                ticket
                    .commit(record(key("a"), "test /a", Vec::new()))
                    .expect("a commit");
                1
            }
            _ => 0,
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(want)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum::<u32>()
    });
    assert_eq!(runs, 1);
}

#[test]
fn claim_that_comes_and_goes_is_never_held_twice() {
    let env = Env::new();
    let (holders, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while taken.load(Ordering::SeqCst) < 400 {
                    if let Lookup::Miss(ticket) = env.store.claim(key("a")).expect("a lookup") {
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        taken.fetch_add(1, Ordering::SeqCst);
                        thread::yield_now();
                        holders.fetch_sub(1, Ordering::SeqCst);
                        drop(ticket);
                    }
                }
            });
        }
    });
}

#[test]
fn many_processes_may_open_a_new_store_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut processes, said, runner) = start(dir.path(), 8);
    processes[runner].go_on();
    assert_eq!(taken(&said, 8).len(), 7);
    assert!(dir.path().join("cache/CACHEDIR.TAG").exists());
}
