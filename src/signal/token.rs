//! The claims of an access token (a JWT, RFC 7519), and the choice between two tokens. Only the server can verify a
//! token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::secret::Secret;
use crate::limits::TOKEN_BYTES_MAX;

/// Of the token that the server has refreshed and the one that our own source gave, the one to come back with: the
/// refreshed one has what has changed since, so the older one is kept only where it leads to the same place and lives
/// longer. (The server refreshes for the life that the token had left, and ten minutes at least.)
pub fn longer_lived<'t>(refreshed: &'t Secret, source: &'t Secret) -> &'t Secret {
    let (new, old) = (claims(refreshed.reveal()).ok(), claims(source.reveal()).ok());
    let place = |claims: &Option<Value>| {
        claims.as_ref().map(|claims| (claims.get("sub").cloned(), claims.pointer("/video/room").cloned()))
    };
    let end = |claims: &Option<Value>| claims.as_ref().and_then(|claims| claims["exp"].as_u64());
    let is_older_better = old.is_some() && place(&new) == place(&old) && end(&old) > end(&new);
    if is_older_better { source } else { refreshed }
}

/// When a token expires, in seconds since 1970, if it has an expiry.
pub fn expiry_s(token: &Secret) -> Option<u64> {
    claims(token.reveal()).ok()?.get("exp")?.as_u64()
}

/// Whether a text can be sent as a token: it fits into one line of an HTTP head, which it does not end (RFC 9110 §5.5).
/// What the server sends may be anything, and would be sent back to it with every dial.
pub fn can_be_sent(text: &str) -> bool {
    !text.is_empty() && text.len() <= TOKEN_BYTES_MAX && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The claims of a token.
///
/// # Errors
/// What every token has and this one has not.
pub fn claims(token: &str) -> Result<Value, &'static str> {
    if token.is_empty() {
        return Err("it is empty");
    }
    if token.len() > TOKEN_BYTES_MAX {
        return Err("it is too long");
    }
    let is_of_jwt = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !token.bytes().all(is_of_jwt) {
        return Err("it has characters that no JWT has");
    }
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err("it does not have the three parts of a JWT");
    };
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| "its claims are not base64")?;
    serde_json::from_slice(&claims).map_err(|_| "its claims are not JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(room: &str, end: &str) -> Secret {
        let claims = format!(r#"{{"sub":"door","exp":{end},"video":{{"room":"{room}"}}}}"#);
        Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn the_longer_lived_of_two_for_the_same_place() {
        let source = token("hall", "2000");
        let cases = [
            (token("hall", "3000"), true, "longer"),
            (token("hall", "2000"), true, "as long, and newer"),
            (token("hall", "1999"), false, "shorter"),
            (token("garden", "1999"), true, "leads elsewhere: we were moved"),
            (token("hall", "null"), false, "its life is not known"),
            (Secret::new("no token".to_owned()), true, "only the server can judge that"),
        ];
        for (refreshed, is_used, why) in cases {
            let expected = if is_used { &refreshed } else { &source };
            assert_eq!(longer_lived(&refreshed, &source), expected, "{why}");
        }
        assert_eq!((expiry_s(&source), expiry_s(&token("hall", "null"))), (Some(2000), None));
        let opaque = Secret::new("opaque".to_owned());
        let refreshed = token("hall", "1");
        assert_eq!(longer_lived(&refreshed, &opaque), &refreshed);
    }

    #[test]
    fn what_would_break_a_request_is_no_token() {
        assert!(can_be_sent("opaque") && can_be_sent(token("hall", "1").reveal()));
        for text in ["", "a b", "a\r\nHost: b", "\0", "tökn", &"a".repeat(TOKEN_BYTES_MAX + 1)] {
            assert!(!can_be_sent(text), "{text:?}");
        }
    }
}
