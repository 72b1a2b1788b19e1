//! As much of HTTP/1.1 as is spoken by ourselves, to a proxy and to `/rtc/validate`: the WebSocket's own upgrade is
//! async-tungstenite's.

use std::io;
use std::pin::Pin;

use futures_io::AsyncWrite;

/// Writes all of a request.
///
/// # Errors
/// The connection's.
pub(super) async fn write_all<S: AsyncWrite + Unpin>(stream: &mut S, request: &str) -> io::Result<()> {
    let mut rest = request.as_bytes();
    while !rest.is_empty() {
        let written =
            std::future::poll_fn(|context| Pin::new(&mut *stream).poll_write(context, rest)).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = &rest[written..];
    }
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await
}

/// The status of an answer; `None` if that is not HTTP.
pub(super) fn status_of(answer: &[u8]) -> Option<u16> {
    let code = answer.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

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
