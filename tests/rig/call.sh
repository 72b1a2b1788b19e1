#!/usr/bin/env bash
# In the guest: a call between two boards, Alice and Bob, through the real server, each in a network of its own.
#
#   call.sh FOLDER SECONDS WHAT_HAPPENS [OPTIONS OF KINGLET...]
#
# WHAT_HAPPENS: nothing · jitter (25 ms ± 5 ms each way, for both) · loss (every fiftieth UDP packet to each) · drift
# (Alice's cards 300 ppm fast, Bob's as slow) · crossed (on each board the microphone is 300 ppm fast, the loudspeaker as slow) ·
# cut-N (Alice is without a network for N seconds, from the tenth on) · restart (the server ends at the tenth second and is back
# five seconds later).
#
# Both speak at once: FOLDER/NAME-says.wav is played into NAME's microphone card, and what NAME's loudspeaker card plays
# is recorded to FOLDER/NAME-hears.wav; the events of both go to FOLDER/NAME.jsonl. The card `Probe` has no kinglet: what
# is played to it at the same moment as to the microphones is recorded at the same moment as from the loudspeakers, so that
# the difference between Probe and a loudspeaker is mouth to ear, without the time that aplay and arecord take to start.
set -euo pipefail
folder=$1 seconds=$2 happening=$3
shift 3
. tests/rig/two_boards.sh

# What is there from the beginning.
case $happening in
jitter)
  rig net alice 10.9.0.2/24 delay 25ms 5ms
  rig net bob 10.9.0.3/24 delay 25ms 5ms ;;
loss)
  # Counted, not diced: the same packets each time.
  for name in alice bob; do
    rig in "$name" nft "add table inet rig; add chain inet rig in { type filter hook input priority 0; };
      add rule inet rig in ip protocol udp numgen inc mod 50 0 drop"
  done ;;
drift)
  for card in AliceMic AliceSpeaker; do rig ppm $card 300; done
  for card in BobMic BobSpeaker; do rig ppm $card -300; done ;;
crossed)
  for name in Alice Bob; do rig ppm ${name}Mic 300; rig ppm ${name}Speaker -300; done ;;
esac

# What comes in the middle of the call.
happen() {
  case $happening in
  cut-*)
    sleep 10
    ip link set rig-alice down
    sleep "${happening#cut-}"
    ip link set rig-alice up ;;
  restart)
    sleep 10
    # Asked to end, it would wait until everybody has left.
    kill -KILL "$server"
    wait "$server" || true
    sleep 5
    serve ;;
  esac
}

join() {    # join NAME CARDS OPTIONS...
  local name=$1 cards=$2
  shift 2
  rig in "$name" "$kinglet" join ws://10.9.0.1:7880 --room board --identity "$name" \
    --input "alsa:hw:${cards}Mic,1" --output "alsa:hw:${cards}Speaker,0" --events "json:$folder/$name.jsonl" --stats 2 "$@" \
    2>"$folder/$name.err" &
  started+=($!)
}

wait_until reached
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
happen
wait "${recorders[@]}"

hang_up
