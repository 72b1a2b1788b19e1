//! Messages to the service manager (sd_notify(3)), and its variables: `NOTIFY_SOCKET`, `WATCHDOG_USEC`,
//! `CREDENTIALS_DIRECTORY`. Without a service manager nothing is sent.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};

/// The way to the service manager.
pub struct ServiceManager {
    socket: OwnedFd,
    address: SocketAddrUnix,
}

impl ServiceManager {
    /// To the socket that `NOTIFY_SOCKET` names: a path, or `@` and an abstract name.
    ///
    /// # Errors
    /// The value is neither a path nor an abstract socket, or there is no descriptor left.
    pub fn new(notify_socket: &str) -> io::Result<ServiceManager> {
        let address = match notify_socket.strip_prefix('@') {
            Some(name) => SocketAddrUnix::new_abstract_name(name.as_bytes())?,
            None if notify_socket.starts_with('/') => SocketAddrUnix::new(notify_socket)?,
            None => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        Ok(ServiceManager { socket, address })
    }

    /// The service serves its buttons.
    pub fn ready(&self) {
        self.tell("READY=1");
    }

    /// The service is still on its way, and is to be given as long as this from now on.
    pub fn starts_within(&self, patience: Duration) {
        self.tell(&format!("EXTEND_TIMEOUT_USEC={}", patience.as_micros()));
    }

    /// Sound and signal make progress.
    pub fn alive(&self) {
        self.tell("WATCHDOG=1");
    }

    /// The program may be silent for this long, from now on.
    pub fn watch_within(&self, timeout: Duration) {
        // Counted from the last sign of life, which is to be this one.
        self.alive();
        self.tell(&format!("WATCHDOG_USEC={}", timeout.as_micros()));
    }

    /// What `systemctl status` shows: one line.
    pub fn status(&self, line: &str) {
        self.tell(&format!("STATUS={}", line.replace('\n', " ")));
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// A manager that does not listen misses it.
    fn tell(&self, text: &str) {
        let _ = sendto(&self.socket, text.as_bytes(), SendFlags::NOSIGNAL, &self.address);
    }
}

/// The value of `WATCHDOG_USEC`: how long the program may be silent.
pub fn watchdog_timeout(watchdog_usec: &str) -> Option<Duration> {
    let usec: u64 = watchdog_usec.parse().ok().filter(|usec| *usec > 0)?;
    Some(Duration::from_micros(usec))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{RecvFlags, bind, recv};

    #[test]
    fn the_manager_hears_what_is_told() {
        let name = format!("kinglet-test-{}", std::process::id());
        let theirs = socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
            .expect("a socket");
        bind(&theirs, &SocketAddrUnix::new_abstract_name(name.as_bytes()).expect("a name")).expect("free");
        let manager = ServiceManager::new(&format!("@{name}")).expect("a way");
        manager.ready();
        manager.status("waiting for\nthe network");
        manager.watch_within(Duration::from_secs(1));
        let heard = || {
            let mut buffer = [0; 128];
            let (count, _) = recv(&theirs, &mut buffer, RecvFlags::DONTWAIT).expect("told");
            String::from_utf8_lossy(&buffer[..count]).into_owned()
        };
        assert_eq!(heard(), "READY=1");
        assert_eq!(heard(), "STATUS=waiting for the network");
        assert_eq!([heard(), heard()], ["WATCHDOG=1", "WATCHDOG_USEC=1000000"]);
    }

    #[test]
    fn a_way_that_is_none_is_refused_and_nobody_listening_is_no_fault() {
        assert!(ServiceManager::new("relative").is_err());
        ServiceManager::new("@kinglet-nobody-listens").expect("a way").ready();
    }

    #[test]
    fn the_watchdog_has_a_time_or_there_is_none() {
        assert_eq!(watchdog_timeout("30000000"), Some(Duration::from_secs(30)));
        for none in ["", "0", "-1", "x"] {
            assert_eq!(watchdog_timeout(none), None);
        }
    }
}
