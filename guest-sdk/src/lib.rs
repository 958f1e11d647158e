//! Write Ray-like tasks and actors as WebAssembly components.
