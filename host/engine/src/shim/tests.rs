//! Components with shims, and without.

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

use super::*;
use crate::componentize;

const WORLD: &str = "
    package test:shim;
    world guest {
        import next: func(number: u32) -> u32;
        import name: func(number: u32) -> string;
        import note: func(text: string);
        export run: func(number: u32) -> u32;
        export nested: interface {
            length: func(text: string) -> u32;
        }
    }";

/// Calls all three imports, one of them through its table, and answers with the length of the name.
const MODULE: &str = r#"(module
    (import "$root" "name" (func $name (param i32 i32)))
    (import "$root" "next" (func $next (param i32) (result i32)))
    (import "$root" "note" (func $note (param i32 i32)))
    (table 2 funcref)
    (elem (i32.const 1) func $note)
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 64))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        global.get $free
        (global.set $free (i32.add (global.get $free) (local.get 3))))
    (func $run (export "run") (param i32) (result i32)
        (call $name (call $next (local.get 0)) (i32.const 0))
        (call_indirect (param i32 i32) (i32.load (i32.const 0)) (i32.load (i32.const 4)) (i32.const 1))
        (i32.load (i32.const 4)))
    (func (export "nested#length") (param i32 i32) (result i32) local.get 1))"#;

/// A component as wit-component lays it out.
fn component(module: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    componentize::embed(&mut module, WORLD).unwrap();
    componentize::component(&module, "guest.wasm").unwrap().into_owned()
}

/// What it answers, and what it noted.
fn run(component: &[u8]) -> (u32, Vec<String>) {
    let engine = Engine::default();
    let component = Component::from_binary(&engine, component).unwrap();
    let mut linker: Linker<Vec<String>> = Linker::new(&engine);
    let mut root = linker.root();
    root.func_wrap("next", |_, (number,): (u32,)| Ok((number + 1,))).unwrap();
    root.func_wrap("name", |_, (number,): (u32,)| Ok(("n".repeat(number as usize),))).unwrap();
    root.func_wrap("note", |mut noted, (text,): (String,)| {
        noted.data_mut().push(text);
        Ok(())
    })
    .unwrap();
    let mut store = Store::new(&engine, Vec::new());
    let instance = linker.instantiate(&mut store, &component).unwrap();
    let run = instance.get_typed_func::<(u32,), (u32,)>(&mut store, "run").unwrap();
    let (answer,) = run.call(&mut store, (4,)).unwrap();
    (answer, store.into_data())
}

fn started(component: &[u8]) -> usize {
    let is_started = |instance: &&CoreInstance| matches!(instance, CoreInstance::Started { .. });
    Layout::of(component).unwrap().instances.iter().filter(is_started).count()
}

#[test]
fn a_component_does_the_same_without_its_shim() {
    let built = component(MODULE);
    let folded = fold(&built).unwrap();
    assert!(is_valid(&folded));
    assert_eq!((started(&built), started(&folded)), (3, 2));
    assert_eq!(run(&built), (5, vec!["nnnnn".to_owned()]));
    assert_eq!(run(&folded), run(&built));
    assert_eq!(fold(&folded), None, "there is none any more");
}

#[test]
fn functions_keep_their_names() {
    let folded = fold(&component(MODULE)).unwrap();
    let layout = Layout::of(&folded).unwrap();
    let mut names = Vec::new();
    for payload in layout.modules.iter().flat_map(|module| Parser::new(0).parse_all(module)) {
        if let Payload::CustomSection(section) = payload.unwrap()
            && let wasmparser::KnownCustom::Name(subsections) = section.as_known()
        {
            for subsection in subsections {
                if let wasmparser::Name::Function(functions) = subsection.unwrap() {
                    names.extend(functions.into_iter().map(|name| name.unwrap()).map(|name| (name.index, name.name)));
                }
            }
        }
    }
    names.sort_unstable();
    assert_eq!(names, [(0, "next"), (1, "name"), (2, "note"), (4, "run")]);
}

#[test]
fn what_is_laid_out_in_another_way_stays_as_it_is() {
    assert_eq!(fold(&wat::parse_str(crate::sample::COMPONENT).unwrap()), None, "it imports nothing");
    let with_debug = MODULE.replacen("(table", "(@custom \".debug_line\" \"\") (table", 1);
    assert_eq!(fold(&component(&with_debug)), None, "places in its code would not be the same");
    let with_name = MODULE.replacen("(table", "(export \"$imports\" (table 0)) (table", 1);
    assert_eq!(fold(&component(&with_name)), None, "it has something of that name");
    let without_table = MODULE
        .replacen("(table 2 funcref)\n    (elem (i32.const 1) func $note)", "", 1)
        .replacen("(call_indirect (param i32 i32)", "(call $note", 1)
        .replacen(" (i32.const 1))\n        (i32.load (i32.const 4))", ")\n        (i32.load (i32.const 4))", 1);
    assert_eq!(fold(&component(&without_table)), None, "it has no tables");
    let command = "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32)))
        (memory (export \"memory\") 1) (func (export \"_start\")))";
    let adapted = componentize::component(command.as_bytes(), "old.wat").unwrap();
    assert_eq!(fold(&adapted), None, "its adapter calls through the shim, too");
}

fn is_valid(component: &[u8]) -> bool {
    wasmparser::Validator::new().validate_all(component).is_ok()
}

#[test]
fn what_is_broken_is_broken_without_its_shim_too() {
    let built = component(MODULE);
    for end in 0..built.len() {
        if let Some(folded) = fold(&built[..end]) {
            assert_eq!(is_valid(&folded), is_valid(&built[..end]), "the first {end} bytes");
        }
    }
    let mut folds = 0;
    for (place, change) in (0..built.len()).zip([1, 0x40, 0xff].into_iter().cycle()) {
        let mut changed = built.clone();
        changed[place] ^= change;
        if let Some(folded) = fold(&changed) {
            folds += 1;
            assert_eq!(is_valid(&folded), is_valid(&changed), "{change} at {place}");
        }
    }
    assert!(folds > 0, "there are names and numbers in it that do not matter");
}

#[test]
fn a_component_of_more_instances_than_are_valid_is_not_looked_at() {
    let instances = "(core instance (instantiate $m))".repeat(CORE_INSTANCES_MAX + 1);
    let component = wat::parse_str(format!("(component (core module $m) {instances})")).unwrap();
    assert!(Layout::of(&component).unwrap().instances.is_empty());
}
