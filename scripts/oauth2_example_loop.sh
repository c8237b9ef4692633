#!/bin/sh

# Keeps the tokens of these mailboxes fresh until Ctrl-C. Write their addresses here, with a blank
# between them; for a move, the old one and the new one:
addresses="foo@example.com bar@example.org"

# How many minutes there are between two turns. A token lives about 60 minutes.
interval=30

# More options for every turn, for example: options="--quiet"
options=""

# Nothing below has to be changed. ---------------------------------------------------------------

cd "$(dirname "$0")/.." || exit
if [ ! -e dist/cli.js ]; then
  echo "mxtoken is not built yet. In $(pwd) type: npm ci && npm run build" >&2
  exit 78
fi

# In the background, so that a signal is not kept waiting until the program ends by itself.
waiting=
stop() {
  [ -z "$waiting" ] || kill "$waiting" 2>/dev/null
  exit "$1"
}
trap 'stop 129' HUP
trap 'stop 130' INT
trap 'stop 143' TERM

while :; do
  for address in $addresses; do
    # A turn that fails ends nothing: the stored token may be good for a while, and the next turn
    # tries again.
    # shellcheck disable=SC2086 # the options are several words
    node dist/cli.js --home . $options "$address" ||
      echo "No fresh token for $address this time: status $?." >&2
  done
  node scripts/wait.js "$interval" &
  waiting=$!
  wait "$waiting"
  status=$?
  waiting=
  [ "$status" = 0 ] || exit "$status"
done
