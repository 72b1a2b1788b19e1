# In the guest, to be sourced: Alice, Bob and the real server, each in a network of its own. $folder is the call's.
kinglet=${KINGLET_BINARY:-target/release/kinglet}
export LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=a-secret-for-tests-on-loopback-only
declare -a started=()    # the kinglets

rig net server 10.9.0.1/24
rig net alice 10.9.0.2/24
rig net bob 10.9.0.3/24

serve() {
  rig in server target/livekit-server --config tests/rig/livekit.yaml >>"$folder/livekit.log" 2>&1 &
  server=$!
}
serve

reached() { rig in server bash -c ': </dev/tcp/10.9.0.1/7880'; }

# wait_until COMMAND...: up to 20 s.
wait_until() {
  for _ in $(seq 200); do
    if "$@" 2>/dev/null; then return; fi
    sleep 0.1
  done
  echo "$0: not within 20 s: $*" >&2
  kill "${started[@]}" "$server"
  exit 1
}

# Ends the call and this script: with 0 if both kinglets end as they should.
hang_up() {
  local pid status=0
  kill -INT "${started[@]}"
  for pid in "${started[@]}"; do wait "$pid" || status=$?; done
  kill "$server"
  wait "$server" || true
  exit "$status"
}
