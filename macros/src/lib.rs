//! doorbell
#[proc_macro_attribute]
pub fn service(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream { sinew_codegen::from_trait(args.into(), item.into()).into() }
