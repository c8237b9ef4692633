import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { main } from "../../src/cli/main.ts";
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from "../scene/authorization-server.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { type ImapPeer, startImapPeer } from "../scene/imap-peer.ts";
import { runProgram } from "../scene/program.ts";
import { type Result, runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { standIn } from "../scene/stand-in.ts";
import type { Sent } from "../scene/token-endpoint.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

const secret = "the-secret-of-the-application";

describe("against oidc-provider", () => {
  let directory: string;
  let certificates: Certificates;
  let server: AuthorizationServer;
  let imap: ImapPeer;
  let homes = 0;

  before(async () => {
    directory = temporaryDirectory();
    certificates = await issueCertificates(directory);
    server = await startAuthorizationServer(certificates, {
      clients: [{ id: "public" }, { id: "confidential", secret }],
    });
    imap = await startImapPeer(certificates);
  });
  after(async () => {
    await imap?.close();
    await server?.close();
  });

  const tokenFile = (home: string) => join(home, "tokens", `oauth2_tokens_${user}.txt`);
  const env = { MXTOKEN_CLIENT_SECRET: secret };
  const common = (home: string) => ["--ca-file", certificates.caFile, "--home", home];

  /** A home where somebody has signed in, and the tokens there. */
  async function signIn(clientId: string): Promise<{ home: string; tokens: string[] }> {
    homes += 1;
    const home = join(directory, `home-${homes}`);
    const world = testWorld({ cwd: directory, env: clientId === "confidential" ? env : {} });
    const args = [
      ...[user, "--client-id", clientId, "--scope", "mail offline_access", "--remotebrowser"],
      ...["--authorize-uri", server.authorizeUri, "--token-uri", server.tokenUri],
      ...["--redirect-uri", "https://localhost", "--imap-server", `localhost:${imap.port}`],
      ...common(home),
    ];
    const ended = main(args, world);
    await world.shown(/^https:\/\/\S+code_challenge\S+$/m);
    const address = /^https:\/\/\S+code_challenge\S+$/m.exec(world.written.stderr)?.[0] ?? "";
    world.stdin.end(await server.signIn(address));
    assert.equal(await ended, 0, world.written.stderr);
    const tokens = readFileSync(tokenFile(home), "utf8").split("\n").slice(0, 2);
    return { home, tokens };
  }

  async function alive(tokens: string[]): Promise<boolean[]> {
    return Promise.all(tokens.map((token) => server.isAlive(token)));
  }

  function revoke(home: string, more: string[], withSecret = false): Promise<Result> {
    const world = testWorld({ cwd: directory, env: withSecret ? env : {} });
    return runMain(["revoke", user, ...common(home), ...more], world);
  }

  test("the tokens are dead afterwards, and the file is gone; another time there is nothing", async () => {
    const { home, tokens } = await signIn("public");
    assert.deepEqual(await alive(tokens), [true, true]);
    const result = await revoke(home, ["--revoke-uri", server.revokeUri, "--verbose"]);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stdout, "");
    assert.match(result.stderr, /foo@example\.test: revoked, and \S+ is removed/);
    assert.match(
      result.stderr,
      /POST \S+revocation \(token_type_hint=refresh_token, token=\[secret\]/,
    );
    for (const token of tokens) assert.ok(!result.stderr.includes(token));
    assert.deepEqual(await alive(tokens), [false, false]);
    assert.deepEqual(readdirSync(dirname(tokenFile(home))), [`.oauth2_tokens_${user}.txt.lock`]);

    const again = await revoke(home, ["--revoke-uri", server.revokeUri]);
    assert.equal(again.status, 78, again.stderr);
    assert.match(again.stderr, /there are no tokens in/);
  });

  test("where the server tells its endpoints, --issuer will do", async () => {
    const { home, tokens } = await signIn("public");
    const result = await revoke(home, ["--issuer", server.issuer, "--json"]);
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(await alive(tokens), [false, false]);
    assert.deepEqual(JSON.parse(result.stdout), {
      ok: true,
      revoked: [{ account: user, tokenFile: tokenFile(home), provider: "custom", isRevoked: true }],
    });
  });

  test("a client with a secret needs it: without, 77 and the file is kept", async () => {
    const { home, tokens } = await signIn("confidential");
    const without = await revoke(home, ["--revoke-uri", server.revokeUri]);
    assert.equal(without.status, 77, without.stderr);
    assert.match(without.stderr, /refuses the application: invalid_client.*is kept/);
    assert.match(without.stderr, /hint: no client secret was given.*--local-only/);
    assert.deepEqual(await alive(tokens), [true, true]);
    assert.ok(existsSync(tokenFile(home)));

    const result = await revoke(home, ["--revoke-uri", server.revokeUri], true);
    assert.equal(result.status, 0, result.stderr);
    assert.ok(!result.stderr.includes(secret));
    assert.deepEqual(await alive(tokens), [false, false]);
  });

  test("--local-only removes the file, and the tokens live on", async () => {
    const { home, tokens } = await signIn("confidential");
    const result = await revoke(home, ["--local-only"]);
    assert.equal(result.status, 0, result.stderr);
    assert.doesNotMatch(result.stderr, /revoked/);
    assert.equal(existsSync(tokenFile(home)), false);
    assert.deepEqual(await alive(tokens), [true, true]);
  });

  test("as the built program: gone is 0, nothing there is 78", async () => {
    const { home, tokens } = await signIn("public");
    const args = ["revoke", user, "--revoke-uri", server.revokeUri, ...common(home)];
    const run = runProgram(args, { cwd: directory });
    assert.deepEqual(await run.ended, { status: 0, signal: null }, run.written.stderr);
    assert.equal(run.written.stdout, "");
    assert.deepEqual(await alive(tokens), [false, false]);
    const again = runProgram(args, { cwd: directory });
    assert.deepEqual(await again.ended, { status: 78, signal: null }, again.written.stderr);
  });
});

describe("at a provider that answers as it is told", () => {
  const google = "https://oauth2.googleapis.com/revoke";
  const yahoo = "https://api.login.yahoo.com/oauth2/revoke";

  let scene: Scene;
  let world: TestWorld;
  /** paths that were asked, with what was sent there */
  let asked: { request: Record<string, string>; sent: Sent }[];

  beforeEach(async () => {
    scene = await setScene();
    asked = [];
    setWorld({});
    answer({});
    scene.write(tokenFileText("an-access-token", "a-refresh-token"));
  });
  afterEach(() => scene?.close());

  function setWorld(env: Record<string, string>): void {
    const { origin } = scene.endpoint;
    const plain = scene.world(env);
    world = standIn(standIn(plain, google, `${origin}/google`), yahoo, `${origin}/yahoo`);
  }

  type Scripted = "drop" | { status: number; body: string | object };
  const gone = { status: 200, body: "" };

  function answer(by: { google?: Scripted; yahoo?: Scripted }): void {
    scene.endpoint.answer = (request, sent) => {
      asked.push({ request: Object.fromEntries(request), sent });
      return (sent.path === "/google" ? by.google : by.yahoo) ?? gone;
    };
  }

  const common = () => ["--ca-file", scene.certificates.caFile, "--home", scene.directory];
  const run = (...more: string[]) => runMain(["revoke", user, ...common(), ...more], world);

  test("asks with the refresh token, removes the file, and says what Google takes away with it", async () => {
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(asked, [
      {
        request: {
          client_id: "test-client",
          token: "a-refresh-token",
          token_type_hint: "refresh_token",
        },
        sent: { method: "POST", path: "/google", authorization: undefined },
      },
    ]);
    assert.match(result.stderr, /note: Google revokes every scope that was granted.*whole project/);
    assert.ok(
      result.stderr.indexOf("note: Google") < result.stderr.indexOf("revoking the token at"),
    );
    assert.equal(scene.read(), undefined);
  });

  test("with no refresh token, the access token is revoked", async () => {
    scene.write(tokenFileText("an-access-token", ""));
    assert.equal((await run()).status, 0);
    assert.equal(asked[0]?.request["token"], "an-access-token");
    assert.equal(asked[0]?.request["token_type_hint"], "access_token");
  });

  test("an access token alone that has ended need not be: the file goes, and nobody is asked", async () => {
    scene.write(tokenFileText("an-access-token", "", { Expires: "2026-11-20T11:00:00Z" }));
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(asked, []);
    assert.equal(scene.read(), undefined);
  });

  test("Google's invalid_token: it is revoked already", async () => {
    const body = { error: "invalid_token", error_description: "Token expired or revoked" };
    answer({ google: { status: 400, body } });
    const result = await run("--json");
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /did not know the token any more/);
    assert.equal(JSON.parse(result.stdout).revoked[0].isRevoked, true);
    assert.equal(scene.read(), undefined);
  });

  for (const [what, scripted] of [
    ["{}", { status: 200, body: {} }],
    ["204", { status: 204, body: "" }],
    ["a page", { status: 200, body: "<html>ok</html>" }],
  ] as const) {
    test(`an answer of 2xx with ${what} is an answer (RFC 7009 section 2.2)`, async () => {
      answer({ google: scripted });
      const result = await run();
      assert.equal(result.status, 0, result.stderr);
      assert.equal(scene.read(), undefined);
    });
  }

  for (const [what, scripted, status] of [
    ["503", { status: 503, body: "busy" }, 75],
    ["a dropped connection", "drop", 75],
    ["429", { status: 429, body: "" }, 75],
    ["a gatekeeper's 403", { status: 403, body: "<html>no</html>" }, 75],
    ["a redirect", { status: 302, body: "" }, 76],
    ["404", { status: 404, body: "not here" }, 76],
    ["invalid_client", { status: 401, body: { error: "invalid_client" } }, 77],
    ["unsupported_token_type", { status: 400, body: { error: "unsupported_token_type" } }, 77],
    ["invalid_client with status 200", { status: 200, body: { error: "invalid_client" } }, 77],
  ] as const) {
    test(`${what}: ${status}, and the file is kept`, async () => {
      answer({ google: scripted });
      const before = scene.read();
      const result = await run("--json");
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, /is kept/);
      assert.equal(scene.read(), before);
      const { error } = JSON.parse(result.stdout);
      assert.equal(/--local-only/.test(error.hint ?? ""), status !== 75);
      assert.ok(!result.stderr.includes("a-refresh-token"));
    });
  }

  test("an answer that stops in the middle is given up after 60 seconds: 75, the file is kept", async () => {
    const body = { error: "invalid_token", and: "never seen whole" };
    scene.endpoint.answer = () => ({ status: 400, body, onStall: () => world.pass(60_000) });
    const result = await run();
    assert.equal(result.status, 75, result.stderr);
    assert.match(result.stderr, /nobody answered in time/);
    assert.ok(scene.read());
  });

  test("the server's words are harmless, and quote no token", async () => {
    const error_description = "\u001b[31ma-refresh-token is unknown";
    answer({ google: { status: 400, body: { error: "invalid_request", error_description } } });
    const result = await run();
    assert.equal(result.status, 77);
    assert.match(result.stderr, /\[secret\] is unknown/);
    assert.ok(!result.stderr.includes("\u001b"));
  });

  test("Ctrl-C while it is asked: the answer counts, and the file goes", async () => {
    scene.endpoint.answer = () => {
      world.interrupt("SIGINT");
      return gone;
    };
    const result = await run();
    assert.equal(result.status, 130, result.stderr);
    assert.match(result.stderr, /waiting up to 10 seconds/);
    assert.equal(scene.read(), undefined);
  });

  test("where there is no endpoint: it says where else, and removes the file", async () => {
    scene.write(tokenFileText("a", "b", { Provider: "office365" }));
    const result = await run("--json");
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /Microsoft has no revocation endpoint: an administrator/);
    assert.equal(JSON.parse(result.stdout).revoked[0].isRevoked, false);
    assert.deepEqual(asked, []);
    assert.equal(scene.read(), undefined);
  });

  test("where nothing is known of one either: in the settings there", async () => {
    scene.write(tokenFileText("a", "b", { Provider: "seznam" }));
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /take the consent back in the settings of the account there/);
    assert.equal(scene.read(), undefined);
  });

  for (const Flow of ["client-credentials", "service-account"]) {
    test(`a file of ${Flow}: nothing can be revoked, and the file goes without any key`, async () => {
      const Provider = Flow === "service-account" ? "google" : "office365";
      const Tenant = "contoso.example";
      const more = Provider === "google" ? {} : { Tenant };
      scene.write(tokenFileText("an-access-token", "", { Flow, Provider, ...more }));
      const result = await run("--json");
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stderr, /an application's own token is not revoked: it ends by itself/);
      assert.equal(JSON.parse(result.stdout).revoked[0].isRevoked, false);
      assert.deepEqual(asked, []);
      assert.equal(scene.read(), undefined);
    });
  }

  test("a custom provider has to say where: 78, and the file is kept", async () => {
    scene.write(tokenFileText("a", "b", { Provider: "custom" }));
    const result = await run();
    assert.equal(result.status, 78, result.stderr);
    assert.match(result.stderr, /--revoke-uri[\s\S]*--local-only/);
    assert.ok(scene.read());
  });

  test("a custom provider's application needs no such endpoint", async () => {
    const notes = { Provider: "custom", Flow: "client-credentials" };
    scene.write(tokenFileText("an-access-token", "", notes));
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /it ends by itself/);
    assert.equal(scene.read(), undefined);
  });

  test("another server than the one that the tokens are from is sent nothing: 78", async () => {
    const endpoint = "https://login.example.test/token";
    scene.write(tokenFileText("a", "b", { Provider: "custom", "Token endpoint": endpoint }));
    const result = await run("--revoke-uri", `${scene.endpoint.origin}/google`);
    assert.equal(result.status, 78, result.stderr);
    assert.deepEqual(asked, []);
    assert.ok(scene.read());
  });

  describe("--local-only", () => {
    for (const [what, notes] of [
      ["Google's", {}],
      ["one of an application that has a secret", { App: "imapsync", Client: "imapsync-id" }],
      ["a custom provider's", { Provider: "custom" }],
      ["a service account's", { Flow: "service-account" }],
      [
        "an application's",
        { Flow: "client-credentials", Provider: "office365", Tenant: "contoso.example" },
      ],
    ] as const) {
      test(`removes ${what} file and asks nobody`, async () => {
        scene.write(tokenFileText("a", "b", notes));
        const result = await run("--local-only");
        assert.equal(result.status, 0, result.stderr);
        assert.deepEqual(asked, []);
        assert.equal(world.requests.length, 0);
        assert.equal(scene.read(), undefined);
      });
    }

    test("no file: 78", async () => {
      const result = await runMain(
        ["revoke", "bar@example.test", ...common(), "--local-only"],
        world,
      );
      assert.equal(result.status, 78, result.stderr);
      assert.ok(scene.read());
    });
  });

  test("a symbolic link is not written through, and nothing is asked: 73", async () => {
    const real = join(scene.directory, "real.txt");
    writeFileSync(real, tokenFileText("a", "b"), { mode: 0o600 });
    const link = join(scene.directory, "link.txt");
    symlinkSync(real, link);
    const result = await run("--token-file", link);
    assert.equal(result.status, 73, result.stderr);
    assert.ok(result.stderr.includes(`name the real file instead: ${real}`));
    assert.deepEqual(asked, []);
    assert.ok(existsSync(real) && existsSync(link));
  });

  test("what stands beside it with tokens in it is told, and left alone", async () => {
    const beside = `${scene.tokenFile}.unproven-0123`;
    writeFileSync(beside, "a\nb\n");
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.ok(result.stderr.includes(`warning: ${beside} holds tokens too`));
    assert.ok(existsSync(beside));
  });

  test("the same address at two providers: the one that is named, and no other", async () => {
    const missing = await run("--provider", "yahoo");
    assert.equal(missing.status, 78, missing.stderr);
    assert.equal(asked.length, 0);
    const path = scene.tokenFile.replace(/\.txt$/, "_yahoo.txt");
    const notes = { Provider: "yahoo", Client: "yahoo-client" };
    writeFileSync(path, tokenFileText("access-at-yahoo", "refresh-at-yahoo", notes));
    setWorld({});
    const result = await run("--provider", "yahoo");
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(
      asked.map(({ request, sent }) => [sent.path, request["token"]]),
      [["/yahoo", "refresh-at-yahoo"]],
    );
    assert.equal(existsSync(path), false);
    assert.ok(scene.read());
  });

  test("another client's file is not revoked: 78", async () => {
    const result = await run("--client-id", "another-client");
    assert.equal(result.status, 78, result.stderr);
    assert.deepEqual(asked, []);
    assert.ok(scene.read());
  });

  test("two at once, as built programs: the second waits, and finds nothing", async () => {
    scene.write(tokenFileText("a", "b", { Provider: "custom" }));
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    scene.endpoint.answer = async () => {
      await released;
      return gone;
    };
    const uri = `${scene.endpoint.origin}/custom`;
    const args = ["revoke", user, "--revoke-uri", uri, ...common()];
    const first = runProgram(args, { cwd: scene.directory });
    await first.shown("revoking the token at");
    const second = runProgram(args, { cwd: scene.directory });
    await second.shown("waiting for another process");
    release();
    assert.deepEqual(await first.ended, { status: 0, signal: null }, first.written.stderr);
    assert.deepEqual(await second.ended, { status: 78, signal: null }, second.written.stderr);
    assert.equal(scene.endpoint.requests.length, 1);
  });

  describe("--all", () => {
    const all = (...more: string[]) => runMain(["revoke", "--all", ...common(), ...more], world);

    function write(account: string, notes: Record<string, string>, tokens = ["access", "refresh"]) {
      const [accessToken = "", refreshToken = ""] = tokens.map((name) => `${name}-of-${account}`);
      const text = tokenFileText(accessToken, refreshToken, { Account: account, ...notes });
      const path = join(dirname(scene.tokenFile), `oauth2_tokens_${account}.txt`);
      writeFileSync(path, text, { mode: 0o600 });
      return path;
    }

    const left = () =>
      readdirSync(dirname(scene.tokenFile)).filter((name) => name.startsWith("oauth2_tokens_"));

    test("every account at its own provider, and the files are gone", async () => {
      write("a@example.test", { Provider: "yahoo" });
      write("b@example.test", { Provider: "office365" });
      write("c@example.test", { Flow: "service-account" }, ["access"]);
      const result = await all("--json");
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(
        asked.map(({ request, sent }) => [sent.path, request["token"]]),
        [
          ["/yahoo", "refresh-of-a@example.test"],
          ["/google", "a-refresh-token"],
        ],
      );
      const { revoked } = JSON.parse(result.stdout);
      assert.deepEqual(
        revoked.map(({ account, isRevoked }: Record<string, unknown>) => [account, isRevoked]),
        [
          ["a@example.test", true],
          ["b@example.test", false],
          ["c@example.test", false],
          [user, true],
        ],
      );
      assert.deepEqual(left(), []);
    });

    test("one that cannot be reached: 75, its file is kept, and the others are gone", async () => {
      write("a@example.test", { Provider: "yahoo" });
      write("b@example.test", { Provider: "office365" });
      answer({ yahoo: "drop" });
      const result = await all("--json");
      assert.equal(result.status, 75, result.stderr);
      assert.match(result.stderr, /1 of 3 accounts could not be revoked/);
      assert.deepEqual(left(), ["oauth2_tokens_a@example.test.txt"]);
      const { error, revoked } = JSON.parse(result.stdout);
      assert.equal(error.code, "unreachable");
      assert.equal(revoked.length, 2);
    });

    test("unreachable counts more than refused, which stands first", async () => {
      write("a@example.test", { Provider: "yahoo" });
      answer({ yahoo: { status: 401, body: { error: "invalid_client" } }, google: "drop" });
      const result = await all();
      assert.equal(result.status, 75, result.stderr);
      assert.equal(left().length, 2);
    });

    test("a file that nobody can understand does not keep the others: 65", async () => {
      const path = write("a@example.test", {});
      writeFileSync(path, "not a token\n\n");
      const result = await all();
      assert.equal(result.status, 65, result.stderr);
      assert.deepEqual(left(), ["oauth2_tokens_a@example.test.txt"]);
    });

    test("a client's secret goes to that client's provider, and to no other", async () => {
      write("a@example.test", { Provider: "yahoo", Client: "another-client" });
      setWorld({ MXTOKEN_CLIENT_SECRET: secret });
      const result = await all("--client-id", "test-client");
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(
        asked.map(({ request }) => [request["client_id"], request["client_secret"]]),
        [
          ["another-client", undefined],
          ["test-client", secret],
        ],
      );
      assert.ok(!result.stderr.includes(secret));
    });

    test("a secret without a client is nobody's", async () => {
      setWorld({ MXTOKEN_CLIENT_SECRET: secret });
      const result = await all();
      assert.equal(result.status, 0, result.stderr);
      assert.equal(asked[0]?.request["client_secret"], undefined);
    });

    for (const option of ["--revoke-uri", "--token-uri", "--authorize-uri", "--issuer"]) {
      test(`${option} sends no provider's tokens elsewhere`, async () => {
        const result = await all(option, `${scene.endpoint.origin}/elsewhere`);
        assert.equal(result.status, 0, result.stderr);
        assert.deepEqual(
          asked.map(({ sent }) => sent.path),
          ["/google"],
        );
      });
    }

    test("--revoke-uri is for the accounts of a provider without a name, at its own host", async () => {
      const there = { Provider: "custom", "Token endpoint": scene.endpoint.uri };
      write("a@example.test", there);
      write("b@example.test", { ...there, "Token endpoint": "https://other.example/token" });
      const result = await all("--revoke-uri", `${scene.endpoint.origin}/custom`);
      assert.equal(result.status, 78, result.stderr);
      assert.deepEqual(
        asked.map(({ request, sent }) => [sent.path, request["token"]]),
        [
          ["/custom", "refresh-of-a@example.test"],
          ["/google", "a-refresh-token"],
        ],
      );
      assert.deepEqual(left(), ["oauth2_tokens_b@example.test.txt"]);
    });

    test("--provider narrows it down", async () => {
      write("a@example.test", { Provider: "yahoo" });
      const result = await all("--provider", "yahoo");
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(left(), [`oauth2_tokens_${user}.txt`]);
    });

    test("a file of oauth2_imap, whose name alone says whose it is", async () => {
      const path = join(dirname(scene.tokenFile), "oauth2_tokens_bar@gmail.com.txt");
      writeFileSync(path, "ya29.access\n1//refresh\n", { mode: 0o600 });
      const result = await all();
      assert.equal(result.status, 0, result.stderr);
      assert.ok(asked.some(({ request }) => request["token"] === "1//refresh"));
      assert.deepEqual(left(), []);
    });

    test("--local-only asks nobody", async () => {
      write("a@example.test", { Provider: "yahoo" });
      const result = await all("--local-only");
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(asked, []);
      assert.deepEqual(left(), []);
    });

    test("nothing here: 0, and it is said", async () => {
      const args = ["revoke", "--all", "--home", join(scene.directory, "empty")];
      const result = await runMain(args, world);
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stderr, /there is no account in \S+/);
    });

    test("Ctrl-C in between: what was asked is finished, the others stay, 130", async () => {
      write("a@example.test", { Provider: "yahoo" });
      scene.endpoint.answer = () => {
        world.interrupt("SIGINT");
        return gone;
      };
      const result = await all();
      assert.equal(result.status, 130, result.stderr);
      assert.deepEqual(left(), [`oauth2_tokens_${user}.txt`]);
    });

    test("with an address or a file it is a contradiction: 64", async () => {
      assert.equal((await all(user)).status, 64);
      assert.equal((await all("--token-file", scene.tokenFile)).status, 64);
      assert.deepEqual(asked, []);
    });
  });
});
