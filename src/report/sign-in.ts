import type { Event } from "../flow/events.ts";

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

function byItself(
  event: SignInEvent,
  { fingerprint }: NonNullable<SignInEvent["listener"]>,
): string[] {
  const { redirectUri, timeout, tunnel } = event;
  return [
    `mxtoken: a browser on this machine comes back by itself in the end, to ${redirectUri}; there are ${duration(timeout)} for it`,
    ...(fingerprint === undefined ? [] : [warning(fingerprint)]),
    ...(tunnel === undefined
      ? []
      : [
          "mxtoken: one on another machine comes back through a tunnel, which is made on that machine by:",
          `  ${tunnel}`,
        ]),
    `mxtoken: from a browser that cannot come back, copy the whole address of its last page and paste it here${pressEnter(event)}:`,
  ];
}

function warning(fingerprint: string): string {
  return `mxtoken: it will warn that it does not know this machine's certificate; go on if its SHA-256 fingerprint is ${fingerprint} (no more warnings: mxtoken cert)`;
}

function byPaste(event: SignInEvent): string[] {
  const { redirectUri, timeout, tunnel } = event;
  const page = isLoopback(redirectUri)
    ? "cannot be reached: that is as it should be"
    : "may show a code";
  return [
    ...(tunnel === undefined
      ? []
      : [
          `mxtoken: to let the browser come back by itself, make a tunnel on its machine, and run this again with --port ${portOf(tunnel)}:`,
          `  ${tunnel}`,
        ]),
    `mxtoken: in the end the browser goes to ${redirectUri}, a page that ${page};`,
    `mxtoken: copy the whole address of that page within ${duration(timeout)} and paste it here${pressEnter(event)}:`,
  ];
}

function portOf(tunnel: string): string {
  return /-L (\d+):/.exec(tunnel)?.[1] ?? "";
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
