#!/usr/bin/env bash
# In the guest: cards come and go while a box runs. No server is there, and none is needed: the box holds its cards before
# it enters a room.
#
#   hdmiCam   a microphone alone, since HDMI is no loudspeaker      Late, Spare   both directions
set -uo pipefail
kinglet=${KINGLET_BINARY:-target/release/kinglet}
folder=$(mktemp -d)
failed=0
touch "$folder/token"

result() {    # result NAME WORDS COMMAND...: ok where the command is
  local name=$1 words=$2
  shift 2
  if "$@"; then echo "ok $name $words"; else echo "FAILED $name $words"; failed=1; fi
}

start() {    # start: a box of the configuration on standard input
  { printf '[server]\nurl = "ws://127.0.0.1:7880"\ntoken = { file = "%s/token" }\n' "$folder"; cat
    printf '[control]\nsocket = "%s/ctl"\n' "$folder"; } >"$folder/box.toml"
  $kinglet run --config "$folder/box.toml" >"$folder/log" 2>&1 & box=$!
  for _ in $(seq 100); do [ -n "$(sound)" ] && return; sleep 0.1; done
}

stop() { kill $box; wait $box; }
sound() { $kinglet ctl --socket "$folder/ctl" status | sed -n 's/^ *\(input\|output\)\(_state\)\? *\(.*\)/\3/p' | xargs; }
both() { echo "plughw:CARD=$1,DEV=0 ${2:-open} plughw:CARD=$1,DEV=0 ${2:-open}"; }
is() { [ "$(sound)" = "$*" ]; }
# Three flashes of a tenth of a second in two seconds, in any phase. Without a process for each look: the guest makes them slowly.
flashes() {
  local seen= value
  for _ in {1..80}; do
    read -r value <"$lamp"
    seen+=$value
    read -rt 0.05 <&9
  done
  grep -oE '01' <<<"$seen" | wc -l
}
mkfifo "$folder/silence"
exec 9<>"$folder/silence"

rig lines GPIO24
lamp=$(rig where GPIO24)/value
rig unplug Spare
rig unplug Late
start </dev/null
result auto-first "$(sound)" is plughw:CARD=hdmiCam,DEV=0 open auto lost
rig plug Late
sleep 1
result auto-late-pair "$(sound)" is "$(both Late)"
result auto-says-why "$(grep -o 'Late.*capture open.*' "$folder/log")" grep -q 'Late.*capture open (auto: the only card with both' "$folder/log"
stop
start </dev/null
result auto-as-from-the-start "$(sound)" is "$(both Late)"
rig unplug Late & waits=$!
sleep 1
result auto-what-is-left "$(sound)" is plughw:CARD=hdmiCam,DEV=0 open plughw:CARD=Late,DEV=0 lost
rig plug Spare
sleep 1
result auto-another-model "$(sound)" is "$(both Spare)"
wait $waits
stop

start <<END
[audio]
input = "hw:CARD=Spare,DEV=0"
output = "hw:CARD=Spare,DEV=0"
[call]
join = "on-ring"
[gpio]
lamp = { line = "GPIO24", shows = "state" }
END
said=$(sound)
before=$(flashes)
slept=$(awk '/^voluntary/ {print $2}' /proc/$box/status)
sleep 20
woken=$(($(awk '/^voluntary/ {print $2}' /proc/$box/status) - slept))
result idle-is-dark "$before flashes, $woken wake-ups in 20 s, $said" test "$before" = 0 -a $woken -le 20
rig unplug Spare & waits=$!
sleep 1
lost=$(grep -cE 'Spare.* (capture|playback) lost' "$folder/log")
result idle-loss-is-told "$lost of 2, $(sound)" test "$lost" = 2
flashes=$(flashes)
result idle-lamp "$flashes flashes in four seconds" test "$flashes" = 6
wait $waits
rig plug Spare
sleep 1.5
back=$(sed '1,/lost/d' "$folder/log" | grep -cE 'Spare.* (capture|playback) open')
flashes=$(flashes)
result idle-return-is-told "$back of 2, $(sound), $flashes flashes" test "$back $flashes" = "2 0"
stop
[ $failed = 0 ] || cat "$folder/log"
exit $failed
