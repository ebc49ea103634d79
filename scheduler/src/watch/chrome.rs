//! The flight record as JSON in Chrome's trace-event format, which <https://ui.perfetto.dev> and `chrome://tracing` read.
//!
//! One track per thread. A begin and its end become one complete event (`X`); a begin whose end is not there yet stays
//! open (`B`); an end whose begin was overwritten is left out; a point in time becomes an instant (`i`). Written by hand:
//! it is six kinds of lines, and a JSON library would be the largest dependency of this crate.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::time::Duration;

use super::event::{Event, RetakeReason, Span, Track, What};

/// Writes `events`, oldest first, of the process that `process` names.
pub(super) fn write(to: &mut impl Write, process: &str, events: &[Event]) -> io::Result<()> {
    writeln!(to, "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    write!(to, "{{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{{\"name\":{}}}}}", Text(process))?;
    let mut open: BTreeMap<Track, Vec<Event>> = BTreeMap::new();
    for event in events {
        let stack = open.entry(event.track).or_default();
        match event.what {
            What::Begin(_) => stack.push(*event),
            What::End(span) => {
                if let Some(begin) = close(stack, span) {
                    complete(to, &begin, event.at)?;
                }
            }
            _ => point(to, event)?,
        }
    }
    for (track, stack) in open {
        name(to, track)?;
        for event in stack {
            line(to, "B", &event, "")?;
        }
    }
    writeln!(to, "\n]}}")
}

/// Takes the begin of `span` off the stack, and what was begun after it, whose end is lost.
fn close(stack: &mut Vec<Event>, span: Span) -> Option<Event> {
    let begin = stack.iter().rposition(|event| event.what == What::Begin(span))?;
    stack.drain(begin..).next()
}

fn complete(to: &mut impl Write, begin: &Event, end: Duration) -> io::Result<()> {
    line(to, "X", begin, &format!(",\"dur\":{}", Micros(end.saturating_sub(begin.at))))
}

fn point(to: &mut impl Write, event: &Event) -> io::Result<()> {
    // "t": the mark is drawn on the thread's own track.
    line(to, "i", event, ",\"s\":\"t\"")
}

/// The name of a track, and its place: the monitor above the machines.
fn name(to: &mut impl Write, track: Track) -> io::Result<()> {
    let tid = tid(track);
    let name = match track {
        Track::Monitor => "monitor".to_owned(),
        Track::Machine(machine) => format!("machine {machine}"),
    };
    let entry = |what: &str, args: &str| {
        format!(",\n{{\"ph\":\"M\",\"pid\":1,\"tid\":{tid},\"name\":\"{what}\",\"args\":{{{args}}}}}")
    };
    to.write_all(entry("thread_name", &format!("\"name\":{}", Text(&name))).as_bytes())?;
    to.write_all(entry("thread_sort_index", &format!("\"sort_index\":{tid}")).as_bytes())
}

fn tid(track: Track) -> u64 {
    match track {
        Track::Monitor => 1,
        Track::Machine(machine) => u64::from(machine) + 2,
    }
}

fn line(to: &mut impl Write, phase: &str, event: &Event, more: &str) -> io::Result<()> {
    let (name, args) = label(&event.what);
    let (name, at, tid) = (Text(&name), Micros(event.at), tid(event.track));
    write!(to, ",\n{{\"ph\":\"{phase}\",\"pid\":1,\"tid\":{tid},\"ts\":{at}{more},\"name\":{name}")?;
    if !args.is_empty() {
        write!(to, ",\"args\":{{{args}}}")?;
    }
    to.write_all(b"}")
}

/// What an event is called, and its arguments in JSON.
fn label(what: &What) -> (String, String) {
    let plain = |name: &str| (name.to_owned(), String::new());
    match what {
        What::Begin(Span::Poll { task, name }) | What::End(Span::Poll { task, name }) => {
            ((*name).to_owned(), format!("\"task\":{task}"))
        }
        What::Begin(span) | What::End(span) => plain(span_name(*span)),
        What::Steal { tasks } => ("steal".to_owned(), format!("\"tasks\":{tasks}")),
        What::Retake { machine, reason } => {
            (format!("retake: {}", reason_name(*reason)), format!("\"machine\":{machine}"))
        }
        What::Relieve { machine } => ("relieve".to_owned(), format!("\"machine\":{machine}")),
        What::Resize { procs } => (format!("resize to {procs}"), String::new()),
    }
}

fn span_name(span: Span) -> &'static str {
    match span {
        Span::Poll { name, .. } => name,
        Span::Blocking => "blocking",
        Span::Wait => "wait for a permit",
        Span::Turn => "reactor turn",
        Span::Drive => "idle in the reactor",
        Span::Park => "parked",
    }
}

fn reason_name(reason: RetakeReason) -> &'static str {
    match reason {
        RetakeReason::Marked => "marked",
        RetakeReason::Blocked => "blocked",
        RetakeReason::Burning => "burning",
    }
}

/// Microseconds, to the nanosecond.
struct Micros(Duration);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_micros(), self.0.subsec_nanos() % 1_000)
    }
}

/// A JSON string.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Span = Span::Poll { task: 65, name: "shop::\"order\"" };
    const OTHER: Span = Span::Poll { task: 66, name: "other" };

    fn written(events: &[(u64, Track, What)]) -> String {
        let event = |&(nanos, track, what): &(u64, Track, What)| Event { at: Duration::from_nanos(nanos), track, what };
        let mut out = Vec::new();
        write(&mut out, "a\\b\n", &events.iter().map(event).collect::<Vec<_>>()).expect("memory takes it");
        String::from_utf8(out).expect("JSON is text")
    }

    #[test]
    fn an_empty_record_is_an_empty_trace() {
        let expected = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n\
            {\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"a\\\\b\\u000a\"}}\n]}\n";
        assert_eq!(written(&[]), expected);
    }

    #[test]
    fn each_kind_of_event_has_its_line() {
        use What::{Begin, End};
        let (monitor, machine) = (Track::Monitor, Track::Machine(0));
        let text = written(&[
            (1, machine, End(OTHER)), // its begin was overwritten
            (1_000, machine, Begin(POLL)),
            (2_000, machine, Begin(Span::Blocking)),
            (2_500, monitor, What::Retake { machine: 0, reason: RetakeReason::Marked }),
            (1_002_003, machine, End(Span::Blocking)),
            (1_003_000, machine, Begin(Span::Turn)), // its end is lost
            (1_004_000, machine, End(POLL)),
            (1_005_000, machine, What::Steal { tasks: 4 }),
            (1_006_000, machine, Begin(Span::Park)),
        ]);
        let lines: Vec<&str> = text.lines().skip(2).collect();
        let expected = [
            r#"{"ph":"i","pid":1,"tid":1,"ts":2.500,"s":"t","name":"retake: marked","args":{"machine":0}},"#,
            r#"{"ph":"X","pid":1,"tid":2,"ts":2.000,"dur":1000.003,"name":"blocking"},"#,
            r#"{"ph":"X","pid":1,"tid":2,"ts":1.000,"dur":1003.000,"name":"shop::\"order\"","args":{"task":65}},"#,
            r#"{"ph":"i","pid":1,"tid":2,"ts":1005.000,"s":"t","name":"steal","args":{"tasks":4}},"#,
            r#"{"ph":"M","pid":1,"tid":1,"name":"thread_name","args":{"name":"monitor"}},"#,
            r#"{"ph":"M","pid":1,"tid":1,"name":"thread_sort_index","args":{"sort_index":1}},"#,
            r#"{"ph":"M","pid":1,"tid":2,"name":"thread_name","args":{"name":"machine 0"}},"#,
            r#"{"ph":"M","pid":1,"tid":2,"name":"thread_sort_index","args":{"sort_index":2}},"#,
            r#"{"ph":"B","pid":1,"tid":2,"ts":1006.000,"name":"parked"}"#,
            "]}",
        ];
        assert_eq!(lines, expected);
    }
}
