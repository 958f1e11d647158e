//! What guests print.

use std::sync::Arc;

use rayw_core::limits;
use rayw_engine::{DirGrant, Grants, Output, Sandbox};

use crate::support::{Notes, caller, engine, load, start};

/// A program that writes `text` to a file descriptor `times` times.
fn printing(descriptor: u32, text: &str, times: u32) -> String {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let length = text.len();
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 4)
            (data (i32.const 1000) "{escaped}")
            (global $left (mut i32) (i32.const {times}))
            (func (export "_start")
                (loop $again
                    (i32.store (i32.const 0) (i32.const 1000))
                    (i32.store (i32.const 4) (i32.const {length}))
                    (drop (call $write (i32.const {descriptor}) (i32.const 0) (i32.const 1) (i32.const 8)))
                    (global.set $left (i32.sub (global.get $left) (i32.const 1)))
                    (br_if $again (global.get $left)))))"#
    )
}

async fn printed(descriptor: u32, text: &str, times: u32) -> Arc<Notes> {
    let engine = engine();
    let program = load(&engine, printing(descriptor, text, times)).await.unwrap();
    let (mut instance, notes) = start(&engine, &program).await;
    assert_eq!(instance.run_driver(caller()).await.unwrap(), 0);
    notes
}

#[tokio::test]
async fn output_comes_in_lines() {
    let notes = printed(1, "one\r\ntwo\n\nlast", 2).await;
    assert_eq!(notes.lines(), ["one", "two", "", "lastone", "two", "", "last"]);
    let notes = printed(2, "oh\n", 1).await;
    assert_eq!(*notes.lines.lock().unwrap(), [(Output::Stderr, "oh".to_owned())]);
}

#[tokio::test]
async fn a_line_without_end_is_cut_between_characters() {
    let notes = printed(1, &"ä".repeat(1001), 20).await;
    let lines = notes.lines();
    assert_eq!(lines.concat(), "ä".repeat(20_020));
    assert!(lines.len() == 3 && lines.iter().all(|line| line.len() <= limits::LOG_LINE_BYTES_MAX));
}

#[tokio::test]
async fn a_flood_is_cut_with_a_word() {
    let line = format!("{}\n", "x".repeat(1023));
    let notes = printed(1, &line, 20_000).await;
    let lines = notes.lines();
    assert_eq!(lines.len(), 16 * 1024 + 1);
    assert!(lines.last().unwrap().contains("dropped"));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let dir = DirGrant { host: "/nowhere/at/all".into(), guest: "/data".to_owned(), read_only: true };
    let grants = Grants { dirs: vec![dir], env: Vec::new() };
    let error = grants.check().unwrap_err().to_string();
    assert!(error.contains("cannot give the folder `/nowhere/at/all` as `/data`"), "{error}");
    let engine = engine();
    let program = load(&engine, printing(1, "x", 1)).await.unwrap();
    let sandbox = Sandbox { memory_bytes_max: 1 << 26, grants: Arc::new(grants), args: Vec::new() };
    let services = Arc::new(Notes::default());
    assert!(engine.start(&program, services, caller(), &sandbox).await.is_err());
}
