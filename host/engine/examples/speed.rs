#![allow(warnings)]
#[path = "../tests/it/support.rs"]
mod support;
use support::*;
use std::sync::Arc;
use std::time::Instant;
use wasmtime::{Config, PoolingAllocationConfig, Enabled, InstanceAllocationStrategy, Store};
use wasmtime::component::{Component, Linker};
#[tokio::main(flavor="current_thread")]
async fn main() {
    let n = 20000u32;
    let file = guest(include_str!("../tests/it/guest.wat"));
    let noop = component("(memory 1)", "i32.const 1");
    // bare
    let mut config = Config::new();
    let mut p = PoolingAllocationConfig::default();
    p.total_component_instances(12).total_core_instances(48).total_memories(12).total_tables(24).total_stacks(12)
     .linear_memory_keep_resident(1<<20).table_keep_resident(64<<10).pagemap_scan(Enabled::Auto).max_unused_warm_slots(12)
     .max_memory_size(4<<30).table_elements(100_000).max_component_instance_size(10<<20).max_core_instance_size(10<<20);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(p)).concurrency_support(false).epoch_interruption(true);
    let e = wasmtime::Engine::new(&config).unwrap();
    let bare_component = Component::new(&e, &noop).unwrap();
    let linker: Linker<()> = Linker::new(&e);
    let pre = linker.instantiate_pre(&bare_component).unwrap();
    let idx = bare_component.get_export_index(None, "f").unwrap();
    for _ in 0..3 {
        let t = Instant::now();
        for _ in 0..n {
            let mut store = Store::new(&e, ());
            store.set_epoch_deadline(1_000_000);
            let i = pre.instantiate_async(&mut store).await.unwrap();
            let f = i.get_typed_func::<(), (i32,)>(&mut store, &idx).unwrap();
            f.call_async(&mut store, ()).await.unwrap();
        }
        println!("bare noop component: {:?}", t.elapsed() / n);
        let engine = engine();
        let program = load(&engine, &noop).await.unwrap();
        let notes = Arc::new(Notes::default());
        let sb = sandbox(64<<20);
        let c = caller();
        let t = Instant::now();
        for _ in 0..n {
            let mut i = engine.start(&program, notes.clone(), c.clone(), &sb).await.unwrap();
            i.invoke(c.clone(), "f", &[], 1).await.unwrap();
        }
        println!("rayw typed noop: {:?}", t.elapsed() / n);
        let program = load(&engine, &file).await.unwrap();
        let arg = [text("hello")];
        let t = Instant::now();
        for _ in 0..n {
            let mut i = engine.start(&program, notes.clone(), c.clone(), &sb).await.unwrap();
            i.invoke(c.clone(), "echo", &arg, 1).await.unwrap();
        }
        println!("rayw guest echo fresh: {:?}", t.elapsed() / n);
        let t = Instant::now();
        for _ in 0..n {
            let mut i = engine.start(&program, notes.clone(), c.clone(), &sb).await.unwrap();
        }
        println!("rayw guest start+drop only: {:?}", t.elapsed() / n);
        let mut i = engine.start(&program, notes.clone(), c.clone(), &sb).await.unwrap();
        let t = Instant::now();
        for k in 0..n {
            i.invoke(c.clone(), "echo", &arg, 1).await.unwrap();
        }
        println!("rayw guest echo live: {:?}", t.elapsed() / n);
        if let Ok(path) = std::env::var("APP") {
            let program = load(&engine, std::fs::read(&path).unwrap()).await.unwrap();
            println!("{}", program.signatures(None).unwrap());
            let (name, args) = program.encode_call(&std::env::var("CALL").unwrap()).unwrap();
            let args: Vec<_> = args.into_iter().map(Arc::new).collect();
            let t = Instant::now();
            for _ in 0..n {
                let mut i = engine.start(&program, notes.clone(), c.clone(), &sb).await.unwrap();
                i.invoke(c.clone(), &name, &args, 1).await.unwrap();
            }
            println!("app fresh: {:?}", t.elapsed() / n);
            let t = Instant::now();
            for _ in 0..n {
                let mut i = engine.start(&program, notes.clone(), c.clone(), &sb).await.unwrap();
            }
            println!("app start+drop: {:?}", t.elapsed() / n);
            let comp = Component::new(&e, std::fs::read(&path).unwrap()).unwrap();
            let mut linker: Linker<()> = Linker::new(&e);
            linker.define_unknown_imports_as_traps(&comp).unwrap();
            let pre = linker.instantiate_pre(&comp).unwrap();
            let t = Instant::now();
            for _ in 0..n {
                let mut store = Store::new(&e, ());
                store.set_epoch_deadline(1_000_000);
                let i = pre.instantiate_async(&mut store).await.unwrap();
            }
            println!("app BARE start+drop: {:?}", t.elapsed() / n);
            // bare with the same linker unavailable
            let mut i = engine.start(&program, notes.clone(), c.clone(), &sb).await.unwrap();
            let t = Instant::now();
            for _ in 0..n { i.invoke(c.clone(), &name, &args, 1).await.unwrap(); }
            println!("app live: {:?} mem {}", t.elapsed() / n, i.memory_bytes());
        }
    }
}
