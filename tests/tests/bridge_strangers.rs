//! HTTP servers that nobody here wrote, called through traits: nginx, Python's `http.server`, Kinto, httpbinx, a JSON server
//! of npm, etcd.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sinew::{AnswerMetadata, CallError, CallOptions, Code, ServiceClient, Status, Streaming};
use sinew_tests::{Must as _, MustFail as _, legacy::programs::Program, scene::Scene, wait::ms};

async fn client<C: ServiceClient>(scene: &Scene, program: &Program) -> C {
    let mesh = scene.mesh_with(|builder| builder.transport(sinew_bridge::http())).await;
    mesh.client_at(program.url()).must("a client")
}

mod nginx {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Fare {
        from: String,
        cents: u64,
    }

    #[sinew::service(name = "strange.Files")]
    trait Files {
        #[http(get = "/fares/{route}.json")]
        async fn fare(&self, route: String) -> Result<Option<Fare>, Status>;

        #[http(get = "/fares/{route}.json")]
        async fn text(&self, route: String) -> Result<Bytes, Status>;

        #[http(head = "/fares/{route}.json", from_header = "etag")]
        async fn tag(&self, route: String) -> Result<String, Status>;

        #[http(get = "/fares/{route}.json", header("if-none-match" = "tag"), value = [200, 304])]
        async fn changed(&self, route: String, tag: String) -> Result<Option<Fare>, Status>;

        #[http(put = "/up/{name}", bytes = "content")]
        async fn store(&self, name: String, content: Bytes) -> Result<(), Status>;

        #[http(delete = "/up/{name}")]
        async fn remove(&self, name: String) -> Result<(), Status>;

        #[http(get = "/up/{name}")]
        async fn load(&self, name: String) -> Result<Option<String>, Status>;

        #[http(get = "/moved")]
        async fn moved(&self) -> Result<Fare, Status>;

        #[http(post = "/fares/ber-fra.json")]
        async fn refused(&self, cents: u64) -> Result<(), Status>;
    }

    const FARE: &str = r#"{"from":"BER","cents":12900}"#;

    #[tokio::test]
    async fn serves_files_through_a_trait() {
        let locations = "location /moved { return 302 http://127.0.0.1:1/; }\n\
            location /up { dav_methods PUT DELETE; client_max_body_size 8m; }";
        let Some(nginx) = Program::nginx(locations).await else { return };
        std::fs::create_dir(nginx.file("files/fares")).must("a directory");
        std::fs::create_dir(nginx.file("files/up")).must("a directory");
        std::fs::write(nginx.file("files/fares/ber-fra.json"), FARE).must("a file");
        let scene = Scene::new();
        let files: FilesClient = client(&scene, &nginx).await;
        let route = || "ber-fra".to_owned();
        let fare = files.fare(route()).await.must("a fare");
        assert_eq!(fare, Some(Fare { from: "BER".to_owned(), cents: 12900 }));
        assert_eq!(files.fare("nowhere".into()).await.must("none"), None);
        assert_eq!(&*files.text(route()).await.must("bytes"), FARE.as_bytes());
        let tag = files.tag(route()).await.must("a tag");
        assert_eq!(files.changed(route(), tag).await.must("not changed"), None);
        assert!(files.changed(route(), "\"old\"".into()).await.must("changed").is_some());
        files.store("a b".into(), Bytes::from_static(b"\"kept\"")).await.must("stored");
        assert_eq!(files.load("a b".into()).await.must("loaded"), Some("kept".to_owned()));
        files.remove("a b".into()).await.must("removed");
        assert_eq!(files.load("a b".into()).await.must("gone"), None);
        assert_eq!(files.moved().await.must_err().code(), Code::FailedPrecondition);
        assert_eq!(files.refused(1).await.must_err().code(), Code::Unimplemented);
        let large = Bytes::from(vec![b'x'; 3 << 20]);
        files.store("large".into(), large.clone()).await.must("stored");
        assert_eq!(files.text("../up/large".into()).await.must_err().code(), Code::NotFound);
    }

    /// A connection that nginx closes under us, after each answer at a moment of its own, loses no call that may be repeated.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn closes_connections_under_ten_thousand_calls() {
        let locations = "keepalive_requests 7; keepalive_timeout 20ms; location /fares/ { return 200 '{\"from\":\"X\",\"cents\":1}'; }";
        let Some(nginx) = Program::nginx(locations).await else { return };
        let scene = Scene::new();
        let files: FilesClient = client(&scene, &nginx).await;
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..20_u64 {
            let files = files.clone();
            callers.spawn(async move {
                for call in 0..500_u64 {
                    files.fare(format!("{call}")).await.must("a fare").must("some");
                    // About as long as nginx waits: the next request and its close meet.
                    if (call + caller) % 10 == 0 {
                        tokio::time::sleep(ms(19) + std::time::Duration::from_micros(call * 4))
                            .await;
                    }
                }
            });
        }
        callers.join_all().await;
    }
}

mod python {
    use super::*;

    #[sinew::service(name = "strange.Directory")]
    trait Directory {
        #[http(get = "/{name}.json")]
        async fn load(&self, name: String) -> Result<Option<BTreeMap<String, u64>>, Status>;
    }

    /// HTTP/1.0: a connection for each call.
    #[tokio::test]
    async fn serves_files_over_http_1_0() {
        let files = [("a.json", r#"{"x":1}"#)];
        let Some(python) = Program::http_server(&files).await else { return };
        let scene = Scene::new();
        let directory: DirectoryClient = client(&scene, &python).await;
        for _ in 0..20 {
            let loaded = directory.load("a".into()).await.must("loaded").must("some");
            assert_eq!(loaded["x"], 1);
        }
        assert_eq!(directory.load("b".into()).await.must("none"), None);
    }
}

mod kinto {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Body<T> {
        data: T,
    }

    #[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Default)]
    #[serde(default)]
    struct Note {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        text: String,
        last_modified: Option<u64>,
    }

    /// What Kinto says is wrong.
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Refusal {
        errno: u64,
        error: String,
        message: Option<String>,
    }

    #[sinew::service(name = "strange.Notes")]
    trait Notes {
        #[http(put = "/buckets/{bucket}")]
        async fn make_bucket(&self, bucket: String) -> Result<(), Refusal>;

        #[http(put = "/buckets/{bucket}/collections/{name}")]
        async fn make_collection(&self, bucket: String, name: String) -> Result<(), Refusal>;

        #[http(post = "/buckets/{bucket}/collections/{name}/records", body = "note")]
        async fn add(
            &self,
            bucket: String,
            name: String,
            note: Body<Note>,
        ) -> Result<Body<Note>, Refusal>;

        #[http(patch = "/buckets/{bucket}/collections/{name}/records/{id}", body = "note")]
        async fn change(
            &self,
            bucket: String,
            name: String,
            id: String,
            note: Body<BTreeMap<String, String>>,
        ) -> Result<Body<Note>, Refusal>;

        #[http(get = "/buckets/{bucket}/collections/{name}/records", query("_limit" = "limit", "_sort" = "sort"))]
        async fn list(
            &self,
            bucket: String,
            name: String,
            limit: Option<u32>,
            sort: Option<String>,
        ) -> Result<Body<Vec<Note>>, Refusal>;

        #[http(get = "/buckets/{bucket}/collections/{name}/records/{id}", error = [400, 403, 412])]
        async fn note(
            &self,
            bucket: String,
            name: String,
            id: String,
        ) -> Result<Option<Body<Note>>, Refusal>;

        #[http(put = "/buckets/{bucket}/collections/{name}/records/{id}", body = "note", header("if-match" = "tag"))]
        async fn replace(
            &self,
            bucket: String,
            name: String,
            id: String,
            note: Body<Note>,
            tag: String,
        ) -> Result<Body<Note>, Refusal>;

        #[http(delete = "/buckets/{bucket}/collections/{name}/records/{id}")]
        async fn remove(&self, bucket: String, name: String, id: String) -> Result<(), Refusal>;
    }

    #[tokio::test]
    async fn keeps_notes() {
        let Some(kinto) = Program::kinto().await else { return };
        let scene = Scene::new();
        let mesh = scene.mesh_with(|builder| builder.transport(sinew_bridge::http())).await;
        let notes: NotesClient = mesh.client_at(format!("{}/v1", kinto.url())).must("a client");
        let (b, n) = (|| "b1".to_owned(), || "notes".to_owned());
        let text = |text: &str| Body { data: Note { text: text.to_owned(), ..Note::default() } };
        match notes.list(b(), n(), None, None).await.must_err() {
            CallError::App(refusal) => {
                assert_eq!((refusal.errno, &*refusal.error), (104, "Unauthorized"))
            }
            CallError::Status(status) => panic!("{status}"),
        }
        let options =
            CallOptions::new().metadata("authorization", "Basic dXNlcjpwYXNz").must("metadata");
        let notes = notes.with(options);
        notes.make_bucket(b()).await.must("a bucket");
        notes.make_collection(b(), n()).await.must("a collection");
        let one = notes.add(b(), n(), text("one")).await.must("added").data;
        notes.add(b(), n(), text("two")).await.must("added");
        let id = || one.id.clone().must("an id");
        let listed = notes.list(b(), n(), None, Some("text".into())).await.must("a list").data;
        assert_eq!(listed.iter().map(|note| &*note.text).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(notes.list(b(), n(), Some(1), None).await.must("a page").data.len(), 1);
        let change = Body { data: BTreeMap::from([("text".to_owned(), "changed".to_owned())]) };
        assert_eq!(notes.change(b(), n(), id(), change).await.must("changed").data.text, "changed");
        let refused = notes.replace(b(), n(), id(), text("late"), "\"1\"".into()).await.must_err();
        assert_eq!(refused.app().must("a refusal").errno, 114, "{refused:?}");
        notes.remove(b(), n(), id()).await.must("removed");
        assert!(notes.note(b(), n(), id()).await.must("none").is_none());
    }
}

mod httpbin {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Echo {
        #[serde(default)]
        args: BTreeMap<String, serde_json::Value>,
        #[serde(default)]
        headers: BTreeMap<String, serde_json::Value>,
        #[serde(default)]
        form: BTreeMap<String, serde_json::Value>,
        #[serde(default)]
        json: serde_json::Value,
    }

    #[sinew::service(name = "strange.Bin")]
    trait Bin {
        #[http(get = "/get", query = ["word", "many"])]
        async fn get(&self, word: String, many: Vec<u8>) -> Result<Echo, Status>;

        #[http(post = "/post", body = "body")]
        async fn post(&self, body: BTreeMap<String, u8>) -> Result<Echo, Status>;

        #[http(post = "/post", form = "fields")]
        async fn post_form(&self, fields: BTreeMap<String, String>) -> Result<Echo, Status>;

        #[http(get = "/status/{code}")]
        async fn status(&self, code: u16) -> Result<(), Status>;

        #[http(get = "/stream-bytes/{count}", query = ["chunk_size"])]
        async fn pieces(&self, count: u32, chunk_size: u32) -> Result<Streaming<Bytes>, Status>;

        #[http(get = "/html")]
        async fn page(&self) -> Result<String, Status>;

        #[http(get = "/brotli")]
        async fn brotli(&self) -> Result<Echo, Status>;

        #[http(get = "/delay/{seconds}")]
        async fn delay(&self, seconds: u8) -> Result<Echo, Status>;

        #[http(get = "/gzip")]
        async fn gzip(&self) -> Result<Echo, Status>;

        #[http(get = "/redirect/{times}")]
        async fn redirect(&self, times: u8) -> Result<Echo, Status>;

        #[http(get = "/drip", query = ["duration", "numbytes", "delay"])]
        async fn drip(
            &self,
            duration: f64,
            numbytes: u32,
            delay: f64,
        ) -> Result<Streaming<Bytes>, Status>;
    }

    #[tokio::test]
    async fn says_what_it_was_asked() {
        let Some(program) = Program::httpbin().await else { return };
        let scene = Scene::new();
        let bin: BinClient = client(&scene, &program).await;
        let echo = bin.get("a b&c".into(), vec![1, 2]).await.must("an echo");
        assert_eq!(echo.args["word"], "a b&c");
        assert_eq!(echo.args["many"], serde_json::json!(["1", "2"]));
        let agent = echo.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("user-agent"));
        assert!(agent.must("an agent").1.to_string().contains("sinew/"), "{:?}", echo.headers);
        let echo = bin.post(BTreeMap::from([("x".into(), 1)])).await.must("an echo");
        assert_eq!(echo.json, "{\"x\": 1}");
        let form = bin.post_form(BTreeMap::from([("a b".into(), "1&2".into())])).await;
        assert_eq!(form.must("an echo").form["a b"], "1&2");
        for (code, meant) in [
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::NotFound),
            (409, Code::Aborted),
            (412, Code::FailedPrecondition),
            (418, Code::InvalidArgument),
            (500, Code::Internal),
            (501, Code::Unimplemented),
            (503, Code::Unavailable),
        ] {
            assert_eq!(bin.status(code).await.must_err().code(), meant, "{code}");
        }
        bin.status(204).await.must("no content");
        let pieces = bin.pieces(5000, 100).await.must("pieces").collect().await.must("pieces");
        assert_eq!(pieces.concat().len(), 5000);
        assert!(bin.page().await.must("a page").contains("<h1>"));
        assert_eq!(bin.brotli().await.must_err().code(), Code::Internal);
        let drops = bin.drip(0.2, 5, 0.0).await.must("drops").collect().await.must("drops");
        assert_eq!(drops.concat().len(), 5);
        assert_eq!(bin.redirect(1).await.must_err().code(), Code::FailedPrecondition);
        bin.gzip().await.must("what was packed");
        let told = AnswerMetadata::new();
        let options = CallOptions::new().answer_metadata(&told);
        bin.with(options).gzip().await.must("an answer");
        assert_eq!(told.get().get_str("server"), Some("uvicorn"));
        let hasty = bin.with(CallOptions::new().timeout(ms(300)));
        let status = hasty.delay(5).await.must_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }
}

mod npm {
    use super::*;

    #[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
    struct Post {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<u64>,
        title: String,
    }

    #[sinew::service(name = "strange.Posts")]
    trait Posts {
        #[http(get = "/posts", query("_sort" = "sort", "_order" = "order"))]
        async fn list(
            &self,
            sort: Option<String>,
            order: Option<String>,
        ) -> Result<Vec<Post>, Status>;

        #[http(get = "/posts/{id}")]
        async fn post(&self, id: u64) -> Result<Option<Post>, Status>;

        #[http(post = "/posts", body = "post")]
        async fn add(&self, post: Post) -> Result<Post, Status>;

        #[http(post = "/posts", body = "post", from_header = "location")]
        async fn add_at(&self, post: Post) -> Result<String, Status>;

        #[http(put = "/posts/{id}", body = "post")]
        async fn replace(&self, id: u64, post: Post) -> Result<Post, Status>;

        #[http(delete = "/posts/{id}")]
        async fn remove(&self, id: u64) -> Result<(), Status>;
    }

    #[tokio::test]
    async fn keeps_posts() {
        let Some(server) = Program::json_server(r#"{"posts":[{"id":1,"title":"one"}]}"#).await
        else {
            return;
        };
        let scene = Scene::new();
        let posts: PostsClient = client(&scene, &server).await;
        let post = |title: &str| Post { id: None, title: title.to_owned() };
        assert_eq!(posts.post(1).await.must("a post").must("some").title, "one");
        assert_eq!(posts.post(9).await.must("none"), None);
        let two = posts.add(post("two")).await.must("added");
        assert_eq!(two.id, Some(2));
        let at = posts.add_at(post("three")).await.must("added");
        assert!(at.ends_with("/posts/3"), "{at}");
        posts.replace(2, post("2")).await.must("replaced");
        posts.remove(1).await.must("removed");
        let listed = posts.list(Some("id".into()), Some("desc".into())).await.must("a list");
        assert_eq!(listed.iter().map(|post| &*post.title).collect::<Vec<_>>(), ["three", "2"]);
    }
}

mod etcd {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    struct Range {
        #[serde(default)]
        kvs: Vec<Pair>,
        /// A number in quotes, as protobuf's JSON has them.
        #[serde(default)]
        count: String,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Pair {
        key: String,
        value: String,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Create {
        create_request: Watch,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Watch {
        key: String,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Event {
        result: Result_,
    }

    #[derive(Debug, Serialize, Deserialize)]
    struct Result_ {
        #[serde(default)]
        created: bool,
        #[serde(default)]
        events: Vec<serde_json::Value>,
    }

    #[sinew::service(name = "strange.Store")]
    trait Store {
        #[http(post = "/v3/kv/put")]
        async fn put(&self, key: String, value: String) -> Result<(), Status>;

        #[rpc(idempotent)]
        #[http(post = "/v3/kv/range")]
        async fn range(&self, key: String) -> Result<Range, Status>;

        #[http(post = "/v3/watch", body = "create")]
        async fn watch(&self, create: Create) -> Result<Streaming<Event>, Status>;
    }

    #[tokio::test]
    async fn keeps_values_and_tells_of_changes() {
        let Some(etcd) = Program::etcd().await else { return };
        let scene = Scene::new();
        let store: StoreClient = client(&scene, &etcd).await;
        // `a` and `b` in base64.
        let (a, b) = (|| "YQ==".to_owned(), || "Yg==".to_owned());
        let create = Create { create_request: Watch { key: a() } };
        let mut watch = store.watch(create).await.must("a watch");
        assert!(watch.next().await.must("an event").must("an event").result.created);
        store.put(a(), b()).await.must("put");
        let event = watch.next().await.must("an event").must("an event");
        assert_eq!(event.result.events[0]["kv"]["value"], b());
        drop(watch);
        let range = store.range(a()).await.must("a range");
        assert_eq!((&*range.count, &*range.kvs[0].value), ("1", &*b()));
        assert!(store.range(b()).await.must("a range").kvs.is_empty());
        let status = store.put("not base64!".into(), b()).await.must_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
}
