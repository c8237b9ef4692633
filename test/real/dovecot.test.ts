import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from "../scene/authorization-server.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { type Dovecot, startDovecot } from "../scene/dovecot.ts";
import { type Result, runMain } from "../scene/scene.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

const user = "foo@example.test";
const other = "other@example.test";

let directory: string;
let certificates: Certificates;
let server: AuthorizationServer;
let dovecot: Dovecot;
let homes = 0;

before(async () => {
  directory = temporaryDirectory();
  certificates = await issueCertificates(directory);
  server = await startAuthorizationServer(certificates);
  dovecot = await startDovecot(directory, certificates, server, [user, other]);
});
after(async () => {
  await dovecot?.close();
  await server?.close();
});

function options(more: { imapServer?: string; provider?: string } = {}): string[] {
  return [
    ...["--provider", more.provider ?? "office365", "--client-id", server.clientId],
    ...["--scope", "mail offline_access", "--redirect-uri", "https://localhost"],
    ...["--authorize-uri", server.authorizeUri, "--token-uri", server.tokenUri],
    ...["--imap-server", more.imapServer ?? `localhost:${dovecot.imaps}`],
    ...["--ca-file", certificates.caFile, "--remotebrowser"],
  ];
}

function newHome(): string {
  homes += 1;
  return join(directory, `home-${homes}`);
}

/** Runs the program and pastes what `answer` makes of the sign-in address. */
async function signIn(
  args: readonly string[],
  answer: (address: string, world: TestWorld) => Promise<string>,
  world = testWorld({ cwd: directory }),
): Promise<Result> {
  const result = runWithInput(args, world);
  await world.shown(/^https:\/\/\S+code_challenge\S+$/m);
  const address = /^https:\/\/\S+code_challenge\S+$/m.exec(world.written.stderr)?.[0] ?? "";
  world.stdin.end(await answer(address, world));
  return result;
}

async function runWithInput(args: readonly string[], world: TestWorld): Promise<Result> {
  const { main } = await import("../../src/cli/main.ts");
  const status = await main(args, world);
  return { status, ...world.written };
}

async function signedInHome(): Promise<string> {
  const home = newHome();
  const args = [user, ...options(), "--home", home];
  const result = await signIn(args, async (address) => `${await server.signIn(address)}\n`);
  assert.equal(result.status, 0, result.stderr);
  return home;
}

describe("signing in by paste, against oidc-provider and Dovecot", () => {
  test("the whole way: address, consent, paste, token, login, file, then a refresh", async () => {
    const home = newHome();
    const args = [user, ...options(), "--home", home];
    const first = await signIn(args, async (address) => {
      const { searchParams } = new URL(address);
      assert.equal(searchParams.get("redirect_uri"), "https://localhost");
      assert.equal(searchParams.get("login_hint"), user);
      assert.equal(searchParams.get("code_challenge_method"), "S256");
      return `${await server.signIn(address)}\n`;
    });
    assert.equal(first.status, 0, first.stderr);
    const path = join(home, "tokens", `oauth2_tokens_${user}.txt`);
    assert.equal(first.stdout, `${path}\n`);
    assert.match(first.stderr, /with XOAUTH2: 3 folders, 2 messages in INBOX/);
    const before = readFileSync(path, "utf8").split("\n");

    const second = await runMain(args, testWorld({ cwd: directory }));
    assert.equal(second.status, 0, second.stderr);
    const after = readFileSync(path, "utf8").split("\n");
    assert.notEqual(after[0], before[0]);
    assert.notEqual(after[1], before[1]);
    assert.deepEqual(
      server.seen.slice(-2).map((request) => request.refused),
      [false, false],
    );
  });

  for (const [what, paste] of [
    ["the query string", (landed: string) => new URL(landed).search],
    [
      "the bare code, percent-encoded as in the address",
      (landed: string) => encodeURIComponent(new URL(landed).searchParams.get("code") ?? ""),
    ],
    ["blank lines and blanks around it", (landed: string) => `\r\n\r\n   ${landed}  `],
  ] as const) {
    test(`takes ${what}`, async () => {
      const args = [user, ...options(), "--home", newHome()];
      const result = await signIn(
        args,
        async (address) => `${paste(await server.signIn(address))}\n`,
      );
      assert.equal(result.status, 0, result.stderr);
      const isBare = what.startsWith("the bare code");
      assert.equal(/cannot be checked/.test(result.stderr), isBare);
    });
  }

  test("a last line without a line end counts", async () => {
    const args = [user, ...options(), "--home", newHome()];
    const result = await signIn(args, (address) => server.signIn(address));
    assert.equal(result.status, 0, result.stderr);
  });

  test("rubbish, a wrong state and a code that was not taken are each asked again", async () => {
    const args = [user, ...options(), "--home", newHome()];
    const result = await signIn(args, async (address, world) => {
      const landed = await server.signIn(address);
      const wrong = new URL(landed);
      wrong.searchParams.set("state", "somebody-elses-state");
      world.stdin.write("what?\n");
      await world.shown("not usable: ");
      world.stdin.write(`${wrong}\n`);
      await world.shown("another sign-in");
      world.stdin.write("never-a-code-0123\n");
      await world.shown("the code was not taken");
      return `${landed}\n`;
    });
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stderr.match(/not usable: /g)?.length, 3);
    assert.match(result.stderr, /another sign-in/);
    assert.match(result.stderr, /the code was not taken \(.*invalid_grant/);
  });

  test("a consent that was refused ends with 77 and the server's words, made harmless", async () => {
    const args = [user, ...options(), "--home", newHome()];
    const result = await signIn(
      args,
      async (address) => `${await server.signIn(address, { deny: true })}\n`,
    );
    assert.equal(result.status, 77);
    assert.match(result.stderr, /access_denied: the person \[31mchose \[0m Cancel/);
    assert.ok(!result.stderr.includes("\u001b"));
  });

  test("input that ends ends the run with 77", async () => {
    const result = await signIn([user, ...options(), "--home", newHome()], async () => "");
    assert.equal(result.status, 77);
    assert.match(result.stderr, /input ended before an answer/);
  });

  test("an endless input comes to an end", async () => {
    const result = await signIn([user, ...options(), "--home", newHome()], async () =>
      "y\n".repeat(1000),
    );
    assert.equal(result.status, 77);
    assert.ok((result.stderr.match(/not usable/g)?.length ?? 0) <= 20);
  });

  test("a wait that runs out ends the run with 77", async () => {
    const world = testWorld({ cwd: directory });
    const args = [user, ...options(), "--home", newHome(), "--timeout", "42"];
    const run = runWithInput(args, world);
    await world.shown("paste it here");
    world.expire(42_000);
    const result = await run;
    assert.equal(result.status, 77);
    assert.match(result.stderr, /nobody signed in within 42 seconds/);
  });

  test("nobody there: no sign-in is begun", async () => {
    const result = await runMain(
      [user, ...options(), "--home", newHome()],
      testWorld({ cwd: directory }),
    );
    assert.equal(result.status, 77);
    assert.match(result.stderr, /nobody is there/);
    assert.doesNotMatch(result.stderr, /code_challenge/);
  });

  test("nobody there, but --timeout was given: the sign-in is begun", async () => {
    const args = [user, ...options(), "--home", newHome(), "--timeout", "5"];
    const result = await runMain(args, testWorld({ cwd: directory }));
    assert.equal(result.status, 77);
    assert.match(result.stderr, /code_challenge/);
  });

  test("the token of another account is refused and nothing is stored", async () => {
    const home = newHome();
    const result = await signIn([user, ...options(), "--home", home], async (address) => {
      const url = new URL(address);
      url.searchParams.set("login_hint", other);
      return `${await server.signIn(url.href)}\n`;
    });
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /nothing was stored/);
    assert.throws(() => readFileSync(join(home, "tokens", `oauth2_tokens_${user}.txt`)));
  });

  test("--startover replaces the stored tokens, and only by proven ones", async () => {
    const home = await signedInHome();
    const path = join(home, "tokens", `oauth2_tokens_${user}.txt`);
    const before = readFileSync(path, "utf8");
    const args = [user, ...options(), "--home", home, "--startover"];
    const paste = async (address: string) => `${await server.signIn(address)}\n`;

    server.introspectionAway = true;
    const unproven = await signIn(args, paste);
    server.introspectionAway = false;
    assert.equal(unproven.status, 75, unproven.stderr);
    assert.equal(readFileSync(path, "utf8"), before);

    const proven = await signIn(args, paste);
    assert.equal(proven.status, 0, proven.stderr);
    assert.notEqual(readFileSync(path, "utf8"), before);
  });

  test("Ctrl-C during the proof does not throw the sign-in away", async () => {
    const home = newHome();
    const world = testWorld({ cwd: directory });
    const args = [user, ...options(), "--home", home];
    const paste = async (address: string) => {
      server.beforeAnswer = async () => world.interrupt("SIGINT");
      return `${await server.signIn(address)}\n`;
    };
    const result = await signIn(args, paste, world);
    server.beforeAnswer = async () => undefined;
    assert.equal(result.status, 130, result.stderr);
    const text = readFileSync(join(home, "tokens", `oauth2_tokens_${user}.txt`), "utf8");
    assert.match(text, /^# Verified: no, unverified: not tried yet/m);
    const again = await runMain(args, testWorld({ cwd: directory }));
    assert.equal(again.status, 0, again.stderr);
  });

  test("a refresh token that one already has is taken over from standard input", async () => {
    const source = join(await signedInHome(), "tokens", `oauth2_tokens_${user}.txt`);
    const refreshToken = readFileSync(source, "utf8").split("\n")[1] ?? "";
    const home = newHome();
    const world = testWorld({ cwd: directory });
    world.stdin.end(`${refreshToken}\n`);
    const result = await runMain(
      [user, ...options(), "--home", home, "--refresh-token-stdin"],
      world,
    );
    assert.equal(result.status, 0, result.stderr);
    const lines = readFileSync(result.stdout.trim(), "utf8").split("\n");
    assert.notEqual(lines[1], refreshToken);
    assert.doesNotMatch(result.stderr, new RegExp(refreshToken));
  });
});

describe("Dovecot", () => {
  for (const [provider, mechanism] of [
    ["office365", "XOAUTH2"],
    ["google", "OAUTHBEARER"],
  ] as const) {
    test(`accepts the token by ${mechanism}, over TLS and over STARTTLS`, async () => {
      for (const imapServer of [
        `localhost:${dovecot.imaps}`,
        `starttls://localhost:${dovecot.imap}`,
      ]) {
        const home = newHome();
        const args = [user, ...options({ provider, imapServer }), "--home", home, "--verbose"];
        const result = await signIn(args, async (address) => `${await server.signIn(address)}\n`);
        assert.equal(result.status, 0, result.stderr);
        assert.match(result.stderr, new RegExp(`as ${user} with ${mechanism}: 3 folders`));
        assert.equal(/IMAP > \d+ STARTTLS/.test(result.stderr), imapServer.startsWith("starttls"));
        const flag = imapServer.startsWith("starttls") ? "--tls1" : "--ssl1";
        assert.ok(result.stderr.includes(flag));
      }
    });
  }

  test("introspection that is away is unreachable, not refused: 75, and the token is kept", async () => {
    const home = newHome();
    server.introspectionAway = true;
    const args = [user, ...options(), "--home", home];
    const result = await signIn(args, async (address) => `${await server.signIn(address)}\n`);
    server.introspectionAway = false;
    assert.equal(result.status, 75, result.stderr);
    // In the words of Dovecot 2.3 and 2.4.
    assert.match(result.stderr, /could not answer now: \[(?:UNAVAILABLE|AUTHENTICATIONFAILED)\]/);
    const path = join(home, "tokens", `oauth2_tokens_${user}.txt`);
    assert.match(readFileSync(path, "utf8"), /^# Verified: no, unverified: /m);
    const again = await runMain(args, testWorld({ cwd: directory }));
    assert.equal(again.status, 0, again.stderr);
  });

  test("check proves the stored token, and refuses another one", async () => {
    const home = await signedInHome();
    const args = ["check", user, "--home", home, "--imap-server", `localhost:${dovecot.imaps}`];
    const trust = ["--ca-file", certificates.caFile];
    const path = join(home, "tokens", `oauth2_tokens_${user}.txt`);
    const before = readFileSync(path, "utf8");
    const good = await runMain([...args, ...trust, "--json"], testWorld({ cwd: directory }));
    assert.equal(good.status, 0, good.stderr);
    assert.equal(JSON.parse(good.stdout).findings[0].messages, 2);

    const world = testWorld({ cwd: directory });
    world.stdin.end("some-other-token\n");
    const bad = await runMain([...args, ...trust, "--access-token-stdin"], world);
    assert.equal(bad.status, 77, bad.stderr);
    assert.match(bad.stderr, /refused the token: \[AUTHENTICATIONFAILED\]/);
    assert.equal(readFileSync(path, "utf8"), before);
  });

  test("every secret of all these runs is looked for in what --verbose shows", async () => {
    const home = newHome();
    const args = [user, ...options(), "--home", home, "--verbose"];
    let pasted = "";
    const first = await signIn(args, async (address) => {
      pasted = await server.signIn(address);
      return `${pasted}\n`;
    });
    const second = await runMain(args, testWorld({ cwd: directory }));
    const shown = first.stdout + first.stderr + second.stdout + second.stderr;
    const code = new URL(pasted).searchParams.get("code") ?? "";
    assert.ok(server.secrets.length > 4 && code.length > 10);
    // A SASL initial response would hold the token in base64, at any alignment.
    const decoded = [...shown.matchAll(/[A-Za-z0-9+/_-]{20,}={0,2}/g)].map(([run]) =>
      Buffer.from(run, "base64").toString("latin1"),
    );
    for (const secret of [...server.secrets, code]) {
      for (const text of [shown, ...decoded]) assert.ok(!text.includes(secret));
    }
  });
});

describe("a proxy for IMAP", () => {
  test("HTTP CONNECT is gone through, and its password is not shown", async () => {
    const asked: string[] = [];
    const proxy = createServer();
    proxy.on("connect", (request, socket) => {
      asked.push(`${request.url} ${request.headers["proxy-authorization"]}`);
      const [host = "", port = "0"] = (request.url ?? "").split(":");
      const onward = connect(Number(port), host === "localhost" ? "127.0.0.1" : host, () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        onward.pipe(socket).pipe(onward);
      });
      onward.on("error", () => socket.destroy());
      socket.on("error", () => onward.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const { port } = proxy.address() as AddressInfo;
    const home = await signedInHome();
    const args = ["check", user, "--home", home, "--imap-server", `localhost:${dovecot.imaps}`];
    const result = await runMain(
      [
        ...args,
        "--ca-file",
        certificates.caFile,
        "--proxy",
        `http://me:proxy-password@127.0.0.1:${port}`,
        "--verbose",
      ],
      testWorld({ cwd: directory }),
    );
    await new Promise((resolve) => proxy.close(resolve));
    assert.equal(result.status, 0, result.stderr);
    const credentials = Buffer.from("me:proxy-password").toString("base64");
    assert.deepEqual(asked, [`localhost:${dovecot.imaps} Basic ${credentials}`]);
    assert.doesNotMatch(result.stderr, /proxy-password/);
  });
});

describe("a SOCKS proxy for IMAP", () => {
  test("SOCKS5 is gone through (RFC 1928)", async () => {
    let asked = "";
    const proxy = createTcpServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => {
        socket.write(Buffer.from([5, 0]));
        socket.once("data", (request) => {
          // version, CONNECT, reserved, a domain name, its length
          asked = request.subarray(5, -2).toString();
          const onward = connect(dovecot.imaps, "127.0.0.1", () => {
            socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
            onward.pipe(socket).pipe(onward);
          });
          onward.on("error", () => socket.destroy());
        });
      });
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    const { port } = proxy.address() as AddressInfo;
    const home = await signedInHome();
    const args = ["check", user, "--home", home, "--imap-server", `localhost:${dovecot.imaps}`];
    const result = await runMain(
      [...args, "--ca-file", certificates.caFile, "--proxy", `socks5://127.0.0.1:${port}`],
      testWorld({ cwd: directory }),
    );
    await new Promise((resolve) => proxy.close(resolve));
    assert.equal(result.status, 0, result.stderr);
    assert.equal(asked, "localhost");
  });
});

describe("TLS", () => {
  test("a certificate for another name and an expired one are refused by name, and no token is sent", async () => {
    const { startImapPeer } = await import("../scene/imap-peer.ts");
    for (const [wrong, words] of [
      [{ name: "elsewhere.example" }, /issued for another name/],
      [{ expired: true }, /it has expired/],
    ] as const) {
      const bad = await issueCertificates(directory, wrong);
      const peer = await startImapPeer(bad);
      const world = testWorld({ cwd: directory });
      world.stdin.end("some-token\n");
      const args = [
        "check",
        user,
        "--imap-server",
        `localhost:${peer.port}`,
        "--ca-file",
        bad.caFile,
      ];
      const result = await runMain([...args, "--access-token-stdin"], world);
      await peer.close();
      assert.equal(result.status, 75, result.stderr);
      assert.match(result.stderr, words);
      assert.equal(peer.logins.length, 0);
    }
  });

  test("a server that offers no STARTTLS gets no token: 75", async () => {
    const { startImapPeer } = await import("../scene/imap-peer.ts");
    const peer = await startImapPeer(certificates, "starttls");
    const world = testWorld({ cwd: directory });
    world.stdin.end("some-token\n");
    const args = ["check", user, "--imap-server", `starttls://localhost:${peer.port}`];
    const result = await runMain(
      [...args, "--ca-file", certificates.caFile, "--access-token-stdin"],
      world,
    );
    await peer.close();
    assert.equal(result.status, 75, result.stderr);
    assert.match(result.stderr, /offers no STARTTLS, and a token is never sent without TLS/);
    assert.equal(peer.logins.length, 0);
  });
});
