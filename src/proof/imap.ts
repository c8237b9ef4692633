import { MxtokenError } from "../errors.ts";
import type { Finding } from "../mail-server.ts";
import { type Mailbox, serverOf } from "../mailbox.ts";
import type { Secret } from "../secret.ts";
import { whenAborted } from "../world/waiting.ts";
import type { Clock, Net, Stop } from "../world/world.ts";
import { openConnection } from "./connection.ts";
import { fromImapflow, imapClient } from "./imap-client.ts";
import { goodbyeTimeout, transcriptOf, withinTime } from "./login.ts";

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
  world: Clock & Net & Stop,
  mailbox: Mailbox,
  accessToken: Secret,
): Promise<Finding> {
  const imap = serverOf(mailbox, "imap");
  const user = mailbox.address.text;
  const transcript = transcriptOf("imap", { world, mailbox, accessToken, login: user });
  world.interrupted.throwIfAborted();
  const client = await imapClient(world, mailbox, accessToken, transcript);
  const prove = async (stop: AbortSignal) => {
    client.connection = await openConnection(world, mailbox, imap, stop);
    const stopped = whenAborted(stop).then(() => client.close());
    const orEnd = async <T>(step: Promise<T>): Promise<T> => {
      step.catch(() => undefined);
      await Promise.race([step, stopped, client.givenUp]);
      stop.throwIfAborted();
      if (client.trouble !== undefined) throw client.trouble;
      return step;
    };
    await orEnd(client.connect());
    const folders = await orEnd(client.list({ listOnly: true }));
    const inbox = await orEnd(client.mailboxOpen("INBOX", { readOnly: true }));
    const { mechanism } = client;
    // The token is proven: a server that is slow to say goodbye is not waited for.
    await Promise.race([client.logout(), whenAborted(world.deadline(goodbyeTimeout))]);
    if (mechanism === undefined) throw new MxtokenError("defect", "logged in by no mechanism");
    // A server may leave out how many messages there are.
    const found = { folders: folders.length, messages: inbox.exists ?? 0 };
    return { result: "accepted", mechanism, ...found } as const;
  };
  try {
    const result = await withinTime(world, transcript, async (stop) => {
      try {
        return await prove(stop);
      } catch (error) {
        throw fromImapflow(client.trouble ?? error, transcript);
      }
    });
    return { probe: "imap", host: imap.host, port: imap.port, user, ...result };
  } finally {
    // imapflow leaves its socket open when connect() rejects.
    client.close();
    client.connection?.destroy();
  }
}
