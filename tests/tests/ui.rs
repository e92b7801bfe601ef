//! What the compiler says about each mistake that a service can have.
//!
//! One file in `ui/` per mistake, named after it, beside what is printed. `TRYBUILD=overwrite` rewrites
//! the printed side; read every one of them as the user who made the mistake.

#[test]
fn every_mistake_is_explained_at_its_place() {
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}
