import { encode } from "uqr";
import type { Event } from "../events.ts";
import { quoteForCmd, quoteForShell } from "../programs/commands-to-copy.ts";
import type { CertificateFacts } from "../sign-in/certificate.ts";
import { isoSeconds } from "../token.ts";
import type { Reader, Sentence } from "./telling.ts";
import { count } from "./words.ts";

type SignInEvent = Extract<Event, { is: "signIn" }>;

/** How a person is asked to sign in, in lines for standard error. */
export function askToSignIn(event: SignInEvent): Sentence[] {
  const { account, url, why, opensBrowser } = event;
  const where = opensBrowser
    ? "in the browser that opens now, or at this address in any other"
    : "with any browser on any machine, at this address";
  return [
    `a sign-in is needed: ${why}`,
    `sign in as ${account} ${where}:`,
    { copy: "" },
    { copy: url },
    { copy: "" },
    ...consent(event),
    ...(event.listener === undefined ? byPaste(event) : byItself(event, event.listener)),
  ];
}

function consent({ consentName }: SignInEvent): Sentence[] {
  if (consentName === undefined) return [];
  return [
    `the consent page will say ${consentName}: mxtoken acts as that application;`,
    "to use one of your own, pass --client-id, --redirect-uri and, if it has one, its secret",
  ];
}

function byItself(event: SignInEvent, listener: NonNullable<SignInEvent["listener"]>): Sentence[] {
  const { redirectUri, timeout, tunnel } = event;
  const comesBack =
    tunnel === undefined
      ? [`a browser on this machine comes back by itself in the end, to ${redirectUri}`]
      : [
          `a browser comes back by itself in the end, to ${redirectUri},`,
          "from another machine through a tunnel that is made there by:",
          { command: tunnel.command },
        ];
  return [
    ...comesBack,
    ...warning(listener),
    `from a browser that cannot come back, copy the whole address of its last page and paste it here${pressEnter(event)}; waiting ${duration(timeout)}:`,
  ];
}

/** In one line, what the browser will show. */
function warning({
  fingerprint,
  certificateCommand,
}: NonNullable<SignInEvent["listener"]>): Sentence[] {
  if (fingerprint === undefined) return [];
  const remedy =
    certificateCommand === undefined ? "" : ` (no more warnings: ${certificateCommand})`;
  return [
    `unless it trusts this machine's certificate already, the browser will warn of it: go on (Advanced, then Proceed or Accept) if the SHA-256 fingerprint that it shows behind "Not secure" is ${fingerprint}${remedy}`,
  ];
}

function byPaste(event: SignInEvent): Sentence[] {
  const { redirectUri, timeout, tunnel } = event;
  const goesTo = isLoopback(redirectUri)
    ? `${redirectUri}, a page that cannot be reached: that is as it should be; copy the whole address of that page`
    : `${redirectUri}; copy the whole address of that page, or the code that it shows,`;
  return [
    ...(tunnel === undefined
      ? []
      : [
          `the browser comes back by itself when this is run again with --port ${tunnel.port}, through a tunnel that is made on the browser's machine by:`,
          { command: tunnel.command },
        ]),
    `in the end the browser goes to ${goesTo}`,
    `and paste it here within ${duration(timeout)}${pressEnter(event)}:`,
  ];
}

function pressEnter({ isTerminal }: SignInEvent): string {
  return isTerminal ? ", then press Enter (the text is not shown)" : "";
}

function duration(seconds: number): string {
  const minutes = seconds / 60;
  return Number.isInteger(minutes) ? count(minutes, "minute") : `${seconds} seconds`;
}

function isLoopback(redirectUri: string): boolean {
  const { hostname } = new URL(redirectUri);
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}

type DeviceCodeEvent = Extract<Event, { is: "deviceCode" }>;

/** Modules of light around a QR code; the standard's four make it too large for a terminal. */
const quietZone = 2;

/** Bright white on black, whatever the terminal's own colours are: a camera needs it that way round. */
const colours = ["\u001b[97;40m", "\u001b[0m"] as const;

/**
 * How a person is asked to sign in on another device (RFC 8628 section 3.3), for standard error.
 */
export function askByDevice(event: DeviceCodeEvent, { columns }: Reader): Sentence[] {
  const { account, why, userCode, verificationUri, consentName, expiresIn } = event;
  return [
    `a sign-in is needed: ${why}`,
    `sign in as ${account} with any browser on any device, at this address:`,
    { copy: "" },
    { copy: verificationUri },
    { copy: "" },
    "and type this code there:",
    { copy: "" },
    { copy: userCode },
    { copy: "" },
    ...qrCode(event, columns),
    ...(consentName === undefined
      ? []
      : [`the page will say ${consentName}: mxtoken acts as that application`]),
    `type no code that somebody else has sent you; this one is good for ${count(Math.max(1, Math.round(expiresIn / 60)), "minute")}, and the sign-in is noticed here by itself:`,
  ];
}

function qrCode(
  { verificationUri, verificationUriComplete, qr }: DeviceCodeEvent,
  columns: number | undefined,
): Sentence[] {
  if (qr === false) return [];
  const rows = qrRows(verificationUriComplete ?? verificationUri);
  const fits = columns !== undefined && (rows[0]?.length ?? 0) <= columns;
  if (qr === undefined && !fits) return [];
  const [on, off] = columns === undefined ? ["", ""] : colours;
  return [...rows.map((row) => ({ draw: `${on}${row}${off}` })), { copy: "" }];
}

/** The code in half blocks, two rows of modules in one of text; a full block is light. */
function qrRows(text: string): string[] {
  const { data, size } = encode(text, { border: quietZone });
  const isDark = (row: number, column: number) => data[row]?.[column] === true;
  const rows: string[] = [];
  for (let row = 0; row < size; row += 2) {
    let line = "";
    for (let column = 0; column < size; column += 1) {
      const upper = isDark(row, column);
      // Below an odd last row there is nothing, which is shown as light.
      const lower = row + 1 < size && isDark(row + 1, column);
      line += upper ? (lower ? " " : "▄") : lower ? "▀" : "█";
    }
    rows.push(line);
  }
  return rows;
}

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
