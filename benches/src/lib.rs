//! The benchmarks that need nothing but sinew; what compares it with others is in `versus-peers/`, outside this
//! workspace. README.md lists both.
