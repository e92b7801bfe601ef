//! The expansion of:
//! ```text
//! #[service]
//! trait Users {
//!     #[http(get = "/users/{id}", query("per_page" = "size"), header("x-tenant" = "tenant"))]
//!     async fn user(&self, id: u64, size: Option<u32>, tenant: String) -> Result<Option<User>, Problem>;
//!
//!     #[http(post = "/users/{id}/{name}.png", bytes = "picture", from_header = "location", error = [404, 420..=429])]
//!     #[rpc(idempotent)]
//!     async fn draw(&self, id: u64, picture: Bytes, name: String) -> String;
//!
//!     #[http(put = "/users")]
//!     async fn import(&self, users: Streaming<User>) -> Streaming<Bytes>;
//! }
//! ```

trait Users: ::core::marker::Send + ::core::marker::Sync + 'static {
    fn user(
        &self,
        id: u64,
        size: Option<u32>,
        tenant: String,
    ) -> impl ::core::future::Future<
        Output = Result<Option<User>, Problem>,
    > + ::core::marker::Send;
    fn draw(
        &self,
        id: u64,
        picture: Bytes,
        name: String,
    ) -> impl ::core::future::Future<Output = String> + ::core::marker::Send;
    fn import(
        &self,
        users: Streaming<User>,
    ) -> impl ::core::future::Future<Output = Streaming<Bytes>> + ::core::marker::Send;
}
/// Client of [`Users`]: each of its methods is a call.
///
/// Cheap to clone, and all clones share their connections. Dropping the future of a call
/// cancels the call, on the server too.
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct UsersClient {
    channel: ::sinew::private::Channel,
}
/// Serves an implementation of [`Users`].
#[derive(::core::clone::Clone, ::core::fmt::Debug)]
struct UsersServer {
    service: ::sinew::private::Service,
}
#[allow(clippy::too_many_arguments, deprecated)]
const _: () = {
    enum Method_user {}
    impl ::sinew::private::Signature for Method_user {
        type Arguments = (u64, Option<u32>, String);
        type Input = ();
        type Value = Option<User>;
        type Error = Problem;
        type Caller = ::sinew::CallError<Problem>;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Users",
                "user",
                "Users/user",
                ::sinew::private::Shape::Unary,
            )
            .idempotent()
            .arguments(&["id", "size", "tenant"])
            .http(
                &::sinew::private::http::Binding {
                    verb: ::sinew::private::http::Verb::Get,
                    path: &[
                        ::sinew::private::http::PathPart::Text("/users/"),
                        ::sinew::private::http::PathPart::Argument(0),
                    ],
                    query: &[("per_page", 1)],
                    headers: &[("x-tenant", 2)],
                    body: ::sinew::private::http::Body::None,
                    value: ::sinew::private::http::VALUE,
                    error: ::sinew::private::http::ERROR,
                    none: &[(404, 404)],
                    content: ::sinew::private::http::Content::Json,
                },
            )
            .within("Users", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_draw {}
    impl ::sinew::private::Signature for Method_draw {
        type Arguments = (u64, Bytes, String);
        type Input = ();
        type Value = String;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Users",
                "draw",
                "Users/draw",
                ::sinew::private::Shape::Unary,
            )
            .idempotent()
            .arguments(&["id", "picture", "name"])
            .http(
                &::sinew::private::http::Binding {
                    verb: ::sinew::private::http::Verb::Post,
                    path: &[
                        ::sinew::private::http::PathPart::Text("/users/"),
                        ::sinew::private::http::PathPart::Argument(0),
                        ::sinew::private::http::PathPart::Text("/"),
                        ::sinew::private::http::PathPart::Argument(2),
                        ::sinew::private::http::PathPart::Text(".png"),
                    ],
                    query: &[],
                    headers: &[],
                    body: ::sinew::private::http::Body::Bytes(1),
                    value: ::sinew::private::http::VALUE,
                    error: &[(404, 404), (420, 429)],
                    none: &[],
                    content: ::sinew::private::http::Content::Header("location"),
                },
            )
            .within("Users", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    enum Method_import {}
    impl ::sinew::private::Signature for Method_import {
        type Arguments = ();
        type Input = User;
        type Value = Bytes;
        type Error = ::sinew::Status;
        type Caller = ::sinew::Status;
        const METHOD: &'static ::sinew::private::Method = &::sinew::private::Method::new(
                "Users",
                "import",
                "Users/import",
                ::sinew::private::Shape::Bidirectional,
            )
            .idempotent()
            .arguments(&[])
            .with_input("users", 0)
            .http(
                &::sinew::private::http::Binding {
                    verb: ::sinew::private::http::Verb::Put,
                    path: &[::sinew::private::http::PathPart::Text("/users")],
                    query: &[],
                    headers: &[],
                    body: ::sinew::private::http::Body::Items,
                    value: ::sinew::private::http::VALUE,
                    error: ::sinew::private::http::ERROR,
                    none: &[],
                    content: ::sinew::private::http::Content::Bytes,
                },
            )
            .within("Users", "");
        fn cell() -> &'static ::sinew::private::TypesCell {
            static CELL: ::sinew::private::TypesCell = ::sinew::private::TypesCell::new();
            &CELL
        }
    }
    const _: () = ::sinew::private::assert_distinct_methods(
        &[
            <Method_user as ::sinew::private::Signature>::METHOD,
            <Method_draw as ::sinew::private::Signature>::METHOD,
            <Method_import as ::sinew::private::Signature>::METHOD,
        ],
    );
    impl UsersClient {
        /// The same client, with these options for each call that is made through it.
        #[must_use]
        fn with(&self, options: ::sinew::CallOptions) -> Self {
            Self {
                channel: self.channel.with(options),
            }
        }
        /// A client of an implementation in this process: the same pipeline and the same encoding,
        /// with no network.
        #[must_use]
        fn local(service: impl Users) -> Self {
            Self {
                channel: ::sinew::private::Channel::local(
                    UsersServer::new(service).service,
                ),
            }
        }
        /// Calls [`Users::user`].
        fn user(
            &self,
            id: u64,
            size: Option<u32>,
            tenant: String,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<Option<User>, ::sinew::CallError<Problem>>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_user>(&self.channel, (id, size, tenant))
        }
        /// Calls [`Users::draw`].
        fn draw(
            &self,
            id: u64,
            picture: Bytes,
            name: String,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<String, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::unary::<Method_draw>(&self.channel, (id, picture, name))
        }
        /// Calls [`Users::import`].
        fn import(
            &self,
            users: Streaming<User>,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<::sinew::Streaming<Bytes>, ::sinew::Status>,
        > + ::core::marker::Send + 'static + use<> {
            ::sinew::private::bidirectional::<Method_import>(&self.channel, (), users)
        }
    }
    impl ::sinew::ServiceClient for UsersClient {
        const SERVICE: &'static str = "Users";
        fn from_channel(channel: ::sinew::private::Channel) -> Self {
            Self { channel }
        }
        fn types() -> ::std::vec::Vec<&'static ::sinew::private::Types> {
            ::core::convert::From::from([
                ::sinew::private::types::<Method_user>(),
                ::sinew::private::types::<Method_draw>(),
                ::sinew::private::types::<Method_import>(),
            ])
        }
    }
    impl<
        Implementation_Users: Users,
    > ::sinew::private::Handles<Implementation_Users, (), Option<User>> for Method_user {
        fn handle(
            this: &Implementation_Users,
            (id, size, tenant): (u64, Option<u32>, String),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<Option<User>, Problem>,
        > + ::core::marker::Send {
            Users::user(this, id, size, tenant)
        }
    }
    impl<
        Implementation_Users: Users,
    > ::sinew::private::Handles<Implementation_Users, (), String> for Method_draw {
        fn handle(
            this: &Implementation_Users,
            (id, picture, name): (u64, Bytes, String),
            (): (),
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<String, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Users::draw(this, id, picture, name))
        }
    }
    impl<
        Implementation_Users: Users,
    > ::sinew::private::Handles<
        Implementation_Users,
        ::sinew::Streaming<User>,
        ::sinew::Streaming<Bytes>,
    > for Method_import {
        fn handle(
            this: &Implementation_Users,
            (): (),
            users: ::sinew::Streaming<User>,
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<::sinew::Streaming<Bytes>, ::sinew::Status>,
        > + ::core::marker::Send {
            ::sinew::private::infallible(Users::import(this, users))
        }
    }
    impl UsersServer {
        /// Serves `service`: one value answers all calls, at once.
        #[must_use]
        fn new(service: impl Users) -> Self {
            let service = ::std::sync::Arc::new(service);
            Self {
                service: ::sinew::private::Service::new(
                    "Users",
                    ::core::convert::From::from([
                        ::sinew::private::unary_handler::<_, Method_user>(&service),
                        ::sinew::private::unary_handler::<_, Method_draw>(&service),
                        ::sinew::private::bidirectional_handler::<
                            _,
                            Method_import,
                        >(&service),
                    ]),
                ),
            }
        }
    }
    impl ::core::convert::From<UsersServer> for ::sinew::private::Service {
        fn from(server: UsersServer) -> Self {
            server.service
        }
    }
};
