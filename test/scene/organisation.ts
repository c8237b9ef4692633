import { createPublicKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { google } from "../../src/catalog/google.ts";
import { office365 } from "../../src/catalog/microsoft.ts";
import { startAuthorizationServer } from "./authorization-server.ts";
import { issueCertificates, temporaryDirectory } from "./certificates.ts";
import { startDovecot } from "./dovecot.ts";
import { startImapPeer } from "./imap-peer.ts";
import { newAccount, startJwtBearerServer } from "./jwt-bearer-server.ts";

/** An organisation at Google and one at Microsoft, whose administrators let an application in. */
export interface Organisation {
  /** the environment that leads the program to the servers of each */
  readonly google: Record<string, string>;
  readonly microsoft: Record<string, string>;
  close(): Promise<void>;
}

const secret = "the secret of the application";

/**
 * @param project where `app.crt` is, and where the key of the service account, the secret and the
 * list of addresses are put, of which docs/app-only.md speaks
 */
export async function startOrganisation(project: string): Promise<Organisation> {
  const directory = temporaryDirectory();
  const certificates = await issueCertificates(directory);
  const key = createPublicKey(readFileSync(join(project, "app.crt")));
  const server = await startAuthorizationServer(certificates, {
    clients: [
      { id: "00000000-0000-0000-0000-000000000002", publicKey: key.export({ format: "jwk" }) },
      { id: "00000000-0000-0000-0000-000000000003", secret },
    ],
    scopes: [office365.clientCredentials.scope],
    mailboxOfApplications: "bar@contoso.com",
  });
  const dovecot = await startDovecot(directory, certificates, server, ["bar@contoso.com"]);
  const bearer = await startJwtBearerServer(certificates);
  const account = newAccount(google.serviceAccount.imapScope);
  bearer.accounts.push(account);
  bearer.users.add("bar@example.org");
  const imap = await startImapPeer(certificates);
  writeFileSync(
    join(project, "service-account.json"),
    JSON.stringify({
      type: "service_account",
      client_email: account.email,
      client_id: account.clientId,
      private_key_id: account.keyId,
      private_key: account.privateKey,
    }),
  );
  writeFileSync(join(project, "app-secret.txt"), `${secret}\n`);
  writeFileSync(join(project, "contoso.txt"), "bar@contoso.com\n");
  const env = (tokenUri: string, port: number) => ({
    MXTOKEN_TOKEN_URI: tokenUri,
    MXTOKEN_IMAP_SERVER: `localhost:${port}`,
    MXTOKEN_CA_FILE: certificates.caFile,
  });
  return {
    google: env(bearer.endpoint.uri, imap.port),
    microsoft: env(server.tokenUri, dovecot.imaps),
    async close() {
      await imap.close();
      await bearer.close();
      await dovecot.close();
      await server.close();
    },
  };
}
