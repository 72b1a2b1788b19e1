#!/usr/bin/env bash
# In the guest, with systemd: an installed box that is always in its room meets what happens to boxes on walls.
#
#   troubles.sh PACKAGE FOLDER
#
# The box lives in the guest's own network, 10.9.0.2; the server and the other party, another kinglet, in networks of their
# own. What happens is told line by line by troubles.py.
set -uo pipefail
package=$1 folder=$2
. tests/rig/network.sh

dpkg -i "$package" >"$folder/dpkg.log" 2>&1 || { cat "$folder/dpkg.log"; exit 1; }
give_key
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
end $?
