#!/usr/bin/env bash
# In the ARM guest, for tests/rig/arm: FOLDER holds the programs and what is said, and gets what was heard: in `bare`
# without echo cancellation, in `cancelled` with all of the microphone's chain.
#
#   alice (aarch64)  AliceMic, AliceSpeaker ┐
#   bob   (armv7)    BobMic, BobSpeaker     ├─ one room of the real server
#   carol (aarch64)  plays to the USB card  ┘  which is pulled out while Bob speaks on, and put back
#
# Everything is in memory while the call lasts: a folder of the host answers at the host's pace, which the guest's clock
# does not know.
set -euo pipefail
folder=$1 seconds=$2
export LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=a-secret-for-tests-on-loopback-only
mkdir -p /run/call
cp "$folder"/* /run/call
cd /run/call
declare -a started=()

finish() {
  cd /run/call
  cp -r -- bare cancelled *.jsonl *.err *.log "$folder" 2>/dev/null || :
}
trap finish EXIT

result() {    # result NAME WORDS COMMAND...
  local name=$1 words=$2
  shift 2
  if "$@"; then echo "ok $name $words"; else echo "FAILED $name $words"; fi
}

within() {    # within SECONDS COMMAND...: whether it holds by then
  local rounds=$(($1 * 5))
  shift
  for _ in $(seq $rounds); do
    if "$@" 2>/dev/null; then return; fi
    sleep 0.2
  done
  return 1
}

rig net server 10.9.0.1/24
for number in 2 3 4; do rig net board$number 10.9.0.$number/24; done
rig in server ./livekit-server --config livekit.yaml >livekit.log 2>&1 &
server=$!

join() {    # join NETWORK PROGRAM NAME OPTIONS...
  local network=$1 program=$2 name=$3
  shift 3
  rig in "$network" "./$program" join ws://10.9.0.1:7880 --room board --identity "$name" --events "json:$name.jsonl" \
    --stats 2 --dtx off "$@" 2>"$name.err" &
  started+=($!)
}

within 60 rig in server bash -c ': </dev/tcp/10.9.0.1/7880'
for program in kinglet-arm64 kinglet-armhf; do
  said=$(./$program --version)
  result "$program-runs" "$said on $(uname -m)" grep -q '^kinglet ' <<<"$said"
  said=$(./$program devices | grep '^auto')
  result "$program-devices" "$said" grep -q AliceMic <<<"$said"
done

# The board computes an instruction a nanosecond, so time on its processor is instructions, those of the kernel too.
executed() { cat "/proc/${started[0]}/schedstat" "/proc/${started[1]}/schedstat" | cut -d' ' -f1 | xargs; }

costs() {    # costs NAME THOUSANDS-AT-MOST BEGAN ENDED: per 10 ms of the call
  local thousands=$((($4 - $3) * 10000 / (ended - began)))
  result "$1-costs" "$thousands thousand instructions per 10 ms with kernel and cards, at most $2" test $thousands -le "$2"
}

# Both speak at once.
talk() {    # talk NAME THOUSANDS-OF-ALICE-AT-MOST THOUSANDS-OF-BOB-AT-MOST OPTIONS...
  local name=$1 alice_most=$2 bob_most=$3 party recorders alice_began bob_began began alice_ended bob_ended ended
  shift 3
  mkdir "$name"
  started=()
  join board2 kinglet-arm64 alice --input alsa:hw:AliceMic,1 --output alsa:hw:AliceSpeaker,0 "$@"
  join board3 kinglet-armhf bob --input alsa:hw:BobMic,1 --output alsa:hw:BobSpeaker,0 "$@"
  for party in alice bob; do
    result "$name-$party-joins" "and hears the other" within 60 grep -q '"track_subscribed"' $party.jsonl
  done
  sleep 1
  arecord -D hw:AliceSpeaker,1 -d $((seconds + 1)) "${sound[@]}" "$name/alice-hears.wav" & recorders=($!)
  arecord -D hw:BobSpeaker,1 -d $((seconds + 1)) "${sound[@]}" "$name/bob-hears.wav" & recorders+=($!)
  sleep 0.3
  aplay -q -D hw:AliceMic,0 alice-says.wav &
  aplay -q -D hw:BobMic,0 bob-says.wav &
  read -r alice_began bob_began began <<<"$(executed) $(date +%s%N)"
  wait "${recorders[@]}"
  read -r alice_ended bob_ended ended <<<"$(executed) $(date +%s%N)"
  costs "$name-alice" "$alice_most" "$alice_began" "$alice_ended"
  costs "$name-bob" "$bob_most" "$bob_began" "$bob_ended"
}

leave() {    # leave NAME: all that were started, with status 0
  local status=0 pid
  kill -INT "${started[@]}"
  for pid in "${started[@]}"; do wait "$pid" || status=$?; done
  result "$1-ends-well" "status $status" test $status = 0
}

sound=(-q -t wav -f S16_LE -r 48000 -c 1)
talk bare 1500 3000 --no-aec
leave bare
mv -- *.jsonl bare
talk cancelled 3000 5000

usb=$(sed -n 's/^ *[0-9]* \[\([^ ]*\) *\]: USB-Audio.*/\1/p' /proc/asound/cards)
played() { [ "$(head -1 "/proc/asound/$usb/pcm0p/sub0/status" 2>/dev/null)" = 'state: RUNNING' ]; }
join board4 kinglet-arm64 carol --input none --output "alsa:plughw:CARD=$usb"
result usb-plays "on card $usb" within 60 played
rig unplug usb
result usb-gone "$(grep -c . /proc/asound/cards) lines of cards left" within 20 test ! -e "/proc/asound/$usb"
sleep 1
result usb-survived "carol is still in the room" kill -0 "${started[2]}"
rig plug usb
result usb-back "the card is there again" within 30 test -e "/proc/asound/$usb"
result usb-plays-again "on card $usb" within 30 played

leave cancelled
kill $server
wait $server || true
