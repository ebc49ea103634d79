//! What tokio-console is told of a task, read by a subscriber of our own.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use tidemill_scheduler::{Procs, Runtime, yield_now};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Fields by name, as text.
#[derive(Debug, Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name(), format!("{value} as u64"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

/// Writes down spans and events, each as a line, and each span's fields.
#[derive(Clone, Default)]
struct Recorder(Arc<Recorded>);

#[derive(Default)]
struct Recorded {
    spans: AtomicU64,
    lines: Mutex<Vec<String>>,
    fields: Mutex<Vec<Fields>>,
}

impl Recorder {
    fn line(&self, text: String) {
        self.0.lines.lock().unwrap().push(text);
    }
}

impl Subscriber for Recorder {
    /// As console-subscriber's filter does.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.name().starts_with("runtime.") || metadata.target().starts_with("tokio::task::waker")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        self.0.fields.lock().unwrap().push(fields);
        let id = self.0.spans.fetch_add(1, Ordering::SeqCst) + 1;
        self.line(format!("{} {id} root={}", attributes.metadata().name(), attributes.is_root()));
        Id::from_u64(id)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.line(format!("{} {}", fields.0["op"], fields.0["task.id"]));
    }

    fn enter(&self, span: &Id) {
        self.line(format!("enter {}", span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        self.line(format!("exit {}", span.into_u64()));
    }

    fn try_close(&self, span: Id) -> bool {
        self.line(format!("close {}", span.into_u64()));
        true
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
}

#[test]
fn a_task_is_a_span_and_its_waker_tells_events() {
    let recorder = Recorder::default();
    tracing::subscriber::set_global_default(recorder.clone()).unwrap();
    let rt = Runtime::builder().procs(Procs::Fixed(1)).build().unwrap();
    let (line, column) = (line!() + 1, 19);
    let task = rt.spawn(async {
        yield_now().await;
        let mut other: Option<std::thread::JoinHandle<()>> = None;
        poll_fn(|context| {
            if let Some(other) = other.take() {
                other.join().unwrap();
                return Poll::Ready(());
            }
            let (waker, spare) = (context.waker().clone(), context.waker().clone());
            drop(spare);
            other = Some(std::thread::spawn(|| waker.wake()));
            Poll::Pending
        })
        .await;
        7
    });
    assert_eq!(rt.block_on(task).unwrap(), 7);
    drop(rt);

    let fields = recorder.0.fields.lock().unwrap();
    let [fields] = &fields[..] else { panic!("{fields:?}") };
    let expected = [
        ("kind", "task".to_owned()),
        ("task.id", "1 as u64".to_owned()),
        ("loc.file", file!().to_owned()),
        ("loc.line", format!("{line} as u64")),
        ("loc.col", format!("{column} as u64")),
    ];
    for (name, value) in expected {
        assert_eq!(fields.0.get(name), Some(&value), "{name} in {fields:?}");
    }
    assert!(fields.0["size.bytes"].ends_with(" as u64") && fields.0["future"].contains("a_task_is_a_span"));

    let lines = recorder.0.lines.lock().unwrap();
    let yielded = ["runtime.spawn 1 root=true", "enter 1", "waker.wake_by_ref 1 as u64", "exit 1", "enter 1"];
    assert_eq!(lines[..5], yielded, "{lines:?}");
    let count = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(["enter 1", "exit 1", "close 1"].map(count), [3, 3, 1], "{lines:?}");
    // Each clone is woken by value or dropped.
    assert_eq!(["waker.clone", "waker.drop", "waker.wake 1"].map(count), [2, 1, 1], "{lines:?}");
    assert_eq!(lines.last().unwrap(), "close 1", "{lines:?}");
}
