//! docs/start.md, run: each command in order, in one directory, and what it prints is what the page shows.
//!
//! # How the page is read
//! ```text
//!   $ command            what is run, in the directory to which the last `cd` led; it has to end with 0
//!   $ command &          what goes on until the end; what it prints is waited for
//!   anything else        what is printed, output and errors as they come
//!   [..]                 any text in a line; alone in its line, any lines
//! ```
//! Only blocks of ```` ```console ```` are read. `sinew` is the program of this build; `cargo` has the versions of the
//! workspace and takes the library from here, where a reader takes it from crates.io, and says nothing of what it does.

use std::{
    fs::{self, File},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{clean, scratch};

/// How long a server may take that has to be compiled first.
const PATIENCE: Duration = Duration::from_secs(900);

/// A command of the page and what is shown of it.
#[derive(Debug, PartialEq)]
struct Step {
    line: usize,
    command: String,
    shown: Vec<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let (mut is_console, mut is_fenced) = (false, false);
    for (at, line) in page.lines().enumerate() {
        if let Some(words) = line.strip_prefix("```") {
            is_fenced = !is_fenced;
            is_console = is_fenced && words == "console";
        } else if !is_console {
        } else if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { line: at + 1, command: command.to_owned(), shown: Vec::new() });
        } else if let Some(step) = steps.last_mut() {
            step.shown.push(line.trim_end().to_owned());
        }
    }
    steps
}

/// Whether these lines are what is shown.
fn is_shown(lines: &[&str], shown: &[String]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((any, rest)) if any == "[..]" => {
            (0..=lines.len()).any(|skipped| is_shown(&lines[skipped..], rest))
        }
        Some((first, rest)) => lines
            .split_first()
            .is_some_and(|(line, lines)| is_line(line.trim_end(), first) && is_shown(lines, rest)),
    }
}

fn is_line(line: &str, shown: &str) -> bool {
    match shown.split_once("[..]") {
        None => line == shown,
        Some((before, after)) => line.strip_prefix(before).is_some_and(|line| {
            let ends = line.char_indices().map(|(at, _)| at).chain([line.len()]);
            ends.into_iter().any(|at| is_line(&line[at..], after))
        }),
    }
}

/// Where the page is run.
struct Reader {
    place: PathBuf,
    /// Where the last command left off.
    directory: PathBuf,
    background: Vec<Child>,
}

impl Reader {
    fn new() -> Self {
        let place = scratch("start");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        for directory in ["tools", "run", "work/.cargo"] {
            fs::create_dir_all(place.join(directory)).unwrap();
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sinew"), place.join("tools/sinew")).unwrap();
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let lock = root.join("Cargo.lock");
        // The versions of everything else are the ones that are built already.
        let script = format!(
            "#!/bin/sh\n[ -f Cargo.lock ] || cp '{}' Cargo.lock\nexec '{cargo}' --offline \"$@\"\n",
            lock.display()
        );
        fs::write(place.join("tools/cargo"), script).unwrap();
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(place.join("tools/cargo"), executable).unwrap();
        let patch = format!("[patch.crates-io]\nsinew.path = {:?}\n", root.join("runtime"));
        fs::write(place.join("work/.cargo/config.toml"), patch).unwrap();
        Self { directory: place.join("work"), place, background: Vec::new() }
    }

    /// A shell that runs this, with its output in a file.
    fn shell(&self, script: &str, output: &Path) -> Command {
        let mut command = Command::new("bash");
        let tools = self.place.join("tools").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        let target = Path::new(env!("CARGO_BIN_EXE_sinew")).ancestors().nth(2).unwrap();
        let output = File::create(output).unwrap();
        clean(&mut command)
            .args(["--noprofile", "--norc", "-c", script])
            .current_dir(&self.directory)
            .env("PATH", format!("{tools}:{path}"))
            .env("XDG_RUNTIME_DIR", self.place.join("run"))
            .env("CARGO_TARGET_DIR", target)
            .env("CARGO_TERM_QUIET", "true")
            .env("CARGO_TERM_COLOR", "never")
            .env_remove("RUSTFLAGS")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        command
    }

    #[expect(clippy::disallowed_methods, reason = "no runtime is here whose thread it would block")]
    fn run(&mut self, step: &Step) {
        let Step { line, command, shown } = step;
        let output = self.place.join(format!("output-{line}"));
        let words = || fs::read_to_string(&output).unwrap_or_default();
        let told = || is_shown(&words().lines().collect::<Vec<_>>(), shown);
        let wrong = |what: &str| {
            panic!("docs/start.md:{line}: `{command}` {what}; it printed:\n{}", words())
        };
        if let Some(command) = command.strip_suffix(" &") {
            let mut shell = self.shell(command, &output);
            self.background.push(shell.process_group(0).spawn().unwrap());
            let began = Instant::now();
            while !told() {
                let ended = self.background.last_mut().unwrap().try_wait().unwrap();
                if ended.is_some() || began.elapsed() > PATIENCE {
                    wrong("prints something else");
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            return;
        }
        let pwd = self.place.join("pwd");
        let script =
            format!("{command}\ncode=$?; printf %s \"$PWD\" > '{}'; exit $code", pwd.display());
        let status = self.shell(&script, &output).status().unwrap();
        if !status.success() {
            wrong(&format!("ends with {status}"));
        }
        if !told() {
            wrong("prints something else");
        }
        self.directory = PathBuf::from(fs::read_to_string(pwd).unwrap());
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        for child in &mut self.background {
            // The whole group: a shell has children.
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
            let _ = child.wait();
        }
    }
}

#[test]
fn the_page_says_what_its_commands_print() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/start.md");
    let steps = steps(&fs::read_to_string(page).unwrap());
    assert!(steps.len() > 15, "{steps:?}");
    let mut reader = Reader::new();
    for step in &steps {
        reader.run(step);
    }
    // What the page begins with has nothing that clippy would complain of.
    let command = "cargo clippy --all-targets -- -D warnings".to_owned();
    reader.run(&Step { line: 0, command, shown: Vec::new() });
}

#[test]
fn what_is_shown_is_compared_line_by_line_but_for_what_differs() {
    let page = "```console\n$ one\na [..] c\n[..]\nz\n```\n$ no\n```sh\n$ no\n```\n```console\n$ two\n```\n";
    let steps = steps(page);
    assert_eq!(
        steps.iter().map(|step| (step.line, &*step.command)).collect::<Vec<_>>(),
        [(2, "one"), (12, "two")]
    );
    let shown = &steps[0].shown;
    for (lines, fits) in [
        (&["a b c", "z"][..], true),
        (&["a b c", "d", "", "z"], true),
        (&["a b b c c", "z"], true),
        (&["a b", "z"], false),
        (&["a b c", "z", "y"], false),
        (&["a b c"], false),
        (&[], false),
    ] {
        assert_eq!(is_shown(lines, shown), fits, "{lines:?}");
    }
    assert!(is_shown(&[], &steps[1].shown) && !is_shown(&[""], &steps[1].shown));
}
