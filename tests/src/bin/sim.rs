//! Plays the whole in virtual time under faults that follow from a seed: real clients and servers, quinn and rustls.
//!
//! `sim [--seeds NUMBER] [--seed FIRST] [--planted NAME] [--twice] [--log] [--json]`: prints which rule was broken, and the
//! line that plays it again. Exits with 1 where one was; with a mistake planted, where none was.

fn main() -> std::process::ExitCode {
    sinew_tests::whole::main()
}
