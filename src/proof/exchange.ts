import type { Mechanism } from "../mail-server.ts";
import type { Secret } from "../secret.ts";
import { decodeChallenge, replyToErrorChallenge } from "./sasl.ts";

/** How a protocol carries a SASL exchange (RFC 4954 for SMTP, RFC 5034 for POP). */
export interface Carrier {
  /** the greatest length of a command line with its line end, in octets */
  readonly maxCommand: number;
  /** sends a line; resolves with the server's reply */
  send(line: string): Promise<string>;
  /** what the server sends in base64 when it expects more; undefined: the reply is its last word */
  challengeOf(reply: string): string | undefined;
}

/** How an exchange ended. */
export interface Outcome {
  readonly reply: string;
  /** the decoded error challenge, empty where none came */
  readonly challenge: string;
}

/**
 * Authenticates by one AUTH command. The initial response stands on the command's line only where
 * the whole line is no longer than the protocol allows: servers cut longer ones off.
 *
 * @param response the initial client response in base64
 * @param isOnNextLine the server wants the response on a line of its own, however short it is
 */
export async function exchange(
  carrier: Carrier,
  mechanism: Mechanism,
  response: Secret,
  isOnNextLine = false,
): Promise<Outcome> {
  const command = `AUTH ${mechanism} ${response.reveal()}`;
  const isAtOnce = !isOnNextLine && command.length + "\r\n".length <= carrier.maxCommand;
  let reply = await carrier.send(isAtOnce ? command : `AUTH ${mechanism}`);
  let challenge = carrier.challengeOf(reply);
  // An empty challenge to an initial response comes from a server that did not read it.
  if (challenge !== undefined && (!isAtOnce || challenge === "")) {
    reply = await carrier.send(response.reveal());
    challenge = carrier.challengeOf(reply);
  }
  if (challenge === undefined) return { reply, challenge: "" };
  return {
    reply: await carrier.send(replyToErrorChallenge[mechanism]),
    challenge: decodeChallenge(challenge),
  };
}
