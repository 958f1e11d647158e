#![allow(warnings)]
#[path = "../tests/it/support.rs"]
mod support;
use support::*;
use std::sync::Arc;
use std::time::Instant;
#[tokio::main(flavor="current_thread")]
async fn main() {
    let n = 200000u32;
    let engine = engine_in(Some(std::path::Path::new("/tmp/eng-cache")));
    let program = load(&engine, std::fs::read(std::env::var("APP").unwrap()).unwrap()).await.unwrap();
    let notes = Arc::new(Notes::default());
    let sb = sandbox(64<<20);
    let c = caller();
    let (name, args) = program.encode_call(&std::env::var("CALL").unwrap()).unwrap();
    let args: Vec<_> = args.into_iter().map(Arc::new).collect();
    let (mut a, mut b, mut d) = (0u128, 0u128, 0u128);
    for _ in 0..n {
        let t = Instant::now();
        let mut i = engine.start(&program, notes.clone(), c.clone(), &sb).await.unwrap();
        a += t.elapsed().as_nanos();
        let t = Instant::now();
        i.invoke(c.clone(), &name, &args, 1).await.unwrap();
        b += t.elapsed().as_nanos();
        let t = Instant::now();
        drop(i);
        d += t.elapsed().as_nanos();
    }
    println!("start {} invoke {} drop {}", a / n as u128, b / n as u128, d / n as u128);
}
