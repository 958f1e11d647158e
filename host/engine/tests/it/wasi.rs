//! What of WASI a guest has open.

use rayw_core::{Error, ErrorKind};

use crate::support::{around, caller, engine, load, start};

const WORLD: &str = "
    package test:wasi;
    world guest {
        import wasi:clocks/monotonic-clock@0.2.0;
        export opened: func(number: u32) -> u32;
    }
    package wasi:clocks@0.2.0 {
        interface monotonic-clock {
            use wasi:io/poll@0.2.0.{pollable};
            subscribe-duration: func(when: u64) -> pollable;
        }
    }
    package wasi:io@0.2.0 {
        interface poll { resource pollable; }
    }";

/// Begins to wait so many times, and never ends it.
const MODULE: &str = r#"(module
    (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
    (memory (export "memory") 1)
    (func (export "opened") (param $left i32) (result i32)
        (loop $again
            (drop (call $subscribe (i64.const 0)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
        (i32.const 1)))"#;

async fn opened(number: u32) -> Result<String, Error> {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("wasi.wit", WORLD).unwrap();
    let engine = engine();
    let program = load(&engine, around(MODULE, &resolve, package, "guest")).await?;
    let (mut instance, _) = start(&engine, &program).await;
    let (function, args) = program.encode_call(&format!("opened({number})"))?;
    let args: Vec<_> = args.into_iter().map(std::sync::Arc::new).collect();
    let returned = instance.invoke(caller(), &function, &args, 1).await?;
    Ok(program.display(&returned.values[0]))
}

#[tokio::test]
async fn a_guest_that_opens_more_and_more_fails_alone_with_an_error_of_its_own() {
    assert_eq!(opened(1_000).await.unwrap(), "1");
    let error = opened(10_000).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::LimitExceeded, "{error}");
    assert!(error.message.contains("has more of WASI open than a sandbox keeps"), "{error}");
}
