#!/usr/bin/env bash
# In the guest: a call between two boards, Alice and Bob, through the real server, each in a network of its own.
#
#   call.sh FOLDER SECONDS [OPTIONS OF KINGLET...]
#
# Both speak at once: FOLDER/NAME-says.wav is played into NAME's microphone card, and what NAME's loudspeaker card plays
# is recorded to FOLDER/NAME-hears.wav; the events of both go to FOLDER/NAME.jsonl. The card `Probe` has no kinglet: what
# is played to it at the same moment as to the microphones is recorded at the same moment as from the loudspeakers, so that
# the difference between Probe and a loudspeaker is mouth to ear, without the time that aplay and arecord take to start.
set -euo pipefail
folder=$1 seconds=$2
shift 2
export LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=a-secret-for-tests-on-the-board-only
declare -a started=()

rig net server 10.9.0.1/24
rig net alice 10.9.0.2/24
rig net bob 10.9.0.3/24

# Left out, the list of STUN servers names some outside.
cat >"$folder/livekit.yaml" <<END
port: 7880
bind_addresses: ["10.9.0.1"]
keys: { $LIVEKIT_API_KEY: $LIVEKIT_API_SECRET }
rtc: { node_ip: 10.9.0.1, use_external_ip: false, udp_port: 7882, tcp_port: 7881, stun_servers: ["10.9.0.1:7882"] }
logging: { level: info }
END
rig in server target/livekit-server --config "$folder/livekit.yaml" >"$folder/livekit.log" 2>&1 &
server=$!

# wait_until COMMAND...: up to 20 s.
wait_until() {
  for _ in $(seq 200); do
    if "$@" 2>/dev/null; then return; fi
    sleep 0.1
  done
  echo "call.sh: not within 20 s: $*" >&2
  kill "${started[@]}" "$server"
  exit 1
}

join() {    # join NAME CARDS OPTIONS...
  local name=$1 cards=$2
  shift 2
  rig in "$name" target/release/kinglet join ws://10.9.0.1:7880 --room board --identity "$name" \
    --input "alsa:hw:${cards}Mic,1" --output "alsa:hw:${cards}Speaker,0" --events "json:$folder/$name.jsonl" --stats 2 "$@" \
    2>"$folder/$name.err" &
  started+=($!)
}

wait_until rig in server bash -c ': </dev/tcp/10.9.0.1/7880'
join alice Alice "$@"
join bob Bob "$@"
for name in alice bob; do wait_until grep -q '"track_subscribed"' "$folder/$name.jsonl"; done
sleep 1

sound=(-q -t wav -f S16_LE -r 48000 -c 1)
recorders=()
record() { arecord -D "hw:$1" -d $((seconds + 1)) "${sound[@]}" "$2" & recorders+=($!); }
record Probe,1 "$folder/probe.wav"
record AliceSpeaker,1 "$folder/alice-hears.wav"
record BobSpeaker,1 "$folder/bob-hears.wav"
sleep 0.2
aplay -q -D hw:Probe,0 "$folder/alice-says.wav" &
aplay -q -D hw:AliceMic,0 "$folder/alice-says.wav" &
aplay -q -D hw:BobMic,0 "$folder/bob-says.wav" &
wait "${recorders[@]}"

kill -INT "${started[@]}"
status=0
for pid in "${started[@]}"; do wait "$pid" || status=$?; done
kill "$server"
wait "$server" || true
exit $status
