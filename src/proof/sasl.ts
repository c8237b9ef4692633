import type { Endpoint, Mechanism } from "../mail-server.ts";
import { blackOut, harmless, Secret } from "../secret.ts";

/** What OAUTHBEARER tells the server about the connection. */
type Server = Pick<Endpoint, "host" | "port">;

/** Strongest first: the order in which they are preferred where a server offers both. */
export const mechanismsByStrength: readonly Mechanism[] = ["OAUTHBEARER", "XOAUTH2"];

/**
 * What the client answers to the error challenge before the server says no: XOAUTH2 an empty line,
 * OAUTHBEARER a single 0x01 (RFC 7628 section 3.2.3), in base64.
 */
const replyToErrorChallenge: Readonly<Record<Mechanism, string>> = {
  XOAUTH2: "",
  OAUTHBEARER: "AQ==",
};

/** The XOAUTH2 initial client response before base64, as Google defines it. */
export function xoauth2(user: string, token: Secret): Secret {
  return new Secret(`user=${user}\x01auth=Bearer ${token.reveal()}\x01\x01`);
}

/** The OAUTHBEARER initial client response before base64 (RFC 7628 section 3.1). */
export function oauthbearer(user: string, server: Server, token: Secret): Secret {
  const { host, port } = server;
  // RFC 5801 section 4
  const saslname = user.replaceAll("=", "=3D").replaceAll(",", "=2C");
  return new Secret(
    `n,a=${saslname},\x01host=${host}\x01port=${port}\x01auth=Bearer ${token.reveal()}\x01\x01`,
  );
}

/** As SMTP, POP and IMAP send it. */
export function inBase64(text: Secret): Secret {
  return new Secret(Buffer.from(text.reveal()).toString("base64"));
}

/** The initial client response of a mechanism, in base64. */
export function initialResponse(
  mechanism: Mechanism,
  user: string,
  server: Server,
  token: Secret,
): Secret {
  return inBase64(
    mechanism === "XOAUTH2" ? xoauth2(user, token) : oauthbearer(user, server, token),
  );
}

/**
 * What makes words of a server, or a protocol line, fit to be shown: the token, its initial
 * responses, and pieces of these are blacked out.
 */
export function sayWithout(user: string, server: Server, token: Secret): (words: string) => string {
  const responses = [xoauth2(user, token), oauthbearer(user, server, token)];
  // The token last: its own base64 may stand inside a response's.
  const forms = [...responses.map(inBase64), token];
  const isPiece = (run: string) => forms.some((form) => form.reveal().includes(run));
  return (words) =>
    // A server may quote a line that it has cut off.
    harmless(
      blackOut(words, forms).replace(/[\w+/-]{16,}=*/g, (run) => (isPiece(run) ? "[secret]" : run)),
    );
}

/**
 * The words in an error challenge, which is JSON in base64 (RFC 7628 section 3.2.2; Google's
 * XOAUTH2 has the same form); empty where there are none.
 */
export function decodeChallenge(base64: string): string {
  let challenge: unknown;
  try {
    challenge = JSON.parse(Buffer.from(base64, "base64").toString());
  } catch {
    // What is not JSON has nothing to say.
    return "";
  }
  if (typeof challenge !== "object" || challenge === null) return "";
  return Object.entries(challenge)
    .filter(([name, value]) => ["status", "scope", "schemes"].includes(name) && value !== "")
    .map(([name, value]) => `${name} ${String(value)}`)
    .join(", ");
}

/** The status in the words of a challenge; undefined where there is none. */
export function statusIn(challenge: string): string | undefined {
  return /(?:^|, )status ([^\s,]+)/.exec(challenge)?.[1];
}

/** How a protocol carries a SASL exchange (RFC 4954 for SMTP, RFC 5034 for POP). */
export interface Carrier {
  /** the greatest length of a command line with its line end, in octets */
  readonly maxCommand: number;
  /** sends a line; resolves with the server's reply */
  send(line: string): Promise<string>;
  /** what the server sends in base64 when it expects more; undefined: the reply is its last word */
  challengeOf(reply: string): string | undefined;
}

/**
 * Authenticates by one AUTH command. The initial response stands on the command's line only where
 * the whole line is no longer than the protocol allows: servers cut longer ones off. An error
 * challenge is answered.
 *
 * @returns the server's last word
 * @param response the initial client response in base64
 * @param isOnNextLine the server wants the response on a line of its own, however short it is
 */
export async function exchange(
  carrier: Carrier,
  mechanism: Mechanism,
  response: Secret,
  isOnNextLine = false,
): Promise<string> {
  const command = `AUTH ${mechanism} ${response.reveal()}`;
  const isAtOnce = !isOnNextLine && command.length + "\r\n".length <= carrier.maxCommand;
  let reply = await carrier.send(isAtOnce ? command : `AUTH ${mechanism}`);
  let challenge = carrier.challengeOf(reply);
  // An empty challenge to an initial response comes from a server that did not read it.
  if (challenge !== undefined && (!isAtOnce || challenge === "")) {
    reply = await carrier.send(response.reveal());
    challenge = carrier.challengeOf(reply);
  }
  return challenge === undefined ? reply : carrier.send(replyToErrorChallenge[mechanism]);
}
