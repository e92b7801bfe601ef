//! The program in a terminal, as a person sees it: colours, a line of progress, completion by the shell, and none of that
//! in a pipe.
//!
//! The terminal is tmux: it understands what is printed, keys are typed into it, and its screen is looked at.

use std::{
    path::PathBuf,
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use super::{Scene, clean};

/// How long a command may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A terminal with bash in it.
struct Terminal {
    /// The directory of its socket: a path that is short enough for one.
    sockets: PathBuf,
    commands: usize,
}

/// What is on the screen when a command is over: as text, and with what sets it apart.
struct Screen {
    text: String,
    styled: String,
    code: i32,
}

impl Screen {
    #[track_caller]
    fn assert(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{}", self.text);
        for word in words {
            assert!(self.text.contains(word), "no {word:?}: {}", self.text);
        }
    }

    fn is_styled(&self) -> bool {
        self.styled.contains('\x1b')
    }
}

impl Terminal {
    /// `None` where there is no tmux.
    #[expect(clippy::print_stdout, reason = "tests/run looks for it")]
    fn new(scene: &Scene) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            println!("cannot run here: `tmux` is missing: install tmux");
            return None;
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let sockets = std::env::temp_dir().join(format!("sinew-tmux-{process}-{number}"));
        std::fs::create_dir_all(&sockets).unwrap();
        let terminal = Self { sockets, commands: 0 };
        let program = PathBuf::from(env!("CARGO_BIN_EXE_sinew"));
        // Only what is tested, under its own name: beside it are programs of other names.
        let tools = scene.directory.join("tools");
        std::fs::create_dir_all(&tools).unwrap();
        std::os::unix::fs::symlink(program, tools.join("sinew")).unwrap();
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap_or_default());
        let mut command = terminal.command();
        command
            .args(["-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "60"])
            // A shell that is not interactive, which starts this one, takes PS1 out of the environment.
            .arg("exec env PS1='$ ' bash --norc --noprofile")
            .current_dir(&scene.directory)
            .env("PATH", path)
            .env("XDG_RUNTIME_DIR", &scene.directory)
            .env("LC_ALL", "C.UTF-8");
        let started = command.output().unwrap();
        assert!(started.status.success(), "{started:?}");
        terminal.until("prompt", |screen| screen.trim() == "$");
        Some(terminal)
    }

    fn command(&self) -> Command {
        let mut command = Command::new("tmux");
        clean(&mut command).env("TMUX_TMPDIR", &self.sockets).env_remove("TMUX").arg("-u");
        command
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let output = self.command().args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        output
    }

    /// Types a text, and a key behind it.
    fn type_in(&self, text: &str, key: &str) {
        self.tmux(&["send-keys", "-l", text]);
        self.tmux(&["send-keys", key]);
    }

    fn screen(&self, more: &[&str]) -> String {
        let arguments = [&["capture-pane", "-p", "-J", "-S", "-1000"], more].concat();
        String::from_utf8_lossy(&self.tmux(&arguments).stdout).into_owned()
    }

    /// Waits until the screen is so.
    #[expect(clippy::disallowed_methods, reason = "the runtime is told that this thread blocks")]
    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let screen = self.screen(&[]);
            if is_so(&screen) {
                return screen;
            }
            assert!(began.elapsed() < PATIENCE, "no {what}: {screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Begins with an empty screen.
    fn clear(&self) {
        self.tmux(&["send-keys", "C-u"]);
        self.type_in("clear", "Enter");
        self.until("empty screen", |screen| screen.trim() == "$");
        self.tmux(&["clear-history"]);
    }

    /// Runs a command and waits for its end.
    fn run(&mut self, command: &str) -> Screen {
        self.clear();
        self.commands += 1;
        let number = self.commands;
        self.type_in(&format!("{command}; echo \"<$?>{number}\""), "Enter");
        let end = |screen: &str| {
            let line = screen.lines().find_map(|line| {
                line.strip_prefix('<').and_then(|line| line.strip_suffix(&format!(">{number}")))
            });
            line.and_then(|code| code.parse().ok())
        };
        let text = self.until("end", |screen| end(screen).is_some());
        let code = end(&text).unwrap();
        Screen { code, text, styled: self.screen(&["-e"]) }
    }

    /// What a line becomes when the tabulator is pressed behind it.
    #[track_caller]
    fn complete(&self, typed: &str, expected: &str) {
        self.clear();
        self.type_in(typed, "Tab");
        self.until(expected, |screen| screen.trim_end().ends_with(expected));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.command().arg("kill-server").output();
        let _ = std::fs::remove_dir_all(&self.sockets);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_sees_what_happens_and_a_pipe_gets_plain_text() {
    let scene = Scene::new("terminal").await;
    // It waits for a screen, and the server answers meanwhile.
    tokio::task::block_in_place(|| {
        let Some(mut terminal) = Terminal::new(&scene) else { return };
        terminal.run("sinew new hello").assert(0, &["wrote hello/Cargo.toml", "next:"]);
        let list = terminal.run("sinew list");
        list.assert(0, &["SERVICE", "shop.Inventory", "spiffe://dev.local/shop.Inventory"]);
        let describe = terminal.run("sinew describe shop.Inventory");
        describe.assert(0, &["service shop.Inventory", "stock(sku: String) -> u64"]);
        let call = terminal.run(r#"sinew call shop.Inventory/stock '{"sku":"abc"}'"#);
        call.assert(0, &["\n3\n"]);
        let explain = terminal.run(r#"sinew explain shop.Inventory/stock '{"sku":"abc"}'"#);
        explain.assert(0, &["answered 3 after", "pick 1", "where the time went", "└ attempt 1 at"]);
        terminal.run("sinew describe shop.Inventory --json > inventory.json").assert(0, &[]);
        let check = terminal.run("sinew check inventory.json shop.Inventory");
        check.assert(0, &["the same"]);
        let ca = terminal.run("sinew ca show");
        ca.assert(0, &["dev.local", "issues", "there"]);
        let failed = terminal.run("sinew call shop.Inventory/refuse");
        failed.assert(1, &["not today", "`sinew explain shop.Inventory/refuse` says"]);
        let wrong = terminal.run("sinew list --jsn");
        wrong.assert(2, &["--json"]);
        for screen in [&list, &describe, &explain, &check, &ca, &failed, &wrong] {
            assert!(screen.is_styled(), "{}", screen.styled);
        }
        for plain in ["sinew list | cat", "NO_COLOR=1 sinew list", "sinew ca show | cat"] {
            let screen = terminal.run(plain);
            screen.assert(0, &["dev.local"]);
            assert!(!screen.is_styled(), "{plain}: {}", screen.styled);
        }
        // Who reads no further is no failure.
        terminal.run("set -o pipefail; sinew list | head -n 1").assert(0, &["SERVICE"]);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_work_says_how_far_it_is_and_can_be_ended() {
    let scene = Scene::new("terminal-progress").await;
    tokio::task::block_in_place(|| {
        let Some(terminal) = Terminal::new(&scene) else { return };
        terminal.clear();
        let call = r#"sinew call shop.Inventory/stock '{"sku":"abc"}' --repeat 100000000"#;
        terminal.type_in(call, "Enter");
        terminal.until("progress", |screen| screen.contains("of 100000000 calls in"));
        terminal.tmux(&["send-keys", "C-c"]);
        let screen = terminal.until("end", |screen| screen.contains("interrupted after"));
        assert!(screen.contains(" calls in ") && screen.contains("p50 "), "{screen}");
        assert!(
            !screen.contains("of 100000000 calls in"),
            "the line of progress is gone: {screen}"
        );
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bash_completes_the_command_line() {
    let scene = Scene::new("terminal-complete").await;
    tokio::task::block_in_place(|| {
        let Some(mut terminal) = Terminal::new(&scene) else { return };
        terminal.run("source <(sinew completions bash)").assert(0, &[]);
        terminal.complete("sinew desc", "$ sinew describe");
        terminal.complete("sinew ca ro", "$ sinew ca rotate");
        terminal.complete("sinew call A/b --rep", "$ sinew call A/b --repeat");
        terminal.complete("sinew completions po", "$ sinew completions powershell");
    });
}
