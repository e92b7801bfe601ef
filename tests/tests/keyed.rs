//! Calls with a key, on real servers: each user's go to one of them, whoever makes them, and to another one when that is
//! killed.

use std::collections::{BTreeMap, BTreeSet};

use sinew_tests::{
    Must as _,
    child::{Process, Start},
    probe::ProbeClient,
    scene::Scene,
    wait::soon,
};
use tokio::task::JoinSet;

/// Where the calls of each user go: one process for each, though eight calls of each are out at a time.
async fn homes(client: &ProbeClient) -> BTreeMap<String, u32> {
    let mut homes = BTreeMap::new();
    for user in 0..90 {
        let user = format!("user-{user}");
        let mut calls = JoinSet::new();
        (0..8).for_each(|_| _ = calls.spawn(client.home(user.clone())));
        let answers: BTreeSet<u32> =
            calls.join_all().await.into_iter().map(|answer| answer.must("an answer")).collect();
        assert_eq!(answers.len(), 1, "{user}: {answers:?}");
        homes.extend(answers.first().map(|home| (user, *home)));
    }
    homes
}

#[tokio::test]
async fn a_key_has_one_server_and_another_when_that_is_killed_and_the_first_again_when_it_is_back()
{
    let scene = Scene::new();
    let start = || Start::new(env!("CARGO_BIN_EXE_probe"), &scene);
    let mut servers: Vec<Process> = Vec::new();
    for _ in 0..3 {
        servers.push(start().run().await);
    }
    let mut addresses: Vec<_> = servers.iter().map(Process::address).collect();
    let client: ProbeClient = scene.client_at(&addresses).await;
    let before = homes(&client).await;
    let used: BTreeSet<_> = before.values().collect();
    assert_eq!(used.len(), 3, "every server has some of ninety users: {before:?}");
    addresses.reverse();
    let other: ProbeClient = scene.client_at(&addresses).await;
    assert_eq!(homes(&other).await, before, "all clients agree");

    let gone = servers.remove(1);
    let (id, address) = (gone.id().must("a process"), gone.address());
    gone.kill().await;
    // Its calls are repeated elsewhere; when that is known they go there at once.
    let moved = |homes: &BTreeMap<String, u32>| {
        homes.iter().all(|(user, home)| {
            let was = before[user];
            *home != id && (was == id || was == *home)
        })
    };
    assert!(moved(&homes(&client).await), "only its users move");
    let after = homes(&client).await;
    let heirs: BTreeSet<_> =
        before.keys().filter(|user| before[*user] == id).map(|user| after[user]).collect();
    assert_eq!(heirs.len(), 2, "both others have some of them");

    let back = start().at(address).run().await;
    let new = back.id().must("a process");
    soon("the users are back at its address", async {
        loop {
            let answer =
                client.home(before.keys().find(|user| before[*user] == id).must("one").clone());
            if answer.await.must("an answer") == new {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let again = homes(&client).await;
    for (user, home) in &before {
        assert_eq!(again[user], if *home == id { new } else { *home }, "{user}");
    }
}
