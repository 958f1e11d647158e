//! Runs WebAssembly: the only room of rayw that knows wasmtime.
