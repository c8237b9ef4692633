import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Mechanism, Protocol, TlsStart } from "../../src/mail-server.ts";
import { proveByEvery } from "../../src/proof/proof.ts";
import { Secret } from "../../src/secret.ts";
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from "../scene/authorization-server.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { type Dovecot, startDovecot } from "../scene/dovecot.ts";
import { type Postfix, startPostfix } from "../scene/postfix.ts";
import {
  assertHidden,
  assertNotAccepted,
  mailboxAt,
  tracingWorld,
  user,
} from "../scene/probing.ts";
import { testWorld } from "../scene/world.ts";

let directory: string;
let certificates: Certificates;
let server: AuthorizationServer;
let dovecot: Dovecot;
let postfix: Postfix;
let token: Secret;

before(async () => {
  directory = temporaryDirectory();
  certificates = await issueCertificates(directory);
  server = await startAuthorizationServer(certificates);
  dovecot = await startDovecot(directory, certificates, server, [user], { pop3: true });
  postfix = await startPostfix(directory, certificates, dovecot.authSocket);
  token = await issueToken();
});
after(async () => {
  await postfix?.close();
  await dovecot?.close();
  await server?.close();
});

/** As somebody who signs in gets it. */
async function issueToken(): Promise<Secret> {
  const world = testWorld({ cwd: directory });
  const args = [
    ...[user, "--provider", "google", "--client-id", server.clientId],
    ...["--scope", "mail offline_access", "--redirect-uri", "https://localhost"],
    ...["--authorize-uri", server.authorizeUri, "--token-uri", server.tokenUri],
    ...["--imap-server", `localhost:${dovecot.imaps}`, "--ca-file", certificates.caFile],
    ...["--remotebrowser", "--home", directory],
  ];
  const { main } = await import("../../src/cli/main.ts");
  const run = main(args, world);
  const address = /^https:\/\/\S+code_challenge\S+$/m;
  await world.shown(address);
  world.stdin.end(`${await server.signIn(address.exec(world.written.stderr)?.[0] ?? "")}\n`);
  assert.equal(await run, 0, world.written.stderr);
  return new Secret(server.secrets[0] ?? "");
}

async function prove(
  tls: TlsStart,
  mechanism: Mechanism,
  secret = token,
  verify: readonly Protocol[] = ["imap", "smtp", "pop"],
) {
  const isImplicit = tls === "implicit";
  const at = (ports: [number, number]) =>
    ({ host: "localhost", port: ports[isImplicit ? 0 : 1], tls }) as const;
  const imap = at([dovecot.imaps, dovecot.imap]);
  const smtp = at([postfix.smtps, postfix.submission]);
  const pop = at([dovecot.pop3s, dovecot.pop3]);
  const mailbox = mailboxAt({
    ...{ imap, smtp, pop, verify, login: user },
    ...{ mechanisms: [mechanism], ca: certificates.ca },
  });
  const world = tracingWorld(directory);
  const findings = await proveByEvery(world, mailbox, secret);
  assertHidden([findings, world.traced], secret, [user], [imap, smtp, pop]);
  return findings;
}

for (const tls of ["implicit", "starttls"] as const) {
  for (const mechanism of ["OAUTHBEARER", "XOAUTH2"] as const) {
    describe(`${mechanism}, TLS ${tls}, at Dovecot and Postfix`, () => {
      test("accepted by IMAP, SMTP and POP3", async () => {
        const findings = await prove(tls, mechanism);
        assert.deepEqual(
          findings.map(({ probe, result }) => `${probe} ${result}`),
          ["imap accepted", "smtp accepted", "pop accepted"],
          `${JSON.stringify(findings)}\n${postfix.log()}`,
        );
        const [imap, , pop] = findings;
        assert.ok(imap?.result === "accepted" && imap.probe === "imap");
        assert.equal(imap.messages, 2);
        assert.ok(pop?.result === "accepted" && pop.probe === "pop");
        assert.equal(pop.messages, 2);
      });

      test("another token is refused by each, with the challenge's words", async () => {
        for (const finding of await prove(tls, mechanism, new Secret("another-token-0123456789"))) {
          assertNotAccepted(
            finding,
            "refused",
            /refused the token: .*[( ]status (?:401|invalid_token)/,
          );
        }
      });

      test("introspection that is away is unreachable by each", async () => {
        server.introspectionAway = true;
        const findings = await prove(tls, mechanism);
        server.introspectionAway = false;
        for (const finding of findings) {
          assertNotAccepted(finding, "unreachable", /could not answer now: /);
        }
      });

      test("a token that is too long for them is named as that", async () => {
        const findings = await prove(tls, mechanism, new Secret("x".repeat(40_000)));
        assert.equal(findings.length, 3);
        for (const finding of findings) {
          assertNotAccepted(finding, "unreachable", /./);
          assert.match(finding.hint ?? "", /has 40000 characters/, JSON.stringify(finding));
        }
      });

      for (const length of [100, 1500, 4000, 6000]) {
        test(`a token of ${length} characters arrives whole by SMTP and POP3`, async () => {
          const long = new Secret("abcdefghij".repeat(length / 10));
          for (const finding of await prove(tls, mechanism, long, ["smtp", "pop"])) {
            assertNotAccepted(finding, "refused", /[( ]status (?:401|invalid_token)/);
          }
        });
      }
    });
  }
}
