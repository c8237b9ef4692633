import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { decodeProtectedHeader, SignJWT } from "jose";
import { issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { faultEnvironment, MovedClock } from "../scene/faults.ts";
import {
  type Account,
  type JwtBearerServer,
  newAccount,
  startJwtBearerServer,
  writeKeyFile,
} from "../scene/jwt-bearer-server.ts";
import { runProgram } from "../scene/program.ts";
import { type Result, runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { standIn } from "../scene/stand-in.ts";
import { WebVisitor } from "../scene/web-visitor.ts";
import type { TestWorld } from "../scene/world.ts";

const imapAdmin = "https://www.googleapis.com/auth/gmail.imap_admin";
const allMail = "https://mail.google.com/";
const googleTokens = "https://oauth2.googleapis.com/token";

describe("the server of these tests refuses what it must refuse", () => {
  let server: JwtBearerServer;
  let account: Account;
  let visitor: WebVisitor;
  const now = Date.parse("2026-11-20T12:00:00Z") / 1000;

  before(async () => {
    const certificates = await issueCertificates(temporaryDirectory());
    server = await startJwtBearerServer(certificates);
    account = newAccount(imapAdmin);
    server.now = () => now * 1000;
    server.accounts.push(account);
    server.users.add(user);
    visitor = new WebVisitor(certificates);
  });
  after(async () => {
    await visitor?.close();
    await server?.close();
  });

  const good = () => ({
    iss: account.email,
    sub: user,
    aud: server.endpoint.uri,
    scope: imapAdmin,
    iat: now,
    exp: now + 3600,
  });

  async function ask(
    claims: Record<string, unknown>,
    how: { key?: string; alg?: string; kid?: string; grantType?: string } = {},
  ): Promise<Record<string, unknown>> {
    const { alg = "RS256", kid = account.keyId, key = account.privateKey } = how;
    const assertion = await new SignJWT(claims)
      .setProtectedHeader({ alg, kid })
      .sign(createPrivateKey(key));
    const { grantType = "urn:ietf:params:oauth:grant-type:jwt-bearer" } = how;
    const form = { grant_type: grantType, assertion };
    return JSON.parse((await visitor.open(new URL(server.endpoint.uri), form)).text);
  }

  test("it grants what is right", async () => {
    assert.equal(typeof (await ask(good()))["access_token"], "string");
  });

  const shortLived = /must be a short-lived token/;
  for (const [what, change, words] of [
    ["another audience", { aud: "https://elsewhere.example/token" }, /audience/],
    ["no audience", { aud: undefined }, /audience/],
    ["an assertion of an hour ago", { iat: now - 3600, exp: now }, shortLived],
    ["one of the next second", { iat: now + 1, exp: now + 3600 }, shortLived],
    ["one of the next hour", { iat: now + 3600, exp: now + 7200 }, shortLived],
    ["one that lasts too long", { exp: now + 3601 }, shortLived],
    ["one without an end", { exp: undefined }, shortLived],
    ["one without a beginning", { iat: undefined }, shortLived],
    ["an unknown account", { iss: "nobody@project.iam.gserviceaccount.com" }, /account not found/],
    ["an unknown user", { sub: "nobody@example.test" }, /Invalid email or User ID/],
    ["no user", { sub: undefined }, /Invalid email or User ID/],
    ["a scope that is not delegated", { scope: allMail }, /not authorized for any of the scopes/],
    ["one scope too many", { scope: `${imapAdmin} ${allMail}` }, /not authorized for any/],
    ["no scope", { scope: undefined }, /not authorized for any/],
  ] as const) {
    test(what, async () => {
      const { error, error_description, access_token } = await ask({ ...good(), ...change });
      assert.equal(access_token, undefined);
      assert.ok(error);
      assert.match(String(error_description), words);
    });
  }

  test("another key, another algorithm, another grant, another key's name, and rubbish", async () => {
    const other = newAccount().privateKey;
    assert.match(String((await ask(good(), { key: other }))["error_description"]), /Signature/);
    assert.match(String((await ask(good(), { alg: "PS256" }))["error_description"]), /Signature/);
    assert.equal((await ask(good(), { kid: "key-0" }))["error"], "invalid_grant");
    assert.equal(
      (await ask(good(), { grantType: "client_credentials" }))["error"],
      "unsupported_grant_type",
    );
    const form = {
      grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
      assertion: "rubbish",
    };
    const page = await visitor.open(new URL(server.endpoint.uri), form);
    assert.equal(JSON.parse(page.text).error, "invalid_grant");
  });
});

describe("a service account", () => {
  let scene: Scene;
  let server: JwtBearerServer;
  let account: Account;
  let keyFile: string;
  let world: TestWorld;

  beforeEach(async () => {
    scene = await setScene();
    world = scene.world();
    server = await startJwtBearerServer(scene.certificates);
    server.now = world.now;
    account = newAccount(imapAdmin, allMail);
    server.accounts.push(account);
    server.users.add(user);
    keyFile = writeKeyFile(scene.directory, account);
  });
  afterEach(async () => {
    await server?.close();
    await scene?.close();
  });

  const servers = () => [
    ...["--imap-server", `localhost:${scene.imap.port}`],
    ...["--ca-file", scene.certificates.caFile, "--home", scene.directory],
  ];
  const google = (...more: string[]) => [
    ...[user, "--provider", "google", "--token-uri", server.endpoint.uri, ...servers()],
    ...more,
  ];
  const options = (...more: string[]) => google("--service-account-key", keyFile, ...more);

  async function run(args = options()): Promise<Result> {
    const result = await runMain(args, world);
    assertQuiet(result);
    return result;
  }

  function assertQuiet({ stdout, stderr }: { stdout: string; stderr: string }): void {
    const key = account.privateKey.split("\n")[1] ?? "";
    for (const secret of [...server.secrets, key]) {
      assert.ok(!stdout.includes(secret) && !stderr.includes(secret));
    }
  }

  test("the key alone says how: an assertion in the mailbox's name, for IMAP with every label", async () => {
    const result = await run(options("--verbose"));
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stdout, `${scene.tokenFile}\n`);
    const seconds = Math.floor(world.now() / 1000);
    assert.deepEqual(server.claims, [
      {
        iss: account.email,
        sub: user,
        aud: server.endpoint.uri,
        scope: imapAdmin,
        iat: seconds - 60,
        exp: seconds + 3540,
      },
    ]);
    const [request] = server.endpoint.requests;
    assert.deepEqual(decodeProtectedHeader(request?.get("assertion") ?? ""), {
      alg: "RS256",
      typ: "JWT",
      kid: account.keyId,
    });
    assert.deepEqual([...(request?.keys() ?? [])].sort(), ["assertion", "grant_type"]);
    assert.match(result.stderr, new RegExp(`for the service account ${account.email}`));
    assert.match(result.stderr, /assertion=\[secret\]/);
    assert.equal(scene.imap.logins[0]?.user, user);
    assert.equal(scene.lines().refreshToken, "");
    const file = scene.read() ?? "";
    assert.match(file, /^# Flow: service-account$/m);
    assert.match(file, new RegExp(`^# Client: ${account.clientId}$`, "m"));
    assert.match(file, new RegExp(`^# Scope: ${imapAdmin}$`, "m"));
  });

  test("at Google's own endpoint, which is the audience then, for an address of Gmail's", async () => {
    const address = "foo@gmail.com";
    server.audience = googleTokens;
    server.users.add(address);
    standIn(world, googleTokens, server.endpoint.uri);
    const args = [address, "--service-account-key", keyFile, ...servers()];
    const result = await run(args);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(server.claims[0]?.["aud"], googleTokens);
    assert.equal(server.claims[0]?.["sub"], address);
    assert.equal(world.requests.length, 1);
  });

  for (const access of ["imap,smtp", "pop", "smtp"]) {
    test(`--access ${access}: the scope for all mail`, async () => {
      const result = await run(options("--access", access));
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(
        server.claims.map(({ scope }) => scope),
        [allMail],
      );
    });
  }

  for (const [delegated, access, asked] of [
    [allMail, "imap", [imapAdmin, allMail]],
    [imapAdmin, "imap,smtp", [allMail, imapAdmin]],
  ] as const) {
    test(`only ${delegated} is delegated: it is tried once, and that is said`, async () => {
      account.delegated = [delegated];
      const result = await run(options("--access", access));
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(
        server.claims.map(({ scope }) => scope),
        asked,
      );
      assert.ok(result.stderr.includes(`the scope ${asked[0]} is not delegated`));
      assert.ok(result.stderr.includes(`trying ${delegated}`));
      assert.match(scene.read() ?? "", new RegExp(`^# Scope: ${delegated}$`, "m"));
    });
  }

  test("neither is delegated: 77 after two requests, with what an administrator has to do", async () => {
    account.delegated = [];
    const result = await run(options("--json"));
    assert.equal(result.status, 77, result.stderr);
    assert.equal(server.claims.length, 2);
    const { error } = JSON.parse(result.stdout);
    assert.equal(error.code, "applicationRefused");
    assert.equal(error.oauthError, "unauthorized_client");
    assert.match(error.message, /Client is unauthorized to retrieve access tokens/);
    for (const part of [account.clientId, imapAdmin, allMail, "Domain-wide delegation"]) {
      assert.ok(error.hint.includes(part), error.hint);
    }
    assert.equal(scene.read(), undefined);
  });

  test("a scope that is named is the only one that is asked for", async () => {
    account.delegated = [allMail];
    const result = await run(options("--scope", "https://example.test/other"));
    assert.equal(result.status, 77, result.stderr);
    assert.deepEqual(
      server.claims.map(({ scope }) => scope),
      ["https://example.test/other"],
    );
  });

  test("an address that is no user of the domain: 77, and what to look at", async () => {
    server.users.clear();
    const result = await run(options("--json"));
    assert.equal(result.status, 77, result.stderr);
    assert.equal(server.claims.length, 1);
    const { error } = JSON.parse(result.stdout);
    assert.equal(error.code, "applicationRefused");
    assert.match(error.message, /Invalid email or User ID/);
    assert.match(error.hint, /is foo@example\.test a user of the domain/);
  });

  test("a key that was taken away: 77, and nobody has to sign in", async () => {
    server.accounts.length = 0;
    const result = await run();
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /account not found/);
    assert.doesNotMatch(result.stderr, /sign-in/);
  });

  test("--login changes nothing about whose mailbox it is", async () => {
    const result = await run(options("--login", "admin@example.test"));
    assert.equal(result.status, 0, result.stderr);
    assert.equal(server.claims[0]?.["sub"], user);
  });

  for (const hours of [1, -1]) {
    test(`a clock ${hours} hour off: refused once, then by the server's, with a warning`, async () => {
      server.now = () => world.now() - hours * 3_600_000;
      const result = await run();
      assert.equal(result.status, 0, result.stderr);
      assert.equal(server.claims.length, 2);
      assert.equal(server.claims[1]?.["iat"], Math.floor(server.now() / 1000) - 60);
      const direction = hours > 0 ? "ahead of" : "behind";
      const words = `warning: this machine's clock is 60 minutes ${direction} localhost`;
      assert.ok(result.stderr.includes(words), result.stderr);
    });
  }

  for (const [ahead, requests] of [
    [5, 1],
    [30, 1],
    [59, 1],
    [62, 2],
    [-3600, 2],
  ] as const) {
    test(`a clock ${ahead} s ahead comes right in ${requests} requests`, async () => {
      server.now = () => world.now() - ahead * 1000;
      const result = await run();
      assert.equal(result.status, 0, result.stderr);
      assert.equal(server.claims.length, requests);
    });
  }

  test("a clock off and a scope that is not delegated: both come right", async () => {
    server.now = () => world.now() + 3_600_000;
    account.delegated = [allMail];
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.match(scene.read() ?? "", new RegExp(`^# Scope: ${allMail}$`, "m"));
  });

  test("a clock that is right: what is refused is not asked again", async () => {
    server.users.clear();
    await run();
    assert.equal(server.claims.length, 1);
  });

  test("asked again at every run, without --flow; and never without the key", async () => {
    assert.equal((await run()).status, 0);
    const first = scene.lines().accessToken;
    world = scene.world();
    assert.equal((await run()).status, 0);
    assert.notEqual(scene.lines().accessToken, first);
    world = scene.world();
    const result = await run(google());
    assert.equal(result.status, 78, result.stderr);
    assert.match(result.stderr, /--flow service-account needs --service-account-key FILE/);
  });

  test("the key from the environment", async () => {
    world = scene.world({ MXTOKEN_SERVICE_ACCOUNT_KEY: keyFile });
    assert.equal((await run(google())).status, 0);
  });

  test("another account's file is not overwritten: 78", async () => {
    scene.write(tokenFileText("old-access-token", "old-refresh-token", { Client: "another" }));
    const before = scene.read();
    const result = await run(options("--flow", "service-account"));
    assert.equal(result.status, 78, result.stderr);
    assert.equal(scene.read(), before);
    assert.equal(server.claims.length, 0);
  });

  test("refused by the mailbox: 77, and what was stored stays", async () => {
    assert.equal((await run()).status, 0);
    const before = scene.read();
    scene.imap.login = () => "refuse";
    world = scene.world();
    const result = await run();
    assert.equal(result.status, 77, result.stderr);
    assert.equal(scene.read(), before);
  });

  test("an answer that stops in the middle is given up after 60 seconds: 75", async () => {
    server.endpoint.answer = () => ({
      status: 200,
      body: { access_token: "never-seen-whole" },
      onStall: () => world.pass(60_000),
    });
    const result = await run();
    assert.equal(result.status, 75, result.stderr);
    assert.match(result.stderr, /nobody answered in time/);
    assert.equal(scene.read(), undefined);
  });

  for (const [what, answer, status] of [
    ["503", { status: 503, body: "" }, 75],
    ["a dropped connection", "drop", 75],
    ["HTML", { status: 200, body: "<html></html>" }, 76],
  ] as const) {
    test(`${what}: ${status}`, async () => {
      server.endpoint.answer = () => answer;
      const result = await run();
      assert.equal(result.status, status, result.stderr);
      assert.equal(server.endpoint.requests.length, 1);
    });
  }

  test("a key file that everybody can read: a warning", async () => {
    assert.doesNotMatch((await run()).stderr, /can be read by everybody/);
    chmodSync(keyFile, 0o644);
    world = scene.world();
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.ok(result.stderr.includes(`warning: ${keyFile} can be read by everybody`));
  });

  describe("a key file that is none", () => {
    const ec = () => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    };

    for (const [what, changes, words] of [
      ["the key of an application", () => ({ type: "authorized_user" }), /"type" is not/],
      ["without a private key", () => ({ private_key: undefined }), /it has no "private_key"/],
      ["with a private key that is none", () => ({ private_key: "secret!" }), /no RSA key/],
      ["with an EC key", () => ({ private_key: ec() }), /no RSA key/],
      ["without an address", () => ({ client_email: undefined }), /it has no "client_email"/],
      ["without a number", () => ({ client_id: 17 }), /it has no "client_id"/],
    ] as const) {
      test(`${what}: 65, and nothing is asked`, async () => {
        writeKeyFile(scene.directory, account, changes());
        const result = await run();
        assert.equal(result.status, 65, result.stderr);
        assert.match(result.stderr, words);
        assert.doesNotMatch(result.stderr, /secret!/);
        assert.equal(server.endpoint.requests.length, 0);
      });
    }

    for (const [what, text] of [
      ["no JSON", "-----BEGIN PRIVATE KEY-----\nabc"],
      ["a JSON list", "[]"],
      ["null", "null"],
      ["nothing", ""],
    ] as const) {
      test(`${what}: 65`, async () => {
        writeFileSync(keyFile, text);
        const result = await run();
        assert.equal(result.status, 65, result.stderr);
        assert.doesNotMatch(result.stderr, /BEGIN PRIVATE KEY/);
      });
    }

    test("a byte-order mark before it does not matter", async () => {
      const text = JSON.stringify({
        type: "service_account",
        client_email: account.email,
        client_id: account.clientId,
        private_key_id: account.keyId,
        private_key: account.privateKey,
      });
      writeFileSync(keyFile, `\uFEFF${text}`);
      assert.equal((await run()).status, 0);
    });

    test("one that is not there, and a directory: 78", async () => {
      for (const path of [join(scene.directory, "missing.json"), scene.directory]) {
        const result = await run(google("--service-account-key", path));
        assert.equal(result.status, 78, result.stderr);
      }
    });
  });

  test("Microsoft has no such flow: 78", async () => {
    const args = [user, "--provider", "office365", "--flow", "service-account", ...servers()];
    const result = await run([...args, "--service-account-key", keyFile]);
    assert.equal(result.status, 78, result.stderr);
    assert.equal(world.requests.length, 0);
  });

  test("as the built program: proven, refused, and no key file", async () => {
    server.now = Date.now;
    const granted = runProgram(options(), { cwd: scene.directory });
    assert.deepEqual(await granted.ended, { status: 0, signal: null }, granted.written.stderr);
    assert.equal(granted.written.stdout, `${scene.tokenFile}\n`);
    assertQuiet(granted.written);

    account.delegated = [];
    const refused = runProgram(options("--verbose"), { cwd: scene.directory });
    assert.deepEqual(await refused.ended, { status: 77, signal: null }, refused.written.stderr);
    assert.equal(refused.written.stdout, "");
    assertQuiet(refused.written);

    writeFileSync(keyFile, "rubbish");
    const unreadable = runProgram(options(), { cwd: scene.directory });
    assert.deepEqual(await unreadable.ended, { status: 65, signal: null });
  });

  // Not one that is behind: these certificates were not valid then.
  test("as the built program, by a machine's clock that is ahead", async () => {
    server.now = Date.now;
    for (const [ahead, requests] of [
      [5, 1],
      [30, 1],
      [300, 2],
    ] as const) {
      server.claims.splice(0);
      const clock = new MovedClock(join(scene.directory, `clock${ahead}`));
      clock.set({ realTime: ahead, monotonic: 0 });
      const env = faultEnvironment([], { clock });
      const granted = runProgram(options("--startover"), { cwd: scene.directory, env });
      assert.deepEqual(await granted.ended, { status: 0, signal: null }, granted.written.stderr);
      assert.equal(server.claims.length, requests, `${ahead} s`);
    }
  });
});
