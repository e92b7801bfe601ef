//! Sources that answer, fail, hang and lie, and the list that follows.

use std::time::Duration;

use super::*;
use crate::discovery::{About, Doubt, Hearing, forever, scratch::Scratch};

/// Says these things, each after a pause, and then no more.
struct Script {
    name: &'static str,
    lines: Vec<(u64, Result<Vec<Entry>, &'static str>)>,
}

impl Source for Script {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn is_kept(&self) -> bool {
        true
    }

    fn next<'a>(&'a mut self, _doubts: &'a mut Doubts) -> Hearing<'a> {
        Box::pin(async move {
            if self.lines.is_empty() {
                forever().await;
            }
            let (pause, said) = self.lines.remove(0);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let endpoints = said.map_err(str::to_owned)?;
            Ok(Snapshot { endpoints, withdrawn: Withdrawn::NONE })
        })
    }
}

fn id(path: &str) -> SpiffeId {
    SpiffeId::new(&format!("spiffe://a.example/{path}")).unwrap()
}

fn at(ports: &[u16]) -> Vec<Entry> {
    ports.iter().map(|port| Entry::at(format!("127.0.0.1:{port}"))).collect()
}

/// What is told within a second, each with the millisecond.
async fn told(scripts: Vec<Script>, last_good: Option<LastGood>) -> Vec<(u64, News)> {
    let all = scripts.into_iter().map(|script| Box::new(script) as Box<dyn Source>).collect();
    let sources = Sources { all, expected: id("a"), last_good };
    let (began, mut told) = (Instant::now(), Vec::new());
    let doubt = Doubt::new();
    let following = follow(sources, doubt.heard(), |news| {
        told.push((u64::try_from(began.elapsed().as_millis()).unwrap(), news));
        true
    });
    let _ = tokio::time::timeout(Duration::from_secs(1), following).await;
    told
}

fn lists(told: &[(u64, News)]) -> Vec<Vec<Entry>> {
    let list = |(_, news): &(u64, News)| match news {
        News::Endpoints(list) => Some(list.clone()),
        News::Problem(..) => None,
    };
    told.iter().filter_map(list).collect()
}

#[tokio::test(start_paused = true)]
async fn a_source_that_fails_or_hangs_holds_up_no_other() {
    let scripts = vec![
        Script { name: "hangs", lines: vec![] },
        Script { name: "fails", lines: vec![(0, Err("no reason")), (300, Ok(at(&[1])))] },
        Script { name: "works", lines: vec![(10, Ok(at(&[2])))] },
    ];
    let told = told(scripts, None).await;
    assert_eq!(told[0], (0, News::Problem(1, Some("no reason".to_owned()))));
    assert_eq!(lists(&told), [at(&[2]), at(&[1, 2])]);
    assert!(told.iter().any(|(_, news)| *news == News::Problem(1, None)), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn who_says_that_he_is_somebody_else_is_not_on_the_list() {
    let mut entries = at(&[1, 2, 3]);
    for (entry, says) in entries.iter_mut().zip(["a", "b"]) {
        entry.about = About { identity: Some(id(says)), ..About::default() };
    }
    let expected = [entries[0].clone(), entries[2].clone()];
    let told = told(vec![Script { name: "x", lines: vec![(0, Ok(entries))] }], None).await;
    assert_eq!(lists(&told), [expected]);
    let problem = told.iter().find_map(|(_, news)| match news {
        News::Problem(0, Some(problem)) => Some(problem.clone()),
        _ => None,
    });
    let problem = problem.unwrap();
    assert!(problem.contains("127.0.0.1:2 says that it is `spiffe://a.example/b`"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_is_used_when_its_source_fails_or_is_silent_and_not_before() {
    let scratch = Scratch::new();
    let kept = LastGood::in_directory(scratch.path(), "a", &id("a"));
    kept.save("x", &at(&[1]));
    let run = |lines| told(vec![Script { name: "x", lines }], Some(kept.clone()));
    let answers = run(vec![(100, Ok(at(&[1, 2])))]).await;
    assert_eq!(lists(&answers), [at(&[1, 2])], "it was waited for, and is kept now");
    let fails = run(vec![(100, Err("no"))]).await;
    assert_eq!(lists(&fails), [at(&[1, 2])]);
    assert!(fails[0].0 < 500, "{fails:?}");
    let hangs = run(vec![]).await;
    assert_eq!(lists(&hangs), [at(&[1, 2])]);
    assert!(hangs[0].0 >= 500, "{hangs:?}");
    let empty = run(vec![(100, Ok(vec![]))]).await;
    assert_eq!(lists(&empty), [at(&[1, 2])], "a directory that has forgotten everything");
    assert!(empty[0].0 < 500, "{empty:?}");
    let late = run(vec![(700, Ok(at(&[3])))]).await;
    assert_eq!(lists(&late), [at(&[1, 2]), at(&[3])], "an answer takes the place of what was kept");
    assert_eq!(kept.load("x"), at(&[3]));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_asked_when_nobody_listens_any_more() {
    struct Dropped(Arc<std::sync::atomic::AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }
    impl Source for Dropped {
        fn name(&self) -> String {
            String::new()
        }
        fn next<'a>(&'a mut self, _doubts: &'a mut Doubts) -> Hearing<'a> {
            Box::pin(async { Ok(Snapshot { endpoints: at(&[1]), withdrawn: Withdrawn::NONE }) })
        }
    }
    let gone = Arc::default();
    let all: Vec<Box<dyn Source>> = vec![Box::new(Dropped(Arc::clone(&gone)))];
    let sources = Sources { all, expected: id("a"), last_good: None };
    follow(sources, Doubt::new().heard(), |_| false).await;
    while !gone.load(std::sync::atomic::Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
}
