//! What the referee says, and that it is gone.

use tokio::sync::oneshot;

/// Hands each line of the standard input over; the receiver ends with the input.
pub(crate) fn lines(each: impl Fn(&str) + Send + 'static) -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    // A thread of its own, which may be left behind in its read when the program ends.
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            each(line.trim());
        }
        drop(ended);
    });
    end
}
