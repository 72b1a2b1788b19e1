# Sourced by run and long: checks with a line each, and calls on the emulated board.
#
# KINGLET_BINARY names another program than target/release/kinglet: time stands still in the guest while it computes, so
# that a debug build gives the same figures.

. "$(dirname "${BASH_SOURCE[0]}")/../lib/setup.sh"
for needed in target/python target/livekit-server "${KINGLET_BINARY:-target/release/kinglet}"; do
  [ -e "$needed" ] || die "$needed is missing: run tests/all, which makes it"
done
results=$folder/results
rm -rf "$folder"
mkdir -p "$folder"

# check NAME COMMAND...: passes on its result lines; a command that fails without one is a failure itself.
check() {
  local name=$1 status
  shift
  "$@" >"$folder/$name.log" 2>&1
  status=$?
  grep -aE '^(ok|FAILED) ' "$folder/$name.log" | tee -a "$results"
  [ $status = 0 ] || grep -qaE '^FAILED ' "$folder/$name.log" ||
    echo "FAILED $name status $status; see ${folder#"$PWD/"}/$name.log" | tee -a "$results"
}

vm() { tests/rig/vm --timeout 1800 "$@"; }
judge() { target/python/bin/python tests/rig/judge.py "$@"; }

# board_call NAME SECONDS WHAT_HAPPENS OPTIONS...: a call, whose recordings and events are left in a folder of that name.
board_call() {
  local name=$1 seconds=$2 happening=$3
  shift 3
  judge speech "$folder/$name" "$seconds" &&
    vm --card AliceMic --card AliceSpeaker --card BobMic --card BobSpeaker --card Probe --memory 1500 \
      --writable "$folder/$name" -- tests/rig/call.sh "$folder/$name" "$seconds" "$happening" "$@"
}

# call NAME SECONDS WHAT_HAPPENS CORRELATION_MIN CONCEALED_PERMILLE_MAX OPTIONS...: what is to be said of one.
call() {
  local name=$1 correlation_min=$4 concealed_max=$5
  board_call "$1" "$2" "$3" "${@:6}" && judge call "$folder/$name" "$correlation_min" "$concealed_max"
}

# gap NAME SECONDS WHAT_HAPPENS FROM_S TO_S WITHIN_S: whether what was cut is heard again soon.
gap() {
  local name=$1
  board_call "$1" "$2" "$3" --dtx off --no-aec && judge gap "$folder/$name" "${@:4}"
}

# The last line, and the status.
summary() {
  local failed
  failed=$(grep -c '^FAILED ' "$results")
  echo "$(grep -c '^ok ' "$results") passed, $failed failed"
  [ "$failed" = 0 ]
}
