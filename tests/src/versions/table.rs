//! The macros that make a change, and a kind of type, a few lines.
//!
//! # Why
//! A case is two modules with types and a service each, a server, a client and a list of calls. All of it but the
//! types and the values is the same each time.

/// What becomes of a value, in the types of its receiver.
macro_rules! outcome {
    (sees($value:expr)) => {
        Outcome::Sees(format!("{:?}", $value))
    };
    (refused($($word:literal),*)) => {
        Outcome::Refused(&[$($word),*])
    };
}

/// A service that takes a `T` and gives one, with both sides of it. `$other` is the version it meets; what is to be
/// seen of its values there is `$other::wanted()`. `$extra`: an optional argument that the other version lacks.
macro_rules! service_of_t {
    ($wire:literal, $codec:ident, [$($other:tt)*] $(, $extra:ident)?) => {
        #[sinew::service(name = $wire)]
        trait Api {
            async fn put(&self, value: T $(, $extra: Option<u8>)?) -> String;
            async fn get(&self, which: u32 $(, $extra: Option<u8>)?) -> T;
        }

        impl Api for Handled {
            async fn put(&self, value: T $(, $extra: Option<u8>)?) -> String {
                $(let _ = $extra;)?
                self.ran(format!("{value:?}"))
            }

            async fn get(&self, which: u32 $(, $extra: Option<u8>)?) -> T {
                $(let _ = $extra;)?
                let mut all = sent();
                let at = which as usize % all.len();
                self.ran(all.swap_remove(at))
            }
        }

        fn calls(mesh: &Mesh, server: SocketAddr) -> Vec<Exchange> {
            use $($other)* as other;
            let client: ApiClient = client_at(mesh, &[server]);
            let mut calls = Vec::new();
            for (value, wanted) in sent().into_iter().zip(other::wanted()) {
                let client = client.clone();
                calls.push(Exchange {
                    what: format!("put {value:?}"),
                    position: Position::Argument,
                    codec: Codec::$codec,
                    wanted,
                    run: Box::new(move || {
                        Box::pin(async move {
                            $(let $extra = None;)?
                            client.put(value $(, $extra)?).await
                        })
                    }),
                });
            }
            for (which, (text, wanted)) in other::texts().into_iter().zip(wanted()).enumerate() {
                let client = client.clone();
                calls.push(Exchange {
                    what: format!("get {text}"),
                    position: Position::Result,
                    codec: Codec::$codec,
                    wanted,
                    run: Box::new(move || {
                        Box::pin(async move {
                            $(let $extra = None;)?
                            told(client.get(which as u32 $(, $extra)?).await)
                        })
                    }),
                });
            }
            calls
        }

        pub(super) fn side() -> Side {
            Side {
                serve: |server, handled| server.serve(ApiServer::new(handled)),
                calls,
                describe: || sinew::describe::<ApiClient>(),
            }
        }
    };
}

/// What one version of a type sends, and what it is to see of the other's values.
macro_rules! values {
    (sends { $($sent:expr),* } sees { $($outcome:ident $what:tt),* }) => {
        fn sent() -> Vec<T> {
            Vec::from([$($sent),*])
        }

        pub(super) fn texts() -> Vec<String> {
            sent().iter().map(|value| format!("{value:?}")).collect()
        }

        pub(super) fn wanted() -> Vec<Outcome> {
            Vec::from([$(outcome!($outcome $what)),*])
        }
    };
}

/// A type `T` in two versions. `up`: values of the first, and what the second is to see. `down`: the reverse.
macro_rules! change {
    (
        $name:ident $wire:literal $codec:ident;
        v1 { $($one:item)* } $(with { $($one_more:item)* })?
        v2 { $($two:item)* } $(with { $($two_more:item)* })?
        up { $($up:expr => $up_outcome:ident $up_what:tt;)* }
        down { $($down:expr => $down_outcome:ident $down_what:tt;)* }
    ) => {
        mod $name {
            mod v1 {
                use crate::versions::prelude::*;
                $(#[derive(Debug, Clone, Serialize, Deserialize)] $one)*
                $($($one_more)*)?
                values!(sends { $($up),* } sees { $($down_outcome $down_what),* });
                service_of_t!($wire, $codec, [super::v2]);
            }

            mod v2 {
                use crate::versions::prelude::*;
                $(#[derive(Debug, Clone, Serialize, Deserialize)] $two)*
                $($($two_more)*)?
                values!(sends { $($down),* } sees { $($up_outcome $up_what),* });
                service_of_t!($wire, $codec, [super::v1]);
            }

            pub(super) fn case() -> crate::versions::Case {
                crate::versions::Case::change($wire, v1::side(), v2::side())
            }
        }
    };
}

/// A type `T` that both sides have, whose methods ride `$codec` where nothing differs. It is sent with the fallback
/// too: by a build whose methods have one argument more.
macro_rules! same {
    (
        $name:ident $wire:literal $codec:ident;
        { $($one:item)* } $({ $($more:item)* })? =>
        $($sent:expr => $outcome:ident $what:tt;)*
    ) => {
        mod $name {
            use crate::versions::prelude::*;
            $(#[derive(Debug, Clone, Serialize, Deserialize)] $one)*
            $($($more)*)?

            mod values {
                use super::*;
                pub(super) fn sent() -> Vec<T> {
                    Vec::from([$($sent),*])
                }

                pub(super) fn texts() -> Vec<String> {
                    sent().iter().map(|value| format!("{value:?}")).collect()
                }

                pub(super) fn wanted() -> Vec<Outcome> {
                    Vec::from([$(outcome!($outcome $what)),*])
                }
            }

            mod plain {
                use super::{*, values::*};
                service_of_t!($wire, $codec, [super::values]);
            }

            mod wider {
                use super::{*, values::*};
                service_of_t!($wire, Fallback, [super::values], extra);
            }

            pub(super) fn case() -> crate::versions::Case {
                crate::versions::Case::same($wire, plain::side(), wider::side())
            }
        }
    };
}

/// Two versions written out, for what is not about one type `T`.
macro_rules! by_hand {
    (
        $name:ident $wire:literal;
        v1 { $($one:item)* }
        calls($one_client:ident) { $($one_position:ident $one_codec:ident $one_call:expr => $one_outcome:ident $one_what:tt;)* }
        v2 { $($two:item)* }
        calls($two_client:ident) { $($two_position:ident $two_codec:ident $two_call:expr => $two_outcome:ident $two_what:tt;)* }
    ) => {
        mod $name {
            mod v1 {
                use crate::versions::prelude::*;
                $($one)*
                calls!($one_client { $($one_position $one_codec $one_call => $one_outcome $one_what;)* });
            }

            mod v2 {
                use crate::versions::prelude::*;
                $($two)*
                calls!($two_client { $($two_position $two_codec $two_call => $two_outcome $two_what;)* });
            }

            pub(super) fn case() -> crate::versions::Case {
                crate::versions::Case::change($wire, v1::side(), v2::side())
            }
        }
    };
}

/// The calls of a version that is written out.
macro_rules! calls {
    ($client:ident { $($position:ident $codec:ident $call:expr => $outcome:ident $what:tt;)* }) => {
        fn calls(mesh: &Mesh, server: SocketAddr) -> Vec<Exchange> {
            let client: ApiClient = client_at(mesh, &[server]);
            Vec::from([$({
                let $client = client.clone();
                Exchange {
                    what: stringify!($call).to_owned(),
                    position: Position::$position,
                    codec: Codec::$codec,
                    wanted: outcome!($outcome $what),
                    run: Box::new(move || Box::pin(async move { told($call.await) })),
                }
            }),*])
        }

        pub(super) fn side() -> Side {
            Side {
                serve: |server, handled| server.serve(ApiServer::new(handled)),
                calls,
                describe: || sinew::describe::<ApiClient>(),
            }
        }
    };
}
