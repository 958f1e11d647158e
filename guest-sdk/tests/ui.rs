//! What the macros say when they cannot build something: at the user's own
//! code, with what to write instead.

#[test]
fn what_cannot_be_built_is_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
