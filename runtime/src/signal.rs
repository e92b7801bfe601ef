//! When a process is asked to stop.

/// Ready when the process is asked to stop: SIGTERM or Ctrl-C, on other systems Ctrl-C.
///
/// A process whose signals cannot be listened to never gets ready, and says so in the log.
///
/// # Cancel safety
/// A signal that comes when nobody waits is not kept.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn shutdown_signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    () = interrupted() => {}
                }
            }
            Err(error) => {
                tracing::error!(%error, "cannot listen for SIGTERM");
                interrupted().await;
            }
        }
    }
    #[cfg(not(unix))]
    interrupted().await;
}

async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "cannot listen for Ctrl-C");
        std::future::pending::<()>().await;
    }
}
