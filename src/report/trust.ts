import { quoteForCmd, quoteForShell } from "../programs/quote.ts";
import type { CertificateFacts } from "../sign-in/certificate.ts";
import { isoSeconds } from "../token.ts";

/** The listener's certificate and how to make a browser trust it, for standard output. */
export function describeCertificate(
  files: { key: string; certificate: string },
  facts: CertificateFacts,
): string {
  const { certificate } = files;
  return `certificate  ${certificate}
key          ${files.key}
fingerprint  ${facts.fingerprint} (SHA-256)
valid        from ${isoSeconds(facts.validFrom)} to ${isoSeconds(facts.validTo)}
names        ${facts.names.join(", ")}

A browser warns of this certificate because nobody but this machine vouches for it. It shows the
fingerprint behind "Not secure" beside the address, or behind "View Certificate" on its warning page.
To be rid of the warning, make it trust the certificate, which speaks for the names above only and
can sign nothing. A browser on another machine needs a copy of the certificate there; never copy the
key.

Chromium and Chrome on Linux (certutil is in Debian's package libnss3-tools), then start it anew; the
second line takes a former one out:
  mkdir -p ~/.pki/nssdb
  certutil -d sql:"$HOME/.pki/nssdb" -D -n mxtoken 2>/dev/null
  certutil -d sql:"$HOME/.pki/nssdb" -A -t P,, -n mxtoken -i ${quoteForShell(certificate)}
Undone by:
  certutil -d sql:"$HOME/.pki/nssdb" -D -n mxtoken

Firefox everywhere: it trusts such a certificate by its warning page only, and remembers that for one
port. Give the sign-in a port of its own, like --port 8765, then choose Advanced, Accept the Risk.

Safari and Chrome on macOS:
  security add-trusted-cert -r trustRoot -p ssl -k ~/Library/Keychains/login.keychain-db ${quoteForShell(certificate)}
Undone by:
  security remove-trusted-cert ${quoteForShell(certificate)}

Edge and Chrome on Windows:
  certutil -user -addstore Root ${quoteForCmd(certificate)}
Undone by:
  certutil -user -delstore Root ${facts.serialNumber}`;
}
