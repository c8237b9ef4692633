import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { chmodSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { decodeProtectedHeader, importJWK, jwtVerify } from "jose";
import { main } from "../../src/cli/main.ts";
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from "../scene/authorization-server.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import {
  type IssuedClientCertificate,
  issueClientCertificate,
} from "../scene/client-certificates.ts";
import { type Dovecot, startDovecot } from "../scene/dovecot.ts";
import { runProgram } from "../scene/program.ts";
import { type Result, runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { standIn } from "../scene/stand-in.ts";
import type { Answer } from "../scene/token-endpoint.ts";
import { readableToken } from "../scene/tokens.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

const secret = "the-secret-of-the-application";

let keys: string;
let known: IssuedClientCertificate;
let other: IssuedClientCertificate;
let directory: string;

before(async () => {
  directory = temporaryDirectory();
  keys = temporaryDirectory();
  [known, other] = await Promise.all([
    issueClientCertificate(keys, "known"),
    issueClientCertificate(keys, "other"),
  ]);
});

describe("against oidc-provider and Dovecot", () => {
  let certificates: Certificates;
  let server: AuthorizationServer;
  let dovecot: Dovecot;
  let homes = 0;

  before(async () => {
    certificates = await issueCertificates(directory);
    server = await startAuthorizationServer(certificates, {
      clients: [
        { id: "with-secret", secret },
        { id: "with-certificate", publicKey: known.publicKey },
      ],
      mailboxOfApplications: user,
    });
    dovecot = await startDovecot(directory, certificates, server, [user]);
  });
  after(async () => {
    await dovecot?.close();
    await server?.close();
  });

  const world = (env: Record<string, string> = {}) =>
    testWorld({ cwd: directory, now: Date.now(), env });

  function newHome(): string {
    homes += 1;
    return join(directory, `home-${homes}`);
  }

  const options = (home: string, clientId: string) => [
    ...["--flow", "client-credentials", "--client-id", clientId, "--token-uri", server.tokenUri],
    ...["--scope", "mail", "--imap-server", `localhost:${dovecot.imaps}`],
    ...["--ca-file", certificates.caFile, "--home", home],
  ];

  const read = (home: string) =>
    readFileSync(join(home, "tokens", `oauth2_tokens_${user}.txt`), "utf8");

  function assertQuiet({ stdout, stderr }: { stdout: string; stderr: string }): void {
    const key = known.key.split("\n")[1] ?? "";
    for (const one of [...server.secrets, secret, key]) {
      assert.ok(!stdout.includes(one) && !stderr.includes(one));
    }
  }

  test("with a secret: a token, proven, line 2 empty; then another one without --flow", async () => {
    const home = newHome();
    const seen = server.seen.length;
    const args = [user, ...options(home, "with-secret"), "--verbose"];
    const result = await runMain(args, world({ MXTOKEN_CLIENT_SECRET: secret }));
    assert.equal(result.status, 0, result.stderr);
    assertQuiet(result);
    const [first, second, third] = read(home).split("\n");
    assert.ok(server.secrets.includes(first ?? ""));
    assert.equal(second, "");
    assert.match(third ?? "", /^# /);
    assert.match(read(home), /^# Flow: client-credentials$/m);
    assert.match(read(home), /^# Verified: .* by IMAP at localhost:\d+$/m);

    const again = options(home, "with-secret").slice(2);
    const repeated = await runMain([user, ...again], world({ MXTOKEN_CLIENT_SECRET: secret }));
    assert.equal(repeated.status, 0, repeated.stderr);
    assert.notEqual(read(home).split("\n")[0], first);
    assert.equal(read(home).split("\n")[1], "");
    assert.deepEqual(server.seen.slice(seen), [
      { grantType: "client_credentials", refused: false },
      { grantType: "client_credentials", refused: false },
    ]);
  });

  test("with a wrong secret: 77, and nothing is stored", async () => {
    const home = newHome();
    const args = [user, ...options(home, "with-secret")];
    const result = await runMain(args, world({ MXTOKEN_CLIENT_SECRET: "not-the-secret" }));
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /refuses the application: invalid_client/);
    assert.throws(() => read(home));
  });

  test("with a certificate, its key in a file of its own or in the same", async () => {
    for (const files of [
      ["--client-certificate", known.certificateFile, "--client-key", known.keyFile],
      ["--client-certificate", known.bothFile],
    ]) {
      const home = newHome();
      const args = [user, ...options(home, "with-certificate"), ...files, "--verbose"];
      const result = await runMain(args, world());
      assert.equal(result.status, 0, result.stderr);
      assertQuiet(result);
      assert.match(result.stderr, /client_assertion=\[secret\]/);
      assert.match(result.stderr, /by its certificate/);
      assert.equal(read(home).split("\n")[1], "");
    }
  });

  test("with a certificate that the server does not know: 77", async () => {
    const files = ["--client-certificate", other.bothFile];
    const args = [user, ...options(newHome(), "with-certificate"), ...files];
    const result = await runMain(args, world());
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /refuses the application: invalid_client/);
  });

  test("with a certificate and a clock that is an hour off: by the server's, with a warning", async () => {
    for (const [hours, words] of [
      [1, "60 minutes ahead of localhost"],
      [-1, "60 minutes behind localhost"],
    ] as const) {
      const home = newHome();
      const files = ["--client-certificate", known.bothFile];
      const off = testWorld({ cwd: directory, now: Date.now() + hours * 3_600_000 });
      const args = [user, ...options(home, "with-certificate"), ...files];
      const result = await runMain(args, off);
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stderr, new RegExp(`warning: this machine's clock is ${words}`));
      assert.equal(server.seen.at(-1)?.refused, false);
    }
  });

  test("a person's sign-in, a refresh and a revocation, by an application with a certificate", async () => {
    const home = newHome();
    const by = ["--client-certificate", known.bothFile];
    const where = ["--ca-file", certificates.caFile, "--home", home];
    const args = [
      ...[user, "--client-id", "with-certificate", "--scope", "mail offline_access", ...by],
      ...["--authorize-uri", server.authorizeUri, "--token-uri", server.tokenUri],
      ...["--redirect-uri", "https://localhost", "--remotebrowser"],
      ...["--imap-server", `localhost:${dovecot.imaps}`, ...where],
    ];
    const first = world();
    const ended = main(args, first);
    await first.shown(/^https:\/\/\S+code_challenge\S+$/m);
    const address = /^https:\/\/\S+code_challenge\S+$/m.exec(first.written.stderr)?.[0] ?? "";
    first.stdin.end(await server.signIn(address));
    assert.equal(await ended, 0, first.written.stderr);
    const second = await runMain(args, world());
    assert.equal(second.status, 0, second.stderr);
    const [, refreshToken = ""] = read(home).split("\n");
    assert.ok(await server.isAlive(refreshToken));
    const revoke = ["revoke", user, "--revoke-uri", server.revokeUri, ...by, ...where];
    const third = await runMain(revoke, world());
    assert.equal(third.status, 0, third.stderr);
    assert.equal(await server.isAlive(refreshToken), false);
  });

  test("as the built program, with secret and with certificate", async () => {
    for (const [client, env, files] of [
      ["with-secret", { MXTOKEN_CLIENT_SECRET: secret }, []],
      ["with-certificate", {}, ["--client-certificate", known.bothFile]],
    ] as const) {
      const home = newHome();
      const run = runProgram([user, ...options(home, client), ...files], { cwd: directory, env });
      assert.deepEqual(await run.ended, { status: 0, signal: null }, run.written.stderr);
      const path = join(home, "tokens", `oauth2_tokens_${user}.txt`);
      assert.equal(run.written.stdout, `${path}\n`);
      assertQuiet(run.written);
    }
    const run = runProgram([user, ...options(newHome(), "with-secret")], {
      cwd: directory,
      env: { MXTOKEN_CLIENT_SECRET: "wrong-secret" },
    });
    assert.deepEqual(await run.ended, { status: 77, signal: null }, run.written.stderr);
    assert.equal(run.written.stdout, "");
  });
});

describe("at Microsoft", () => {
  const tenant = "contoso.example";
  const endpointOf = (name: string) =>
    `https://login.microsoftonline.com/${name}/oauth2/v2.0/token`;
  const claims = {
    aud: "https://outlook.office365.com",
    tid: "11111111-2222-3333-4444-555555555555",
    oid: "99999999-8888-7777-6666-555555555555",
    appid: "app-id",
  };

  let scene: Scene;
  let world: TestWorld;
  let serverNow: () => number;

  beforeEach(async () => {
    scene = await setScene();
    setWorld({ MXTOKEN_CLIENT_SECRET: secret });
  });
  afterEach(() => scene?.close());

  function setWorld(env: Record<string, string>, now?: number): void {
    const options = { cwd: scene.directory, env, ...(now === undefined ? {} : { now }) };
    world = standIn(testWorld(options), endpointOf(tenant), scene.endpoint.uri);
    serverNow = world.now;
  }

  /** As a server answers whose clock it is. */
  function answer(make: (request: URLSearchParams) => { status: number; body: object }): void {
    scene.endpoint.answer = (request): Answer => {
      const headers = { date: new Date(serverNow()).toUTCString() };
      return { ...make(request), headers };
    };
  }

  function issue(token: string): void {
    answer(() => ({
      status: 200,
      body: { token_type: "Bearer", expires_in: 3599, access_token: token },
    }));
  }

  const refuse = (error: string, error_description: string, status = 400) =>
    answer(() => ({ status, body: { error, error_description } }));

  const servers = () => [
    ...["--imap-server", `localhost:${scene.imap.port}`],
    ...["--ca-file", scene.certificates.caFile, "--home", scene.directory],
  ];
  const ours = (...more: string[]) => [
    ...[user, "--provider", "office365", "--flow", "client-credentials", ...servers()],
    ...more,
  ];
  const options = (...more: string[]) => ours("--tenant", tenant, "--client-id", "app-id", ...more);

  async function run(args = options()): Promise<Result> {
    const result = await runMain(args, world);
    assert.ok(!result.stderr.includes(secret) && !result.stdout.includes(secret));
    return result;
  }

  test("the request is the one of Microsoft's document", async () => {
    issue(readableToken({ ...claims, roles: ["IMAP.AccessAsApp"] }));
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.equal(world.requests[0]?.url, scene.endpoint.uri);
    assert.deepEqual(Object.fromEntries(scene.endpoint.requests[0] ?? []), {
      client_id: "app-id",
      client_secret: secret,
      grant_type: "client_credentials",
      scope: "https://outlook.office365.com/.default",
    });
    assert.equal(scene.imap.logins[0]?.user, user);
    assert.equal(scene.lines().refreshToken, "");
    assert.match(scene.read() ?? "", /^# Tenant: contoso\.example$/m);
    assert.match(result.stderr, /it is not refreshed but asked for again/);
  });

  test("the second run proves the stored token and asks again, without --flow and --tenant", async () => {
    let serial = 0;
    answer(() => {
      serial += 1;
      const roles = ["IMAP.AccessAsApp"];
      const token = readableToken({ ...claims, roles, serial });
      return { status: 200, body: { token_type: "Bearer", expires_in: 3599, access_token: token } };
    });
    assert.equal((await run()).status, 0);
    const first = scene.lines().accessToken;
    setWorld({ MXTOKEN_CLIENT_SECRET: secret });
    const result = await run([user, ...servers()]);
    assert.equal(result.status, 0, result.stderr);
    const second = scene.lines().accessToken;
    assert.deepEqual(
      scene.imap.logins.map(({ token }) => token),
      [first, first, second],
    );
    assert.notEqual(first, second);
  });

  describe("a token without the role", () => {
    const needed = [
      `Connect-ExchangeOnline -Organization ${claims.tid}`,
      `New-ServicePrincipal -AppId app-id -ObjectId ${claims.oid}`,
      `Add-MailboxPermission -Identity '${user}' -User ${claims.oid} -AccessRights FullAccess`,
    ];

    test("77 before any login, with what to type and the ids filled in", async () => {
      issue(readableToken(claims));
      const result = await run();
      assert.equal(result.status, 77, result.stderr);
      assert.match(result.stderr, /the token has no role IMAP\.AccessAsApp.*its roles: none/);
      assert.match(result.stderr, /grant admin consent/);
      for (const line of needed) assert.ok(result.stderr.includes(`\n  ${line}\n`), result.stderr);
      assert.equal(scene.imap.logins.length, 0);
      assert.equal(scene.read(), undefined);
    });

    test("as data too", async () => {
      issue(readableToken({ ...claims, roles: ["Mail.Read"] }));
      const { error } = JSON.parse((await run(options("--json"))).stdout);
      assert.equal(error.code, "applicationRefused");
      assert.deepEqual(error.commands, needed);
      assert.match(error.message, /its roles: Mail\.Read/);
    });

    test("one that opens the mailbox and cannot send is stored, with a warning", async () => {
      issue(readableToken({ ...claims, roles: ["IMAP.AccessAsApp"] }));
      const result = await run(options("--access", "imap,smtp"));
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stderr, /warning: the token has no role SMTP\.SendAsApp/);
    });

    test("roles that are no texts, or hold escape sequences, are harmless", async () => {
      issue(readableToken({ ...claims, roles: ["\u001b[2JEvil\nmxtoken: done", { a: 1 }, 7] }));
      const { status, stderr } = await run(options());
      assert.equal(status, 77);
      assert.match(stderr, /its roles: \[2JEvil mxtoken: done\)/);
      assert.ok(!stderr.includes("\u001b"));
    });

    test("whoever sends as well needs the other role too, and another line", async () => {
      issue(readableToken({ ...claims, roles: [] }));
      const result = await run(options("--access", "imap,smtp", "--json"));
      assert.equal(result.status, 77, result.stderr);
      const { error } = JSON.parse(result.stdout);
      assert.match(error.message, /no role IMAP\.AccessAsApp, SMTP\.SendAsApp,/);
      assert.deepEqual(error.commands, [
        ...needed,
        `Add-RecipientPermission -Identity '${user}' -Trustee ${claims.oid} -AccessRights SendAs`,
      ]);
    });

    test("nothing that comes out of a token becomes a part of a command", async () => {
      issue(readableToken({ ...claims, tid: "x; Remove-Mailbox", oid: "$(evil)" }));
      const { error } = JSON.parse((await run(options("--json"))).stdout);
      assert.doesNotMatch(error.commands.join("\n"), /Remove-Mailbox|evil/);
      assert.match(error.commands[1], /-ObjectId <OBJECT-ID>$/);
    });
  });

  test("roles that are there, among others: proven", async () => {
    issue(
      readableToken({ ...claims, roles: ["Mail.Read", "POP.AccessAsApp", "IMAP.AccessAsApp"] }),
    );
    const result = await run(options("--access", "imap,pop"));
    assert.equal(result.status, 0, result.stderr);
  });

  for (const [what, token] of [
    ["an opaque token", "EwBgA8l6BAAU-opaque-token"],
    ["one that only looks like a JWT", "not.a.token"],
  ] as const) {
    test(`${what} is not judged by roles: the login decides`, async () => {
      issue(token);
      const result = await run();
      assert.equal(result.status, 0, result.stderr);
      assert.equal(scene.lines().accessToken, token);
    });
  }

  test("an app's token names no person, and is not compared with the address", async () => {
    const roles = ["IMAP.AccessAsApp"];
    issue(
      readableToken({ ...claims, roles, email: "other@example.test", upn: "other@example.test" }),
    );
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.doesNotMatch(result.stderr, /other@example\.test/);
  });

  for (const login of ["notConnected", "refuse"] as const) {
    test(`${login}: 77, PowerShell lines, and what was stored stays`, async () => {
      const notes = {
        Provider: "office365",
        Client: "app-id",
        Tenant: tenant,
        Flow: "client-credentials",
      };
      scene.write(tokenFileText("old-access-token", "", notes));
      const before = scene.read();
      scene.imap.login = (token) => (token === "old-access-token" ? "accept" : login);
      issue(readableToken({ ...claims, roles: ["IMAP.AccessAsApp"] }));
      const result = await run(options("--json"));
      assert.equal(result.status, 77, result.stderr);
      const { error } = JSON.parse(result.stdout);
      assert.equal(error.code, "mailboxRefused");
      assert.match(error.commands[1], new RegExp(`-AppId app-id -ObjectId ${claims.oid}$`));
      assert.match(error.hint, /Enterprise applications/);
      assert.equal(scene.read(), before);
    });
  }

  test("a mail server that cannot be reached: 75, and the token is kept, unproven", async () => {
    scene.imap.isAway = true;
    issue(readableToken({ ...claims, roles: ["IMAP.AccessAsApp"] }));
    const result = await run();
    assert.equal(result.status, 75, result.stderr);
    assert.match(scene.read() ?? "", /^# Verified: no, unverified/m);
  });

  for (const [error, status, description] of [
    ["invalid_client", 401, "AADSTS7000215: Invalid client secret provided."],
    ["invalid_client", 401, "AADSTS7000222: The provided client secret keys are expired."],
    ["invalid_client", 401, "AADSTS700027: The certificate is not registered on application."],
    ["unauthorized_client", 400, "AADSTS700016: Application was not found in the directory."],
    ["invalid_request", 400, "AADSTS90002: Tenant 'contoso.example' not found."],
    ["invalid_grant", 400, "AADSTS65001: nobody has consented"],
  ] as const) {
    test(`${description.slice(0, 13)}: 77 with the words, once asked, nobody has to sign in`, async () => {
      refuse(error, description, status);
      const result = await run(options("--json"));
      assert.equal(result.status, 77, result.stderr);
      assert.ok(result.stderr.includes(description));
      const { error: told } = JSON.parse(result.stdout);
      assert.equal(told.code, "applicationRefused");
      assert.equal(told.oauthError, error);
      assert.equal(scene.endpoint.requests.length, 1);
      assert.equal(scene.read(), undefined);
    });
  }

  test("the server's words are harmless, and do not quote the secret", async () => {
    refuse("invalid_client", `\u001b[31mwrong: ${secret}`);
    const result = await run();
    assert.equal(result.status, 77);
    assert.match(result.stderr, /wrong: \[secret\]/);
    assert.ok(!result.stderr.includes("\u001b"));
  });

  for (const [what, trouble, status] of [
    ["503", { status: 503, body: "busy" }, 75],
    ["a dropped connection", "drop", 75],
    ["HTML", { status: 200, body: "<!doctype html>" }, 76],
  ] as const) {
    test(`${what}: ${status}, and nothing is stored`, async () => {
      scene.endpoint.answer = () => trouble;
      const result = await run();
      assert.equal(result.status, status, result.stderr);
      assert.equal(scene.endpoint.requests.length, 1);
      assert.equal(scene.read(), undefined);
    });
  }

  test("an answer that stops in the middle is given up after 60 seconds: 75", async () => {
    scene.endpoint.answer = () => ({
      status: 200,
      body: { access_token: "never-seen-whole" },
      onStall: () => world.pass(60_000),
    });
    const result = await run();
    assert.equal(result.status, 75, result.stderr);
    assert.match(result.stderr, /nobody answered in time/);
  });

  test("Ctrl-C while it is asked for: the token is stored, unproven, and then 130", async () => {
    scene.endpoint.answer = () => {
      world.interrupt("SIGINT");
      return { status: 200, body: { token_type: "Bearer", access_token: "opaque-token" } };
    };
    const result = await run();
    assert.equal(result.status, 130, result.stderr);
    assert.equal(scene.lines().accessToken, "opaque-token");
    assert.match(scene.read() ?? "", /^# Verified: no, unverified/m);
    assert.equal(scene.imap.logins.length, 0);
  });

  test("a disk that is not to be written to: 73, and nothing is asked", async () => {
    const link = join(scene.directory, "link.txt");
    symlinkSync(join(scene.directory, "elsewhere.txt"), link);
    const result = await run(options("--token-file", link));
    assert.equal(result.status, 73, result.stderr);
    assert.equal(world.requests.length, 0);
  });

  test("a refresh token beside it is of no use, and is not kept", async () => {
    answer(() => ({
      status: 200,
      body: { token_type: "Bearer", access_token: "opaque", refresh_token: "never-wanted" },
    }));
    assert.equal((await run()).status, 0);
    assert.equal(scene.lines().refreshToken, "");
  });

  test("a secret has nothing to do with the clock: a refusal is not tried again by another one", async () => {
    serverNow = () => world.now() + 3_600_000;
    refuse("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401);
    const result = await run();
    assert.equal(result.status, 77, result.stderr);
    assert.equal(scene.endpoint.requests.length, 1);
    assert.doesNotMatch(result.stderr, /clock/);
  });

  describe("what is missing is said before anybody is asked: 78", () => {
    afterEach(() => assert.equal(world.requests.length, 0));

    test("the tenant, with the address's domain as advice", async () => {
      const result = await run(ours("--client-id", "app-id"));
      assert.equal(result.status, 78, result.stderr);
      assert.match(result.stderr, /needs --tenant/);
      assert.match(result.stderr, /hint: .*--tenant example\.test/);
    });

    for (const name of ["common", "organizations", "consumers"]) {
      test(`${name} is no tenant of an application`, async () => {
        const result = await run(ours("--client-id", "app-id", "--tenant", name));
        assert.equal(result.status, 78, result.stderr);
      });
    }

    test("an application of one's own", async () => {
      setWorld({});
      const result = await run(ours("--tenant", tenant));
      assert.equal(result.status, 78, result.stderr);
      assert.match(result.stderr, /needs an application of your own; thunderbird has no right/);
    });

    test("its credentials", async () => {
      setWorld({});
      const result = await run();
      assert.equal(result.status, 78, result.stderr);
      assert.match(result.stderr, /needs the application's secret or certificate/);
    });

    test("a company: personal accounts have no application permissions", async () => {
      const args = [user, "--provider", "outlook", "--flow", "client-credentials", ...servers()];
      const result = await run([...args, "--client-id", "app-id"]);
      assert.equal(result.status, 78, result.stderr);
      assert.match(result.stderr, /personal accounts have no application permissions/);
    });

    test("another provider", async () => {
      const args = [user, "--provider", "google", "--flow", "client-credentials", ...servers()];
      const result = await run([...args, "--client-id", "app-id"]);
      assert.equal(result.status, 78, result.stderr);
    });

    test("--refresh-token-stdin contradicts it", async () => {
      const result = await run(options("--refresh-token-stdin"));
      assert.equal(result.status, 78, result.stderr);
    });
  });

  describe("a certificate", () => {
    beforeEach(() => setWorld({}));

    const by = (certificate: string, key?: string) =>
      options("--client-certificate", certificate, ...(key ? ["--client-key", key] : []));

    test("signs as Microsoft's document has it: PS256, x5t#S256, 5 minutes, the token endpoint", async () => {
      issue(readableToken({ ...claims, roles: ["IMAP.AccessAsApp"] }));
      assert.equal((await run(by(known.certificateFile, known.keyFile))).status, 0);
      assert.equal((await run(by(known.bothFile))).status, 0);
      const jtis = await Promise.all(
        scene.endpoint.requests.map(async (request) => {
          assert.equal(request.has("client_secret"), false);
          assert.equal(
            request.get("client_assertion_type"),
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
          );
          const assertion = request.get("client_assertion") ?? "";
          const {
            alg,
            typ,
            "x5t#S256": x5t,
          } = decodeProtectedHeader(assertion) as Record<string, unknown>;
          assert.deepEqual({ alg, typ, x5t }, { alg: "PS256", typ: "JWT", x5t: known.thumbprint });
          const { payload } = await jwtVerify(
            assertion,
            await importJWK(known.publicKey, "PS256"),
            {
              currentDate: new Date(world.now()),
            },
          );
          const seconds = Math.floor(world.now() / 1000);
          const { jti, ...rest } = payload;
          assert.deepEqual(rest, {
            iss: "app-id",
            sub: "app-id",
            aud: endpointOf(tenant),
            iat: seconds - 60,
            nbf: seconds - 60,
            exp: seconds + 300,
          });
          return jti;
        }),
      );
      assert.equal(new Set(jtis).size, 2);
      assert.ok(jtis.every((jti) => (jti?.length ?? 0) >= 16));
    });

    test("comes before a secret that is in the environment", async () => {
      setWorld({ MXTOKEN_CLIENT_SECRET: secret });
      issue("opaque-token");
      assert.equal((await run(by(known.bothFile))).status, 0);
      assert.equal(scene.endpoint.requests[0]?.has("client_secret"), false);
      assert.ok(scene.endpoint.requests[0]?.has("client_assertion"));
    });

    for (const hours of [1, -1]) {
      test(`${hours} hour off: refused once, then by the server's clock, with a warning`, async () => {
        serverNow = () => world.now() - hours * 3_600_000;
        answer((request) => {
          const [, payload = ""] = (request.get("client_assertion") ?? "").split(".");
          const { nbf, exp } = JSON.parse(Buffer.from(payload, "base64url").toString());
          const isInTime = nbf * 1000 <= serverNow() + 300_000 && serverNow() < exp * 1000;
          const error_description = "AADSTS700024: Client assertion is not within its valid time";
          return isInTime
            ? { status: 200, body: { token_type: "Bearer", access_token: "opaque-token" } }
            : { status: 401, body: { error: "invalid_client", error_description } };
        });
        const result = await run(by(known.bothFile));
        assert.equal(result.status, 0, result.stderr);
        assert.equal(scene.endpoint.requests.length, 2);
        const direction = hours > 0 ? "ahead of" : "behind";
        assert.match(
          result.stderr,
          new RegExp(
            `warning: this machine's clock is 60 minutes ${direction} login\\.microsoftonline\\.com`,
          ),
        );
      });
    }

    for (const [ahead, requests] of [
      [5, 1],
      [30, 1],
      [59, 1],
      [90, 2],
      [-400, 2],
    ] as const) {
      test(`${ahead} s ahead of a server that forgives nothing`, async () => {
        serverNow = () => world.now() - ahead * 1000;
        answer((request) => {
          const [, payload = ""] = (request.get("client_assertion") ?? "").split(".");
          const { iat, nbf, exp } = JSON.parse(Buffer.from(payload, "base64url").toString());
          const now = serverNow() / 1000;
          return iat <= now && nbf <= now && now < exp && exp - iat <= 3600
            ? { status: 200, body: { token_type: "Bearer", access_token: "opaque-token" } }
            : { status: 401, body: { error: "invalid_client" } };
        });
        const result = await run(by(known.bothFile));
        assert.equal(result.status, 0, result.stderr);
        assert.equal(scene.endpoint.requests.length, requests);
        if (requests === 2)
          assert.match(result.stderr, /clock is (?:90 seconds ahead of|7 minutes behind)/);
      });
    }

    test("refused by both clocks: 77 after two requests", async () => {
      serverNow = () => world.now() + 3_600_000;
      refuse("invalid_client", "AADSTS700027: not registered", 401);
      const result = await run(by(known.bothFile));
      assert.equal(result.status, 77, result.stderr);
      assert.equal(scene.endpoint.requests.length, 2);
    });

    test("readable by everybody: a warning", async () => {
      issue("opaque-token");
      const path = join(keys, "exposed.pem");
      writeFileSync(path, readFileSync(known.bothFile));
      chmodSync(path, 0o644);
      const result = await run(by(path));
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stderr, /warning: .*exposed\.pem can be read by everybody/);
      setWorld({});
      assert.doesNotMatch((await run(by(known.bothFile))).stderr, /can be read by everybody/);
    });

    async function assertRefused(args: string[], status: number, words: RegExp): Promise<void> {
      const result = await run(args);
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, words);
      assert.equal(world.requests.length, 0);
      const line = known.key.split("\n")[1] ?? "";
      assert.ok(!result.stderr.includes(line));
    }

    test("with the key of another one: 78", () =>
      assertRefused(
        by(known.certificateFile, other.keyFile),
        78,
        /is not the one of the certificate/,
      ));

    test("that has expired: 78", async () => {
      const until = world.now() - 1000;
      const old = await issueClientCertificate(keys, "old", { until, from: until - 86_400_000 });
      await assertRefused(by(old.bothFile), 78, /has expired/);
    });

    test("with an EC key: 65, because PS256 needs RSA", async () => {
      const ec = await issueClientCertificate(keys, "ec", { keyType: "ec" });
      await assertRefused(by(ec.bothFile), 65, /is no RSA key[\s\S]*PS256/);
    });

    test("with a passphrase: 65, and how to take it off", async () => {
      const path = join(keys, "locked.pem");
      const encrypted = createPrivateKey(known.key).export({
        type: "pkcs8",
        format: "pem",
        cipher: "aes-256-cbc",
        passphrase: "open sesame",
      });
      writeFileSync(path, encrypted);
      await assertRefused(
        by(known.certificateFile, path),
        65,
        /has a passphrase[\s\S]*openssl pkey/,
      );
    });

    test("that is none: 65", async () => {
      const path = join(keys, "garbage.pem");
      writeFileSync(path, "-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n");
      await assertRefused(by(path), 65, /holds no certificate in PEM form/);
    });

    test("without a key: 65", () =>
      assertRefused(by(known.certificateFile), 65, /holds no private key in PEM form/));

    test("whose key is garbage: 65", async () => {
      const path = join(keys, "garbage-key.pem");
      writeFileSync(path, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
      await assertRefused(by(known.certificateFile, path), 65, /holds no private key/);
    });

    test("that is not there: 78", () =>
      assertRefused(by(join(keys, "missing.pem")), 78, /cannot read .*it does not exist/));

    test("that is missing beside a key: 78", () =>
      assertRefused(
        options("--client-key", known.keyFile),
        78,
        /--client-key needs --client-certificate/,
      ));
  });
});
