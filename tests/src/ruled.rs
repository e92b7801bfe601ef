//! A service that says by which policy it was called, and files of policy, good ones and bad ones.

use std::time::{Duration, Instant};

use sinew::{Context, Mesh, PolicyStatus};

use crate::{Must as _, scene::Scene, scratch::Scratch};

/// Says by which rules it was called.
#[sinew::service(name = "test.Ruled")]
pub trait Ruled {
    /// What is left of its time, and its class.
    #[rpc(idempotent)]
    async fn ruled(&self) -> (Duration, String);
}

/// Tells.
#[derive(Debug)]
pub struct Tell;

impl Ruled for Tell {
    async fn ruled(&self) -> (Duration, String) {
        let context = Context::current().must("a context");
        let deadline = context.deadline().must("a deadline");
        (deadline.saturating_duration_since(Instant::now()), context.criticality().to_string())
    }
}

/// Two values that only ever change together: a long time for a call that may be shed, a short one for a critical one.
pub fn pair(long: bool) -> String {
    let (timeout, class) = if long { ("100s", "sheddable") } else { ("20s", "critical-plus") };
    format!(
        "version = 1\n[service.\"test.Ruled\"]\ntimeout = \"{timeout}\"\ncriticality = \"{class}\"\n"
    )
}

/// Which of the two a call went by.
///
/// # Errors
/// That it went by both.
pub fn is_long((left, class): &(Duration, String)) -> Result<bool, String> {
    let long = *left > Duration::from_secs(20);
    let expected = if long { "sheddable" } else { "critical-plus" };
    if class == expected { Ok(long) } else { Err(format!("{class}, and {left:?} were left")) }
}

/// A mesh that follows a file.
#[derive(Debug)]
pub struct Filed {
    scratch: Scratch,
    /// It.
    pub mesh: Mesh,
}

impl Filed {
    /// One whose file begins with this text.
    pub async fn new(scene: &Scene, text: &str) -> Self {
        let scratch = Scratch::new();
        let file = scratch.join("sinew.toml");
        std::fs::write(&file, text).must("a file");
        let mesh = scene.mesh_with(|builder| builder.policy_file(file)).await;
        Self { scratch, mesh }
    }

    /// Its file.
    pub fn path(&self) -> std::path::PathBuf {
        self.scratch.join("sinew.toml")
    }

    /// Has something else in its file.
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(), bytes).must("a file");
    }

    /// What it says of its policy.
    pub fn status(&self) -> PolicyStatus {
        self.mesh.policy_status()
    }

    /// Whether its file is refused for a reason with this word.
    pub fn is_refused(&self, word: &str) -> bool {
        self.status().refused.is_some_and(|why| why.to_string().contains(word))
    }
}

/// Each kind of content that cannot be used: what it is, it, and a word of why it is refused.
pub fn bad_files() -> [(&'static str, Vec<u8>, &'static str); 7] {
    let half = pair(false);
    [
        ("half-written", half.as_bytes()[..half.len() / 2].to_vec(), "line"),
        ("empty", Vec::new(), "no `version = 1`"),
        ("of another version", b"version = 7\n".to_vec(), "`version` is 7"),
        ("with a key of no meaning", format!("{half}retires = 3\n").into_bytes(), "no key here"),
        ("too large", vec![b'#'; 2 << 20], "more than 1048576 bytes"),
        ("no text", vec![0xff; 100], "UTF-8"),
        (
            "of a method that there is not",
            format!("{half}[service.\"test.Ruled\".method.rulled]\ntimeout = \"1s\"\n")
                .into_bytes(),
            "is no method of the service; it has `ruled`",
        ),
    ]
}
