import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { Interrupted } from "../../src/errors.ts";
import { proveByEvery } from "../../src/proof/proof.ts";
import { Secret } from "../../src/secret.ts";
import { issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { type ImapPeer, startImapPeer } from "../scene/imap-peer.ts";
import { type PopPeer, startPopPeer } from "../scene/pop-peer.ts";
import { mailboxAt, tracingWorld } from "../scene/probing.ts";
import { type SmtpPeer, startSmtpPeer } from "../scene/smtp-peer.ts";

const token = new Secret("a-token-for-every-protocol");
const directory = temporaryDirectory();
let ca: string;
let imap: ImapPeer;
let smtp: SmtpPeer;
let pop: PopPeer;

before(async () => {
  const certificates = await issueCertificates(directory);
  ({ ca } = certificates);
  imap = await startImapPeer(certificates);
  smtp = await startSmtpPeer(certificates);
  pop = await startPopPeer(certificates);
});
beforeEach(() => {
  imap.login = () => "accept";
  smtp.login = () => "accept";
  pop.login = () => "accept";
});
after(() => Promise.all([imap, smtp, pop].map((peer) => peer?.close())));

function mailbox(...verify: readonly ("imap" | "smtp" | "pop")[]) {
  const at = ({ port }: { port: number }) =>
    ({ host: "localhost", port, tls: "implicit" }) as const;
  return mailboxAt({ imap: at(imap), smtp: at(smtp), pop: at(pop), verify, ca });
}

describe("proof by every protocol", () => {
  test("has a finding of each, in the order that was asked for", async () => {
    pop.login = () => "refuse";
    smtp.login = () => "drop";
    const world = tracingWorld(directory);
    const findings = await proveByEvery(world, mailbox("pop", "imap", "smtp"), token);
    assert.deepEqual(
      findings.map(({ probe, result }) => `${probe} ${result}`),
      ["pop refused", "imap accepted", "smtp unreachable"],
    );
  });

  test("by none asks nobody", async () => {
    const before = imap.logins.length;
    assert.deepEqual(await proveByEvery(tracingWorld(directory), mailbox(), token), []);
    assert.equal(imap.logins.length, before);
  });

  test("goes on while one of them takes its time, and gives up that one alone", async () => {
    const world = tracingWorld(directory);
    smtp.login = () => "mute";
    const finished = new Promise<void>((resolve) => {
      pop.heard = (line) => line === "QUIT" && resolve();
    });
    const proof = proveByEvery(world, mailbox("smtp", "pop"), token);
    await finished;
    await pop.allClosed();
    world.expire(30_000);
    assert.deepEqual(
      (await proof).map(({ result }) => result),
      ["unreachable", "accepted"],
    );
  });

  test("that is interrupted ends when every connection is closed", async () => {
    const world = tracingWorld(directory);
    const both = [smtp, pop].map(
      (peer) =>
        new Promise<void>((resolve) => {
          peer.login = () => {
            resolve();
            return "mute";
          };
        }),
    );
    const proof = proveByEvery(world, mailbox("smtp", "pop"), token);
    await Promise.all(both);
    world.interrupt("SIGTERM");
    await assert.rejects(proof, Interrupted);
    await Promise.all([smtp.allClosed(), pop.allClosed()]);
  });
});
