//! What a client says about itself when it dials: the token's claims and the query's parameters.
//!
//! The real server checks the signature; here the claims are believed. The refusals, their statuses and texts are the
//! real server's (`pkg/service/rtcservice.go`, `auth.go`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The claims that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `sub`.
    pub identity: String,
    /// `name`.
    pub name: String,
    /// `metadata`.
    pub metadata: String,
    /// `kind`: whether it says "agent".
    pub is_agent: bool,
    /// `video.room`.
    pub room: String,
    /// `video.canPublish`, granted where absent.
    pub can_publish: bool,
    /// `video.canSubscribe`, granted where absent.
    pub can_subscribe: bool,
}

/// A refusal before the upgrade: HTTP status and body.
pub type Refusal = (u16, String);

impl Claims {
    /// Reads the payload of a JWT.
    pub fn read(token: &str) -> Result<Claims, Refusal> {
        let invalid = || (401, "invalid authorization token: token is malformed".to_string());
        let payload = token.split('.').nth(1).ok_or_else(invalid)?;
        let bytes = URL_SAFE_NO_PAD.decode(payload).map_err(|_| invalid())?;
        let claims: Value = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let grant = &claims["video"];
        if grant["roomJoin"] != json!(true) {
            return Err((401, "permissions denied".to_string()));
        }
        let claims = Claims {
            identity: text(&claims["sub"]),
            name: text(&claims["name"]),
            metadata: text(&claims["metadata"]),
            is_agent: claims["kind"] == json!("agent"),
            room: text(&grant["room"]),
            can_publish: grant["canPublish"].as_bool().unwrap_or(true),
            can_subscribe: grant["canSubscribe"].as_bool().unwrap_or(true),
        };
        match () {
            () if claims.identity.is_empty() => Err((400, "identity cannot be empty".to_string())),
            () if claims.room.is_empty() => Err((400, "room name cannot be empty".to_string())),
            () => Ok(claims),
        }
    }

    /// A token that [`Claims::read`] takes, with a signature that nobody could check.
    pub fn token(room: &str, identity: &str) -> String {
        Claims::token_of_kind(room, identity, "standard")
    }

    /// The same, for a participant of this kind.
    pub fn token_of_kind(room: &str, identity: &str, kind: &str) -> String {
        let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({"alg": "HS256", "typ": "JWT"}));
        let payload = part(json!({
            "sub": identity,
            "kind": kind,
            "iss": "simulated",
            "exp": 4_102_444_800_u64,
            "video": {"roomJoin": true, "room": room},
        }));
        format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode([0; 32]))
    }
}

/// The parameters of `/rtc` that the server reads (`validateInternal`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// A resume of the session named by `sid`.
    pub reconnect: bool,
    /// Participant SID, with `reconnect`.
    pub sid: String,
    /// `reconnect_reason`; 0 where absent.
    pub reason: u32,
    /// Subscribe to everything that is published; the default where absent.
    pub auto_subscribe: bool,
    /// `protocol`; 0 where absent.
    pub protocol: u32,
}

impl Query {
    /// Reads `name=value&…`, or a whole target `/rtc?name=value&…`.
    pub fn read(text: &str) -> Query {
        let mut query = Query { auto_subscribe: true, ..Query::default() };
        let text = text.split_once('?').map_or(text, |(_, query)| query);
        for (name, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
            // `utils.go:boolValue`: only these two are true.
            let truth = value == "1" || value == "true";
            match name {
                "reconnect" => query.reconnect = truth,
                "sid" => query.sid = value.to_string(),
                "reconnect_reason" => query.reason = value.parse().unwrap_or(0),
                "auto_subscribe" => query.auto_subscribe = truth,
                "protocol" => query.protocol = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        query
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_who_and_where() {
        let claims = Claims::read(&Claims::token("hall", "door")).expect("own token");
        assert_eq!((claims.identity.as_str(), claims.room.as_str()), ("door", "hall"));
        assert!(claims.can_publish && claims.can_subscribe);
    }

    #[test]
    fn what_is_no_token_is_refused() {
        assert_eq!(Claims::read("rubbish").expect_err("no token").0, 401);
        assert_eq!(Claims::read(&Claims::token("hall", "")).expect_err("nobody").0, 400);
        assert_eq!(Claims::read(&Claims::token("", "door")).expect_err("nowhere").0, 400);
    }

    #[test]
    fn a_query_has_the_server_s_defaults() {
        let plain = Query::read("/rtc?protocol=16&sdk=unknown");
        assert_eq!(plain, Query { auto_subscribe: true, protocol: 16, ..Query::default() });
        let resume = Query::read("reconnect=1&sid=PA_x&auto_subscribe=0");
        assert!(resume.reconnect && resume.sid == "PA_x" && !resume.auto_subscribe);
    }
}
