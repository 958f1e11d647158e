//! Wasmtime without rayw, set up as the engine sets it up: the ceiling.

use std::path::Path;

use rayw_core::limits;
use tokio::runtime::{Builder, Runtime};
use wasmtime::component::{
    Component, ComponentExportIndex, InstancePre, Linker, ResourceTable, ResourceType, TypedFunc,
};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use bindings::rayw::core::types::{ActorHandle, Error, ObjectRef, Value};

mod bindings {
    wasmtime::component::bindgen!({ path: "../wit", world: "rayw:core/worker" });
}

/// Never reached: the epoch of this engine stands still.
const EPOCHS: u64 = 1 << 40;

/// `rayw:core/guest#invoke`.
type Invoke = TypedFunc<(&'static str, &'static [Value], u32), (Result<Vec<Value>, Error>,)>;

/// A compiled and linked guest.
pub(crate) struct Ceiling {
    engine: Engine,
    pre: InstancePre<Guest>,
    invoke: ComponentExportIndex,
}

/// An instance that has been called once.
pub(crate) struct Live {
    runtime: Runtime,
    store: Store<Guest>,
    invoke: Invoke,
}

struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl Ceiling {
    /// Compiles the component; no-op tasks call none of rayw's imports, so these trap.
    pub(crate) fn new(path: &Path) -> Self {
        let engine = Engine::new(&config()).expect("the engine starts");
        let component = Component::from_file(&engine, path).expect("the component compiles");
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).expect("WASI can be linked");
        // The interfaces that use a resource name it again, and it must be the same everywhere.
        for interface in ["types", "objects", "tasks", "actors"] {
            let name = format!("rayw:core/{interface}@0.1.0");
            let mut interface = linker.instance(&name).expect("the name is free");
            for (name, resource) in [
                ("object-ref", ResourceType::host::<ObjectRef>()),
                ("actor-handle", ResourceType::host::<ActorHandle>()),
            ] {
                interface.resource(name, resource, |_, _| Ok(())).expect("the name is free");
            }
        }
        linker.define_unknown_imports_as_traps(&component).expect("the rest can be stubbed");
        let pre = linker.instantiate_pre(&component).expect("every import is there");
        let guest = component.get_export_index(None, "rayw:core/guest@0.1.0");
        let invoke = component.get_export_index(guest.as_ref(), "invoke");
        Self { engine, pre, invoke: invoke.expect("the component is a guest") }
    }

    /// Instances that nobody calls.
    pub(crate) fn start_only(&self, instances: u64) {
        runtime().block_on(async {
            for _ in 0..instances {
                self.instantiate().await;
            }
        });
    }

    /// Each call in a store, WASI context and instance of its own.
    pub(crate) fn call_fresh(&self, calls: u64) {
        runtime().block_on(async {
            for _ in 0..calls {
                let (mut store, invoke) = self.instantiate().await;
                call(&mut store, &invoke).await;
            }
        });
    }

    /// An instance to be called again and again.
    pub(crate) fn start(&self) -> Live {
        let runtime = runtime();
        let (mut store, invoke) = runtime.block_on(self.instantiate());
        runtime.block_on(call(&mut store, &invoke));
        Live { runtime, store, invoke }
    }

    async fn instantiate(&self) -> (Store<Guest>, Invoke) {
        let guest = Guest { wasi: WasiCtx::builder().build(), table: ResourceTable::new() };
        let mut store = Store::new(&self.engine, guest);
        store.set_epoch_deadline(EPOCHS);
        let instance = self.pre.instantiate_async(&mut store).await.expect("it starts");
        let invoke = instance.get_typed_func(&mut store, self.invoke).expect("its type is known");
        (store, invoke)
    }
}

impl Live {
    /// Calls it so many times.
    pub(crate) fn call(&mut self, calls: u64) {
        let Self { runtime, store, invoke } = self;
        runtime.block_on(async {
            for _ in 0..calls {
                call(store, invoke).await;
            }
        });
    }
}

async fn call(store: &mut Store<Guest>, invoke: &Invoke) {
    let (returned,) = invoke.call_async(store, ("small_value", &[], 1)).await.expect("it does not trap");
    assert!(returned.is_ok_and(|values| values.len() == 1), "it answers with one value");
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

/// The settings of `host/engine/src/config.rs`.
fn config() -> Config {
    let components = limits::INSTANCES_MAX;
    let has_swap = std::fs::read_to_string("/proc/swaps").map_or(true, |swaps| swaps.lines().count() > 1);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(components)
        .total_core_instances(components * 4)
        .total_memories(components)
        .total_tables(components * 2)
        .total_stacks(components)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .max_core_instances_per_component(200)
        .max_memories_per_component(32)
        .max_tables_per_component(64)
        .max_memories_per_module(2)
        .max_tables_per_module(4)
        .table_elements(100_000)
        .max_memory_size(4 << 30)
        .max_unused_warm_slots(components.min(1_000))
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        .pagemap_scan(if has_swap { Enabled::No } else { Enabled::Auto });
    let mut config = Config::new();
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.async_stack_size(2 << 20);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}
