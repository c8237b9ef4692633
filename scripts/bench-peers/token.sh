#!/bin/sh
# token.sh FILE [PORT]: prints the access token of FILE, a new one where its life has ended; with PORT it logs
# in with it to the IMAP server there.
set -eu
umask 077
file=$1
if ! jq -re 'select(.expires_at > now).access_token' "$file"; then
  jq -r '"url = \(.token_uri)", @uri "data = grant_type=refresh_token&client_id=\(.client_id)&client_secret=\(.client_secret)&refresh_token=\(.refresh_token)"' "$file" |
    curl -sSf --cacert "$SSL_CERT_FILE" -K - |
    jq --slurpfile old "$file" '$old[0] + . + {expires_at: (now + .expires_in)}' >"$file.new"
  [ -s "$file.new" ]
  mv "$file.new" "$file"
  jq -r .access_token "$file"
fi
[ $# -gt 1 ] || exit 0
jq -r '"user = \(.user):", "oauth2-bearer = \(.access_token)"' "$file" |
  curl -sSf --cacert "$SSL_CERT_FILE" -K - --login-options AUTH=XOAUTH2 -X NOOP "imaps://localhost:$2/"
