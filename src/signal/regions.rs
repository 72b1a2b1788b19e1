//! Where else a room can be joined: the regions of LiveKit's cloud, nearest first.
//!
//! They are listed at `/settings/regions` of its servers, and in a `leave` of a server that wants to be rid of us. A server
//! of one's own has none.

use serde_json::Value;

use super::url::ServerUrl;
use super::wire;
use crate::limits::REGIONS_MAX;

/// Servers of one room, in the order in which they are to be tried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Regions {
    /// At most [`REGIONS_MAX`].
    urls: Vec<ServerUrl>,
}

impl Regions {
    /// The answer of `/settings/regions`; `None` if it is another one.
    pub fn from_json(text: &[u8]) -> Option<Regions> {
        let value: Value = serde_json::from_slice(text).ok()?;
        let regions = value.get("regions")?.as_array()?;
        Some(Self::of(regions.iter().filter_map(|region| region.get("url")?.as_str())))
    }

    /// The regions in a `leave`.
    pub(super) fn from_wire(settings: wire::RegionSettings) -> Regions {
        Self::of(settings.regions.iter().map(|region| region.url.as_str()))
    }

    /// URLs of the regions' servers, in the order in which to try them.
    pub fn urls(&self) -> &[ServerUrl] {
        &self.urls
    }

    fn of<'a>(urls: impl Iterator<Item = &'a str>) -> Regions {
        Regions { urls: urls.filter_map(|url| url.parse().ok()).take(REGIONS_MAX).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let told = br#"{"regions": [
            {"region": "omarseille1a", "url": "https://a.eu.livekit.cloud", "distance": "52"},
            {"region": "odd", "url": "ftp://b.livekit.cloud"}, {"region": "none"}, 7,
            {"region": "oashburn1a", "url": "https://a.us.livekit.cloud/", "distance": "6000000"}]}"#;
        let regions = Regions::from_json(told).expect("a list");
        let urls: Vec<String> = regions.urls().iter().map(ToString::to_string).collect();
        assert_eq!(urls, ["wss://a.eu.livekit.cloud", "wss://a.us.livekit.cloud"]);
        for other in [&b"Not Found"[..], b"[]", b"{}", br#"{"regions": 3}"#, b"\xff"] {
            assert_eq!(Regions::from_json(other), None);
        }
        assert_eq!(Regions::from_json(br#"{"regions": []}"#), Some(Regions::default()));
    }

    #[test]
    fn more_than_are_tried_are_left_out() {
        let entries = vec![r#"{"url": "wss://a.livekit.cloud"}"#; 100].join(",");
        let regions =
            Regions::from_json(format!(r#"{{"regions": [{entries}]}}"#).as_bytes()).expect("a list");
        assert_eq!(regions.urls().len(), REGIONS_MAX);
    }
}
