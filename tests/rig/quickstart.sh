#!/usr/bin/env bash
# In the guest: "A Pi in five minutes", from the README's own text, behind its compiling. The server has another address.
set -uo pipefail
folder=$1
. tests/rig/readme.sh
mkdir -p /usr/local/bin
install "${KINGLET_BINARY:-target/release/kinglet}" /usr/local/bin/kinglet
rig net server 10.9.0.1/24
ip address add 10.9.0.2/24 dev rig
rig in server target/livekit-server --config tests/rig/livekit.yaml >"$folder/livekit.log" 2>&1 &
server=$!
until rig in server bash -c ': </dev/tcp/10.9.0.1/7880' 2>/dev/null; do sleep 0.1; done

devices=$(block "A Pi in five minutes" sh 1 | grep '^kinglet devices')
said=$(eval "$devices")
if grep -q '^auto: microphone plughw:CARD=Mic' <<<"$said"; then
  echo "ok quickstart-devices ${said##*$'\n'}"
else
  echo "FAILED quickstart-devices $devices: $said"
fi

joins=$(block "A Pi in five minutes" sh 2 | sed 's/192\.0\.2\.7/10.9.0.1/; s/SECRET=secret/SECRET=a-secret-for-tests-on-loopback-only/')
(eval "${joins/kinglet join/exec kinglet join}") >"$folder/join.log" 2>&1 &
join=$!
for _ in $(seq 100); do
  if grep -q 'connected to room' "$folder/join.log"; then break; fi
  sleep 0.1
done
sleep 2
kill -INT $join
wait $join
status=$?
if [ $status = 0 ] && grep -q "connected to room house as door" "$folder/join.log"; then
  echo "ok quickstart-join $(grep -m1 -o 'connected to room.*' "$folder/join.log")"
else
  echo "FAILED quickstart-join status $status: $(tr '\n' ' ' <"$folder/join.log")"
fi
kill -KILL $server
