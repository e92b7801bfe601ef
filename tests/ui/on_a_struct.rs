//! The attribute on something that is no trait.

#[sinew::service]
pub struct Inventory {
    stock: u32,
}

fn main() {
    let _ = Inventory { stock: 1 };
}
