#!/usr/bin/env bash
# In the guest, twice: the power goes in the middle of a call, and comes back.
#
#   powercut.sh FOLDER cut | back
#
# FOLDER/state lies on the host's disk, as the state of a box on its card: what is not on the disk when the power goes is
# lost with the guest's memory. Nothing is shut down, written back or told to anybody.
set -euo pipefail
folder=$1 phase=$2
kinglet=${KINGLET_BINARY:-target/release/kinglet}
export LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=a-secret-for-tests-on-loopback-only

rig net server 10.9.0.1/24
ip address add 10.9.0.2/24 dev rig
rig in server target/livekit-server --config tests/rig/livekit.yaml >"$folder/livekit-$phase.log" 2>&1 &
printf 'LIVEKIT_API_KEY=%s\nLIVEKIT_API_SECRET=%s\n' $LIVEKIT_API_KEY $LIVEKIT_API_SECRET >/tmp/key
cat >/tmp/kinglet.toml <<END
[server]
url = "ws://10.9.0.1:7880"
token = { key_file = "/tmp/key" }
room = "house-12"
identity = "door"
[audio]
input = "hw:Mic,1"
output = "hw:Speaker,0"
[call]
join = "always"
[control]
socket = "/tmp/control"
END
mkdir -p "$folder/state"
started=$(date +%s%N)
STATE_DIRECTORY=$folder/state "$kinglet" run --config /tmp/kinglet.toml >"$folder/box-$phase.log" 2>&1 &

ctl() { "$kinglet" ctl --socket /tmp/control --json "$@"; }
within() {    # within SECONDS COMMAND...
  local rounds=$(($1 * 20))
  shift
  for _ in $(seq $rounds); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.05
  done
  echo "FAILED powercut-$phase not in time: $*"
  exit 1
}
is() { ctl status | grep -q "\"$1\":$2"; }

within 30 is state '"connected"'
joined_ms=$((($(date +%s%N) - started) / 1000000))
if [ "$phase" = cut ]; then
  within 5 is privacy false
  ctl mute >/dev/null
  ctl ring >/dev/null
  within 5 is privacy true
  sleep 2
  echo >"$folder/was-cut"
  sync "$folder/was-cut"
  echo o >/proc/sysrq-trigger
  sleep 60
fi
if is privacy true && is muted true; then
  echo "ok powercut in the room $joined_ms ms after it was started again, still mute"
else
  echo "FAILED powercut $(ctl status)"
fi
ctl leave >/dev/null
