//! A bounded queue between the driver and a task of the same thread.
//!
//! The driver never waits: it posts, or learns that the box is full, and takes what is there. The
//! task waits for either.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Poll, Waker};

use crate::command::Answer;

/// Where one answer is put. The one that asked may have stopped waiting.
pub type AnswerSlot = Rc<Mailbox<Answer, 1>>;

/// The queue. Both sides hold it behind an `Rc`.
pub struct Mailbox<T, const N: usize> {
    inner: RefCell<Inner<T, N>>,
}

struct Inner<T, const N: usize> {
    queue: heapless::Deque<T, N>,
    receiver: Option<Waker>,
    /// All tasks that wait for room.
    senders: Vec<Waker>,
}

impl<T, const N: usize> Mailbox<T, N> {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            inner: RefCell::new(Inner { queue: heapless::Deque::new(), receiver: None, senders: Vec::new() }),
        }
    }

    /// Posts without waiting; gives the item back where the box is full.
    ///
    /// # Errors
    /// The item, undelivered.
    pub fn post(&self, item: T) -> Result<(), T> {
        let mut inner = self.inner.borrow_mut();
        inner.queue.push_back(item)?;
        if let Some(waker) = inner.receiver.take() {
            waker.wake();
        }
        Ok(())
    }

    /// Takes without waiting.
    pub fn take(&self) -> Option<T> {
        let mut inner = self.inner.borrow_mut();
        let item = inner.queue.pop_front();
        if item.is_some() {
            inner.senders.drain(..).for_each(Waker::wake);
        }
        item
    }

    /// Whether something is there to be taken.
    pub fn has_items(&self) -> bool {
        !self.inner.borrow().queue.is_empty()
    }

    /// Whether the next post is refused.
    pub fn is_full(&self) -> bool {
        self.inner.borrow().queue.is_full()
    }

    /// Posts, waiting for room.
    pub async fn send(&self, item: T) {
        let mut item = Some(item);
        std::future::poll_fn(|context| {
            let Some(unsent) = item.take() else { return Poll::Ready(()) };
            match self.post(unsent) {
                Ok(()) => Poll::Ready(()),
                Err(unsent) => {
                    item = Some(unsent);
                    self.inner.borrow_mut().await_room(context.waker());
                    Poll::Pending
                }
            }
        })
        .await;
    }

    /// Waits until nothing is left to be taken.
    pub async fn drained(&self) {
        std::future::poll_fn(|context| {
            if !self.has_items() {
                return Poll::Ready(());
            }
            self.inner.borrow_mut().await_room(context.waker());
            Poll::Pending
        })
        .await;
    }

    /// Takes, waiting for an item.
    pub async fn receive(&self) -> T {
        std::future::poll_fn(|context| match self.take() {
            Some(item) => Poll::Ready(item),
            None => {
                self.inner.borrow_mut().receiver = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

impl<T, const N: usize> Inner<T, N> {
    fn await_room(&mut self, waker: &Waker) {
        if !self.senders.iter().any(|other| other.will_wake(waker)) {
            self.senders.push(waker.clone());
        }
    }
}

impl<T, const N: usize> Default for Mailbox<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn waits_on_both_ends_and_keeps_the_order() {
        let mailbox = Rc::new(Mailbox::<u32, 2>::new());
        let executor = async_executor::LocalExecutor::new();
        let sender = mailbox.clone();
        let sending = executor.spawn(async move {
            for number in 0..10 {
                sender.send(number).await;
            }
        });
        while executor.try_tick() {}
        assert!(!sending.is_finished(), "two fit, the rest waits");
        assert_eq!(mailbox.post(99), Err(99));
        let receiver = mailbox.clone();
        let receiving = executor.spawn(async move {
            let mut got = Vec::new();
            while got.len() < 10 {
                got.push(receiver.receive().await);
            }
            got
        });
        while executor.try_tick() {}
        assert!(sending.is_finished() && receiving.is_finished());
        assert_eq!(mailbox.post(10).and(mailbox.post(11)), Ok(()));
        let other = mailbox.clone();
        let draining = executor.spawn(async move { other.drained().await });
        while executor.try_tick() {}
        assert_eq!(mailbox.take(), Some(10));
        while executor.try_tick() {}
        assert!(!draining.is_finished(), "one is left");
        assert_eq!(mailbox.take(), Some(11));
        while executor.try_tick() {}
        assert!(draining.is_finished());
    }
}
