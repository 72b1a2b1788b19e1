//! Wi-Fi that sleeps between beacons: packets towards us wait up to a tenth of a second, and sound with them.
//!
//! Asked by the wireless extensions, which cfg80211 answers for every driver where the kernel has them, as that of
//! Raspberry Pi OS has.

use std::os::fd::AsRawFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// A wireless interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wireless {
    /// Name of the interface.
    pub name: String,
    /// Whether it has a network.
    pub is_up: bool,
    /// Whether power saving is on; `None` if the kernel does not report it.
    pub saves_power: Option<bool>,
}

/// The wireless interfaces of this device.
pub fn interfaces() -> Vec<Wireless> {
    let Ok(folder) = std::fs::read_dir("/sys/class/net") else { return Vec::new() };
    let names = folder.filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.to_owned()));
    let mut found: Vec<Wireless> = names
        .filter(|name| std::path::Path::new(&format!("/sys/class/net/{name}/phy80211")).exists())
        .map(|name| Wireless {
            is_up: std::fs::read_to_string(format!("/sys/class/net/{name}/operstate"))
                .is_ok_and(|state| state.trim() == "up"),
            saves_power: saves_power(&name),
            name,
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// `SIOCGIWPOWER` of linux/wireless.h.
const GET_POWER: libc::c_ulong = 0x8B2D;

/// `struct iwreq` with its member `power`: a name, then a union of 16 bytes.
#[repr(C)]
struct PowerRequest {
    name: [u8; libc::IFNAMSIZ],
    value: i32,
    is_fixed: u8,
    is_disabled: u8,
    flags: u16,
    rest: [u8; 8],
}

fn saves_power(name: &str) -> Option<bool> {
    let mut request = PowerRequest {
        name: [0; libc::IFNAMSIZ],
        value: 0,
        is_fixed: 0,
        is_disabled: 0,
        flags: 0,
        rest: [0; 8],
    };
    // The last byte stays zero.
    request
        .name
        .get_mut(..name.len())
        .filter(|place| place.len() < libc::IFNAMSIZ)?
        .copy_from_slice(name.as_bytes());
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()?;
    // SAFETY: the kernel reads and writes one iwreq, which this structure is, and it outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), GET_POWER as _, &raw mut request) };
    (result == 0).then_some(request.is_disabled == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_wireless_interface_says_nothing() {
        assert_eq!(size_of::<PowerRequest>(), 32, "as the kernel's");
        assert_eq!(saves_power("lo"), None);
        assert_eq!(saves_power(&"x".repeat(40)), None);
        assert!(interfaces().iter().all(|found| found.name != "lo"));
    }
}
