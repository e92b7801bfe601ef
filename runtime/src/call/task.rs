//! Work beside a call: spawned under it, detached from it, or begun at a root.

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{Instant, timeout_at},
};

use super::context::{Context, Inherited};

/// Spawns `future` as a part of the running call: it keeps the deadline, the criticality and the caller, and it is
/// dropped when the call is cancelled or its deadline passes.
///
/// The task outlives a handler that returns; it does not outlive the deadline. The handle yields `None` when the task
/// was cut short. Outside of a call it is a plain spawn.
///
/// # Panics
/// Outside of a tokio runtime.
///
/// # Cancel safety
/// Dropping the handle detaches the task from the handle, not from the call.
pub fn spawn<F>(future: F) -> JoinHandle<Option<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let Some(context) = Context::current() else {
        return tokio::spawn(async move { Some(future.await) });
    };
    let cancelled = context.child_token();
    let deadline = context.inner().deadline;
    tokio::spawn(context.scope(async move {
        let bounded = async move {
            match deadline {
                Some(deadline) => timeout_at(deadline, future).await.ok(),
                None => Some(future.await),
            }
        };
        tokio::select! {
            biased;
            () = cancelled.cancelled() => None,
            output = bounded => output,
        }
    }))
}

/// Spawns `future` free of the running call: it is not cancelled with it, and has a deadline of its own. It keeps the
/// trace, the criticality, and that it is a copy, if it is one. The handle yields `None` when `limit` passed.
///
/// # Panics
/// Outside of a tokio runtime.
///
/// # Cancel safety
/// Dropping the handle leaves the task running.
pub fn detach<F>(limit: Duration, future: F) -> JoinHandle<Option<F::Output>>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let deadline = Instant::now() + limit;
    let parent = Context::current();
    let inherited = Inherited {
        deadline: Some(deadline),
        criticality: parent.as_ref().and_then(|parent| parent.inner().criticality),
        shed_key: parent.as_ref().and_then(|parent| parent.inner().shed_key),
        trace: parent.as_ref().and_then(|parent| parent.inner().trace),
        shadow: parent.as_ref().is_some_and(|parent| parent.inner().shadow),
        ..Inherited::default()
    };
    let context = Context::new(inherited);
    tokio::spawn(context.scope(async move { timeout_at(deadline, future).await.ok() }))
}

/// Runs `future` as the beginning of a call tree: calls made in it inherit nothing, on purpose, and are not counted as
/// having lost their context.
///
/// # Cancel safety
/// As `future` itself.
pub async fn root<F: Future>(future: F) -> F::Output {
    Context::new(Inherited::default()).scope(future).await
}
