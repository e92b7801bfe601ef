//! Generated code among names, lints and places that it did not choose: it compiles without a warning and is called.
//!
//! # Why
//! A macro's output lives in somebody else's module, under somebody else's lints. Whatever is there, `#[service]` must
//! neither be confused by it nor be heard of.

#![deny(warnings)]
#![deny(
    missing_debug_implementations,
    missing_docs,
    non_ascii_idents,
    non_snake_case,
    single_use_lifetimes,
    unnameable_types,
    unreachable_pub,
    unused_qualifications
)]
#![deny(
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    clippy::unwrap_used
)]

use sinew::{CallOptions, ServiceClient as _};

/// Types of a service's own that have the names of what generated code is made of.
pub mod shadowed {
    macro_rules! in_the_way {
        ($($name:ident),*) => {
            $(
                /// In the way.
                #[derive(Debug)]
                pub struct $name;
            )*
        };
    }

    in_the_way!(
        Arc,
        CallError,
        CallOptions,
        Channel,
        Context,
        From,
        Future,
        Handler,
        Into,
        Method,
        None,
        Ok,
        Send,
        Service,
        ServiceClient,
        Status,
        Sync
    );

    /// In the way.
    pub mod core {}
    /// In the way.
    pub mod sinew {}
    /// In the way.
    pub mod std {}

    /// No `Result` of the language: a plain value that is sent.
    #[derive(Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
    pub struct Result(pub Option);

    /// Neither something nor nothing.
    #[derive(Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
    pub struct Option(pub u8);

    /// Of the service's own.
    #[derive(Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
    pub struct Box<T>(pub T);

    /// Of the service's own.
    #[derive(Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
    pub struct Vec(pub u8);

    /// Of the service's own.
    #[derive(Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
    pub struct String(pub u8);

    /// Of the service's own: an error.
    #[derive(Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
    pub struct Err(pub u8);

    /// Traits of the service's own.
    pub trait Clone {}
    /// Traits of the service's own.
    pub trait Default {}

    /// The type parameters that generated code might have.
    #[derive(Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
    pub struct T(pub u8);

    /// Uses all of them.
    #[::sinew::service]
    pub trait Shadowed {
        /// Neither of the two is what the prelude calls so.
        async fn plain(&self, option: Option, text: Box<String>) -> Result;
        /// A result of the language with an error of the service's own.
        async fn failing(&self, list: Vec, t: T) -> ::core::result::Result<T, Err>;
    }

    /// Implements it.
    #[derive(Debug)]
    pub struct Implementation;

    impl Shadowed for Implementation {
        async fn plain(&self, option: Option, text: Box<String>) -> Result {
            Result(Option(option.0 + text.0.0))
        }

        async fn failing(&self, list: Vec, t: T) -> ::core::result::Result<T, Err> {
            if list.0 == 0 {
                ::core::result::Result::Err(Err(t.0))
            } else {
                ::core::result::Result::Ok(t)
            }
        }
    }
}

#[tokio::test]
async fn types_named_like_the_prelude_are_no_obstacle() {
    use shadowed::{
        Box as OwnBox, Err as OwnErr, Option as OwnOption, Result as OwnResult, String as Text, T,
        Vec as List,
    };

    let client = shadowed::ShadowedClient::local(shadowed::Implementation);
    let sum = client.plain(OwnOption(1), OwnBox(Text(2))).await;
    assert_eq!(sum.ok(), Some(OwnResult(OwnOption(3))));
    assert_eq!(client.failing(List(1), T(4)).await.ok(), Some(T(4)));
    let error = client.failing(List(0), T(4)).await.err();
    assert_eq!(error.as_ref().and_then(sinew::CallError::app), Some(&OwnErr(4)));
}

/// A module that sees nothing at all without being told.
#[no_implicit_prelude]
pub mod bare {
    /// Adds.
    #[::sinew::service]
    pub trait Adder {
        /// Adds two.
        async fn add(&self, left: u8, right: u8) -> u8;
        /// Adds none.
        async fn zero(&self) -> ::core::result::Result<u8, ::sinew::Status> {
            ::core::result::Result::Ok(self.add(0, 0).await)
        }
    }

    impl Adder for () {
        async fn add(&self, left: u8, right: u8) -> u8 {
            left + right
        }
    }
}

#[tokio::test]
async fn no_prelude_is_needed() {
    let client = bare::AdderClient::local(());
    assert_eq!(client.add(1, 2).await.ok(), Some(3));
    assert_eq!(client.zero().await.ok(), Some(0));
}

/// Arguments with the names of variables in generated code.
#[sinew::service]
pub trait Names {
    /// The names of locals, fields and parameters of generated code.
    async fn locals(&self, this: u8, service: u8, channel: u8, server: u8, options: u8) -> [u8; 5];
    /// Keywords.
    async fn r#match(&self, r#type: u8, r#async: u8) -> [u8; 2];
    /// What clients cannot be made with is a name like any other.
    async fn new(&self) -> u8;
    /// More arguments than clippy likes: the client says nothing of it a second time.
    #[expect(clippy::too_many_arguments, reason = "that is the point")]
    async fn many(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> u8;
    /// One that should not be called any more, but is still served.
    #[deprecated = "call `new`"]
    async fn old(&self) -> u8;
}

/// Implements [`Names`].
#[derive(Debug)]
pub struct Named;

impl Names for Named {
    async fn locals(&self, this: u8, service: u8, channel: u8, server: u8, options: u8) -> [u8; 5] {
        [this, service, channel, server, options]
    }

    async fn r#match(&self, r#type: u8, r#async: u8) -> [u8; 2] {
        [r#type, r#async]
    }

    async fn new(&self) -> u8 {
        1
    }

    async fn many(&self, a: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, h: u8) -> u8 {
        a + h
    }

    async fn old(&self) -> u8 {
        2
    }
}

#[tokio::test]
async fn arguments_may_have_the_names_of_generated_variables() {
    let client = NamesClient::local(Named);
    assert_eq!(client.locals(1, 2, 3, 4, 5).await.ok(), Some([1, 2, 3, 4, 5]));
    assert_eq!(client.r#match(1, 2).await.ok(), Some([1, 2]));
    assert_eq!(client.new().await.ok(), Some(1));
    assert_eq!(client.many(1, 0, 0, 0, 0, 0, 0, 2).await.ok(), Some(3));
    #[expect(deprecated, reason = "the client's method is deprecated as the trait's is")]
    let old = client.old();
    assert_eq!(old.await.ok(), Some(2));
}

macro_rules! made_by_a_macro {
    ($service:ident, $name:literal, $method:ident($argument:ident: $argument_type:ty) -> $result:ty $body:block) => {
        #[sinew::service(name = $name)]
        trait $service {
            async fn $method(&self, $argument: $argument_type) -> $result;
            async fn fixed(&self, fixed: $argument_type) -> core::result::Result<$result, String>;
        }

        struct Made;

        impl $service for Made {
            async fn $method(&self, $argument: $argument_type) -> $result {
                $body
            }

            async fn fixed(&self, fixed: $argument_type) -> core::result::Result<$result, String> {
                Ok(self.$method(fixed).await)
            }
        }
    };
}

#[tokio::test]
async fn a_service_may_be_written_by_a_macro_and_inside_of_a_function() {
    made_by_a_macro!(Doubler, "made.Doubler", double(number: u8) -> u16 { u16::from(number) * 2 });
    assert_eq!(DoublerClient::SERVICE, "made.Doubler");
    let client = DoublerClient::local(Made);
    assert_eq!(client.double(4).await.ok(), Some(8));
    assert_eq!(client.fixed(4).await.ok(), Some(8));
}

/// The crate under a name of the user's.
mod facade {
    pub(crate) mod rpc {
        pub(crate) use sinew::*;
    }
}

/// Knows the crate by another name.
#[facade::rpc::service(crate = "crate::facade::rpc")]
trait Renamed {
    /// Has an attribute that names something of the crate.
    #[rpc(idempotent, criticality = "critical_plus", timeout = "1m")]
    async fn answer(&self) -> u8;
}

impl Renamed for () {
    async fn answer(&self) -> u8 {
        42
    }
}

#[tokio::test]
async fn the_crate_may_have_another_name() {
    assert_eq!(RenamedClient::local(()).answer().await.ok(), Some(42));
}

/// Methods that exist on one platform only.
#[sinew::service]
trait Conditional {
    #[cfg(unix)]
    async fn open(&self, path: String) -> usize;
    #[cfg(not(unix))]
    async fn open(&self, path: Vec<u16>) -> usize;
    #[cfg(any())]
    async fn never(&self, argument: DoesNotExist) -> DoesNotExistEither;
}

impl Conditional for () {
    #[cfg(unix)]
    async fn open(&self, path: String) -> usize {
        path.len()
    }

    #[cfg(not(unix))]
    async fn open(&self, path: Vec<u16>) -> usize {
        path.len()
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_method_exists_under_its_condition_only() {
    assert_eq!(ConditionalClient::local(()).open("/".into()).await.ok(), Some(1));
}

/// A service that nothing here implements or calls is no dead code.
#[sinew::service]
trait Unused {
    async fn nobody(&self, calls: u8) -> u8;
}

/// No methods yet.
#[sinew::service]
trait Empty {}

impl Empty for () {}

#[test]
fn a_client_is_a_plain_value() {
    fn is_plain<T: Clone + std::fmt::Debug + Send + Sync + 'static>(value: T) -> T {
        value
    }
    fn is_spawnable(_: &(impl Future + Send + 'static)) {}

    let client = is_plain(EmptyClient::local(()));
    assert!(!format!("{client:?}").is_empty());
    is_plain(EmptyServer::new(()));
    let call = {
        let names = NamesClient::local(Named).with(CallOptions::new());
        names.locals(1, 2, 3, 4, 5)
    };
    is_spawnable(&call);
}
