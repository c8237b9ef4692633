import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Finding, TlsStart } from "../../src/mail-server.ts";
import type { Mailbox } from "../../src/mailbox.ts";
import { proveByPop } from "../../src/proof/pop.ts";
import { Secret } from "../../src/secret.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { testConnections } from "../scene/connection-tests.ts";
import { type PopAnswer, type PopPeer, type PopSentence, startPopPeer } from "../scene/pop-peer.ts";
import {
  assertHidden,
  assertNotAccepted,
  mailboxAt,
  tracingWorld,
  user,
} from "../scene/probing.ts";

let directory: string;
let certificates: Certificates;
const token = new Secret("ya29.a-token-that-nobody-may-read-0123456789");

before(async () => {
  directory = temporaryDirectory();
  certificates = await issueCertificates(directory);
});

const peers: PopPeer[] = [];
after(async () => {
  for (const peer of peers) await peer.close();
});

async function startPeer(
  tls: TlsStart = "implicit",
  more: Partial<PopPeer> = {},
  own = certificates,
): Promise<PopPeer> {
  const peer = Object.assign(await startPopPeer(own, tls), more);
  peers.push(peer);
  return peer;
}

function at(peer: { port: number }, tls: TlsStart = "implicit", more: Partial<Mailbox> = {}) {
  const pop = { host: "localhost", port: peer.port, tls };
  return mailboxAt({ pop, ca: certificates.ca, ...more });
}

async function prove(mailbox: Mailbox, world = tracingWorld(directory), secret = token) {
  const finding = await proveByPop(world, mailbox, secret);
  assertHidden([finding, world.traced], secret, [user], [mailbox.pop ?? assert.fail()]);
  return { finding, traced: world.traced };
}

describe("accepted", () => {
  for (const tls of ["implicit", "starttls"] as const) {
    for (const mechanism of ["OAUTHBEARER", "XOAUTH2"] as const) {
      test(`by ${mechanism}, TLS ${tls}: the maildrop is opened, and nothing is fetched`, async () => {
        const peer = await startPeer(tls);
        const { finding } = await prove(at(peer, tls, { mechanisms: [mechanism] }));
        assert.deepEqual(finding, {
          ...{ probe: "pop", host: "localhost", port: peer.port, user },
          ...{ result: "accepted", mechanism, messages: 7 },
        } satisfies Finding);
        assert.deepEqual(peer.logins, [
          {
            mechanism,
            user,
            token: token.reveal(),
            server: mechanism === "XOAUTH2" ? ":" : `localhost:${peer.port}`,
          },
        ]);
        const commands = ["CAPA", `AUTH ${mechanism}`, "STAT", "QUIT"];
        assert.deepEqual(peer.commands, tls === "starttls" ? ["STLS", ...commands] : commands);
      });
    }
  }

  test("OAUTHBEARER is preferred where both are offered and allowed", async () => {
    const { finding } = await prove(at(await startPeer()));
    assert.ok(finding.result === "accepted");
    assert.equal(finding.mechanism, "OAUTHBEARER");
  });

  for (const [what, capabilities] of [
    ["knows no CAPA", undefined],
    ["lists no mechanisms", ["TOP", "UIDL"]],
  ] as const) {
    test(`by a server that ${what}: the provider's first mechanism is tried`, async () => {
      const peer = await startPeer("implicit", { capabilities });
      const mailbox = at(peer, "implicit", { mechanisms: ["XOAUTH2", "OAUTHBEARER"] });
      const { finding } = await prove(mailbox);
      assert.ok(finding.result === "accepted");
      assert.equal(finding.mechanism, "XOAUTH2");
    });
  }

  test("by a server that wants the token on a line of its own, however short it is", async () => {
    const peer = await startPeer("implicit", { wantsTwoLines: true });
    const { finding } = await prove(at(peer, "implicit", { isPopTokenOnNextLine: true }));
    assert.equal(finding.result, "accepted", JSON.stringify(finding));
  });

  for (const length of [100, 1500, 4000, 6000]) {
    test(`with a token of ${length} characters; no command is over 255 octets`, async () => {
      const peer = await startPeer();
      const secret = new Secret("abcdefghij".repeat(length / 10));
      const { finding } = await prove(at(peer), tracingWorld(directory), secret);
      assert.equal(finding.result, "accepted");
      assert.equal(peer.logins[0]?.token, secret.reveal());
      assert.ok(peer.longestCommand <= 255);
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

  test("at an address instead of a name, over TLS and STLS", async () => {
    for (const tls of ["implicit", "starttls"] as const) {
      const { port } = await startPeer(tls);
      const { finding } = await prove(at({ port }, tls, { pop: { host: "127.0.0.1", port, tls } }));
      assert.equal(finding.result, "accepted", JSON.stringify(finding));
    }
  });
});

describe("not accepted", () => {
  for (const [answer, result, reason] of [
    [
      "refuse",
      "refused",
      /refused the token: \[AUTH\] Username and password not accepted\. \(status 400, schemes Bearer, scope https:\/\/mail\.google\.com\/\)$/,
    ],
    ["refuseAtOnce", "refused", /refused the token: Authentication failure: unknown user name/],
    ["authCode", "refused", /refused the token: \[AUTH\] not accepted; try again later$/],
    [
      "noMaildrop",
      "refused",
      /accepted the token but not the mailbox: Access to the maildrop is denied/,
    ],
    ["quote", "refused", /refused the token: invalid token: \[secret\] nor \[secret\] \[secret\]$/],
    ["temporary", "unreachable", /could not answer now: \[SYS\/TEMP\] Authentication service/],
    ["inUse", "unreachable", /could not answer now: \[IN-USE\] Do you have another/],
    ["loginDelay", "unreachable", /could not answer now: \[LOGIN-DELAY\] minimum time/],
    ["bye", "unreachable", /could not answer now: \[SYS\/TEMP\] Server is going down$/],
    ["drop", "unreachable", /hung up during the login without a word$/],
    ["flood", "unreachable", /does not speak POP3: what it says has no end$/],
    ["insist", "unreachable", /does not speak POP3: \+ bm8=$/],
    ["gibberish", "unreachable", /does not speak POP3: HTTP\/1\.1 400 Bad Request$/],
  ] as const satisfies [PopAnswer, Finding["result"], RegExp][]) {
    for (const mechanism of ["OAUTHBEARER", "XOAUTH2"] as const) {
      test(`${answer} by ${mechanism}: ${result}, after one login`, async () => {
        const peer = await startPeer("implicit", { login: () => answer });
        const { finding } = await prove(at(peer, "implicit", { mechanisms: [mechanism] }));
        assertNotAccepted(finding, result, reason);
        assert.equal(/--access pop/.test(finding.hint ?? ""), result === "refused");
        assert.equal(peer.commands.filter((line) => line.startsWith("AUTH")).length, 1);
      });
    }
  }

  const challenge = { status: "400", schemes: "Bearer" };
  for (const [answer, result, reason] of [
    [{ at: "AUTH", says: "-ERR Logon failure: unknown user name or bad password." }, "refused"],
    [
      { at: "AUTH", says: "-ERR [SYS/PERM] Your account is not enabled for POP access." },
      "refused",
    ],
    [{ at: "AUTH", says: "-ERR [AUTH] login failure or POP3 disabled, try later." }, "refused"],
    [{ at: "AUTH", says: "-ERR nonsense", challenge }, "refused"],
    [{ at: "AUTH", says: "-ERR Server Unavailable. 21" }, "unreachable"],
    [{ at: "AUTH", says: "-ERR [SYS/PERM] internal server error" }, "unreachable"],
    [{ at: "AUTH", says: "-ERR [SYS/TEMP] Authentication failed" }, "unreachable"],
    [{ at: "AUTH", says: "-ERR Temporary authentication failure." }, "unreachable"],
    [{ at: "AUTH", says: "-ERR no", challenge: { status: "503" } }, "unreachable"],
    [{ at: "AUTH", says: "-ERR Command is not valid in this state" }, "unreachable"],
    [
      { at: "AUTH", says: "-ERR" },
      "unreachable",
      /does not say that it refuses it: no reason given$/,
    ],
    [{ at: "STAT", says: "-ERR Permission denied" }, "refused", /token but not the mailbox/],
    [{ at: "STAT", says: "-ERR Mailbox is locked by another POP3 session" }, "unreachable"],
    [{ at: "STAT", says: "-ERR Server Unavailable. 15" }, "unreachable", /could not answer now/],
    [{ at: "STAT", says: "-ERR The mailbox cannot be opened" }, "unreachable", /did not open/],
  ] as const satisfies [PopSentence, Finding["result"], RegExp?][]) {
    test(`${answer.at}: ${answer.says}: ${result}`, async () => {
      const { finding } = await prove(at(await startPeer("implicit", { login: () => answer })));
      assertNotAccepted(finding, result, reason ?? /./);
    });
  }

  test("a defect of ours is no finding: it is thrown on as it is", async () => {
    for (const heard of ["CAPA", "AUTH", "STAT"]) {
      const defect = new TypeError("a defect");
      const trace = (line: string) => {
        if (line.includes(heard)) throw defect;
      };
      const world = Object.assign(tracingWorld(directory), { trace });
      await assert.rejects(prove(at(await startPeer()), world), defect);
    }
  });

  test("a server that goes on talking does not fill the memory", async () => {
    const peer = await startPeer("implicit", { login: () => "chatter" });
    const { finding } = await prove(at(peer));
    assert.notEqual(finding.result, "accepted");
    await peer.allClosed();
  });

  test("a list of capabilities without an end is not read to its end", async () => {
    const peer = await startPeer("implicit", { capabilities: Array(500).fill("X-MORE") });
    assertNotAccepted((await prove(at(peer))).finding, "unreachable", /has no end$/);
  });

  for (const [capability, offers] of [
    ["SASL PLAIN LOGIN", "PLAIN LOGIN"],
    ["SASL", "no mechanism at all"],
  ] as const) {
    test(`a server that offers ${offers} gets no token`, async () => {
      const peer = await startPeer("implicit", { capabilities: [capability] });
      const { finding } = await prove(at(peer));
      assertNotAccepted(finding, "refused", /takes no OAuth 2\.0 token by OAUTHBEARER or XOAUTH2/);
      assert.ok(finding.reason.endsWith(`it offers ${offers}`));
      assert.equal(finding.hint, "is this the right POP server?");
      assert.equal(peer.logins.length, 0);
    });
  }

  for (const [greeting, reason] of [
    ["-ERR not from your network", /hung up: not from your network$/],
    ["-ERR", /hung up: no reason given$/],
    ["* OK IMAP4rev1 ready", /does not speak POP3 but IMAP: \* OK IMAP4rev1 ready$/],
  ] as const) {
    test(`a server that greets with "${greeting}" is unreachable`, async () => {
      const peer = await startPeer("implicit", { greeting });
      assertNotAccepted((await prove(at(peer))).finding, "unreachable", reason);
      assert.deepEqual(peer.commands, []);
    });
  }

  test("a server that hangs up before it says a word is unreachable", async () => {
    for (const tls of ["implicit", "starttls"] as const) {
      const peer = await startPeer(tls, { isAway: true });
      assertNotAccepted((await prove(at(peer, tls))).finding, "unreachable", /was dropped$/);
    }
  });

  test("nobody there is unreachable", async () => {
    const peer = await startPopPeer(certificates);
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
      /refuses STARTTLS: what\?, and a token is never sent without TLS$/,
    );
    assert.match(finding.hint ?? "", /usually 995/);
    assert.deepEqual(peer.commands, ["STLS"]);
  });

  for (const injection of ["+OK\r\nSASL XOAUTH2\r\n.\r\n", "-ERR no\r\n", "-ERR [AUTH"]) {
    test(`${JSON.stringify(injection)} in clear after STARTTLS is not listened to`, async () => {
      const peer = await startPeer("starttls", { injection, capabilities: ["SASL OAUTHBEARER"] });
      const { finding, traced } = await prove(at(peer, "starttls"));
      // Either it is thrown away, or the handshake fails: it never counts.
      if (finding.result === "accepted") assert.equal(finding.mechanism, "OAUTHBEARER");
      else assert.equal(peer.logins.length, 0);
      assert.ok(!traced.some((line) => /SASL XOAUTH2|-ERR/.test(line)), traced.join("\n"));
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
  startTlsCommand: "STLS",
  closedPort: 110,
  newWorld: () => tracingWorld(directory),
  directory: () => directory,
  startPeer,
  at,
  probe: proveByPop,
  prove,
});

test("what goes over the line can be followed, without the token", async () => {
  const peer = await startPeer("starttls", { login: () => "refuse" });
  const { traced } = await prove(at(peer, "starttls", { mechanisms: ["XOAUTH2"] }));
  const shape = traced.map((line) => line.replace(/< \+ \w+=*$/, "< + CHALLENGE"));
  assert.deepEqual(shape, [
    "POP < +OK ready",
    "POP > STLS",
    "POP < +OK go ahead",
    "POP > CAPA",
    "POP < +OK",
    "POP < TOP",
    "POP < UIDL",
    "POP < SASL PLAIN XOAUTH2 OAUTHBEARER",
    "POP < USER",
    "POP < .",
    "POP > AUTH XOAUTH2 [secret]",
    "POP < + CHALLENGE",
    "POP >",
    "POP < -ERR [AUTH] Username and password not accepted.",
  ]);
});
