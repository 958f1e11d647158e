//! The only wasmtime configuration of rayw.
//!
//! Compiled code is kept on disk and shared between engines, so there must be
//! one truth about how code is compiled; only the allocator may differ, since
//! it does not change the code.

use std::num::NonZeroUsize;

use rayw_core::{Error, ErrorKind};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmBacktraceDetails};

/// Slots beside [`EngineSettings::instances_max`](crate::EngineSettings): a component is asked for
/// its description even when every slot of the node is taken.
pub(crate) const DESCRIBE_SLOTS: u32 = 4;

/// Core instances of one component: a program for the old WASI has four (itself, the adapter and two
/// shims), Python dozens. This only bounds a count, it reserves nothing.
///
/// Of this and the next two there is as much for each place as one component may have, so that nobody's components take
/// what the places of others were promised.
const CORE_INSTANCES_PER_COMPONENT_MAX: u32 = 200;

/// Memories of one component: one, or where it is composed of several, one of each. Each reserves 4 GiB of address space.
const MEMORIES_PER_COMPONENT_MAX: u32 = 4;

/// Tables of one component: with each memory its own and that of its shim. Each reserves address space only.
const TABLES_PER_COMPONENT_MAX: u32 = 8;

/// Heaps of one store: where a language leaves it to WebAssembly to collect what is not needed any more. Each takes the
/// place of a memory.
const COLLECTED_HEAPS_PER_STORE: u32 = 1;

/// Pages of a memory that are zeroed in place when its slot is used again, instead of being given
/// back to the kernel. Costs at most this much for each warm slot.
const MEMORY_KEEP_RESIDENT: usize = 1 << 20;

/// The same for tables.
const TABLE_KEEP_RESIDENT: usize = 64 << 10;

/// Slots that stay tied to the component that they ran last, with its image mapped.
const WARM_SLOTS_MAX: u32 = 1_000;

/// Stack of a guest call: half a MiB for Wasm, the rest for host functions.
const STACK_BYTES: usize = 2 << 20;

/// Tables of one module.
pub(crate) const TABLES_PER_MODULE_MAX: u32 = 4;

/// Frames of a backtrace that are kept: recursion that overflows the stack has thousands.
pub(crate) const FRAMES_MAX: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// A wasmtime engine with pooled instances, or without a pool where there is too little address
/// space for one. Answers whether it has a pool.
pub(crate) fn engine(instances_max: u32) -> Result<(wasmtime::Engine, bool), Error> {
    match wasmtime::Engine::new(&config(Some(pool(instances_max)))) {
        Ok(engine) => Ok((engine, true)),
        Err(cause) => {
            tracing::warn!(
                instances_max,
                "no pool of instances, tasks will start more slowly (is the address space limited by `ulimit -v`?): {cause:#}"
            );
            let engine = wasmtime::Engine::new(&config(None)).map_err(|error| {
                Error::new(ErrorKind::System, "cannot start the WebAssembly engine").caused_by(format!("{error:#}"))
            })?;
            Ok((engine, false))
        }
    }
}

fn config(pool: Option<PoolingAllocationConfig>) -> Config {
    let mut config = Config::new();
    // Concurrency inside an instance is for WASI 0.3 guests; without it a call costs a third.
    config.concurrency_support(false);
    config.epoch_interruption(true);
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    config.wasm_backtrace_max_frames(Some(FRAMES_MAX));
    config.async_stack_size(STACK_BYTES);
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

fn pool(instances_max: u32) -> PoolingAllocationConfig {
    let components = instances_max.saturating_add(DESCRIBE_SLOTS);
    let for_each = |most: u32| components.saturating_mul(most);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(components)
        .total_core_instances(for_each(CORE_INSTANCES_PER_COMPONENT_MAX))
        .total_memories(for_each(MEMORIES_PER_COMPONENT_MAX + COLLECTED_HEAPS_PER_STORE))
        .total_gc_heaps(for_each(COLLECTED_HEAPS_PER_STORE))
        .total_tables(for_each(TABLES_PER_COMPONENT_MAX))
        // Every store keeps its stack until it is dropped.
        .total_stacks(components)
        .max_component_instance_size(10 << 20)
        .max_core_instance_size(10 << 20)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT_MAX)
        .max_memories_per_component(MEMORIES_PER_COMPONENT_MAX)
        .max_tables_per_component(TABLES_PER_COMPONENT_MAX)
        .max_memories_per_module(2)
        .max_tables_per_module(TABLES_PER_MODULE_MAX)
        .table_elements(100_000)
        .max_memory_size(4 << 30)
        .max_unused_warm_slots(components.min(WARM_SLOTS_MAX))
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT)
        .pagemap_scan(if has_swap() { Enabled::No } else { Enabled::Auto });
    pool
}

/// Whether that is why a component cannot be loaded: it has more of something than the pool gives one.
pub(crate) fn is_pool_limit(cause: &str) -> bool {
    cause.contains("transitively contains")
}

/// Whether the machine swaps: the kernel's scan for dirty pages overlooks pages that are swapped
/// out, and the next task would find what the last one left there.
fn has_swap() -> bool {
    // The first line is a heading. A machine that does not say is taken for one that swaps.
    std::fs::read_to_string("/proc/swaps").map_or(true, |swaps| swaps.lines().count() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::COMPONENT;

    #[test]
    fn code_compiled_by_one_engine_loads_in_another_with_or_without_a_pool() {
        let (pooled, has_pool) = engine(4).unwrap();
        assert!(has_pool);
        let plain = wasmtime::Engine::new(&config(None)).unwrap();
        let code = pooled.precompile_component(COMPONENT.as_bytes()).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f.cwasm");
        std::fs::write(&path, code).unwrap();
        for engine in [&engine(8).unwrap().0, &plain] {
            crate::cache::load(engine, &path).unwrap();
        }
    }
}
