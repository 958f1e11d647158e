#![allow(warnings)]
#[path = "../tests/it/support.rs"]
mod support;
use rayw_engine::*;
use std::sync::Arc;
use std::time::Instant;
use support::*;
#[tokio::main]
async fn main() {
    let engine = engine();
    let program = load(
        &engine,
        std::fs::read(std::env::var("APP").unwrap()).unwrap(),
    )
    .await
    .unwrap();
    println!("{}", program.signatures(None).unwrap());
    let (mut i, notes) = start(&engine, &program).await;
    for call in ["add(1,2)", "boom(3)", "hog(10000000)", "quit(3)"] {
        let (name, args) = program.encode_call(call).unwrap();
        let args: Vec<_> = args.into_iter().map(Arc::new).collect();
        let (mut i, notes) = start(&engine, &program).await;
        match i.invoke(caller(), &name, &args, 1).await {
            Ok(r) => println!("-> {}", program.display(&r.values[0])),
            Err(e) => println!(
                "-> {:?} {e}\n{}",
                e.kind,
                e.backtrace.clone().unwrap_or_default()
            ),
        }
    }
    let notes = Arc::new(Notes::default());
    let sb = Sandbox {
        memory_bytes_max: 64 << 20,
        args: vec!["app".into(), "two".into()],
        grants: Arc::new(Grants::default()),
    };
    let mut i = engine
        .start(&program, notes.clone(), caller(), &sb)
        .await
        .unwrap();
    match i.run_driver(caller()).await {
        Ok(c) => println!("{c}"),
        Err(e) => println!("{:?} {e}\n{}", e.kind, e.backtrace.clone().unwrap_or_default()),
    }
    println!("{:?}", notes.lines());
    let sb = sandbox(64 << 20);
    for name in ["add"] {
        for (k, n) in [("fresh", 20000u32)] {
            let args: Vec<_> = program
                .encode_call("add(1,2)")
                .unwrap()
                .1
                .into_iter()
                .map(Arc::new)
                .collect();
            let c = caller();
            let t = Instant::now();
            for _ in 0..n {
                let mut i = engine
                    .start(&program, notes.clone(), c.clone(), &sb)
                    .await
                    .unwrap();
                i.invoke(c.clone(), name, &args, 1).await.unwrap();
            }
            println!("{k} {:?}", t.elapsed() / n);
            let mut i = engine
                .start(&program, notes.clone(), c.clone(), &sb)
                .await
                .unwrap();
            let t = Instant::now();
            for _ in 0..n {
                i.invoke(c.clone(), name, &args, 1).await.unwrap();
            }
            println!("live {:?}", t.elapsed() / n);
        }
    }
}
