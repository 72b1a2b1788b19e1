//! Why an upgrade was refused: the same question without the upgrade, at `/rtc/validate`.
//!
//! Asked only where the refusal does not explain itself: an answer without text, the page of a proxy, or one that is not
//! LiveKit's. With the same parameters and the same token, or it would answer another question.

use std::pin::Pin;
use std::rc::Rc;

use futures_io::AsyncRead;
use futures_util::future::{Either, select};

use super::reactor::Reactor;
use super::websocket::{Dial, reach};
use super::{clock, http};
use crate::limits::REFUSAL_BODY_BYTES_MAX;
use crate::signal::refusal::Refusal;
use crate::signal::url::validate_target;
use crate::time::date::UnixTime;

/// What the explanation is worth waiting for.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(3);

/// `refusal`, explained where that can be had.
pub(super) async fn explain(refusal: Refusal, dial: &Dial, reactor: &Rc<Reactor>) -> Refusal {
    if !refusal.is_unexplained() {
        return refusal;
    }
    let asking = std::pin::pin!(ask(dial, reactor));
    let patience = std::pin::pin!(reactor.sleep_until(clock::now() + PATIENCE, clock::now));
    match select(asking, patience).await {
        Either::Left((Some(answer), _)) => refusal.explained_by(answer.status, &answer.body),
        _ => refusal,
    }
}

/// A body of a refusal, and a head that is shorter.
const ANSWER_BYTES_MAX: usize = 2 * REFUSAL_BODY_BYTES_MAX;

/// What is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The server's clock, where it tells.
    pub(super) date: Option<UnixTime>,
    pub(super) body: Vec<u8>,
}

/// Asks; `None` where nothing comes that is HTTP.
pub(super) async fn ask(dial: &Dial, reactor: &Rc<Reactor>) -> Option<Answer> {
    let (mut stream, _) = reach(dial, reactor).await.ok()?;
    let (target, authority) = (validate_target(&dial.target), dial.url.authority());
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: {authority}\r\nAuthorization: Bearer {}\r\nUser-Agent: {}\r\n\
         Connection: close\r\n\r\n",
        dial.token.reveal(),
        super::websocket::USER_AGENT,
    );
    http::write_all(&mut stream, &request).await.ok()?;
    let mut answer = heapless::Vec::<u8, ANSWER_BYTES_MAX>::new();
    let mut piece = [0; 512];
    loop {
        let reading = std::future::poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut piece));
        // A server that ends TLS without a word has said what it wanted to.
        let count = reading.await.unwrap_or(0);
        if count == 0 || answer.extend_from_slice(&piece[..count]).is_err() {
            return read(&answer);
        }
    }
}

fn read(answer: &[u8]) -> Option<Answer> {
    let status = http::status_of(answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let date = head
        .lines()
        .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("date")));
    let date = date.and_then(|(_, date)| UnixTime::of_http_date(date.trim()));
    Some(Answer { status, date, body: answer[end + 4..].to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_http() {
        let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno!";
        assert_eq!(read(answer), Some(Answer { status: 401, date: None, body: b"no!".to_vec() }));
        let dated = b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:01:00 GMT\r\n\r\nsuccess";
        assert_eq!(read(dated).and_then(|answer| answer.date), Some(UnixTime(60)));
        for cut in 0..40 {
            assert_eq!(read(&answer[..cut]), None, "{cut}");
        }
        assert_eq!(read(b"SSH-2.0-OpenSSH\r\n\r\n"), None);
        assert_eq!(read(b"HTTP/1.1 abc\r\n\r\n"), None);
    }
}
