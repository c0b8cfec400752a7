//! Writes a run as a trace that Perfetto and Chrome's `about:tracing` can show: one track for each SUT, with what it did and
//! when.
//!
//! The form is the JSON array of the Trace Event Format (Google, 2016): complete events (`X`) for spans, `M` for names, `i` for
//! moments, `C` for counters. Invariant: the spans of a track do not overlap, even if clocks jump or the run was cut off. The use
//! of memory does not grow with the run.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::event::{Event, Stamped, SutEvent};

/// The process id of all tracks, so that the viewer shows them as one process.
const PID: u32 = 1;

/// What a SUT is doing.
#[derive(Debug)]
struct Span {
    name: String,
    category: &'static str,
    begin: u64,
    args: Value,
}

/// The track of a SUT.
#[derive(Debug)]
struct Track {
    id: usize,
    /// When its last span ended.
    free: u64,
    open: Option<Span>,
}

/// Writes a trace, event by event.
pub struct Trace<W> {
    out: W,
    tracks: BTreeMap<String, Track>,
    /// When the run started, in milliseconds since the epoch.
    origin: Option<u64>,
    now: u64,
    any: bool,
}

impl<W: Write> Trace<W> {
    /// Starts a trace.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"{\"displayTimeUnit\":\"ms\",\"traceEvents\":[")?;
        Ok(Self {
            out,
            tracks: BTreeMap::new(),
            origin: None,
            now: 0,
            any: false,
        })
    }

    /// Takes the next event of the run.
    pub fn event(&mut self, stamped: &Stamped) -> io::Result<()> {
        let origin = *self.origin.get_or_insert(stamped.time);
        let time = stamped.time.saturating_sub(origin);
        self.now = self.now.max(time);
        match &stamped.event {
            Event::RunStarted { command, run, suts, .. } => {
                let args = json!({ "name": format!("atex {} ({run})", command.word()) });
                self.write(&json!({"name": "process_name", "ph": "M", "pid": PID, "args": args}))?;
                suts.iter().try_for_each(|sut| self.track(sut).map(drop))
            }
            Event::Sut { sut, state, note } => self.sut(sut, *state, note, time),
            Event::NodeStarted {
                node,
                key,
                sut,
                attempt,
            } => {
                let args = json!({ "key": key, "attempt": attempt });
                self.begin(sut, node.label().to_owned(), node.kind().word(), args, time)
            }
            Event::NodeFinished {
                sut,
                outcome,
                note,
                results,
                ..
            } => {
                let more = json!({ "outcome": outcome, "note": note, "results": results });
                self.end(sut, &more, time)
            }
            Event::NodeCached { node, sut, age, .. } => {
                let args = json!({ "age": age, "sut": sut });
                self.moment(&format!("cached {node}"), &args, time)
            }
            Event::NodeSkipped { node, reason, .. } => {
                self.moment(&format!("skipped {node}"), &json!({ "reason": reason }), time)
            }
            Event::Warning { text } => self.moment("warning", &json!({ "text": text }), time),
            Event::LeftOut { plan, test, error } => {
                let name = format!("left out {}", test.as_ref().unwrap_or(plan));
                self.moment(&name, &json!({ "plan": plan, "error": error }), time)
            }
            Event::Outlook { waiting, running, .. } => {
                let args = json!({ "waiting": waiting, "running": running });
                self.write(&json!({"name": "tests", "ph": "C", "pid": PID, "ts": micros(time), "args": args}))
            }
            Event::RunFinished { .. } | Event::Audited { .. } | Event::Result { .. } => Ok(()),
        }
    }

    /// Ends the trace and all spans that are still open.
    pub fn finish(mut self) -> io::Result<W> {
        let suts: Vec<String> = self.tracks.keys().cloned().collect();
        for sut in suts {
            self.end(&sut, &Value::Null, self.now)?;
        }
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn sut(&mut self, sut: &str, state: SutEvent, note: &str, time: u64) -> io::Result<()> {
        let args = json!({ "note": note });
        match state {
            SutEvent::Ready | SutEvent::Idle => self.end(sut, &Value::Null, time),
            SutEvent::Joined => self.track(sut).map(drop),
            SutEvent::Tainted | SutEvent::Owing => self.moment(&format!("{state} {sut}"), &args, time),
            SutEvent::Dropped | SutEvent::Released => {
                self.end(sut, &Value::Null, time)?;
                self.moment(&format!("{state} {sut}"), &args, time)
            }
            SutEvent::Waiting
            | SutEvent::Connecting
            | SutEvent::Entering
            | SutEvent::Syncing
            | SutEvent::Installing
            | SutEvent::Changed
            | SutEvent::Restored
            | SutEvent::Leaving => self.begin(sut, state.word().to_owned(), "sut", args, time),
        }
    }

    /// Returns the track of a SUT. A new track gets its name.
    fn track(&mut self, sut: &str) -> io::Result<&mut Track> {
        if !self.tracks.contains_key(sut) {
            let id = self.tracks.len() + 1;
            self.write(&json!({"name": "thread_name", "ph": "M", "pid": PID, "tid": id, "args": { "name": sut }}))?;
            self.write(
                &json!({"name": "thread_sort_index", "ph": "M", "pid": PID, "tid": id, "args": { "sort_index": id }}),
            )?;
        }
        let id = self.tracks.len() + 1;
        Ok(self.tracks.entry(sut.to_owned()).or_insert(Track {
            id,
            free: 0,
            open: None,
        }))
    }

    /// Begins a span and ends the one before it.
    fn begin(&mut self, sut: &str, name: String, category: &'static str, args: Value, time: u64) -> io::Result<()> {
        self.end(sut, &Value::Null, time)?;
        let track = self.track(sut)?;
        let begin = time.max(track.free);
        track.open = Some(Span {
            name,
            category,
            begin,
            args,
        });
        Ok(())
    }

    fn end(&mut self, sut: &str, more: &Value, time: u64) -> io::Result<()> {
        let track = self.track(sut)?;
        let Some(Span {
            name,
            category,
            begin,
            mut args,
        }) = track.open.take()
        else {
            return Ok(());
        };
        let end = time.max(begin);
        track.free = end;
        let id = track.id;
        if let (Value::Object(args), Value::Object(more)) = (&mut args, more) {
            args.extend(more.clone());
        }
        self.write(&json!({
            "name": name, "cat": category, "ph": "X", "pid": PID, "tid": id,
            "ts": micros(begin), "dur": micros(end - begin), "args": args,
        }))
    }

    fn moment(&mut self, name: &str, args: &Value, time: u64) -> io::Result<()> {
        self.write(&json!({"name": name, "ph": "i", "s": "p", "pid": PID, "tid": 0, "ts": micros(time), "args": args}))
    }

    fn write(&mut self, value: &Value) -> io::Result<()> {
        let separator: &[u8] = if std::mem::replace(&mut self.any, true) {
            b",\n"
        } else {
            b"\n"
        };
        self.out.write_all(separator)?;
        serde_json::to_writer(&mut self.out, value).map_err(io::Error::from)
    }
}

fn micros(milliseconds: u64) -> u64 {
    milliseconds.saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{NodeOutcome, NodeRef};

    fn sut(sut: &str, state: SutEvent) -> Event {
        Event::Sut {
            sut: sut.into(),
            state,
            note: String::new(),
        }
    }

    fn started(node: &str, sut: &str) -> Event {
        Event::NodeStarted {
            node: NodeRef::from_label(node).unwrap(),
            key: "00".into(),
            sut: sut.into(),
            attempt: 1,
        }
    }

    fn finished(node: &str, sut: &str) -> Event {
        Event::NodeFinished {
            node: NodeRef::from_label(node).unwrap(),
            key: "00".into(),
            sut: sut.into(),
            outcome: NodeOutcome::Pass,
            duration: 1,
            note: String::new(),
            log: String::new(),
            results: BTreeMap::new(),
            again: false,
        }
    }

    /// Returns the spans of a trace: track, name, begin and end.
    fn spans(events: &[(u64, Event)]) -> Vec<(u64, String, u64, u64)> {
        let mut trace = Trace::new(Vec::new()).unwrap();
        for (time, event) in events {
            let event = event.clone();
            trace.event(&Stamped { time: *time, event }).unwrap();
        }
        let json: Value = serde_json::from_slice(&trace.finish().unwrap()).unwrap();
        let events = json["traceEvents"].as_array().unwrap();
        let number = |event: &Value, key: &str| event[key].as_u64().unwrap();
        events
            .iter()
            .filter(|event| event["ph"] == "X")
            .map(|event| {
                let begin = number(event, "ts");
                let name = event["name"].as_str().unwrap().to_owned();
                (number(event, "tid"), name, begin, begin + number(event, "dur"))
            })
            .collect()
    }

    #[test]
    fn each_sut_has_a_track_with_what_it_did() {
        let spans = spans(&[
            (1000, sut("a", SutEvent::Connecting)),
            (1010, sut("a", SutEvent::Ready)),
            (1010, sut("b", SutEvent::Connecting)),
            (1011, started("test /t", "a")),
            (1031, finished("test /t", "a")),
            (1032, sut("b", SutEvent::Dropped)),
        ]);
        assert_eq!(
            spans,
            [
                (1, "connecting".into(), 0, 10_000),
                (1, "test /t".into(), 11_000, 31_000),
                (2, "connecting".into(), 10_000, 32_000),
            ]
        );
    }

    #[test]
    fn spans_of_a_track_do_not_overlap_where_the_clock_goes_back_or_the_run_is_cut_off() {
        let spans = spans(&[
            (1000, started("test /a", "a")),
            (1100, finished("test /a", "a")),
            (1050, started("test /b", "a")),
            (1060, sut("a", SutEvent::Syncing)),
            (1070, started("test /c", "a")),
        ]);
        assert_eq!(spans.len(), 4);
        for pair in spans.windows(2) {
            assert!(pair[0].3 <= pair[1].2, "{pair:?}");
        }
    }
}
