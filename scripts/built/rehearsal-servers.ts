import { once } from "node:events";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";

// An authorization server and an IMAP server, as far as a rehearsal on loopback needs them: every token that they
// give is a word, and none is looked at.

/** Their ports. */
export interface RehearsalServers {
  readonly tokenPort: number;
  readonly imapPort: number;
  close(): void;
}

export async function startServers(tls: TlsOptions): Promise<RehearsalServers> {
  const token = createHttpsServer(tls, (_request, response) => {
    const answer = { access_token: "access", refresh_token: "refresh", token_type: "Bearer" };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ ...answer, expires_in: 3600 }));
  });
  const imap = createTlsServer(tls, (socket) => {
    const capabilities = "IMAP4rev1 SASL-IR AUTH=XOAUTH2 AUTH=OAUTHBEARER ID NAMESPACE";
    const say = (line: string) => socket.write(`${line}\r\n`);
    say(`* OK [CAPABILITY ${capabilities}] ready`);
    socket.setEncoding("utf8").on("error", () => undefined);
    socket.on("data", (text: string) => {
      for (const line of text.split("\r\n").filter(Boolean)) {
        const [tag, command = ""] = line.split(" ");
        const untagged = sayings[command.toUpperCase()];
        if (untagged !== undefined) say(untagged);
        if (command.toUpperCase() === "CAPABILITY") say(`* CAPABILITY ${capabilities}`);
        say(`${tag} OK done`);
      }
    });
  });
  const [tokenPort, imapPort] = await Promise.all([portOf(token), portOf(imap)]);
  return {
    tokenPort,
    imapPort,
    close() {
      token.close();
      token.closeAllConnections();
      imap.close();
    },
  };
}

const sayings: Readonly<Record<string, string>> = {
  ID: "* ID NIL",
  NAMESPACE: '* NAMESPACE (("" "/")) NIL NIL',
  LIST: '* LIST () "/" INBOX',
  EXAMINE: "* 0 EXISTS",
  LOGOUT: "* BYE",
};

async function portOf(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
