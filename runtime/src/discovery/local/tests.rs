//! Announcements that come, go, are left behind, or are none.

use std::os::unix::fs::symlink;

use super::*;

/// A directory that is gone afterwards.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("sinew-discovery-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn local(&self) -> Local {
        Local::in_directory(&self.0)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn at(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn addresses(look: &mut Look, now: Instant) -> Vec<String> {
    look.again(now).unwrap().into_iter().map(|entry| entry.address).collect()
}

/// A later look, at which everything is looked at again.
fn later(now: Instant, looks: u32) -> Instant {
    now + limits::DISCOVERY_LOOK * looks
}

#[tokio::test]
async fn what_is_announced_is_found_and_what_is_taken_back_is_not() {
    let scratch = Scratch::new();
    let now = Instant::now();
    let mut look = scratch.local().look("shop.Inventory");
    assert_eq!(look.again(now), None, "there is no directory yet");
    let one = scratch.local().announce("shop.Inventory", at(1));
    let two = scratch.local().announce("shop.Inventory", at(2));
    let _other = scratch.local().announce("shop.Pricing", at(3));
    assert_eq!(addresses(&mut look, later(now, 1)), ["127.0.0.1:1", "127.0.0.1:2"]);
    drop(one);
    assert_eq!(addresses(&mut look, later(now, 2)), ["127.0.0.1:2"]);
    drop(two);
    assert_eq!(look.again(later(now, 3)), Some(Vec::new()));
}

#[tokio::test]
async fn a_server_that_listens_everywhere_is_found_on_loopback() {
    let scratch = Scratch::new();
    let _announced = scratch.local().announce("a", ([0, 0, 0, 0], 9).into());
    let mut look = scratch.local().look("a");
    assert_eq!(addresses(&mut look, Instant::now()), ["127.0.0.1:9"]);
}

#[tokio::test]
async fn nothing_is_read_again_while_nothing_changes() {
    let scratch = Scratch::new();
    let _announced = scratch.local().announce("a", at(1));
    let mut look = scratch.local().look("a");
    let now = Instant::now();
    assert!(look.again(now).is_some());
    assert_eq!(look.again(now + limits::DISCOVERY_TICK), None);
    assert!(look.again(now + limits::DISCOVERY_LOOK).is_some());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_server_that_was_killed_is_not_found() {
    let scratch = Scratch::new();
    let announced = scratch.local().announce("a", at(1));
    let text = fs::read_to_string(&announced.file).unwrap();
    let own = Process::own().unwrap();
    // The same process number, given to a process that began later.
    let process = text.lines().find(|line| line.starts_with("process")).unwrap().to_owned();
    let began = process.split(' ').nth(2).unwrap();
    let killed = text.replace(began, "1");
    fs::write(announced.file.with_file_name("killed"), killed).unwrap();
    let mut look = scratch.local().look("a");
    assert_eq!(look.again(Instant::now()).unwrap().len(), 1);
    assert!(!own.is_gone());
}

#[tokio::test]
async fn without_a_process_a_server_is_gone_when_it_has_said_nothing_for_its_lease() {
    let scratch = Scratch::new();
    let directory = scratch.local().of("a");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("elsewhere");
    fs::write(&file, "sinew-announcement 1\nservice a\naddress 127.0.0.1:1\n").unwrap();
    let mut look = scratch.local().look("a");
    let now = Instant::now();
    assert_eq!(look.again(now).unwrap().len(), 1);
    assert_eq!(look.again(now + limits::ANNOUNCE_LEASE).unwrap().len(), 1);
    let late = now + limits::ANNOUNCE_LEASE + limits::DISCOVERY_LOOK;
    assert_eq!(look.again(late).unwrap().len(), 0);
    // One heartbeat, whatever the clock on the wall says, and it is there again.
    let touched = SystemTime::now() - Duration::from_secs(3600);
    OpenOptions::new().append(true).open(&file).unwrap().set_modified(touched).unwrap();
    assert_eq!(look.again(late + limits::DISCOVERY_LOOK).unwrap().len(), 1);
}

#[tokio::test]
async fn what_was_left_behind_long_ago_is_not_found_at_all() {
    let scratch = Scratch::new();
    let directory = scratch.local().of("a");
    fs::create_dir_all(&directory).unwrap();
    let file = directory.join("left");
    fs::write(&file, "sinew-announcement 1\nservice a\naddress 127.0.0.1:1\n").unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(3600);
    OpenOptions::new().append(true).open(&file).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(scratch.local().look("a").again(Instant::now()), Some(Vec::new()));
    clean(&directory.join("own"));
    assert!(!file.exists());
}

#[tokio::test]
async fn what_is_no_announcement_is_passed_over() {
    use std::os::unix::fs::PermissionsExt as _;
    let scratch = Scratch::new();
    let announced = scratch.local().announce("a", at(1));
    let directory = scratch.local().of("a");
    let good = fs::read_to_string(&announced.file).unwrap();
    fs::write(directory.join("garbage"), [0xff; 100]).unwrap();
    fs::write(directory.join("empty"), "").unwrap();
    fs::write(directory.join("large"), good.clone() + &"x".repeat(20_000)).unwrap();
    fs::write(directory.join("another"), good.replace("service a", "service b")).unwrap();
    fs::create_dir(directory.join("directory")).unwrap();
    symlink(&announced.file, directory.join("link")).unwrap();
    fs::write(directory.join(".new-half"), &good[..30]).unwrap();
    let writable = directory.join("writable");
    fs::write(&writable, &good).unwrap();
    fs::set_permissions(&writable, fs::Permissions::from_mode(0o666)).unwrap();
    let mut look = scratch.local().look("a");
    assert_eq!(addresses(&mut look, Instant::now()), ["127.0.0.1:1"]);
}

#[tokio::test]
async fn a_directory_that_cannot_be_used_stops_no_server_and_is_tried_again() {
    let scratch = Scratch::new();
    // A file stands where the directory should be: the disk is as good as full.
    fs::write(scratch.0.join("services"), "").unwrap();
    let announced = scratch.local().announce("a", at(1));
    assert!(!announced.file.exists());
    fs::remove_file(scratch.0.join("services")).unwrap();
    let mut look = scratch.local().look("a");
    let began = Instant::now();
    while !announced.file.exists() && began.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(addresses(&mut look, Instant::now()), ["127.0.0.1:1"]);
}
