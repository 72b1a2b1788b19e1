//! Name look-up, the only thing that blocks: on a thread that lives as long as the question.
//!
//! The resolver of libc knows what the device's owner has configured (hosts file, mDNS, resolved),
//! which is why it is asked; it has no other way than to block.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use super::reactor::Reactor;

/// Addresses tried for one name.
const ADDRESSES_MAX: usize = 8;

#[derive(Default)]
struct Answer {
    result: Option<io::Result<Vec<SocketAddr>>>,
    waker: Option<Waker>,
}

/// Looks `host` up. Numbers are answered without a thread.
///
/// # Errors
/// What the resolver says, or that it found nothing.
pub async fn resolve(reactor: &Rc<Reactor>, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let answer = Arc::new(Mutex::new(Answer::default()));
    start(host.to_owned(), port, answer.clone(), reactor)?;
    std::future::poll_fn(move |context| {
        let mut answer = lock(&answer);
        match answer.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                answer.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    })
    .await
}

fn start(host: String, port: u16, answer: Arc<Mutex<Answer>>, reactor: &Rc<Reactor>) -> io::Result<()> {
    let notifier = reactor.notifier();
    let question = move || {
        let found = (host.as_str(), port).to_socket_addrs().and_then(|addresses| {
            let addresses: Vec<_> = addresses.take(ADDRESSES_MAX).collect();
            if addresses.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(addresses) }
        });
        let waker = {
            let mut answer = lock(&answer);
            answer.result = Some(found);
            answer.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        // The wait ends even if it had begun before the task was woken.
        let _ = notifier.notify();
    };
    std::thread::Builder::new().name("kinglet-dns".to_owned()).spawn(question).map(drop)
}

/// A poisoned lock only means that the other side panicked; the value is still whole.
fn lock(answer: &Mutex<Answer>) -> std::sync::MutexGuard<'_, Answer> {
    answer.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
