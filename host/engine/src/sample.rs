//! A component as tests want one.

/// The text of a small component with one function.
pub(crate) const COMPONENT: &str = r#"(component
    (core module $m (func (export "f") (result i32) i32.const 7))
    (core instance $i (instantiate $m))
    (func (export "f") (result s32) (canon lift (core func $i "f"))))"#;
