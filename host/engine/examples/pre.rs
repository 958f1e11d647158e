#![allow(warnings)]
#[path = "../tests/it/support.rs"]
mod support;
use support::*;
use std::sync::Arc;
use rayw_engine::*;
#[tokio::main]
async fn main() {
    let engine = engine();
    for fd in 3..5 { for (what, f) in [("prestat", "(call $prestat (i32.const FD) (i32.const 64))"), ("name", "(call $name (i32.const FD) (i32.const 64) (i32.const 5))"), ("fdstat", "(call $fdstat (i32.const FD) (i32.const 64))"),
      ("open", "(call $open (i32.const FD) (i32.const 0) (i32.const 100) (i32.const 5) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 64))")] {
    let f = f.replace("FD", &fd.to_string());
    let w = format!(r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_fdstat_get" (func $fdstat (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_prestat_dir_name" (func $name (param i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "path_open" (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
        (import "rayw:core/context@0.1.0" "exit" (func $exit2 (param i32)))
        (memory (export "memory") 1)
        (data (i32.const 100) "a.txt")
        (func (export "_start") (drop {f}) (if {f} (then (call $exit (i32.const 1))) (else (call $exit (i32.const 0))))))"#).replace(r#"(import "rayw:core/context@0.1.0" "exit" (func $exit2 (param i32)))"#, "");
    let program = load(&engine, &w).await.unwrap();
    let notes = Arc::new(Notes::default());
    let sb = Sandbox { memory_bytes_max: 64<<20, args: vec!["app".into(), "two".into()], grants: Arc::new(Grants { dirs: vec![DirGrant { host: "/tmp/eng-data".into(), guest: "/data".into(), read_only: false }], env: vec![] }) };
    let mut i = engine.start(&program, notes.clone(), caller(), &sb).await.unwrap();
    println!("{fd} {what} {:?}", i.run_driver(caller()).await);
    }}
}
