"""token.py FILE [PORT]: prints the access token of FILE, a new one where its life has ended; with PORT it logs
in with it to the IMAP server there. SSL_CERT_FILE names the certificate authorities."""

# What only a refresh or a login needs is imported there: it takes longer than the rest.
import json
import os
import sys
import time


def refreshed(old):
    from urllib.parse import urlencode
    from urllib.request import urlopen

    names = ("client_id", "client_secret", "refresh_token")
    form = {"grant_type": "refresh_token", **{name: old[name] for name in names}}
    with urlopen(old["token_uri"], urlencode(form).encode(), timeout=60) as answer:
        new = json.load(answer)
    return {**old, **new, "expires_at": time.time() + new["expires_in"]}


def write(path, tokens):
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(tokens, file)
    os.rename(path + ".new", path)


def log_in(port, user, access_token):
    import imaplib
    import ssl

    response = f"user={user}\x01auth=Bearer {access_token}\x01\x01"
    context = ssl.create_default_context()
    with imaplib.IMAP4_SSL("localhost", port, ssl_context=context, timeout=60) as imap:
        imap.authenticate("XOAUTH2", lambda _: response.encode())


path = sys.argv[1]
with open(path) as file:
    tokens = json.load(file)
if tokens["expires_at"] <= time.time():
    tokens = refreshed(tokens)
    write(path, tokens)
print(tokens["access_token"])
if len(sys.argv) > 2:
    log_in(int(sys.argv[2]), tokens["user"], tokens["access_token"])
