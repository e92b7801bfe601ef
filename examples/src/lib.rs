//! Programs that show `sinew` at work, one idea each, in the order in which to read them.
//!
//! | program | shows |
//! |---|---|
//! | `01_hello` | a service, its server and a call |
//! | `02_deadline` | one deadline for a whole tree of calls |
//! | `03_streaming` | streams, back-pressure, errors and ends |
//! | `04_errors` | what can go wrong, and what each side is told |
//! | `05_test_your_service` | tests without a network |
//! | `airline` | all of it, in six processes under load |
//!
//! Run one with `cargo run -p sinew-examples --bin 01_hello`. This library itself is empty.
