#!/usr/bin/env bash
# In the guest: what a person is told about sound cards that are there, not there, in use, and pulled out.
set -uo pipefail
kinglet=${KINGLET_BINARY:-target/release/kinglet}
export LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=a-secret-for-tests-on-loopback-only
failed=0

result() {    # result NAME WORDS COMMAND...: ok where the command is
  local name=$1 words=$2
  shift 2
  if "$@"; then echo "ok $name $words"; else echo "FAILED $name $words"; failed=1; fi
}

refused() {    # refused NAME PCM OPTIONS...: one line that names the PCM, and the exit status of sound cards
  local name=$1 pcm=$2 said status
  shift 2
  said=$($kinglet join ws://127.0.0.1:7880 --room board "$@" 2>&1)
  status=$?
  result "$name" "status $status, $said" test "$status $(wc -l <<<"$said")" = "6 1" -a "${said/"'$pcm'"/}" != "$said"
}

listed=$($kinglet devices)
status=$?
cards=$(grep -oE '^(Mic|Speaker):' <<<"$listed" | tr -d '\n')
chosen=$(grep '^auto: ' <<<"$listed")
result devices-lists-cards "status $status, $cards $chosen" test "$status $cards" = "0 Mic:Speaker:"

found=$($kinglet doctor)
status=$?
sound=$(grep -cE '^ok +(cards|microphone|loudspeaker|volume) ' <<<"$found")
result doctor "status $status, $sound lines of sound" test "$status $sound" = "0 4"

# What is played to the loudspeaker's card is heard at its other end: a cable in place of the air. No server is there.
cat >/tmp/doctor.toml <<END
[server]
url = "ws://127.0.0.1:7880"
token = { file = "/nowhere" }
[audio]
input = "hw:Speaker,1"
output = "hw:Speaker,0"
END
found=$($kinglet doctor --config /tmp/doctor.toml --tone)
late=$(sed -nE 's/.* heard (-?[0-9]+)\.[0-9]+ ms later than the cards report, ([-+]0) dB.*/\1 ms late, \2 dB/p' <<<"$found")
result doctor-hears-itself "$(grep -E ' echo ' <<<"$found" || echo "$found")" grep -qE '^-?[0-3] ms late' <<<"$late"
# The subdevice is named: without it ALSA takes the next of the card's eight that is free.
arecord -q -D hw:Speaker,1,0 -f S16_LE -r 48000 /dev/null & recorder=$!
sleep 0.5
sed -i 's/Speaker,1/Speaker,1,0/' /tmp/doctor.toml
found=$($kinglet doctor --config /tmp/doctor.toml)
kill $recorder
wait $recorder
result doctor-busy "$(grep -E ' level ' <<<"$found" || echo "$found")" grep -qE "^FAILED +level .*hw:Speaker,1,0.* in use" <<<"$found"

refused missing-microphone hw:Nowhere,0 --input alsa:hw:Nowhere,0 --output none
refused missing-loudspeaker plughw:CARD=Gone,DEV=0 --input none --output alsa:plughw:CARD=Gone,DEV=0
arecord -q -D hw:Mic,1,0 -f S16_LE -r 48000 /dev/null & recorder=$!
aplay -q -D hw:Speaker,0,0 -f S16_LE -r 48000 /dev/zero & player=$!
sleep 0.5
refused busy-microphone hw:Mic,1,0 --input alsa:hw:Mic,1,0 --output none
refused busy-loudspeaker hw:Speaker,0,0 --input none --output alsa:hw:Speaker,0,0
kill $recorder $player
wait $recorder $player

rig unplug Mic
rig unplug Speaker
found=$($kinglet doctor)
result doctor-no-card "status $?" grep -q '^FAILED  cards' <<<"$found"
listed=$($kinglet devices)
result devices-none-left "status $?, $listed" test "$listed" = "no sound card"
exit $failed
