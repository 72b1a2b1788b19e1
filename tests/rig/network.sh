# In the guest, to be sourced: the board of an installed box. It lives in the guest's own network, 10.9.0.2; the server and
# the flat have networks of their own.
export LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=a-secret-for-tests-on-loopback-only
hostname board
rig net server 10.9.0.1/24
rig net flat 10.9.0.3/24
ip address add 10.9.0.2/24 dev rig
# A new page would have all pages of this machine read, each of which the guest keeps open.
rm -f /var/lib/man-db/auto-update

# The server's key, where the installed box may read it and nobody else.
give_key() {
  printf 'LIVEKIT_API_KEY=%s\nLIVEKIT_API_SECRET=%s\n' $LIVEKIT_API_KEY $LIVEKIT_API_SECRET >/etc/kinglet/key
  chgrp kinglet /etc/kinglet/key
  chmod 640 /etc/kinglet/key
}

# end STATUS: leaves the journal in $folder.
end() {
  journalctl --no-pager -o short-monotonic >"$folder/journal.log" 2>&1
  exit "$1"
}
