import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Finding, Mechanism, TlsStart } from "../../src/mail-server.ts";
import type { Mailbox } from "../../src/mailbox.ts";
import { proveBySmtp } from "../../src/proof/smtp.ts";
import { Secret } from "../../src/secret.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { testConnections } from "../scene/connection-tests.ts";
import {
  assertHidden,
  assertNotAccepted,
  login,
  mailboxAt,
  tracingWorld,
} from "../scene/probing.ts";
import {
  type SmtpAnswer,
  type SmtpPeer,
  type SmtpSentence,
  startSmtpPeer,
} from "../scene/smtp-peer.ts";

let directory: string;
let certificates: Certificates;
const token = new Secret("ya29.a-token-that-nobody-may-read-0123456789");

before(async () => {
  directory = temporaryDirectory();
  certificates = await issueCertificates(directory);
});

const peers: SmtpPeer[] = [];
after(async () => {
  for (const peer of peers) await peer.close();
});

async function startPeer(
  tls: TlsStart = "implicit",
  more: Partial<SmtpPeer> = {},
  own = certificates,
): Promise<SmtpPeer> {
  const peer = Object.assign(await startSmtpPeer(own, tls), more);
  peers.push(peer);
  return peer;
}

function at(peer: { port: number }, tls: TlsStart = "implicit", more: Partial<Mailbox> = {}) {
  const smtp = { host: "localhost", port: peer.port, tls };
  return mailboxAt({ smtp, ca: certificates.ca, ...more });
}

async function prove(mailbox: Mailbox, world = tracingWorld(directory), secret = token) {
  const finding = await proveBySmtp(world, mailbox, secret);
  const server = mailbox.smtp ?? assert.fail();
  assertHidden([finding, world.traced], secret, [mailbox.login], [server]);
  return { finding, traced: world.traced };
}

describe("accepted", () => {
  for (const tls of ["implicit", "starttls"] as const) {
    for (const mechanism of ["OAUTHBEARER", "XOAUTH2"] as const) {
      test(`by ${mechanism}, TLS ${tls}: as the person, and nothing is sent`, async () => {
        const peer = await startPeer(tls);
        const { finding } = await prove(at(peer, tls, { mechanisms: [mechanism] }));
        assert.deepEqual(finding, {
          ...{ probe: "smtp", host: "localhost", port: peer.port, user: login },
          ...{ result: "accepted", mechanism },
        } satisfies Finding);
        assert.deepEqual(peer.logins, [
          {
            mechanism,
            user: login,
            token: token.reveal(),
            server: mechanism === "XOAUTH2" ? ":" : `localhost:${peer.port}`,
          },
        ]);
        const commands = ["EHLO [127.0.0.1]", `AUTH ${mechanism}`, "QUIT"];
        assert.deepEqual(
          peer.commands,
          tls === "starttls" ? ["EHLO [127.0.0.1]", "STARTTLS", ...commands] : commands,
        );
      });
    }
  }

  test("OAUTHBEARER is preferred where both are offered and allowed", async () => {
    const { finding } = await prove(at(await startPeer()));
    assert.ok(finding.result === "accepted");
    assert.equal(finding.mechanism, "OAUTHBEARER");
  });

  for (const [offers, mechanism] of [
    ["AUTH XOAUTH2", "XOAUTH2"],
    ["AUTH=PLAIN XOAUTH2", "XOAUTH2"],
    ["auth login oauthbearer", "OAUTHBEARER"],
  ] as const satisfies [string, Mechanism][]) {
    test(`${mechanism} where the server says "${offers}"`, async () => {
      const { finding } = await prove(at(await startPeer("implicit", { extensions: [offers] })));
      assert.ok(finding.result === "accepted");
      assert.equal(finding.mechanism, mechanism);
    });
  }

  for (const length of [100, 1500, 4000, 6000]) {
    test(`with a token of ${length} characters; AUTH's line is never over 512 octets`, async () => {
      const peer = await startPeer();
      const secret = new Secret("abcdefghij".repeat(length / 10));
      const { finding } = await prove(at(peer), tracingWorld(directory), secret);
      assert.equal(finding.result, "accepted");
      assert.equal(peer.logins[0]?.token, secret.reveal());
      assert.equal(peer.responsesOnNextLine, length > 300 ? 1 : 0);
    });
  }

  test("by a server that does not read an initial response", async () => {
    const peer = await startPeer("implicit", { login: () => "askAgain" });
    assert.equal((await prove(at(peer))).finding.result, "accepted");
  });

  test("by a server that does not answer QUIT: it is waited for 2 seconds", async () => {
    const peer = await startPeer("implicit", { isPolite: false });
    const world = tracingWorld(directory);
    world.expire(2_000);
    assert.equal((await prove(at(peer), world)).finding.result, "accepted");
  });

  test("at an address instead of a name, over TLS and STARTTLS", async () => {
    for (const tls of ["implicit", "starttls"] as const) {
      const { port } = await startPeer(tls);
      const { finding } = await prove(
        at({ port }, tls, { smtp: { host: "127.0.0.1", port, tls } }),
      );
      assert.equal(finding.result, "accepted", JSON.stringify(finding));
    }
  });
});

describe("not accepted", () => {
  const disabled = /535 5\.7\.139 .*SmtpClientAuthentication is disabled/;
  for (const [answer, result, reason, hint] of [
    [
      "refuse",
      "refused",
      /refused the token: 535 5\.7\.8 Username and Password not accepted\. For more information, go to https:\/\/support\.example\.test\/mail - gsmtp \(status 400, schemes Bearer, scope https:\/\/mail\.google\.com\/\)$/,
      /another account sign in than person@example\.test/,
    ],
    [
      "refuseAtOnce",
      "refused",
      /refused the token: 535 5\.7\.3 Authentication unsuccessful \[host\.example\.test\]$/,
      /--access smtp/,
    ],
    ["tenantDisabled", "refused", disabled, /administrator.*Set-CASMailbox.*Set-TransportConfig/],
    [
      "mailboxDisabled",
      "refused",
      disabled,
      /Set-CASMailbox -Identity 'person@example\.test' -SmtpClientAuthenticationDisabled \$false$/,
    ],
    ["quote", "refused", /refused the token: .*\[secret\].*\[secret\].*\[secret\]/, /./],
    [
      "temporary",
      "unreachable",
      /could not answer now: 454 4\.7\.0 Temporary authentication failure$/,
      undefined,
    ],
    [
      "bye",
      "unreachable",
      /hung up during the login: 421 4\.3\.2 Service shutting down$/,
      /ask whoever runs the server/,
    ],
    ["drop", "unreachable", /hung up during the login without a word$/, /the log of the server/],
    ["flood", "unreachable", /does not speak SMTP: what it says has no end$/, undefined],
    ["insist", "unreachable", /does not speak SMTP: 334 bm8=/, undefined],
  ] as const satisfies [SmtpAnswer, Finding["result"], RegExp, RegExp | undefined][]) {
    for (const mechanism of ["OAUTHBEARER", "XOAUTH2"] as const) {
      test(`${answer} by ${mechanism}: ${result}, after one login`, async () => {
        const peer = await startPeer("implicit", { login: () => answer });
        const { finding } = await prove(at(peer, "implicit", { mechanisms: [mechanism] }));
        assertNotAccepted(finding, result, reason);
        if (hint === undefined) assert.equal(finding.hint, undefined);
        else assert.match(finding.hint ?? "", hint);
        assert.equal(peer.commands.filter((line) => line.startsWith("AUTH")).length, 1);
      });
    }
  }

  const challenge = { status: "400", schemes: "Bearer" };
  for (const [answer, result, reason] of [
    [{ says: "535 Incorrect authentication data" }, "refused"],
    [{ says: "535 5.7.8 no" }, "refused"],
    [{ says: "525 5.7.13 no" }, "refused"],
    [{ says: "550 5.7.8 no" }, "refused"],
    [
      { says: "534-5.7.14 Please log in via your web\n534 5.7.14 browser and then try again." },
      "refused",
    ],
    [{ says: "534 5.7.9 Application-specific password required." }, "refused"],
    [{ says: "501 Authentication failed" }, "refused"],
    [{ says: "550 5.2.1 The email account that you tried to reach is disabled" }, "refused"],
    [{ says: "554 nonsense", challenge }, "refused"],
    [
      { says: "535 5.7.8 Error: authentication failed: (reason unavailable)", challenge },
      "refused",
    ],
    [{ says: "535 5.7.8 Error: authentication failed: (reason unavailable)" }, "unreachable"],
    [{ says: "535 5.7.0 internal server error" }, "unreachable"],
    [{ says: "535 5.7.8 Temporary authentication failure" }, "unreachable"],
    [{ says: "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded" }, "unreachable"],
    [{ says: "451 4.7.0 access denied" }, "unreachable", /could not answer now: 451/],
    [{ says: "435 Unable to authenticate at present" }, "unreachable"],
    [{ says: "554 5.3.0 nonsense" }, "unreachable", /does not say that it refuses it: 554 5\.3\.0/],
    [{ says: "500 5.5.6 Line too long" }, "unreachable"],
    [{ says: "504 5.7.4 Unrecognized authentication type" }, "unreachable"],
    [{ says: "501 5.5.124 Invalid XOAUTH2 auth data" }, "unreachable"],
    [{ says: "535 5.7.8 no", challenge: { status: "500" } }, "unreachable"],
  ] as const satisfies [SmtpSentence, Finding["result"], RegExp?][]) {
    const challenged = "challenge" in answer ? " after a challenge" : "";
    test(`${JSON.stringify(answer.says)}${challenged}: ${result}`, async () => {
      const { finding } = await prove(at(await startPeer("implicit", { login: () => answer })));
      assertNotAccepted(finding, result, reason ?? /./);
    });
  }

  test("replies that nobody asked for, without an end, are not read to their end", async () => {
    const says = Array(200).fill("250 and more").join("\n");
    const { finding } = await prove(at(await startPeer("implicit", { login: () => ({ says }) })));
    assertNotAccepted(finding, "unreachable", /./);
  });

  test("a defect of ours is no finding: it is thrown on as it is", async () => {
    const defect = new TypeError("a defect");
    const trace = (line: string) => {
      if (line.includes("> AUTH")) throw defect;
    };
    const world = Object.assign(tracingWorld(directory), { trace });
    await assert.rejects(prove(at(await startPeer()), world), defect);
  });

  for (const [extensions, offers] of [
    [["AUTH PLAIN LOGIN"], "PLAIN LOGIN"],
    [["SIZE 1000"], "no mechanism at all"],
    [undefined, "no mechanism at all"],
  ] as const) {
    test(`a server that offers ${offers}${extensions === undefined ? " and no EHLO" : ""}`, async () => {
      const peer = await startPeer("implicit", { extensions });
      const { finding } = await prove(at(peer));
      if (extensions === undefined) assertNotAccepted(finding, "unreachable", /502/);
      else {
        assertNotAccepted(
          finding,
          "refused",
          /takes no OAuth 2\.0 token by OAUTHBEARER or XOAUTH2; it offers /,
        );
        assert.ok(finding.reason.endsWith(`it offers ${offers}`));
        assert.equal(finding.hint, "is this the right SMTP server?");
      }
      assert.equal(peer.logins.length, 0);
    });
  }

  test("a mechanism that the provider does not take is not tried", async () => {
    const peer = await startPeer("implicit", { extensions: ["AUTH OAUTHBEARER"] });
    const { finding } = await prove(at(peer, "implicit", { mechanisms: ["XOAUTH2"] }));
    assertNotAccepted(finding, "refused", /by XOAUTH2; it offers OAUTHBEARER$/);
    assert.equal(peer.logins.length, 0);
  });

  test("a server that turns everybody away is unreachable", async () => {
    const peer = await startPeer("implicit", { greeting: "554 5.7.1 not from your network" });
    const { finding } = await prove(at(peer));
    assertNotAccepted(finding, "unreachable", /hung up: 554 5\.7\.1 not from your network$/);
  });

  test("a server that hangs up before it says a word is unreachable", async () => {
    for (const tls of ["implicit", "starttls"] as const) {
      const peer = await startPeer(tls, { isAway: true });
      assertNotAccepted((await prove(at(peer, tls))).finding, "unreachable", /was dropped$/);
    }
  });

  test("nobody there is unreachable", async () => {
    const peer = await startSmtpPeer(certificates);
    await peer.close();
    assertNotAccepted((await prove(at(peer))).finding, "unreachable", /connection was refused$/);
  });
});

describe("TLS", () => {
  test("a server that offers no STARTTLS gets no token", async () => {
    const peer = await startPeer("starttls", { startTls: "refuse" });
    const { finding } = await prove(at(peer, "starttls"));
    assertNotAccepted(
      finding,
      "unreachable",
      /refuses STARTTLS: 502 5\.5\.1 not implemented, and a token is never sent without TLS$/,
    );
    assert.match(finding.hint ?? "", /usually 465/);
    assert.deepEqual(peer.commands, ["EHLO [127.0.0.1]", "STARTTLS"]);
  });

  for (const injection of ["250 AUTH XOAUTH2\r\n", "250-AUTH XOAUTH2\r\n250 x\r\n", "535 "]) {
    test(`${JSON.stringify(injection)} in clear after STARTTLS is not listened to`, async () => {
      const peer = await startPeer("starttls", { injection, extensions: ["AUTH OAUTHBEARER"] });
      const { finding, traced } = await prove(at(peer, "starttls"));
      // Either it is thrown away, or the handshake fails: it never counts.
      if (finding.result === "accepted") assert.equal(finding.mechanism, "OAUTHBEARER");
      else assert.equal(peer.logins.length, 0);
      assert.ok(!traced.some((line) => /< .*AUTH XOAUTH2/.test(line)), traced.join("\n"));
    });
  }

  test("a server without TLS where TLS must begin at once", async () => {
    const peer = await startPeer("starttls");
    const { finding } = await prove(at(peer, "implicit"));
    assertNotAccepted(finding, "unreachable", /does not speak TLS on this port/);
  });
});

testConnections({
  token,
  startTlsCommand: "STARTTLS",
  closedPort: 25,
  newWorld: () => tracingWorld(directory),
  directory: () => directory,
  startPeer,
  at,
  probe: proveBySmtp,
  prove,
});

test("what goes over the line can be followed, without the token", async () => {
  const peer = await startPeer("starttls", { login: () => "refuse" });
  const { traced } = await prove(at(peer, "starttls", { mechanisms: ["XOAUTH2"] }));
  const shape = traced.map((line) => line.replace(/334 \w+=*$/, "334 CHALLENGE"));
  assert.deepEqual(shape, [
    "SMTP < 220 mail.example.test ESMTP",
    "SMTP > EHLO [127.0.0.1]",
    "SMTP < 250-mail.example.test",
    "SMTP < 250-STARTTLS",
    "SMTP < 250-SIZE 1000000",
    "SMTP < 250-AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER",
    "SMTP < 250 8BITMIME",
    "SMTP > STARTTLS",
    "SMTP < 220 2.0.0 go ahead",
    "SMTP > EHLO [127.0.0.1]",
    "SMTP < 250-mail.example.test",
    "SMTP < 250-SIZE 1000000",
    "SMTP < 250-AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER",
    "SMTP < 250 8BITMIME",
    "SMTP > AUTH XOAUTH2 [secret]",
    "SMTP < 334 CHALLENGE",
    "SMTP >",
    "SMTP < 535-5.7.8 Username and Password not accepted. For more information, go to",
    "SMTP < 535 5.7.8 https://support.example.test/mail - gsmtp",
  ]);
});
