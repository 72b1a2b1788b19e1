//! What can only be had by blocking (a name, a token from a command): on a thread that lives as long
//! as the question.

use std::io;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::reactor::Reactor;

struct Answer<T> {
    result: Option<T>,
    waker: Option<Waker>,
}

/// Runs `question` on a thread of its own, and waits for its result without blocking.
///
/// # Errors
/// The system gives no thread.
pub async fn unblock<T: Send + 'static>(
    reactor: &Rc<Reactor>,
    name: &str,
    question: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let answer = Arc::new(Mutex::new(Answer { result: None, waker: None }));
    let (theirs, notifier) = (answer.clone(), reactor.notifier());
    let run = move || {
        let result = question();
        let waker = {
            let mut answer = lock(&theirs);
            answer.result = Some(result);
            answer.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        // The wait ends even if it had begun before the task was woken.
        let _ = notifier.notify();
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
    let result = std::future::poll_fn(move |context| {
        let mut answer = lock(&answer);
        match answer.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                answer.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    })
    .await;
    Ok(result)
}

/// Blocks until the descriptor can be read; `false` if that does not come in time.
///
/// # Errors
/// The kernel refused a thread.
pub fn wait_readable(fd: impl AsFd, patience: Duration) -> io::Result<bool> {
    let timeout =
        Timespec { tv_sec: patience.as_secs().cast_signed(), tv_nsec: patience.subsec_nanos().into() };
    Ok(poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&timeout))? > 0)
}

/// A poisoned lock only means that the other side panicked; the value is still whole.
fn lock<T>(answer: &Mutex<Answer<T>>) -> MutexGuard<'_, Answer<T>> {
    answer.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::runtime::clock;

    #[test]
    fn the_answer_wakes_the_task_that_waits() {
        let reactor = Reactor::new().expect("a poller");
        let executor = async_executor::LocalExecutor::new();
        let asking = reactor.clone();
        let task = executor.spawn(async move { unblock(&asking, "test", || 6 * 7).await.expect("a thread") });
        while !task.is_finished() {
            while executor.try_tick() {}
            if !task.is_finished() {
                reactor.wait(None, clock::now()).expect("waits");
            }
        }
    }
}
