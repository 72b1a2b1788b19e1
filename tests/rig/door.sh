#!/usr/bin/env bash
# In the guest, with systemd: the package is installed as on a new board, and the box is used as at a door.
#
#   door.sh PACKAGE FOLDER
#
# The box lives in the guest's own network, 10.9.0.2; the server and the flat's telephone, the official SDK (door.py), in
# networks of their own. What happens is told line by line: "ok NAME figures" or "FAILED NAME why".
set -uo pipefail
package=$1 folder=$2
. tests/rig/readme.sh
. tests/rig/network.sh

rig lines GPIO26 GPIO23 GPIO24
rig pull GPIO23 up
udevadm settle

# As the README says, with this package; what it installs runs at once, and waits for a server that is not there. What apt
# would get is on this machine already.
install=$(block "A door phone" sh 1 | sed "s|\./kinglet_[^ ]*\.deb|$package|; s|apt install|dpkg -i|")
(eval "set -e; $install") >"$folder/install.log" 2>&1 || { cat "$folder/install.log"; exit 1; }
if systemctl -q is-active kinglet && systemctl -q is-enabled kinglet; then
  echo "ok door-installed $(wc -l <<<"$install") lines of the README; the example file waits: $(systemctl show -P StatusText kinglet)"
else
  echo "FAILED door-installed $(journalctl --no-pager -o cat -u kinglet | tail -5 | tr '\n' ' ')"
fi
systemctl stop kinglet

give_key
# The README's door, with another server, and shorter times to wait for here.
{
  block "A door phone" toml 1 | sed '
    s|wss://intercom\.example\.com|ws://10.9.0.1:7880|
    s|^token = .*|token = { key_file = "/etc/kinglet/key" }\nroom = "house-12"\nidentity = "door-{hostname}"|
    s|^join = .*|&\nring_timeout_s = 6\nmax_call_s = 20|'
  cat <<END
[audio]
input = "hw:Mic,1"
output = "hw:Speaker,0"
echo_cancellation = false
[on]
ring = ["/usr/bin/touch", "/var/lib/kinglet/rang"]
missed = ["/bin/sh", "-c", "trap '' TERM; sleep 8; : stubborn"]
END
} >/etc/kinglet/kinglet.toml
kinglet run --config /etc/kinglet/kinglet.toml --check || exit 1
rig in flat target/python/bin/python tests/rig/door.py "$folder" $$
end $?
