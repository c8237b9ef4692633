#!/bin/sh

# Keeps the tokens of these mailboxes fresh until Ctrl-C. Write their addresses into the last line, with
# a blank between them: for a move, the old one and the new one. Somebody must have signed in for each of
# them before. More options may stand there as well; where the mailboxes need different ones, write
# them into a file, one mailbox a line with its options, and pass --list FILE instead of addresses:
#   foo@example.com --provider google
#   foo@example.com --provider office365

CDPATH='' cd "$(dirname "$(readlink -f "$0")")/.." && [ -e dist/cli.js ] || { echo "mxtoken is not built yet. In $(pwd) type: npm ci && npm run build" >&2; exit 78; }
exec node dist/cli.js keep --home . --every 30m foo@example.com bar@example.org
