#!/usr/bin/env bash
# In the guest, with systemd: the package is installed as on a new board, and the box is used as at a door.
#
#   door.sh PACKAGE FOLDER
#
# The box lives in the guest's own network, 10.9.0.2; the server and the flat's telephone, the official SDK (door.py), in
# networks of their own. What happens is told line by line: "ok NAME figures" or "FAILED NAME why".
set -uo pipefail
package=$1 folder=$2

export LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=a-secret-for-tests-on-loopback-only
hostname board
rig lines GPIO17 GPIO23 GPIO24
rig pull GPIO23 up
udevadm settle
rig net server 10.9.0.1/24
rig net flat 10.9.0.3/24
ip address add 10.9.0.2/24 dev rig

dpkg -i "$package" >"$folder/dpkg.log" 2>&1 || { cat "$folder/dpkg.log"; exit 1; }
printf 'LIVEKIT_API_KEY=%s\nLIVEKIT_API_SECRET=%s\n' $LIVEKIT_API_KEY $LIVEKIT_API_SECRET >/etc/kinglet/key
chgrp kinglet /etc/kinglet/key
chmod 640 /etc/kinglet/key
cat >/etc/kinglet/kinglet.toml <<END
[server]
url = "ws://10.9.0.1:7880"
token = { key_file = "/etc/kinglet/key" }
room = "house-12"
identity = "door-{hostname}"
[audio]
input = "hw:Mic,1"
output = "hw:Speaker,0"
echo_cancellation = false
[call]
join = "on-ring"
ring_timeout_s = 6
max_call_s = 20
parties = ["flat-*"]
[gpio]
bell = { line = "GPIO23", press = "call", active_low = true, bias = "pull-up" }
lamp = { line = "GPIO24", shows = "state" }
door = { line = "GPIO17", pulse_ms = 3000, rpc = "open", dtmf = "5", allow = ["flat-*"] }
[on]
ring = ["/usr/bin/touch", "/var/lib/kinglet/rang"]
END
rig in flat target/python/bin/python tests/rig/door.py "$folder" $$
status=$?
journalctl --no-pager -o short-monotonic >"$folder/journal.log" 2>&1
exit $status
