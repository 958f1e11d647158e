//! Order, prefixes, floods and readers that go away.

use std::sync::{Mutex, mpsc};
use std::time::Duration;

use rayw_core::{ActorId, JobId, NodeId, limits};

use super::*;
use crate::embedded::Line;

#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
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

fn line(text: &str) -> Line {
    let task = JobId::numbered(1).driver(7);
    let node = NodeId([0xab; 16]);
    Line {
        stderr: false,
        driver: false,
        job: JobId::numbered(1),
        name: "square".into(),
        task,
        actor: None,
        node,
        text: text.into(),
        ends: true,
    }
}

/// Runs `say` against a printer whose two streams are one screen, and gives what it shows.
fn shown(terminal: Terminal, say: impl FnOnce(&PrinterHandle)) -> String {
    let screen = Screen::default();
    let printer = Printer::start_with(terminal, Box::new(screen.clone()), Box::new(screen.clone())).unwrap();
    say(&printer.handle());
    printer.close();
    screen.text()
}

#[test]
fn lines_say_whose_they_are() {
    let text = shown(Terminal::default(), |printer| {
        let sink = printer.sink();
        let actor = ActorId::from(JobId::numbered(2).driver(7));
        sink(line("of a task"));
        sink(Line { actor: Some(actor), name: "Counter.add".into(), ..line("of an actor") });
        sink(Line { stderr: true, ..line("to stderr") });
        sink(Line { driver: true, ..line("of the driver") });
        sink(Line { name: "\u{1b}[2J\n".into(), ..line("of a joker") });
    });
    insta::assert_snapshot!(text, @r"
    (square task=3455fcf6 node=abababab) of a task
    (Counter.add actor=448e9901 node=abababab) of an actor
    (square task=3455fcf6 node=abababab) to stderr
    of the driver
    (\u{1b}[2J\n task=3455fcf6 node=abababab) of a joker
    ");
}

#[test]
fn only_a_prefix_is_dimmed_and_only_where_there_are_colours() {
    let terminal = Terminal { stdout_colour: true, ..Terminal::default() };
    let text = shown(terminal, |printer| {
        let sink = printer.sink();
        sink(line("out"));
        sink(Line { stderr: true, ..line("err") });
        sink(Line { driver: true, ..line("driver") });
    });
    insta::assert_snapshot!(text.replace('\u{1b}', "ESC"), @r"
    ESC[2m(square task=3455fcf6 node=abababab)ESC[0m out
    (square task=3455fcf6 node=abababab) err
    driver
    ");
}

#[test]
fn order_is_kept_between_streams_and_senders() {
    let text = shown(Terminal::default(), |printer| {
        let sink = printer.sink();
        for number in 0..1_000 {
            sink(Line { driver: true, stderr: number % 3 == 0, ..line(&number.to_string()) });
            if number % 100 == 0 {
                printer.out(format!("result {number}"));
            }
        }
    });
    let expected: String =
        (0..1_000).map(|n| if n % 100 == 0 { format!("{n}\nresult {n}\n") } else { format!("{n}\n") }).collect();
    assert_eq!(text, expected);
}

/// A screen that shows nothing until it is let go.
struct Stuck(mpsc::Receiver<()>, Screen);

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The sender goes away when the test lets go: then nothing waits any more.
        let _ = self.0.recv();
        self.1.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_flood_waits_for_nobody_and_what_is_lost_is_counted() {
    let screen = Screen::default();
    let (let_go, stuck) = mpsc::sync_channel(1);
    let stuck = Stuck(stuck, screen.clone());
    let printer = Printer::start_with(Terminal::default(), Box::new(stuck), Box::new(screen.clone())).unwrap();
    let handle = printer.handle();
    let sink = handle.sink();
    sink(line("first"));
    // The thread has taken the first line before the flood begins, so the numbers below are exact.
    while !handle.queue.is_writing() {
        std::thread::sleep(Duration::from_millis(1));
    }
    for _ in 0..limits::LOG_QUEUE_LINES_MAX + 5 {
        sink(line("x"));
    }
    handle.err("error: never dropped");
    drop(let_go);
    printer.close();
    let text = screen.text();
    assert_eq!(text.lines().filter(|line| line.ends_with(") x")).count(), limits::LOG_QUEUE_LINES_MAX);
    assert!(
        text.ends_with(
            "x\nrayw: 5 lines of output dropped: they came faster than they can be shown\nerror: never dropped\n"
        ),
        "{}",
        &text[text.len() - 200..]
    );
}

#[test]
fn a_driver_waits_for_its_reader_and_loses_nothing() {
    let screen = Screen::default();
    let (let_go, stuck) = mpsc::sync_channel(1);
    let stuck = Stuck(stuck, screen.clone());
    let printer = Printer::start_with(Terminal::default(), Box::new(stuck), Box::new(screen.clone())).unwrap();
    let sink = printer.handle().sink();
    let lines = limits::LOG_QUEUE_LINES_MAX * 2;
    let driver = std::thread::spawn(move || (0..lines).for_each(|_| sink(Line { driver: true, ..line("x") })));
    drop(let_go);
    driver.join().unwrap();
    printer.close();
    assert_eq!(screen.text(), "x\n".repeat(lines));
}

#[test]
fn large_lines_are_counted_in_bytes() {
    let queue = Queue::default();
    let half = "x".repeat(queue::BYTES_MAX / 2 + 1);
    queue.offer(Entry::Err(half.clone()));
    queue.offer(Entry::Err(half));
    let batch = queue.take().unwrap();
    assert_eq!(batch.len(), 1);
    assert!(matches!(&queue.take().unwrap()[..], [Entry::Err(words)] if words.contains("1 line of output dropped")));
}

struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let screen = Screen::default();
    let printer = Printer::start_with(Terminal::default(), Box::new(Gone), Box::new(screen.clone())).unwrap();
    let handle = printer.handle();
    handle.out("lost");
    handle.flush();
    handle.out("lost too");
    handle.err("seen");
    printer.close();
    assert_eq!(screen.text(), "seen\n");
}
