import { explained } from "../causes/diagnose.ts";
import { MxtokenError } from "../errors.ts";
import type { Finding } from "../finding.ts";
import type { Mechanism } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { Secret } from "../secret.ts";
import { showEndpoint } from "../settings/endpoint.ts";
import { whenAborted } from "../world/when-aborted.ts";
import type { World } from "../world/world.ts";
import {
  connectTimeout,
  goodbyeTimeout,
  placeOf,
  tlsOptions,
  tooLate,
  wholeTimeout,
} from "./connection.ts";
import { judgeImapFailure, type Stage } from "./imap-failure.ts";
import { mechanismsByStrength, sayWithout } from "./sasl.ts";
import { endless, errorOf } from "./verdict.ts";

/**
 * Octets that a server may say: in one line, in one literal, in one response, and
 * altogether. Lines of a LIST are short, and the largest mailboxes have some ten thousand folders.
 */
const limits = {
  maxLineLength: 64 * 1024,
  maxLiteralSize: 64 * 1024,
  maxResponseSize: 256 * 1024,
  maxResponseTokens: 10_000,
};
const maxReceived = 4 * 1024 * 1024;

/**
 * Logs in with the token and opens the mailbox for reading: LIST, then EXAMINE of INBOX, never
 * SELECT. At Microsoft an accepted AUTHENTICATE alone proves nothing: it also accepts a token for
 * a mailbox that the token does not open.
 *
 * TLS is always on and always verified; STARTTLS is mandatory where TLS does not begin at once.
 *
 * @throws Interrupted; a defect of ours, as it is; every other failure is a finding
 */
export async function proveByImap(
  world: World,
  mailbox: Mailbox,
  accessToken: Secret,
): Promise<Finding> {
  const imap = serverOf(mailbox, "imap");
  const user = mailbox.address.text;
  const where = placeOf(imap, mailbox.proxy);
  const say = sayWithout(user, imap, accessToken);
  const server = { probe: "imap", host: imap.host, port: imap.port, user } as const;
  let stage: Stage = "login";
  world.interrupted.throwIfAborted();
  const client = await imapClient(world, mailbox, user, accessToken, say);
  const deadline = world.deadline(wholeTimeout);
  const stop = AbortSignal.any([deadline, world.interrupted]);
  // close() does not end a connect that is still with the proxy.
  const stopped = whenAborted(stop).then(() => client.close());
  const orEnd = async <T>(step: Promise<T>): Promise<T> => {
    step.catch(() => undefined);
    await Promise.race([step, stopped, client.givenUp]);
    stop.throwIfAborted();
    if (client.trouble !== undefined) throw client.trouble;
    return step;
  };
  try {
    await orEnd(client.connect());
    stage = "mailbox";
    const folders = await orEnd(client.list({ listOnly: true }));
    const inbox = await orEnd(client.mailboxOpen("INBOX", { readOnly: true }));
    const { mechanism } = client;
    // The token is proven: a server that is slow to say goodbye is not waited for.
    await Promise.race([client.logout(), whenAborted(world.deadline(goodbyeTimeout))]);
    if (mechanism === undefined) throw new MxtokenError("defect", "logged in by no mechanism");
    return {
      ...server,
      result: "accepted",
      mechanism,
      folders: folders.length,
      // A server may leave out how many there are.
      messages: inbox.exists ?? 0,
    };
  } catch (error) {
    world.interrupted.throwIfAborted();
    if (deadline.aborted) return { ...server, ...tooLate(where) };
    return { ...server, ...judgeImapFailure(client.trouble ?? error, stage, where, say) };
  } finally {
    // imapflow leaves its socket open when connect() rejects.
    client.close();
  }
}

/** What imapflow writes to its log, as far as it is read here. */
interface Entry {
  /** c: the client said it, s: the server */
  readonly src?: string;
  readonly msg?: string;
  /** milliseconds */
  readonly throttleDelay?: number;
}

/**
 * imapflow by itself takes OAUTHBEARER wherever the server offers it, counts a server that asks for no
 * login (PREAUTH) as logged in, takes it for an error challenge when a server asks for the initial
 * response that it was sent already, and lets a server talk without an end. This client keeps to the
 * provider's mechanisms, knows which one was used, answers whoever asks, and does not sit out a
 * throttled server's waiting time.
 */
async function imapClient(
  world: World,
  mailbox: Mailbox,
  user: string,
  accessToken: Secret,
  say: (words: string) => string,
) {
  const { ImapFlow } = await import("imapflow");
  const { mechanisms } = mailbox;
  const imap = serverOf(mailbox, "imap");
  const where = showEndpoint(imap);
  const logIn: unknown = Reflect.get(ImapFlow.prototype, "authenticate");
  let giveUp: () => void = () => undefined;

  class ProvingClient extends ImapFlow {
    mechanism: Mechanism | undefined;
    /** why the connection was given up from here */
    trouble: unknown;
    /** resolves when it was */
    readonly givenUp = new Promise<void>((resolve) => {
      giveUp = resolve;
    });

    async authenticate(): Promise<unknown> {
      if (this.authenticated) {
        throw new MxtokenError(
          "mailboxRefused",
          `${where} asks for no login, which proves nothing`,
        );
      }
      const offered = mechanismsByStrength.filter((name) => this.capabilities.has(`AUTH=${name}`));
      this.mechanism = offered.find((name) => mechanisms.includes(name));
      if (this.mechanism === undefined) {
        const offers = [...this.capabilities.keys()].filter((name) => name.startsWith("AUTH="));
        throw new MxtokenError(
          "mailboxRefused",
          `${where} takes no OAuth 2.0 token by ${mechanisms.join(" or ")}; it offers ${say(offers.join(" ")) || "no mechanism at all"}`,
          explained("no-token-taken-here", { host: where, protocol: "imap" }),
        );
      }
      for (const name of offered) {
        if (name !== this.mechanism) this.capabilities.delete(`AUTH=${name}`);
      }
      // Every server takes the initial response on a line of its own, where it asks for it (RFC 4959
      // section 3), as imapsync sends it; some that offer more ask all the same.
      this.capabilities.delete("SASL-IR");
      if (typeof logIn !== "function") throw new MxtokenError("defect", "imapflow has changed");
      return logIn.call(this);
    }
  }

  const giveUpFor = (trouble: unknown) => {
    client.trouble ??= trouble;
    client.close();
    giveUp();
  };
  const heed = (entry: Entry) => {
    if (entry.src === "c" || entry.src === "s") {
      world.trace(`IMAP ${entry.src === "c" ? ">" : "<"} ${say(entry.msg ?? "")}`);
    }
    if (client.stats().received > maxReceived) giveUpFor(errorOf(endless(where, "IMAP")));
    if (entry.throttleDelay === undefined) return;
    const retryAfter = Math.ceil(entry.throttleDelay / 1000);
    const facts = { host: where, code: "ETHROTTLE", retryAfter };
    const words = `${where} is throttling: it asks to wait ${retryAfter} seconds`;
    giveUpFor(new MxtokenError("unreachable", words, { retryAfter, facts }));
  };
  const note = (entry: Entry) => {
    try {
      heed(entry);
    } catch (error) {
      // imapflow would take it for the server's.
      giveUpFor(error);
    }
  };
  const silent = () => undefined;
  const client = new ProvingClient({
    host: imap.host,
    port: imap.port,
    secure: imap.tls === "implicit",
    ...(imap.tls === "starttls" ? { doSTARTTLS: true } : {}),
    auth: { user, accessToken: accessToken.reveal() },
    tls: tlsOptions(world, mailbox),
    ...(mailbox.proxy === undefined ? {} : { proxy: mailbox.proxy }),
    connectionTimeout: connectTimeout,
    greetingTimeout: connectTimeout,
    ...limits,
    disableAutoIdle: true,
    disableCompression: true,
    disableAutoEnable: true,
    clientInfo: { name: "mxtoken", version: "", vendor: "", "support-url": "" },
    logger: { trace: note, debug: note, info: silent, warn: note, error: note },
  });
  // The call that is waited for is rejected too, but only told that the connection is gone.
  client.on("error", giveUpFor);
  return client;
}
