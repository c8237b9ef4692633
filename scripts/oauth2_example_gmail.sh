#!/bin/sh

# Gets a token for this mailbox at Google, or a fresh one. Write its address here:
address="foo@gmail.com"

# Nothing below has to be changed. ---------------------------------------------------------------

CDPATH='' cd "$(dirname "$(readlink -f "$0")")/.." || exit
if [ ! -e dist/cli.js ]; then
  echo "mxtoken is not built yet. In $(pwd) type: npm ci && npm run build" >&2
  exit 78
fi
exec node dist/cli.js --home . --provider google "$address"
