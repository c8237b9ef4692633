import type { Event } from "../events.ts";

type SignInEvent = Extract<Event, { is: "signIn" }>;

/** How a person is asked to sign in, in lines for standard error. */
export function askToSignIn(event: SignInEvent): string[] {
  const { account, url, why, opensBrowser } = event;
  const where = opensBrowser
    ? "in the browser that opens now, or at this address in any other"
    : "with any browser on any machine, at this address";
  return [
    `mxtoken: a sign-in is needed: ${why}`,
    `mxtoken: sign in as ${account} ${where}:`,
    "",
    url,
    "",
    ...consent(event),
    ...(event.listener === undefined ? byPaste(event) : byItself(event, event.listener)),
  ];
}

function consent({ consentName }: SignInEvent): string[] {
  if (consentName === undefined) return [];
  return [
    `mxtoken: the consent page will say ${consentName}: mxtoken acts as that application;`,
    "mxtoken: to use one of your own, pass --client-id, --redirect-uri and, if it has one, its secret",
  ];
}

function byItself(event: SignInEvent, listener: NonNullable<SignInEvent["listener"]>): string[] {
  const { redirectUri, timeout, tunnel } = event;
  const comesBack =
    tunnel === undefined
      ? [`mxtoken: a browser on this machine comes back by itself in the end, to ${redirectUri}`]
      : [
          `mxtoken: a browser comes back by itself in the end, to ${redirectUri},`,
          "mxtoken: from another machine through a tunnel that is made there by:",
          `  ${tunnel.command}`,
        ];
  return [
    ...comesBack,
    ...warning(listener),
    `mxtoken: from a browser that cannot come back, copy the whole address of its last page and paste it here${pressEnter(event)}; waiting ${duration(timeout)}:`,
  ];
}

/** In one line, what the browser will show. */
function warning({
  fingerprint,
  certificateCommand,
}: NonNullable<SignInEvent["listener"]>): string[] {
  if (fingerprint === undefined) return [];
  const remedy =
    certificateCommand === undefined ? "" : ` (no more warnings: ${certificateCommand})`;
  return [
    `mxtoken: unless it trusts this machine's certificate already, the browser will warn of it: go on (Advanced, then Proceed or Accept) if the SHA-256 fingerprint that it shows behind "Not secure" is ${fingerprint}${remedy}`,
  ];
}

function byPaste(event: SignInEvent): string[] {
  const { redirectUri, timeout, tunnel } = event;
  const goesTo = isLoopback(redirectUri)
    ? `${redirectUri}, a page that cannot be reached: that is as it should be; copy the whole address of that page`
    : `${redirectUri}; copy the whole address of that page, or the code that it shows,`;
  return [
    ...(tunnel === undefined
      ? []
      : [
          `mxtoken: the browser comes back by itself when this is run again with --port ${tunnel.port}, through a tunnel that is made on the browser's machine by:`,
          `  ${tunnel.command}`,
        ]),
    `mxtoken: in the end the browser goes to ${goesTo}`,
    `mxtoken: and paste it here within ${duration(timeout)}${pressEnter(event)}:`,
  ];
}

function pressEnter({ isTerminal }: SignInEvent): string {
  return isTerminal ? ", then press Enter (the text is not shown)" : "";
}

function duration(seconds: number): string {
  const minutes = seconds / 60;
  if (!Number.isInteger(minutes)) return `${seconds} seconds`;
  return minutes === 1 ? "1 minute" : `${minutes} minutes`;
}

function isLoopback(redirectUri: string): boolean {
  const { hostname } = new URL(redirectUri);
  return hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127.");
}
