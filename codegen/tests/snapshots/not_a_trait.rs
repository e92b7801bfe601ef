//! The expansion of:
//! ```text
//! #[service]
//! pub struct Inventory { stock: u32 }
//! ```

pub struct Inventory {
    stock: u32,
}
::core::compile_error! {
    "`#[service]` goes on a trait, this is a struct\nhelp: declare the service as `trait Name { async fn method(&self, ..) -> ..; }`"
}
