//! An engine, a node that takes notes, and components written by hand.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use rayw_core::{
    ActorId, ActorOptions, Amount, Arg, CallOptions, Codec, ComponentDigest, Error, GroupId, GroupOptions, GroupStatus,
    JobId, Labels, NodeId, ObjectId, RefId, Resources, TaskId, TaskOptions, TaskTerms, Value,
};
use rayw_engine::{
    Answer, Caller, Engine, EngineSettings, Grants, GroupServices, Instance, Output, Program, Sandbox, Services,
    Submitted,
};

/// What the guests of a test did.
#[derive(Default)]
pub(crate) struct Notes {
    /// References counted for guests.
    pub(crate) counts: Mutex<HashMap<RefId, i64>>,
    pub(crate) puts: Mutex<Vec<Value>>,
    pub(crate) lines: Mutex<Vec<(Output, String)>>,
    put_number: AtomicU32,
}

impl Notes {
    /// References that somebody still holds.
    pub(crate) fn held(&self) -> i64 {
        self.counts.lock().unwrap().values().sum()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().iter().map(|(_, line)| line.clone()).collect()
    }

    fn count(&self, refs: &[RefId], by: i64) {
        let mut counts = self.counts.lock().unwrap();
        for reference in refs.iter().filter(|reference| !matches!(reference, RefId::Group(_))) {
            let count = counts.entry(*reference).or_default();
            *count += by;
            assert!(*count >= 0, "{reference:?} was given back more often than it was counted");
        }
    }
}

impl GroupServices for Notes {
    fn create_group(&self, caller: Arc<Caller>, _: GroupOptions) -> Answer<'_, GroupId> {
        Box::pin(async move { Ok(GroupId::from(caller.task.child(1))) })
    }

    fn group_ready(&self, caller: &Caller, _: GroupId) -> Result<ObjectId, Error> {
        let object = caller.task.put(self.put_number.fetch_add(1, Ordering::Relaxed));
        self.count(&[RefId::Object(object)], 1);
        Ok(object)
    }

    fn remove_group(&self, _: GroupId) {}

    fn named_group(&self, caller: Arc<Caller>, _: String, _: Option<String>) -> Answer<'_, GroupId> {
        self.create_group(caller, GroupOptions::default())
    }

    fn group_status(&self, group: GroupId) -> Answer<'_, GroupStatus> {
        Box::pin(async move { Err(Error::group_removed(group, "there never was one")) })
    }

    fn node_labels(&self) -> &Labels {
        static NONE: Labels = Labels::new();
        &NONE
    }
}

impl Services for Notes {
    fn submit(&self, caller: &Caller, _: &str, args: Vec<Arg>, _: TaskOptions) -> Result<Submitted, Error> {
        let task = caller.task.child(args.len() as u64);
        self.count(&[RefId::Object(task.output(0))], 1);
        Ok(Submitted { task, num_returns: 1 })
    }

    fn put(&self, caller: &Caller, value: Value) -> Result<ObjectId, Error> {
        let object = caller.task.put(self.put_number.fetch_add(1, Ordering::Relaxed));
        self.count(&[RefId::Object(object)], 1);
        // An object keeps what it contains.
        self.count(&value.refs, 1);
        self.puts.lock().unwrap().push(value);
        Ok(object)
    }

    fn get(&self, _: Arc<Caller>, objects: Vec<ObjectId>, _: Option<Duration>) -> Answer<'_, Vec<Arc<Value>>> {
        Box::pin(async move { Ok(objects.iter().map(|object| text(&object.to_string())).collect()) })
    }

    fn wait(&self, _: Arc<Caller>, _: Vec<ObjectId>, ready: u32, _: Option<Duration>, _: bool) -> Answer<'_, Vec<u32>> {
        Box::pin(async move { Ok((0..ready).collect()) })
    }

    fn cancel(&self, _: &Caller, _: ObjectId, _: bool, _: bool) -> Result<(), Error> {
        Ok(())
    }

    fn create_actor(&self, caller: Arc<Caller>, _: String, _: Vec<Arg>, _: ActorOptions) -> Answer<'_, ActorId> {
        let actor = ActorId::from(caller.task.child(0));
        self.count(&[RefId::Actor(actor)], 1);
        Box::pin(async move { Ok(actor) })
    }

    fn call_actor(
        &self,
        caller: &Caller,
        _: ActorId,
        method: &str,
        args: Vec<Arg>,
        _: CallOptions,
    ) -> Result<Submitted, Error> {
        self.submit(caller, method, args, TaskOptions::default())
    }

    fn named_actor(&self, caller: Arc<Caller>, name: String, _: Option<String>) -> Answer<'_, ActorId> {
        self.create_actor(caller, name, Vec::new(), ActorOptions::default())
    }

    fn actor_class(&self, _: &Caller, _: ActorId) -> Arc<str> {
        "Counter".into()
    }

    fn kill_actor(&self, _: &Caller, _: ActorId, _: bool) {}

    fn terminate_actor(&self, _: &Caller, _: ActorId) {}

    fn acquire(&self, _: &Caller, refs: &[RefId]) {
        self.count(refs, 1);
    }

    fn release(&self, _: &Caller, refs: &[RefId]) {
        self.count(refs, -1);
    }

    fn take_in(&self, _: &Caller) {}

    fn print(&self, _: &Caller, output: Output, line: &str, _: bool) {
        self.lines.lock().unwrap().push((output, line.to_owned()));
    }
}

pub(crate) fn engine() -> Arc<Engine> {
    engine_in(None)
}

pub(crate) fn engine_in(cache_dir: Option<&Path>) -> Arc<Engine> {
    let cache_dir = cache_dir.map(Path::to_owned);
    Engine::new(EngineSettings { cache_dir, instances_max: 8, compile_threads: 2 }).unwrap()
}

pub(crate) async fn load(engine: &Arc<Engine>, file: impl AsRef<[u8]>) -> Result<Arc<Program>, Error> {
    engine.load(Bytes::copy_from_slice(file.as_ref()), "app.wasm").await
}

pub(crate) fn caller() -> Arc<Caller> {
    let task = JobId::numbered(1).driver(1);
    let mut terms = TaskTerms::new(JobId::numbered(1), ComponentDigest([0; 32]), "test".into());
    terms.resources = Arc::new(Resources::cpus(Amount::ONE));
    let caller = Caller::new(task, Arc::new(terms), NodeId([1; 16]), "test".into(), Arc::default());
    Arc::new(Caller { worker: 1, ..caller })
}

pub(crate) fn sandbox(memory_bytes_max: u64) -> Sandbox {
    Sandbox { memory_bytes_max, grants: Arc::new(Grants::default()), args: vec!["app".to_owned()] }
}

/// A sandbox with 64 MiB, and the notes of its node.
pub(crate) async fn start(engine: &Arc<Engine>, program: &Arc<Program>) -> (Instance, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    let services: Arc<dyn Services> = Arc::clone(&notes) as _;
    let instance = engine.start(program, services, caller(), &sandbox(64 << 20)).await.unwrap();
    (instance, notes)
}

/// Loads a file and calls a function of it as text, `fib(10)`.
pub(crate) async fn run(file: &str, call: &str) -> Result<String, Error> {
    let engine = engine();
    let program = load(&engine, file).await?;
    let (mut instance, _) = start(&engine, &program).await;
    let (function, args) = program.encode_call(call)?;
    let args: Vec<Arc<Value>> = args.into_iter().map(Arc::new).collect();
    let returned = instance.invoke(caller(), &function, &args, 1).await?;
    Ok(program.display(&returned.values[0]))
}

pub(crate) fn text(text: &str) -> Arc<Value> {
    Arc::new(Value { codec: Codec::Raw, data: Bytes::copy_from_slice(text.as_bytes()), refs: Vec::new() })
}

pub(crate) fn object(number: u32) -> RefId {
    RefId::Object(TaskId([7; 16]).output(number))
}

pub(crate) fn actor(number: u8) -> RefId {
    RefId::Actor(ActorId([number; 16]))
}

/// A component with one function `f` that runs `code`, whose module may have `items` as well.
pub(crate) fn component(items: &str, code: &str) -> String {
    format!(
        r#"(component
            (core module $m {items} (func $f (export "f") (result i32) {code}))
            (core instance $i (instantiate $m))
            (func (export "f") (result s32) (canon lift (core func $i "f"))))"#
    )
}

/// A component that keeps our contract, around a core module written by hand.
pub(crate) fn guest(module: &str) -> Vec<u8> {
    let mut resolve = wit_parser::Resolve::default();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    around(module, &resolve, package, "line-worker")
}

/// A component of that world, around a core module written by hand.
pub(crate) fn around(
    module: &str,
    resolve: &wit_parser::Resolve,
    package: wit_parser::PackageId,
    world: &str,
) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    wit_component::embed_component_metadata(&mut module, resolve, world, wit_component::StringEncoding::UTF8).unwrap();
    wit_component::ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}
