#!/usr/bin/env bash
# In the guest: two boards talk by tones, and one of them changes its address, three times.
#
#   roam.sh FOLDER
#
# What Bob hears of Alice, and Alice of Bob, is recorded by kinglet itself; judge.py looks for the gaps.
set -euo pipefail
folder=$1
. tests/rig/two_boards.sh

join() {    # join NAME HERTZ
  rig in "$1" "$kinglet" join ws://10.9.0.1:7880 --room board --identity "$1" --input "tone:$2" \
    --output "wav:$folder/$1-hears.wav" --events "json:$folder/$1.jsonl" --stats 2 2>"$folder/$1.err" &
  started+=($!)
}

resumed() { [ "$(grep -c '"resumed"' "$folder/alice.jsonl")" -ge "$1" ]; }

wait_until reached
join alice 400
join bob 700
for name in alice bob; do wait_until grep -q '"track_subscribed"' "$folder/$name.jsonl"; done
sleep 4
for number in 1 2 3; do
  # As a new lease does it: the old address goes first.
  rig in alice ip address flush dev eth0 scope global
  sleep 0.1
  rig in alice ip address add "10.9.0.2$number/24" dev eth0
  wait_until resumed "$number"
  sleep 4
done
hang_up
