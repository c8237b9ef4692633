import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { encode } from "uqr";
import { main } from "../../src/cli/main.ts";
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from "../scene/authorization-server.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { type Dovecot, startDovecot } from "../scene/dovecot.ts";
import { runProgram } from "../scene/program.ts";
import { type Result, runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import type { Answer } from "../scene/token-endpoint.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

/** Makes a terminal of standard error, at which somebody sits; a wide one folds nothing. */
function atTerminal(world: TestWorld, columns = 1000): TestWorld {
  Object.assign(world.stderr, { isTTY: true, columns });
  return world;
}

const escapeSign = "\u001b";
/** Bright white on black. */
const colour = `${escapeSign}[97;40m`;

/** Runs `action` when the program goes to sleep for the nth time. */
function onSleep(world: TestWorld, nth: number, action: () => unknown): void {
  const sleep = world.sleep;
  let count = 0;
  world.sleep = async (ms, stop) => {
    count += 1;
    if (count === nth) await action();
    return sleep(ms, stop);
  };
}

function shownCode(stderr: string): { address: string; userCode: string } {
  const [, address = ""] = /at this address:\n\n(.+)\n\n/.exec(stderr) ?? [];
  const [, userCode = ""] = /type this code there:\n\n(.+)\n\n/.exec(stderr) ?? [];
  return { address, userCode };
}

describe("against oidc-provider and Dovecot", () => {
  let directory: string;
  let certificates: Certificates;
  let server: AuthorizationServer;
  let dovecot: Dovecot;
  let homes = 0;

  before(async () => {
    directory = temporaryDirectory();
    certificates = await issueCertificates(directory);
    server = await startAuthorizationServer(certificates);
    dovecot = await startDovecot(directory, certificates, server, [user]);
  });
  after(async () => {
    await dovecot?.close();
    await server?.close();
  });

  function options(home: string): string[] {
    return [
      ...["--provider", "office365", "--client-id", server.clientId, "--flow", "device"],
      ...["--scope", "mail offline_access", "--device-uri", server.deviceUri],
      ...["--token-uri", server.tokenUri, "--imap-server", `localhost:${dovecot.imaps}`],
      ...["--ca-file", certificates.caFile, "--home", home],
    ];
  }

  function newHome(): string {
    homes += 1;
    return join(directory, `home-${homes}`);
  }

  async function signIn(home: string, deny: boolean, ...more: string[]): Promise<Result> {
    const world = atTerminal(testWorld({ cwd: directory }));
    onSleep(world, 2, async () => {
      const { address, userCode } = shownCode(world.written.stderr);
      const page = await server.enterUserCode(address, userCode, { account: user, deny });
      assert.match(page, deny ? /The Sign-in request was interrupted/ : /Sign-in Success/);
    });
    const status = await main([user, ...options(home), ...more], world);
    return { status, ...world.written };
  }

  const tokenFile = (home: string) => join(home, "tokens", `oauth2_tokens_${user}.txt`);

  test("code, page, consent, token, login, file; then a refresh that needs no --flow", async () => {
    const home = newHome();
    const seen = server.seen.length;
    const result = await signIn(home, false, "--verbose");
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stdout, `${tokenFile(home)}\n`);
    assert.match(result.stderr, /proven by IMAP login to localhost:\d+ as foo@example\.test/);
    const device = "urn:ietf:params:oauth:grant-type:device_code";
    assert.deepEqual(server.seen.slice(seen), [
      { grantType: device, refused: true },
      { grantType: device, refused: false },
    ]);
    const { address, userCode } = shownCode(result.stderr);
    assert.equal(address, `${server.issuer}/device`);
    assert.match(userCode, /^[A-Z]{4}-[A-Z]{4}$/);
    for (const secret of server.secrets) assert.ok(!result.stderr.includes(secret));
    assert.ok(server.secrets.length >= 3);
    const former = readFileSync(tokenFile(home), "utf8");
    assert.match(former, /^# Flow: device$/m);
    assert.match(former, /^\S+\n\S+\n#/);

    const without = options(home).filter((word) => word !== "--flow" && word !== "device");
    const again = await runMain([user, ...without], testWorld({ cwd: directory }));
    assert.equal(again.status, 0, again.stderr);
    assert.equal(server.seen.at(-1)?.grantType, "refresh_token");
    assert.notEqual(readFileSync(tokenFile(home), "utf8"), former);
    assert.match(readFileSync(tokenFile(home), "utf8"), /^# Flow: device$/m);
  });

  test("where the server tells its endpoints, --issuer will do", async () => {
    const home = newHome();
    const world = atTerminal(testWorld({ cwd: directory }));
    onSleep(world, 1, () => {
      const { address, userCode } = shownCode(world.written.stderr);
      return server.enterUserCode(address, userCode, { account: user });
    });
    const args = [
      ...[user, "--issuer", server.issuer, "--client-id", server.clientId, "--flow", "device"],
      ...["--scope", "mail offline_access", "--imap-server", `localhost:${dovecot.imaps}`],
      ...["--ca-file", certificates.caFile, "--home", home],
    ];
    assert.equal(await main(args, world), 0, world.written.stderr);
    assert.match(readFileSync(tokenFile(home), "utf8"), /^# Provider: custom$/m);
  });

  test("a person who says no: 77, and nothing is stored", async () => {
    const home = newHome();
    const result = await signIn(home, true);
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /the sign-in was refused: access_denied: End-User aborted/);
    assert.equal(result.stdout, "");
    assert.equal(existsSync(tokenFile(home)), false);
  });
});

/** What a device authorization endpoint and a token endpoint answer, in their order. */
class DeviceServer {
  readonly scene: Scene;
  /** members of the answers to requests for a code; the last one again and again */
  codes: (Record<string, unknown> | Answer)[] = [{}];
  /** the last one again and again */
  polls: Answer[] = [granted];
  /** when they came by the program's clock, in seconds after the code was asked for */
  readonly polledAt: number[] = [];
  readonly asked: URLSearchParams[] = [];
  /** the device codes of the polls */
  readonly polledWith: string[] = [];
  #since = 0;

  constructor(scene: Scene, now: () => number) {
    this.scene = scene;
    scene.endpoint.answer = (request, { path }) => {
      if (path === "/device") return this.#authorize(request, now());
      assert.equal(request.get("grant_type"), "urn:ietf:params:oauth:grant-type:device_code");
      this.polledAt.push((now() - this.#since) / 1000);
      this.polledWith.push(request.get("device_code") ?? "");
      return (this.polls.length > 1 ? this.polls.shift() : this.polls[0]) ?? "drop";
    };
  }

  #authorize(request: URLSearchParams, now: number): Answer {
    this.asked.push(request);
    this.#since = now;
    const code = (this.codes.length > 1 ? this.codes.shift() : this.codes[0]) ?? {};
    if (code === "drop" || "status" in code) return code as Answer;
    const body = {
      device_code: `device-code-${this.asked.length}-kept-from-everybody`,
      user_code: `USER-${this.asked.length}`,
      verification_uri: "https://microsoft.example/devicelogin",
      expires_in: 900,
      interval: 5,
      ...code,
    };
    return { status: 200, body };
  }
}

const accessToken = "an-access-token-0123456789";
const refreshToken = "a-refresh-token-0123456789";
const granted: Answer = {
  status: 200,
  body: {
    access_token: accessToken,
    refresh_token: refreshToken,
    token_type: "Bearer",
    expires_in: 3600,
    scope: "mail",
  },
};
const refused = (error: string, error_description = "as it is said there"): Answer => ({
  status: 400,
  body: { error, error_description },
});
const pending = refused("authorization_pending", "AADSTS70016: pending");

describe("against scripted endpoints", () => {
  let scene: Scene;
  let world: TestWorld;
  let server: DeviceServer;

  beforeEach(async () => {
    scene = await setScene();
    world = atTerminal(scene.world());
    server = new DeviceServer(scene, world.now);
  });
  afterEach(() => scene?.close());

  const options = () => [
    ...["--provider", "office365", "--client-id", "test-client", "--scope", "mail"],
    ...["--flow", "device", "--device-uri", `${scene.endpoint.origin}/device`],
    ...["--token-uri", scene.endpoint.uri, "--imap-server", `localhost:${scene.imap.port}`],
    ...["--ca-file", scene.certificates.caFile, "--home", scene.directory],
  ];

  async function run(...more: string[]): Promise<Result> {
    const result = await runMain([user, ...options(), ...more], world);
    for (const code of server.polledWith) {
      assert.ok(!result.stderr.includes(code) && !result.stdout.includes(code));
    }
    for (const token of [accessToken, refreshToken]) {
      assert.ok(!result.stderr.includes(token) && !result.stdout.includes(token));
    }
    return result;
  }

  test("shows where to go and what to type, and asks as RFC 8628 says", async () => {
    const result = await run("--verbose");
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(shownCode(result.stderr), {
      address: "https://microsoft.example/devicelogin",
      userCode: "USER-1",
    });
    assert.match(result.stderr, /sign in as foo@example\.test with any browser on any device/);
    assert.match(result.stderr, /type no code that somebody else has sent you.* 15\s+minutes/s);
    assert.deepEqual(Object.fromEntries(server.asked[0] ?? []), {
      client_id: "test-client",
      scope: "mail",
    });
    assert.deepEqual(Object.fromEntries(scene.endpoint.requests.at(-1) ?? []), {
      client_id: "test-client",
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: "device-code-1-kept-from-everybody",
    });
    assert.deepEqual(scene.lines(), { accessToken, refreshToken });
    assert.match(result.stderr, /device_code=\[secret\]/);
    assert.match(result.stdout, /^\/\S+\n$/);
  });

  test("polls by itself, at the interval that the server names", async () => {
    server.codes = [{ interval: 7 }];
    server.polls = [pending, pending, pending, granted];
    assert.equal((await run()).status, 0);
    assert.deepEqual(server.polledAt, [7, 14, 21, 28]);
  });

  test("every 5 seconds where the server names none", async () => {
    server.codes = [{ interval: undefined }];
    server.polls = [pending, granted];
    assert.equal((await run()).status, 0);
    assert.deepEqual(server.polledAt, [5, 10]);
  });

  for (const interval of [0, -3, "soon", null]) {
    test(`an interval of ${interval} is not obeyed`, async () => {
      server.codes = [{ interval }];
      server.polls = [pending, granted];
      const result = await run();
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(server.polledAt, [5, 10]);
    });
  }

  test("slow_down adds 5 seconds, each time and for good", async () => {
    server.polls = [pending, refused("slow_down"), pending, refused("slow_down"), pending, granted];
    assert.equal((await run()).status, 0);
    assert.deepEqual(server.polledAt, [5, 10, 20, 30, 45, 60]);
  });

  test("slow_down with status 429 is the same", async () => {
    const slowDown = { status: 429, body: { error: "slow_down" } };
    server.polls = [slowDown, pending, slowDown, pending, granted];
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(server.polledAt, [5, 15, 25, 40, 55]);
    assert.doesNotMatch(result.stderr, /still waiting/);
  });

  test("interval and expires_in as strings, and verification_url as it was called of old", async () => {
    server.codes = [
      {
        interval: "7",
        expires_in: "600",
        verification_uri: undefined,
        verification_url: "https://old.example/device",
      },
    ];
    server.polls = [pending, granted];
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(server.polledAt, [7, 14]);
    assert.equal(shownCode(result.stderr).address, "https://old.example/device");
    assert.match(result.stderr, /good for 10\s+minutes/);
  });

  for (const error of ["authorization_pending", "slow_down"]) {
    test(`${error} with the status of another server is the same`, async () => {
      server.polls = [{ status: 428, body: { error } }, granted];
      const result = await run();
      assert.equal(result.status, 0, result.stderr);
    });
  }

  for (const [error, description] of [
    ["expired_token", ""],
    ["code_expired", "AADSTS70019: Verification code expired."],
    ["invalid_grant", "as it is said there"],
    ["bad_verification_code", "AADSTS: whatever"],
    ["incorrect_device_code", "The device_code provided is not valid."],
    ["invalid_request", "Unknown device code"],
  ] as const) {
    test(`${error}: another code is fetched and shown`, async () => {
      server.polls = [pending, refused(error, description), pending, granted];
      const result = await run();
      assert.equal(result.status, 0, result.stderr);
      assert.equal(server.asked.length, 2);
      assert.match(result.stderr, /the code has expired; getting another one/);
      assert.equal(result.stderr.match(/^USER-\d$/gm)?.join(), "USER-1,USER-2");
      assert.deepEqual(
        [...new Set(server.polledWith.map((code) => code.slice(0, 13)))],
        ["device-code-1", "device-code-2"],
      );
    });
  }

  test("a server that ends every code is quoted", async () => {
    server.polls = [refused("invalid_grant", "Device flow is switched off here")];
    const result = await run();
    assert.equal(result.status, 77, result.stderr);
    assert.match(
      result.stderr.replace(/\s+/g, " "),
      /4 codes expired \(the server says: invalid_grant: Device flow is switched off here\)/,
    );
  });

  test("a code whose time has run out is not polled for any more", async () => {
    server.codes = [{ expires_in: 12 }];
    server.polls = [pending, pending, pending, granted];
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.equal(server.asked.length, 2);
    // Once more at its end, and then for the next one.
    assert.deepEqual(server.polledAt, [5, 10, 12, 5]);
  });

  test("three more codes at most: then 77, and nothing is stored", async () => {
    server.codes = [{ expires_in: 60 }];
    server.polls = [pending];
    const result = await run();
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /nobody signed in before 4 codes expired/);
    assert.equal(server.asked.length, 4);
    assert.equal(scene.read(), undefined);
  });

  for (const error of ["access_denied", "authorization_declined"]) {
    test(`${error}: 77, with the server's words, and nothing is stored`, async () => {
      server.polls = [pending, refused(error, "AADSTS65004: the person \u001b[31mdeclined")];
      const result = await run("--json");
      assert.equal(result.status, 77, result.stderr);
      assert.match(
        result.stderr,
        /the sign-in was refused: .*AADSTS65004: the person \[31mdeclined/,
      );
      const { error: told } = JSON.parse(result.stdout);
      assert.equal(told.code, "signInDeclined");
      assert.equal(told.oauthError, error);
      assert.equal(server.polledAt.length, 2);
      assert.equal(scene.read(), undefined);
    });
  }

  for (const [error, status, code] of [
    ["interaction_required", 77, "signInNeeded"],
    ["invalid_client", 77, "applicationRefused"],
    ["unauthorized_client", 77, "applicationRefused"],
  ] as const) {
    test(`${error} while polling is the end: ${status}`, async () => {
      server.polls = [refused(error)];
      const result = await run("--json");
      assert.equal(result.status, status, result.stderr);
      assert.equal(JSON.parse(result.stdout).error.code, code);
      assert.equal(server.polledAt.length, 1);
    });
  }

  test("an answer that holds tokens and is not understood is kept: 76", async () => {
    server.polls = [{ status: 200, body: { refresh_token: refreshToken, access_token: ["x"] } }];
    const result = await run();
    assert.equal(result.status, 76, result.stderr);
    assert.match(
      result.stderr.replace(/\s+/g, " "),
      /its answer, perhaps with new tokens, is kept in/,
    );
  });

  test("a poll that hangs does not outlive --timeout", async () => {
    const begun = world.now();
    const stalled: Answer = { status: 200, body: granted, onStall: () => world.pass(5000) };
    server.polls = [pending, stalled];
    const result = await run("--timeout", "7");
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /nobody signed in within 7 seconds/);
    assert.equal((world.now() - begun) / 1000, 12);
  });

  for (const [what, trouble] of [
    ["a dropped connection", "drop"],
    ["503", { status: 503, body: "busy" }],
    ["429", { status: 429, body: "" }],
    ["temporarily_unavailable", refused("temporarily_unavailable")],
    ["a page of the network", { status: 200, body: "<html>sign in to the network</html>" }],
    ["a page with status 400", { status: 400, body: "<html>Bad Request</html>" }],
    ["a page with status 404", { status: 404, body: "<html>Not Found</html>" }],
    ["a redirect", { status: 302, headers: { location: "https://portal.test/" }, body: "" }],
    ["nothing with status 202", { status: 202, body: "" }],
    ["JSON of another kind", { status: 200, body: { status: "waiting" } }],
    ["a refusal of another form", { status: 400, body: { message: "Not so fast" } }],
  ] as const) {
    test(`${what} while polling is no end: it is told once, and asked less often`, async () => {
      server.polls = [trouble, trouble, pending, trouble, granted];
      const result = await run();
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(server.polledAt, [5, 15, 35, 40, 50]);
      assert.equal(result.stderr.match(/; still\s+waiting$/gm)?.length, 2);
    });
  }

  test("Retry-After while polling is obeyed", async () => {
    server.polls = [{ status: 429, headers: { "retry-after": "100" }, body: "" }, pending, granted];
    assert.equal((await run()).status, 0);
    assert.deepEqual(server.polledAt, [5, 105, 110]);
  });

  test("an answer that stops in the middle is given up after 60 seconds, and is no end", async () => {
    const stalled: Answer = {
      status: 200,
      body: { access_token: "never-seen-whole", token_type: "Bearer" },
      onStall: () => world.pass(60_000),
    };
    server.polls = [stalled, granted];
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /nobody answered in time; still\s+waiting/);
    assert.equal(scene.lines().accessToken, accessToken);
  });

  test("a code that stops in the middle: 75", async () => {
    server.codes = [
      { status: 200, body: { device_code: "x".repeat(100) }, onStall: () => world.pass(60_000) },
    ];
    const result = await run();
    assert.equal(result.status, 75, result.stderr);
    assert.match(result.stderr, /nobody answered in time/);
  });

  for (const [what, address] of [
    ["http", "http://microsoft.example/devicelogin"],
    ["javascript", "javascript:alert(1)"],
    ["a control character", "https://microsoft.example/\u001b[31mdevice"],
    ["a line break", "https://microsoft.example/\ndevice"],
    ["a blank", "https://microsoft.example/ device"],
    ["nothing like an address", "devicelogin"],
    ["no address", undefined],
  ] as const) {
    for (const member of ["verification_uri", "verification_uri_complete"]) {
      if (address === undefined && member === "verification_uri_complete") continue;
      test(`${what} as ${member}: 76, and nobody is sent there`, async () => {
        server.codes = [{ [member]: address }];
        const result = await run();
        assert.equal(result.status, 76, result.stderr);
        assert.doesNotMatch(result.stderr, /type this code|javascript/);
        assert.ok(!result.stderr.includes(escapeSign));
        assert.equal(server.polledAt.length, 0);
      });
    }
  }

  test("control characters in a user code are not shown", async () => {
    server.codes = [{ user_code: "AB\u001b[31mCD\n\nmxtoken: done" }];
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.ok(!result.stderr.includes("\u001b[31m"));
    assert.doesNotMatch(result.stderr, /^mxtoken: done/m);
  });

  for (const [what, answer, status] of [
    ["invalid_scope", refused("invalid_scope", "Invalid device flow scope."), 77],
    ["invalid_client", refused("invalid_client"), 77],
    ["503", { status: 503, body: "" }, 75],
    ["a dropped connection", "drop", 75],
    ["HTML", { status: 200, body: "<html></html>" }, 76],
    ["no user code", { status: 200, body: { device_code: "some-device-code" } }, 76],
  ] as const) {
    test(`no code because of ${what}: ${status}, and nothing is stored`, async () => {
      server.codes = [answer];
      const result = await run();
      assert.equal(result.status, status, result.stderr);
      assert.equal(server.polledAt.length, 0);
      assert.equal(scene.read(), undefined);
    });
  }

  test("--timeout ends the wait, whatever the codes say: 77", async () => {
    server.polls = [pending];
    const result = await run("--timeout", "12");
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /nobody signed in within 12 seconds/);
    assert.deepEqual(server.polledAt, [5, 10, 12]);
    assert.equal(server.asked.length, 1);
  });

  test("--timeout beyond a code's life counts over all of them", async () => {
    server.codes = [{ expires_in: 10 }];
    server.polls = [pending];
    const result = await run("--timeout", "25");
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /within 25 seconds/);
    assert.equal(server.asked.length, 3);
  });

  test("--timeout ends the wait also while another code cannot be had", async () => {
    const begun = world.now();
    server.codes = [{ expires_in: 10 }, "drop"];
    server.polls = [pending];
    const result = await run("--timeout", "25");
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /nobody signed in within 25 seconds/);
    assert.equal((world.now() - begun) / 1000, 25);
  });

  test("nobody is there: 77, and nothing is asked", async () => {
    Object.assign(world.stderr, { isTTY: false });
    const result = await run();
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /a person must sign in, and nobody is there/);
    assert.equal(scene.endpoint.requests.length, 0);
  });

  test("nobody is there, but --timeout says that somebody will look", async () => {
    Object.assign(world.stderr, { isTTY: false });
    assert.equal((await run("--timeout", "60")).status, 0);
  });

  test("a stored refresh token that is dead leads to a new code, without --flow", async () => {
    const notes = { Provider: "office365", Flow: "device", Tenant: "common" };
    scene.write(tokenFileText("old-access-token", "dead-refresh-token", notes));
    const { answer } = scene.endpoint;
    scene.endpoint.answer = (request, sent) =>
      request.get("grant_type") === "refresh_token"
        ? refused("invalid_grant", "AADSTS70008: expired")
        : answer(request, sent);
    const without = options().filter((word) => word !== "--flow" && word !== "device");
    const result = await runMain([user, ...without], world);
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /a sign-in is needed: .*AADSTS70008/);
    assert.deepEqual(scene.lines(), { accessToken, refreshToken });
  });

  test("the lock is not held while a person is waited for", async () => {
    server.polls = [pending, granted];
    let other: Result | undefined;
    onSleep(world, 2, async () => {
      other = await runMain([user, ...options()], atTerminal(scene.world()));
    });
    const result = await run();
    assert.equal(other?.status, 0, other?.stderr);
    assert.equal(result.status, 0, result.stderr);
    assert.doesNotMatch(result.stderr, /waiting for another process/);
  });

  test("Ctrl-C while waiting: 130, and nothing is stored", async () => {
    server.polls = [pending];
    onSleep(world, 3, () => world.interrupt("SIGINT"));
    const result = await run();
    assert.equal(result.status, 130, result.stderr);
    assert.equal(server.polledAt.length, 2);
    assert.equal(scene.read(), undefined);
  });

  test("Ctrl-C while the token is on its way: it is stored, unproven, and then 130", async () => {
    const { answer } = scene.endpoint;
    scene.endpoint.answer = (request, sent) => {
      if (sent.path !== "/device") world.interrupt("SIGINT");
      return answer(request, sent);
    };
    const result = await run();
    assert.equal(result.status, 130, result.stderr);
    assert.deepEqual(scene.lines(), { accessToken, refreshToken });
    assert.match(scene.read() ?? "", /^# Verified: no, unverified/m);
    assert.equal(scene.imap.logins.length, 0);
  });

  test("a mailbox that refuses the token: 77, and nothing is stored", async () => {
    scene.imap.login = () => "refuse";
    const result = await run();
    assert.equal(result.status, 77, result.stderr);
    assert.equal(scene.read(), undefined);
  });

  test("no refresh token is told", async () => {
    server.polls = [{ status: 200, body: { access_token: accessToken } }];
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /warning: the server gave no refresh token/);
    assert.deepEqual(scene.lines(), { accessToken, refreshToken: "" });
  });

  test("a scope that was not granted is told", async () => {
    const body = { access_token: accessToken, refresh_token: refreshToken, scope: "post" };
    server.polls = [{ status: 200, body }];
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /warning: the scope mail was not granted/);
  });

  test("--quiet still shows what a person must do", async () => {
    const result = await run("--quiet");
    assert.equal(result.status, 0, result.stderr);
    assert.equal(shownCode(result.stderr).userCode, "USER-1");
  });

  test("a client with a secret proves itself at both endpoints", async () => {
    world = atTerminal(scene.world({ MXTOKEN_CLIENT_SECRET: "the-client-secret" }));
    const result = await run();
    assert.equal(result.status, 0, result.stderr);
    for (const request of scene.endpoint.requests) {
      assert.equal(request.get("client_secret"), "the-client-secret");
    }
    assert.ok(!result.stderr.includes("the-client-secret"));
  });

  test("as the built program: status, streams and file as they are promised", async () => {
    server.codes = [{ interval: 0.02 }];
    server.polls = [pending, granted];
    const run = runProgram([user, ...options(), "--timeout", "60"], { cwd: scene.directory });
    assert.deepEqual(await run.ended, { status: 0, signal: null }, run.written.stderr);
    assert.equal(run.written.stdout, `${scene.tokenFile}\n`);
    assert.deepEqual(shownCode(run.written.stderr), {
      address: "https://microsoft.example/devicelogin",
      userCode: "USER-1",
    });
    assert.ok(!run.written.stderr.includes(accessToken));
    assert.deepEqual(scene.lines(), { accessToken, refreshToken });
  });

  test("as the built program: declined is 77 and prints nothing, nobody there is 77 too", async () => {
    server.codes = [{ interval: 0.02 }];
    server.polls = [refused("authorization_declined")];
    const declined = runProgram([user, ...options(), "--timeout", "60"], { cwd: scene.directory });
    assert.deepEqual(await declined.ended, { status: 77, signal: null }, declined.written.stderr);
    assert.equal(declined.written.stdout, "");
    const asked = scene.endpoint.requests.length;
    const alone = runProgram([user, ...options()], { cwd: scene.directory });
    assert.deepEqual(await alone.ended, { status: 77, signal: null }, alone.written.stderr);
    assert.equal(scene.endpoint.requests.length, asked);
  });

  test("as the built program: SIGINT while waiting ends it with 130", async () => {
    server.polls = [pending];
    const run = runProgram([user, ...options(), "--timeout", "60"], { cwd: scene.directory });
    await run.shown("noticed here by itself");
    run.child.kill("SIGINT");
    assert.deepEqual(await run.ended, { status: 130, signal: null }, run.written.stderr);
    assert.equal(scene.read(), undefined);
  });

  describe("the QR code", () => {
    const complete = "https://microsoft.example/devicelogin?user_code=USER-1";
    /** two modules around the code itself */
    const sizeOf = (text: string) => encode(text, { border: 2 }).size;

    /** The modules that are shown, dark ones true. */
    function shownModules(stderr: string): boolean[][] {
      const rows = stderr
        .split("\n")
        .map((line) => line.split(colour).at(1)?.split(escapeSign)[0] ?? line)
        .filter((line) => /^[ █▀▄]{20,}$/.test(line));
      return rows.flatMap((row) => [
        [...row].map((half) => half === " " || half === "▄"),
        [...row].map((half) => half === " " || half === "▀"),
      ]);
    }

    function assertShows(stderr: string, text: string): void {
      const { data, size } = encode(text, { border: 2 });
      const shown = shownModules(stderr);
      assert.deepEqual(shown.slice(0, size), data);
    }

    test("is shown by itself where the terminal is wide enough, light on dark", async () => {
      atTerminal(world, sizeOf("https://microsoft.example/devicelogin"));
      const result = await run();
      assert.equal(result.status, 0, result.stderr);
      assertShows(result.stderr, "https://microsoft.example/devicelogin");
      assert.match(result.stderr.replaceAll(escapeSign, "ESC"), /^ESC\[97;40m█+ESC\[0m$/m);
    });

    test("has the code in it where the server has such an address", async () => {
      server.codes = [{ verification_uri_complete: complete }];
      const result = await run();
      assertShows(result.stderr, complete);
    });

    test("is not shown where the terminal is narrower", async () => {
      atTerminal(world, sizeOf("https://microsoft.example/devicelogin") - 1);
      const result = await run();
      assert.deepEqual(shownModules(result.stderr), []);
      assert.equal(shownCode(result.stderr).userCode, "USER-1");
    });

    test("is not shown where there is no terminal", async () => {
      Object.assign(world.stderr, { isTTY: false });
      const result = await run("--timeout", "60");
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(shownModules(result.stderr), []);
    });

    test("--qr shows it where the terminal is too narrow, and without colours where there is none", async () => {
      atTerminal(world, 20);
      assertShows((await run("--qr")).stderr, "https://microsoft.example/devicelogin");
      world = scene.world();
      const { stderr } = await run("--qr", "--timeout", "60", "--startover");
      assertShows(stderr, "https://microsoft.example/devicelogin");
      assert.ok(!stderr.includes(escapeSign));
    });
  });

  test("at Google: said before anything is asked, with another way that works", async () => {
    const servers = ["--imap-server", `localhost:${scene.imap.port}`, "--home", scene.directory];
    const args = [user, "--provider", "google", "--flow", "device", ...servers];
    const result = await runMain(args, world);
    assert.equal(result.status, 78, result.stderr);
    assert.match(result.stderr, /refuses every scope of mail/);
    assert.match(result.stderr, /hint: .*--remotebrowser/s);
    assert.equal(world.requests.length, 0);
  });

  test("a custom provider has to say where codes are handed out: 78", async () => {
    const own = ["--flow", "device", "--token-uri", scene.endpoint.uri, "--scope", "mail"];
    const servers = ["--imap-server", `localhost:${scene.imap.port}`, "--home", scene.directory];
    const args = [user, "--client-id", "test-client", ...own, ...servers];
    const result = await runMain(args, world);
    assert.equal(result.status, 78, result.stderr);
    assert.match(result.stderr, /these are needed too: --device-uri/);
    assert.equal(world.requests.length, 0);
  });
});

test("the address of a device code is asked at Microsoft's own endpoints by default", async () => {
  const scene = await setScene();
  const world = atTerminal(scene.world());
  world.http = async (request) => {
    world.requests.push(request);
    return { status: 503, headers: new Headers(), body: "", truncated: false };
  };
  const servers = ["--imap-server", `localhost:${scene.imap.port}`, "--home", scene.directory];
  const args = [user, "--provider", "office365", "--flow", "device", ...servers];
  const result = await runMain([...args, "--access", "imap,smtp"], world);
  assert.equal(result.status, 75, result.stderr);
  const [request] = world.requests;
  assert.equal(request?.url, "https://login.microsoftonline.com/common/oauth2/v2.0/devicecode");
  assert.equal(
    new URLSearchParams(request?.body).get("scope"),
    "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send offline_access",
  );
  await scene.close();
});
