#!/usr/bin/env bash
# In the guest, with systemd: an installed box that is always in its room meets what happens to boxes on walls.
#
#   troubles.sh PACKAGE FOLDER
#
# The box lives in the guest's own network, 10.9.0.2; the server and the other party, another kinglet, in networks of their
# own. What happens is told line by line by troubles.py.
set -uo pipefail
package=$1 folder=$2

export LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=a-secret-for-tests-on-loopback-only
hostname board
rig net server 10.9.0.1/24
rig net flat 10.9.0.3/24
ip address add 10.9.0.2/24 dev rig

# A new page would have all pages of this machine read, each of which the guest keeps open.
rm -f /var/lib/man-db/auto-update
dpkg -i "$package" >"$folder/dpkg.log" 2>&1 || { cat "$folder/dpkg.log"; exit 1; }
printf 'LIVEKIT_API_KEY=%s\nLIVEKIT_API_SECRET=%s\n' $LIVEKIT_API_KEY $LIVEKIT_API_SECRET >/etc/kinglet/key
chgrp kinglet /etc/kinglet/key
chmod 640 /etc/kinglet/key
cat >/etc/kinglet/kinglet.toml <<END
[server]
url = "ws://intercom.test:7880"
token = { key_file = "/etc/kinglet/key" }
room = "house-12"
identity = "door-{hostname}"
[audio]
input = "hw:Mic,1"
output = "hw:Speaker,0"
echo_cancellation = false
[call]
join = "always"
mode = "always"
END
target/python/bin/python tests/rig/troubles.py "$folder"
status=$?
journalctl --no-pager -o short-monotonic >"$folder/journal.log" 2>&1
exit $status
