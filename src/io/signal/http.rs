//! As much of HTTP/1.1 as is spoken by ourselves, to a proxy, `/rtc/validate` and the like: the WebSocket's own upgrade is
//! async-tungstenite's, whose parser of heads (`httparse`) reads ours too. One connection, one question.

use std::io;
use std::pin::Pin;

use futures_io::{AsyncRead, AsyncWrite};

use crate::time::date::UnixTime;

/// Bytes of the head of an answer; a larger head is refused.
const HEAD_BYTES_MAX: usize = 8 * 1024;

/// Lines of it. Proxies and content networks add a dozen each.
const HEADERS_MAX: usize = 64;

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::io) struct HttpResponse {
    /// Status code of the answer.
    pub(in crate::io) status: u16,
    /// The server's clock, if the answer has a date.
    pub(in crate::io) date: Option<UnixTime>,
    /// As it is meant, without the frames of `Transfer-Encoding`.
    pub(in crate::io) body: Vec<u8>,
}

/// Sends `request`, which must have `Connection: close`, and reads an answer whose body has at most `body_bytes_max`.
///
/// # Errors
/// An error of the connection; an answer that is not HTTP, is too long or ends too soon.
pub(in crate::io) async fn exchange<S>(
    stream: &mut S,
    request: &str,
    body_bytes_max: usize,
) -> io::Result<HttpResponse>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    write_all(stream, request).await?;
    let (mut answer, mut piece) = (Vec::new(), [0; 1024]);
    loop {
        let reading = std::future::poll_fn(|context| Pin::new(&mut *stream).poll_read(context, &mut piece));
        // A server that ends TLS without close_notify has sent everything.
        let count = match reading.await {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
            Err(error) => return Err(error),
        };
        answer.extend_from_slice(piece.get(..count).unwrap_or_default());
        if let Some(answer) = read(&answer, count == 0)? {
            return Ok(answer);
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // Frames of a chunked body are a line each, which it may spend as much on as on itself.
        if answer.len() > HEAD_BYTES_MAX + 2 * body_bytes_max {
            return Err(io::Error::other("the answer is too long"));
        }
    }
}

/// The answer, once it is there. `is_all`: nothing follows.
fn read(bytes: &[u8], is_all: bool) -> io::Result<Option<HttpResponse>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Response::new(&mut headers);
    let parsed =
        head.parse(bytes).map_err(|error| io::Error::other(format!("the answer is not HTTP: {error}")))?;
    let (httparse::Status::Complete(start), Some(status)) = (parsed, head.code) else { return Ok(None) };
    let header = |name: &str| {
        let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let rest = bytes.get(start..).unwrap_or_default();
    let body = if header("Transfer-Encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        unchunked(rest)?
    } else if let Some(length) = header("Content-Length").and_then(|length| length.trim().parse().ok()) {
        rest.get(..length).map(<[u8]>::to_vec)
    } else {
        is_all.then(|| rest.to_vec())
    };
    let date = header("Date").and_then(UnixTime::of_http_date);
    Ok(body.map(|body| HttpResponse { status, date, body }))
}

/// A body in chunks (RFC 9112 §7.1), once the last one is there.
fn unchunked(mut rest: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let size =
            httparse::parse_chunk_size(rest).map_err(|_| io::Error::other("a chunk without a size"))?;
        let httparse::Status::Complete((start, size)) = size else { return Ok(None) };
        if size == 0 {
            return Ok(Some(body));
        }
        let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
        let Some(chunk) = end.and_then(|end| rest.get(start..end)) else { return Ok(None) };
        body.extend_from_slice(chunk);
        // And the line's end after it.
        let Some(next) = rest.get(start + chunk.len() + 2..) else { return Ok(None) };
        rest = next;
    }
}

/// Writes all of a request.
///
/// # Errors
/// An error of the connection.
pub(in crate::io) async fn write_all<S: AsyncWrite + Unpin>(stream: &mut S, request: &str) -> io::Result<()> {
    let mut rest = request.as_bytes();
    while !rest.is_empty() {
        let written =
            std::future::poll_fn(|context| Pin::new(&mut *stream).poll_write(context, rest)).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = rest.get(written..).unwrap_or_default();
    }
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await
}

/// The status of an answer; `None` if that is not HTTP.
pub(in crate::io) fn status_of(answer: &[u8]) -> Option<u16> {
    let code = answer.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers() {
        let whole = |status, body: &[u8]| Some(HttpResponse { status, date: None, body: body.to_vec() });
        let dated = b"HTTP/1.1 200 OK\r\ndate: Thu, 01 Jan 1970 00:01:00 GMT\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(read(dated, false).unwrap().and_then(|answer| answer.date), Some(UnixTime(60)));
        let told = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 3\r\n\r\nno!";
        assert_eq!(read(told, false).unwrap(), whole(401, b"no!"));
        let in_chunks =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert_eq!(read(in_chunks, false).unwrap(), whole(200, b"abcde"));
        let until_its_end = b"HTTP/1.0 200 OK\r\n\r\nabc";
        assert_eq!(read(until_its_end, false).unwrap(), None);
        assert_eq!(read(until_its_end, true).unwrap(), whole(200, b"abc"));
        for cut in 0..told.len() {
            assert_eq!(read(&told[..cut], true).unwrap(), None, "{cut}");
        }
        for cut in 0..in_chunks.len() - 4 {
            assert_eq!(read(&in_chunks[..cut], true).unwrap(), None, "{cut}");
        }
        assert!(read(b"SSH-2.0-OpenSSH\r\n\r\n", false).is_err());
        assert!(read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", false).is_err());
        let endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc";
        assert_eq!(read(endless, true).unwrap(), None);
    }

    #[test]
    fn statuses() {
        assert_eq!(status_of(b"HTTP/1.1 401 Unauthorized\r\n\r\n"), Some(401));
        assert_eq!(status_of(b"HTTP/1.0 200"), Some(200));
        for other in
            [&b"HTTP/1.1 20"[..], b"HTTP/1.1 abc\r\n", b"HTTP/2 200\r\n", b"SSH-2.0-OpenSSH\r\n", b""]
        {
            assert_eq!(status_of(other), None);
        }
    }
}
