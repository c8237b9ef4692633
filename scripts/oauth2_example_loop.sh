#!/bin/sh

# Keeps the tokens of these mailboxes fresh until Ctrl-C. Write their addresses here, with a blank
# between them; for a move, the old one and the new one. Where one address has a mailbox on both
# sides, write it twice, each time with its provider behind a colon:
#   addresses="foo@example.com:google foo@example.com:office365"
addresses="foo@example.com bar@example.org"

# How many minutes there are between two turns. A token lives about 60 minutes.
interval=30

# More options for every turn, for example: options="--quiet"
options=""

# Nothing below has to be changed. ---------------------------------------------------------------

CDPATH='' cd "$(dirname "$(readlink -f "$0")")/.." || exit
if [ ! -e dist/cli.js ]; then
  echo "mxtoken is not built yet. In $(pwd) type: npm ci && npm run build" >&2
  exit 78
fi
if [ -z "$addresses" ]; then
  echo "No addresses are written at the top of $0." >&2
  exit 64
fi
node scripts/wait.js --check "$interval" || exit

turn() {
  case $1 in
    *@*:*) node dist/cli.js --home . $options --provider "${1##*:}" "${1%:*}" ;;
    *) node dist/cli.js --home . $options "$1" ;;
  esac
}

# The wait is in the background, so that a signal to this script alone ends it at once. During a turn
# such a signal is kept until the program has ended by itself: it needs the terminal.
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
    turn "$address"
    status=$?
    case $status in
      0) ;;
      # Ctrl-C while somebody is to sign in: the program reads the keys itself, and the shell sees
      # nothing of it.
      129 | 130 | 143) exit $status ;;
      # A turn that fails ends nothing: the stored token may be good for a while, and the next turn
      # tries again.
      *) echo "No fresh token for $address this time: status $status." >&2 ;;
    esac
  done
  node scripts/wait.js "$interval" $$ &
  waiting=$!
  wait "$waiting"
  status=$?
  waiting=
  [ "$status" = 0 ] || exit "$status"
done
