#![allow(warnings)]
#[path = "../tests/it/support.rs"]
mod support;
use support::*;
use std::sync::Arc;
use std::time::Instant;
use rayw_engine::*;
#[tokio::main]
async fn main() {
    let dir = std::env::temp_dir().join("eng-cache");
    let engine = engine_in(Some(&dir));
    let t = Instant::now();
    let program = load(&engine, std::fs::read(std::env::var("APP").unwrap()).unwrap()).await.unwrap();
    println!("load {:?} cached {} driver {}\n{}", t.elapsed(), program.was_cached(), program.has_driver(), program.signatures(None).unwrap());
    for call in Vec::<String>::new() { let call = call.as_str();
        println!("---- {call}");
        let (name, args) = program.encode_call(call).unwrap();
        let args: Vec<_> = args.into_iter().map(Arc::new).collect();
        let (mut i, notes) = start(&engine, &program).await;
        let t = Instant::now();
        match i.invoke(caller(), &name, &args, 1).await {
            Ok(r) => println!("-> {} refs {:?} in {:?}", program.display(&r.values[0]), r.handles, t.elapsed()),
            Err(e) => println!("-> {:?} {e}\n{}\ntype {:?} origin {:?} in {:?}", e.kind, e.backtrace.clone().unwrap_or_default(), e.type_name, e.origin, t.elapsed()),
        }
        println!("lines {:?} memory {}", notes.lines(), i.memory_bytes());
    }
    let notes = Arc::new(Notes::default());
    let sb = Sandbox { memory_bytes_max: 64<<20, args: vec!["app".into(), "two".into()], grants: Arc::new(Grants { dirs: vec![DirGrant { host: "/tmp/eng-data".into(), guest: "/data".into(), read_only: std::env::var("RO").is_ok() }], env: vec![("HOME".into(), "/here".into())] }) };
    let mut i = engine.start(&program, notes.clone(), caller(), &sb).await.unwrap();
    println!("driver {:?}", i.run_driver(caller()).await);
    println!("{:?}", notes.lines());
}
