import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Finding, TlsStart } from "../../src/mail-server.ts";
import { type Mailbox, parseAddress } from "../../src/mailbox.ts";
import { proveByImap } from "../../src/proof/imap.ts";
import { Secret } from "../../src/secret.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import {
  type ImapFlood,
  type ImapPeer,
  type ImapSentence,
  startImapPeer,
} from "../scene/imap-peer.ts";
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

const peers: ImapPeer[] = [];
after(async () => {
  for (const peer of peers) await peer.close();
});

async function startPeer(
  more: Partial<ImapPeer> = {},
  tls: TlsStart = "implicit",
): Promise<ImapPeer> {
  const peer = Object.assign(await startImapPeer(certificates, tls), more);
  peers.push(peer);
  return peer;
}

async function prove(
  { port }: { port: number },
  tls: TlsStart = "implicit",
  more: Partial<Mailbox> = {},
  world = tracingWorld(directory),
): Promise<Finding> {
  const mailbox = mailboxAt({
    imap: { host: "localhost", port, tls },
    ca: certificates.ca,
    ...more,
  });
  const finding = await proveByImap(world, mailbox, token);
  assertHidden([finding, world.traced], token, [user], [mailbox.imap ?? assert.fail()]);
  return finding;
}

describe("a good token is accepted by a server that", () => {
  const offers = "IMAP4rev1 AUTH=XOAUTH2 AUTH=OAUTHBEARER";
  const servers: readonly [what: string, more: Partial<ImapPeer>][] = [
    ["offers no SASL-IR", { capabilities: offers }],
    ["offers no SASL-IR, and asks by a bare +", { capabilities: offers, prompt: "+" }],
    ["offers no SASL-IR, and asks with words", { capabilities: offers, prompt: "+ go ahead" }],
    ["offers SASL-IR, and asks all the same", { readsInitialResponse: false }],
    ["offers SASL-IR, and asks by a bare +", { readsInitialResponse: false, prompt: "+" }],
    ["offers SASL-IR and reads it", {}],
  ];
  for (const [what, more] of servers) {
    for (const mechanism of ["OAUTHBEARER", "XOAUTH2"] as const) {
      test(`${what}, by ${mechanism}`, async () => {
        const tls = more.prompt === "+" ? "starttls" : "implicit";
        const capabilities = `${more.capabilities ?? `${offers} SASL-IR`}${tls === "starttls" ? " STARTTLS" : ""}`;
        const peer = await startPeer({ ...more, capabilities }, tls);
        const finding = await prove(peer, tls, { mechanisms: [mechanism] });
        assert.equal(finding.result, "accepted", JSON.stringify(finding));
        assert.deepEqual(
          peer.logins.map((login) => [login.mechanism, login.token]),
          [[mechanism, token.reveal()]],
        );
      });

      test(`${what}, by ${mechanism}: and a refused one is refused, after one login`, async () => {
        const peer = await startPeer({ ...more, login: () => "refuse" });
        const finding = await prove(peer, "implicit", { mechanisms: [mechanism] });
        assertNotAccepted(finding, "refused", /AUTHENTICATIONFAILED.*status 400/);
        assert.equal(peer.logins.length, 1);
      });
    }
  }
});

describe("not accepted", () => {
  const challenge = { status: "400", schemes: "Bearer" };
  for (const [answer, result, reason] of [
    [{ at: "AUTHENTICATE", says: "NO AUTHENTICATE failed." }, "refused", /refused the token/],
    [{ at: "AUTHENTICATE", says: "NO [EXPIRED] gone" }, "refused", /refused the token/],
    [{ at: "AUTHENTICATE", says: "NO [CONTACTADMIN] no" }, "refused", /refused the token/],
    [{ at: "AUTHENTICATE", says: "NO nonsense", challenge }, "refused", /nonsense.*status 400/],
    [{ at: "AUTHENTICATE", says: "BAD invalid credentials" }, "refused", /refused the token/],
    [{ at: "AUTHENTICATE", says: "NO Server Unavailable. 15" }, "unreachable", /not answer now/],
    [{ at: "AUTHENTICATE", says: "NO [TEMPFAIL] no" }, "unreachable", /not answer now/],
    [{ at: "AUTHENTICATE", says: "NO [LIMIT] login denied" }, "unreachable", /not answer now/],
    [{ at: "AUTHENTICATE", says: "NO" }, "unreachable", /does not say that it refuses it: no reas/],
    [{ at: "AUTHENTICATE", says: "NO sorry" }, "unreachable", /did not take the token.*: sorry$/],
    [{ at: "AUTHENTICATE", says: "BAD Command Argument Error. 12" }, "unreachable", /Error\. 12$/],
    [
      { at: "AUTHENTICATE", says: "NO System Error (Failure)", challenge: { status: "500" } },
      "unreachable",
      /could not answer now/,
    ],
    [{ at: "LIST", says: "NO System Error (Failure)" }, "unreachable", /could not answer now/],
    [{ at: "LIST", says: "BAD what?" }, "unreachable", /did not open the mailbox/],
    [{ at: "LIST", says: "NO Permission denied" }, "refused", /but not the mailbox: Permission/],
    [
      { at: "LIST", says: "BAD User is authenticated but not connected." },
      "refused",
      /not the mailbox/,
    ],
    [{ at: "EXAMINE", says: "NO [INUSE] no" }, "unreachable", /could not answer now/],
    [{ at: "EXAMINE", says: "NO [UNAVAILABLE] denied" }, "unreachable", /could not answer now/],
    [{ at: "EXAMINE", says: "NO internal server error" }, "unreachable", /could not answer now/],
    [{ at: "EXAMINE", says: "NO EXAMINE failed" }, "unreachable", /did not open the mailbox/],
    [{ at: "EXAMINE", says: "NO [NOPERM] no" }, "refused", /but not the mailbox: \[NOPERM\]/],
    [{ at: "EXAMINE", says: "NO [NONEXISTENT] no" }, "refused", /but not the mailbox/],
    [
      {
        at: "EXAMINE",
        says: "BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds",
      },
      "unreachable",
      /asks to wait 93 seconds$/,
    ],
  ] as const satisfies [ImapSentence, string, RegExp][]) {
    test(`${answer.at}: ${answer.says}: ${result}`, async () => {
      const peer = await startPeer({ login: () => answer });
      const finding = await prove(peer);
      assertNotAccepted(finding, result, reason);
      assert.equal(
        /another account/.test(finding.hint ?? ""),
        /refused the|not the m/.test(finding.reason) && !/not connected/.test(finding.reason),
      );
    });
  }

  test("a server that hangs up, with a word or without one, or says BYE for an answer", async () => {
    for (const [login, reason] of [
      ["bye", /hung up during the login: Server is going down for maintenance$/],
      ["drop", /hung up during the login without a word$/],
      [
        { at: "EXAMINE", says: "BYE authentication failed" },
        /hung up after the login: authentication failed$/,
      ],
    ] as const) {
      assertNotAccepted(
        await prove(await startPeer({ login: () => login })),
        "unreachable",
        reason,
      );
    }
  });
});

describe("a server whose answer has no end is unreachable, and is not read to its end:", () => {
  const kilobyte = "x".repeat(1000);
  const floods: readonly [what: string, flood: ImapFlood][] = [
    ["one line at the login", { at: "AUTHENTICATE", begin: "* OK ", floods: kilobyte }],
    ["a challenge", { at: "AUTHENTICATE", begin: "+ ", floods: kilobyte }],
    ["one line at LIST", { at: "LIST", begin: '* LIST () "/" "', floods: kilobyte }],
    ["a literal", { at: "LIST", begin: '* LIST () "/" {900000000}\r\n', floods: kilobyte }],
    ["many small literals", { at: "LIST", begin: "* LIST (", floods: "{2}\r\nab " }],
    ["many tokens", { at: "EXAMINE", begin: "* FLAGS (", floods: "a ".repeat(500) }],
    ["nested parentheses", { at: "EXAMINE", begin: "* FLAGS ", floods: "(".repeat(500) }],
    ["more and more folders", { at: "LIST", floods: `* LIST () "/" ${kilobyte}\r\n` }],
    ["lines that nobody asked for", { at: "EXAMINE", floods: `* OK ${kilobyte}\r\n` }],
    ["lines that are no IMAP", { at: "EXAMINE", floods: `${kilobyte}\r\n` }],
  ];
  for (const [what, flood] of floods) {
    test(what, async () => {
      const peer = await startPeer({ login: () => flood });
      // What is traced of it would be a hundred thousand lines.
      const world = Object.assign(tracingWorld(directory), { trace: () => undefined });
      const finding = await prove(peer, "implicit", {}, world);
      assertNotAccepted(finding, "unreachable", /does not speak IMAP: what it says has no end$/);
      // What is under way when the connection is closed was sent too.
      assert.ok(peer.flooded < 32 * 1024 * 1024, `${peer.flooded} octets`);
    });
  }
});

test("answers that are no IMAP are the server's trouble", async () => {
  for (const says of ["WHAT", "OK [", "(((", '"']) {
    const finding = await prove(await startPeer({ login: () => ({ at: "LIST", says }) }));
    assert.notEqual(finding.result, "refused", JSON.stringify(finding));
  }
});

test("a defect of ours is no finding: it is thrown on as it is", async () => {
  for (const heard of ["AUTHENTICATE", "LIST", "EXAMINE", "CAPABILITY"]) {
    const defect = new TypeError("a defect");
    const trace = (line: string) => {
      if (line.includes(heard)) throw defect;
    };
    const world = Object.assign(tracingWorld(directory), { trace });
    await assert.rejects(prove(await startPeer(), "implicit", {}, world), defect);
  }
});

describe("a greeting that lets nobody in ends it at once:", () => {
  for (const [greeting, reason] of [
    ["* BYE Too many connections", /localhost:\d+ hung up: Too many connections$/],
    ["* NO not from your network", /localhost:\d+ hung up: not from your network$/],
    ["* BAD [UNAVAILABLE] no", /localhost:\d+ hung up: \[UNAVAILABLE\] no$/],
    ["220 mx.example ESMTP", /localhost:\d+ does not speak IMAP but SMTP: 220 mx\.example ESMTP$/],
    ["+OK POP3 ready", /localhost:\d+ does not speak IMAP but POP3: \+OK POP3 ready$/],
    ["HTTP/1.1 400 Bad Request", /does not speak IMAP but HTTP: HTTP\/1\.1 400 Bad Request$/],
    ["SSH-2.0-OpenSSH_9.2", /does not speak IMAP but SSH: SSH-2\.0-OpenSSH_9\.2$/],
    ['"IMPLEMENTATION" "(x"', /does not speak IMAP but ManageSieve: /],
    ["@RSYNCD: 31.0", /does not speak IMAP: @RSYNCD: 31\.0$/],
  ] as const) {
    test(greeting, async () => {
      const peer = await startPeer({ greeting });
      const finding = await prove(peer);
      assertNotAccepted(finding, "unreachable", reason);
      assert.deepEqual(peer.logins, []);
    });
  }
});

describe("an alert is shown beside the result", () => {
  const greeting = "* OK [ALERT] The disk is nearly full";

  test("of a login that was accepted", async () => {
    const finding = await prove(await startPeer({ greeting }));
    assert.deepEqual(finding.alerts, ["The disk is nearly full"]);
    assert.equal(finding.result, "accepted");
  });

  test("of one that was refused, in its reason", async () => {
    const greets = "* OK [WEBALERT https://a.example/open?x=1] Web login required.";
    const finding = await prove(await startPeer({ greeting: greets, login: () => "refuse" }));
    const words =
      /refused the token: .*; the server's alert: Web login required\. https:\/\/a\.example\/open\?x=1$/;
    assertNotAccepted(finding, "refused", words);
  });

  test("but not where it came before TLS", async () => {
    const finding = await prove(
      await startPeer({ greeting, capabilities: "IMAP4rev1 STARTTLS AUTH=XOAUTH2" }, "starttls"),
      "starttls",
    );
    assert.equal(finding.result, "accepted");
    assert.equal(finding.alerts, undefined);
  });
});

test("OAUTHBEARER escapes what delimits the user name", async () => {
  const peer = await startPeer();
  const address = parseAddress("a=b@example.test");
  await prove(peer, "implicit", { address, mechanisms: ["OAUTHBEARER"] });
  assert.equal(peer.logins[0]?.user, "a=3Db@example.test");
});
