//! What an access token (a JWT, RFC 7519) says of itself, as far as it decides which of two is used. Whether it is
//! genuine only the server knows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::secret::Secret;
use crate::limits::TOKEN_BYTES_MAX;

/// Of the token that the server has refreshed and the one that our own source gave, the one to come back with: the
/// refreshed one has what has changed since, so the older one is kept only where it leads to the same place and lives
/// longer. (The server refreshes for the life that the token had left, and ten minutes at least.)
pub fn longer_lived<'t>(refreshed: &'t Secret, source: &'t Secret) -> &'t Secret {
    let (new, old) = (claims(refreshed), claims(source));
    let place = |claims: &Option<Value>| {
        claims.as_ref().map(|claims| (claims["sub"].clone(), claims["video"]["room"].clone()))
    };
    let end = |claims: &Option<Value>| claims.as_ref().and_then(|claims| claims["exp"].as_u64());
    let is_older_better = old.is_some() && place(&new) == place(&old) && end(&old) > end(&new);
    if is_older_better { source } else { refreshed }
}

fn claims(token: &Secret) -> Option<Value> {
    let text = token.reveal();
    let payload = text.split('.').nth(1).filter(|_| text.len() <= TOKEN_BYTES_MAX)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
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
        let opaque = Secret::new("opaque".to_owned());
        let refreshed = token("hall", "1");
        assert_eq!(longer_lived(&refreshed, &opaque), &refreshed);
    }
}
