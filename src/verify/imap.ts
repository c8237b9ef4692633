import type { Mechanism } from "../catalog/provider-row.ts";
import { showEndpoint } from "../config/endpoint.ts";
import { type Mailbox, serverOf } from "../config/mailbox.ts";
import { MxtokenError } from "../errors.ts";
import type { Secret } from "../secret.ts";
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
import type { Finding } from "./finding.ts";
import { judgeImapFailure, type Stage } from "./imap-failure.ts";
import { mechanismsByStrength, sayWithout } from "./sasl.ts";

/**
 * Logs in with the token and opens the mailbox for reading: LIST, then EXAMINE of INBOX, never
 * SELECT. At Microsoft an accepted AUTHENTICATE alone proves nothing: it also accepts a token for
 * a mailbox that the token does not open.
 *
 * TLS is always on and always verified; STARTTLS is mandatory where TLS does not begin at once.
 *
 * @throws Interrupted; every other failure is a finding
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
  try {
    await Promise.race([client.connect(), stopped]);
    stop.throwIfAborted();
    stage = "mailbox";
    const folders = await client.list({ listOnly: true });
    const inbox = await client.mailboxOpen("INBOX", { readOnly: true });
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
    return { ...server, ...judgeImapFailure(client.throttled ?? error, stage, where, say) };
  } finally {
    // imapflow leaves its socket open when connect() rejects.
    client.close();
  }
}

/**
 * imapflow by itself takes OAUTHBEARER wherever the server offers it, and counts a server that
 * asks for no login (PREAUTH) as logged in. This client keeps to the provider's mechanisms, knows
 * which one was used, and does not sit out a throttled server's waiting time.
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

  class ProvingClient extends ImapFlow {
    mechanism: Mechanism | undefined;
    throttled: MxtokenError | undefined;

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
          { hint: "is this the right IMAP server?" },
        );
      }
      for (const name of offered) {
        if (name !== this.mechanism) this.capabilities.delete(`AUTH=${name}`);
      }
      if (typeof logIn !== "function") throw new MxtokenError("defect", "imapflow has changed");
      return logIn.call(this);
    }
  }

  const note = (entry: { src?: string; msg?: string; throttleDelay?: number }) => {
    if (entry.src === "c" || entry.src === "s") {
      world.trace(`IMAP ${entry.src === "c" ? ">" : "<"} ${say(entry.msg ?? "")}`);
    }
    if (entry.throttleDelay !== undefined) {
      const seconds = Math.ceil(entry.throttleDelay / 1000);
      client.throttled = new MxtokenError(
        "unreachable",
        `${where} is throttling: it asks to wait ${seconds} seconds`,
        { retryAfter: seconds },
      );
      client.close();
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
    disableAutoIdle: true,
    disableCompression: true,
    disableAutoEnable: true,
    clientInfo: { name: "mxtoken", version: "", vendor: "", "support-url": "" },
    logger: { trace: note, debug: note, info: silent, warn: note, error: silent },
  });
  // What goes wrong also rejects the call that is waited for.
  client.on("error", silent);
  return client;
}
