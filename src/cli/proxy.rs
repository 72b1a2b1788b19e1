//! The proxies that the environment names, as other programs read it.

use kinglet::io::proxy::ProxySettings;
use kinglet::signal::secret::Secret;
use kinglet::signal::url::ServerUrl;

use super::Failed;

/// All of them. Lower case counts too, and first.
pub fn settings(environment: &dyn Fn(&str) -> Option<String>) -> ProxySettings {
    let either = |name: &str| environment(&name.to_ascii_lowercase()).or_else(|| environment(name));
    let secret = |name: &str| either(name).map(Secret::new);
    ProxySettings {
        https: secret("HTTPS_PROXY"),
        http: secret("HTTP_PROXY"),
        all: secret("ALL_PROXY"),
        none_for: either("NO_PROXY"),
    }
}

/// All of them, of which the one for `url` can be read.
///
/// # Errors
/// The proxy URL cannot be used.
pub fn checked_for(
    url: &ServerUrl,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<ProxySettings, Failed> {
    settings(environment).checked_for(url).map_err(Failed::usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_comes_first() {
        let environment = |name: &str| match name {
            "http_proxy" => Some("lower:1".to_owned()),
            "HTTP_PROXY" => Some("upper:2".to_owned()),
            "HTTPS_PROXY" => Some("upper:3".to_owned()),
            _ => None,
        };
        let port = |url: &str| {
            let proxy = settings(&environment).for_server(&url.parse().expect("a URL"));
            proxy.ok().flatten().map(|proxy| proxy.port())
        };
        assert_eq!((port("ws://house.example"), port("wss://house.example")), (Some(1), Some(3)));
    }
}
