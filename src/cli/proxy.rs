//! The proxy that the environment names, as other programs read it.

use kinglet::io::proxy::{ProxyUrl, is_left_out};
use kinglet::signal::url::ServerUrl;

use super::Failed;

/// The proxy for `url`: `HTTPS_PROXY` for `wss://`, `http_proxy` for `ws://`, `ALL_PROXY` for both, none where
/// `NO_PROXY` names the server. Lower case counts too, and first.
///
/// # Errors
/// It cannot be read.
pub fn for_server(
    url: &ServerUrl,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<ProxyUrl>, Failed> {
    let either = |name: &str| environment(&name.to_ascii_lowercase()).or_else(|| environment(name));
    let name = if url.is_secure() { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    let is_direct = either("NO_PROXY").is_some_and(|list| is_left_out(&url.host(), &list));
    let found = [name, "ALL_PROXY"].into_iter().find_map(|name| Some((name, either(name)?)));
    match found {
        // The text may hold a password: it is not repeated.
        Some((name, text)) if !is_direct => {
            text.parse().map(Some).map_err(|error| Failed::usage(format!("{name}: {error}")))
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_scheme_and_not_for_those_left_out() {
        let environment = |name: &str| {
            let value = match name {
                "HTTPS_PROXY" => "http://secure:1",
                "http_proxy" => "plain:2",
                "NO_PROXY" => "home.example",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let proxy = |url: &str| {
            let url = url.parse().expect("a URL");
            for_server(&url, &environment).ok().flatten().map(|proxy| proxy.port())
        };
        assert_eq!(proxy("wss://house.example"), Some(1));
        assert_eq!(proxy("ws://house.example"), Some(2));
        assert_eq!(proxy("wss://box.home.example"), None);
        let broken = |_: &str| Some("socks5://me:secret@x".to_owned());
        let url = "wss://house.example".parse().expect("a URL");
        let refused =
            for_server(&url, &|name| broken(name).filter(|_| name != "NO_PROXY" && name != "no_proxy"));
        assert!(refused.is_err_and(|failed| !failed.text.contains("secret")));
    }
}
