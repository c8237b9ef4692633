import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { type Scene, setScene, tokenFileText, user, withoutRefusal } from "../scene/scene.ts";
import { signInByPaste } from "../scene/sign-in-by-paste.ts";
import type { Answer } from "../scene/token-endpoint.ts";

let scene: Scene;

before(async () => {
  scene = await setScene();
});
after(() => scene?.close());

beforeEach(async () => {
  await scene?.close();
  scene = await setScene();
  scene.write(tokenFileText("old-access-token", scene.account.current));
});

function isKept(answer: Answer): boolean {
  if (answer === "drop" || answer.status !== 200) return false;
  return typeof answer.body !== "string" || !answer.body.startsWith("<");
}

/** Beside the token file there is at most its lock, and what had to be kept. */
function assertTidy(): void {
  const kept = new Set(scene.kept().map((path) => basename(path)));
  const names = readdirSync(dirname(scene.tokenFile)).filter(
    (name) => name.startsWith(".") && !kept.has(name),
  );
  assert.deepEqual(names, names.length === 0 ? [] : [`.oauth2_tokens_${user}.txt.lock`]);
}

describe("a refresh that goes well", () => {
  test("proves the stored token, refreshes, proves the new one and writes both lines", async () => {
    const result = await scene.run();
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stdout, `${scene.tokenFile}\n`);
    const { accessToken, refreshToken } = scene.lines();
    assert.deepEqual(
      scene.imap.logins.map((login) => login.token),
      ["old-access-token", accessToken],
    );
    assert.equal(refreshToken, scene.account.current);
    assert.match(scene.read() ?? "", /^# Expires: 2026-11-20T13:00:00Z$/m);
    assert.match(
      scene.read() ?? "",
      /^# Verified: 2026-11-20T12:00:00Z by IMAP at localhost:\d+$/m,
    );
    assert.equal(statSync(scene.tokenFile).mode & 0o777, 0o600);
    assertTidy();
  });

  test("says what was proven, when it ends, and the imapsync options for both sides", async () => {
    const { stderr } = await scene.run();
    assert.match(
      stderr,
      /proven by IMAP login to localhost:\d+ as foo@example\.test with OAUTHBEARER: 1 folder, 7 messages in INBOX/,
    );
    assert.match(stderr, /expires at 2026-11-20T13:00:00Z, in 60 minutes/);
    for (const side of [1, 2]) {
      const options = `--host${side} localhost --port${side} ${scene.imap.port} --ssl${side} --user${side} ${user} --password${side} x --oauthaccesstoken${side} ${scene.tokenFile} --sslargs${side} SSL_verify_mode=1 --sslargs${side} SSL_ca_file=${scene.certificates.caFile}`;
      assert.ok(stderr.split("\n").includes(`  ${options}`), stderr);
    }
  });

  test("never opens INBOX for writing", async () => {
    await scene.run();
    assert.ok(scene.imap.commands.some((command) => command.startsWith("LIST")));
    assert.ok(scene.imap.commands.includes("EXAMINE INBOX"));
    assert.ok(!scene.imap.commands.some((command) => command.startsWith("SELECT")));
  });

  test("does not try a token whose expiry has passed: a failed login counts against the mailbox", async () => {
    scene.write(tokenFileText("old", scene.account.current, { Expires: "2026-11-20T11:59:59Z" }));
    assert.equal((await scene.run()).status, 0);
    assert.equal(scene.imap.logins.length, 1);
    assert.notEqual(scene.imap.logins[0]?.token, "old");
  });

  test("keeps the old refresh token where the server sends none", async () => {
    const { account } = scene;
    scene.endpoint.answer = () => ({
      status: 200,
      body: { access_token: "new", token_type: "Bearer" },
    });
    const result = await scene.run();
    assert.equal(result.status, 0);
    assert.deepEqual(scene.lines(), { accessToken: "new", refreshToken: account.current });
    assert.doesNotMatch(scene.read() ?? "", /Expires/);
    assert.match(result.stderr, /did not say when/);
  });

  for (const [what, members] of [
    ["expires_in as a string", { expires_in: "3600" }],
    ["no token_type", { token_type: undefined }],
    ["another case of token_type", { token_type: "bEARER" }],
    ["an ID token of another issuer", { id_token: "a.b.c" }],
    ["a token that begins with #", { access_token: "#access" }],
    ["a nonsense scope", { scope: ["mail"] }],
  ] as const) {
    test(`takes an answer with ${what}`, async () => {
      scene.endpoint.answer = (request) => {
        const answer = scene.account.answer(request);
        if (answer === "drop" || typeof answer.body === "string") return answer;
        return { ...answer, body: { ...answer.body, ...members } };
      };
      const result = await scene.run();
      assert.equal(result.status, 0, result.stderr);
      assert.match(scene.read() ?? "", /^# Expires: 2026-11-20T13:00:00Z$/m);
    });
  }

  test("takes over a file of oauth2_imap and one with only two lines", async () => {
    const { current } = scene.account;
    scene.write(`old-access-token\r\n${current}\r\n# The first   line is the access  token\r\n`);
    assert.equal((await scene.run()).status, 0);
    assert.match(scene.read() ?? "", /^# Provider: google$/m);
    assert.doesNotMatch(scene.read() ?? "", /\r/);
  });

  test("refreshes again and again, each time with the token of the time before", async () => {
    for (let turn = 0; turn < 5; turn += 1) assert.equal((await scene.run()).status, 0);
    assert.equal(scene.endpoint.requests.length, 5);
    assert.ok(scene.account.isAlive);
  });

  test("repeats the scope at Microsoft's own token endpoint, and nowhere else", async () => {
    const scope = "https://outlook.office.com/IMAP.AccessAsUser.All offline_access";
    const notes = { Provider: "office365", Tenant: "contoso.example", Scope: scope };
    for (const isMicrosoft of [true, false]) {
      scene.write(tokenFileText("old-access-token", scene.account.current, notes));
      const world = scene.world();
      const sent: { url: string; scope: string | null }[] = [];
      world.http = async (request) => {
        const parameters = new URLSearchParams(request.body);
        sent.push({ url: request.url, scope: parameters.get("scope") });
        const answer = scene.account.answer(parameters);
        const body = answer === "drop" ? "" : JSON.stringify(answer.body);
        return { status: 200, headers: new Headers(), body, truncated: false };
      };
      const options = ["--provider", "office365", "--home", scene.directory];
      const servers = ["--imap-server", `localhost:${scene.imap.port}`];
      const trust = ["--ca-file", scene.certificates.caFile];
      const other = isMicrosoft ? [] : ["--token-uri", "https://login.example.test/token"];
      const result = await scene.run([user, ...options, ...servers, ...trust, ...other], world);
      assert.equal(result.status, 0, result.stderr);
      const url = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token";
      assert.deepEqual(sent, [
        isMicrosoft ? { url, scope } : { url: "https://login.example.test/token", scope: null },
      ]);
    }
  });

  test("uses what the file was made with where the options say nothing", async () => {
    const options = scene.options.filter((_, index) => ![2, 3].includes(index));
    const result = await scene.run([user, ...options]);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(scene.endpoint.requests[0]?.get("client_id"), "test-client");
  });
});

describe("a token endpoint that cannot help now", () => {
  const cases: [string, Answer, number, RegExp][] = [
    ["503", { status: 503, body: "busy" }, 75, /status 503/],
    [
      "500 with OAuth words",
      { status: 500, body: { error: "invalid_grant" } },
      75,
      /status 500, invalid_grant/,
    ],
    ["429", { status: 429, headers: { "retry-after": "120" }, body: {} }, 75, /wait 120 seconds/],
    [
      "429 with a date",
      {
        status: 429,
        headers: {
          "retry-after": "Fri, 20 Nov 2026 12:00:30 GMT",
          date: "Fri, 20 Nov 2026 12:00:00 GMT",
        },
        body: "",
      },
      75,
      /wait 30 seconds/,
    ],
    ["408", { status: 408, body: "" }, 75, /status 408/],
    ["403 of a gatekeeper", { status: 403, body: "<html>blocked</html>" }, 75, /status 403/],
    ["407", { status: 407, body: "" }, 75, /status 407/],
    [
      "temporarily_unavailable",
      { status: 400, body: { error: "temporarily_unavailable" } },
      75,
      /temporarily_unavailable/,
    ],
    ["a dropped connection", "drop", 75, /dropped/],
    [
      "HTML with 200",
      { status: 200, body: "<!DOCTYPE html><title>Sign in to the Wi-Fi</title>" },
      76,
      /an HTML page/,
    ],
    [
      "broken JSON",
      { status: 200, headers: { "content-type": "application/json" }, body: '{"access_token":"x"' },
      76,
      /not a JSON object/,
    ],
    [
      "JSON without a token",
      { status: 200, body: { hello: "world" } },
      76,
      /without an access token/,
    ],
    ["a JSON list", { status: 200, body: [1] }, 76, /not a JSON object/],
    ["an empty token", { status: 200, body: { access_token: "" } }, 76, /without an access token/],
    [
      "a token with a line break",
      { status: 200, body: { access_token: "a\nb" } },
      76,
      /control characters/,
    ],
    ["404", { status: 404, body: "not here" }, 76, /status 404/],
    ["400 without OAuth", { status: 400, body: "bad" }, 76, /status 400/],
    [
      "a redirect",
      { status: 302, headers: { location: "https://localhost/elsewhere" }, body: "" },
      76,
      /redirect, which is not followed/,
    ],
    [
      "a redirect that would keep the body",
      { status: 307, headers: { location: "https://localhost/elsewhere" }, body: "" },
      76,
      /redirect/,
    ],
    [
      "5 MB",
      {
        status: 200,
        headers: { "content-type": "application/json" },
        body: `{"access_token":"x","more":"${"y".repeat(5_000_000)}"}`,
      },
      76,
      /over 1 MiB/,
    ],
    [
      "invalid_client",
      {
        status: 401,
        body: {
          error: "invalid_client",
          error_description: "AADSTS7000215: Invalid client secret",
        },
      },
      77,
      /refuses the application: invalid_client: AADSTS7000215/,
    ],
    [
      "unauthorized_client",
      { status: 400, body: { error: "unauthorized_client" } },
      77,
      /refuses the application/,
    ],
    [
      "invalid_scope",
      { status: 400, body: { error: "invalid_scope" } },
      77,
      /refuses the application/,
    ],
    [
      "access_denied",
      { status: 403, body: { error: "access_denied" } },
      77,
      /refuses the application/,
    ],
  ];
  for (const [what, answer, status, words] of cases) {
    test(`${what}: ${status}, once asked, nothing changed, no sign-in`, async () => {
      const before = scene.read();
      scene.endpoint.answer = () => answer;
      const result = await scene.run();
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, words);
      assert.equal(result.stdout, "");
      assert.equal(scene.read(), before);
      assert.equal(scene.endpoint.requests.length, 1);
      assert.doesNotMatch(result.stderr, /code_challenge/);
      assertTidy();
      // What came instead of a token, and is not a page, may hold one.
      assert.deepEqual(
        scene.kept().map((path) => result.stderr.includes(path)),
        isKept(answer) ? [true] : [],
      );
    });
  }

  for (const [what, change] of [
    ["status 201", (answer: object) => ({ ...answer, status: 201 })],
    [
      "a byte-order mark",
      (answer: { body: object }) => ({ ...answer, body: `\uFEFF${JSON.stringify(answer.body)}` }),
    ],
  ] as const) {
    test(`a grant with ${what} is a grant`, async () => {
      scene.endpoint.answer = (request) =>
        change(scene.account.answer(request) as { status: number; body: object }) as Answer;
      const result = await scene.run();
      assert.equal(result.status, 0, result.stderr);
      assert.equal(scene.lines().refreshToken, scene.account.current);
    });
  }

  test("a status that asks for another connection (421) is not obeyed: one request", async () => {
    scene.endpoint.answer = () => ({ status: 421, body: "" });
    const result = await scene.run();
    assert.equal(result.status, 76, result.stderr);
    assert.equal(scene.endpoint.requests.length, 1);
  });

  test("an error that is called like a part of the language is only a word", async () => {
    scene.endpoint.answer = () => ({ status: 400, body: { error: "constructor" } });
    const result = await scene.run();
    assert.equal(result.status, 77);
    assert.doesNotMatch(result.stderr, /native code|hint/);
  });

  test("one that never answers is given up after 60 seconds", async () => {
    const before = scene.read();
    const world = scene.world();
    scene.endpoint.answer = async () => {
      world.expire(60_000);
      return new Promise<Answer>(() => undefined);
    };
    const result = await scene.run(undefined, world);
    assert.equal(result.status, 75);
    assert.match(result.stderr, /nobody answered in time/);
    assert.equal(scene.read(), before);
    assertTidy();
  });

  test("one that is not there: 75", async () => {
    const before = scene.read();
    await scene.endpoint.close();
    const result = await scene.run();
    assert.equal(result.status, 75);
    assert.match(result.stderr, /the connection was refused/);
    assert.equal(scene.read(), before);
  });

  test("one whose certificate nobody trusts: 75, named, and nothing was sent", async () => {
    const { options } = scene;
    const position = options.indexOf("--ca-file");
    const without = options.filter((_, index) => index !== position && index !== position + 1);
    const result = await scene.run([user, ...without]);
    assert.equal(result.status, 75);
    assert.match(
      result.stderr,
      /certificate of localhost:\d+ cannot be trusted: its issuer is not trusted here/,
    );
    assert.match(result.stderr, /--ca-file/);
    assert.equal(scene.endpoint.requests.length, 0);
    assert.equal(scene.imap.logins.length, 0);
  });
});

describe("a refresh token that the server no longer takes", () => {
  for (const error of ["invalid_grant", "interaction_required", "consent_required"]) {
    test(`${error}: 77 where nobody is there, the file kept, the server's words shown`, async () => {
      const before = scene.read();
      scene.endpoint.answer = () => ({
        status: 400,
        body: { error, error_description: "AADSTS70008: \u001b[31mexpired" },
      });
      const result = await scene.run();
      assert.equal(result.status, 77);
      assert.match(
        result.stderr,
        new RegExp(`nobody is there: .*${error}: AADSTS70008: \\[31mexpired`),
      );
      assert.ok(!result.stderr.includes("\u001b"));
      assert.equal(withoutRefusal(scene.read()), before);
      assertTidy();
    });
  }

  for (const [status, error, error_description] of [
    [400, "INVALID_REFRESH_TOKEN", undefined],
    [401, "invalid_token", "Token has been revoked"],
    [400, "invalid_request", "Invalid refresh token"],
    [200, "expired_token", undefined],
  ] as const) {
    test(`${error}, status ${status}: 77, a new sign-in is wanted`, async () => {
      const before = scene.read();
      scene.endpoint.answer = () => ({ status, body: { error, error_description } });
      const result = await scene.run();
      assert.equal(result.status, 77);
      assert.match(result.stderr, new RegExp(`nobody is there: .*wants a new sign-in: ${error}`));
      assert.equal(withoutRefusal(scene.read()), before);
    });
  }

  test("no refresh token at all: 77 where nobody is there", async () => {
    scene.write(tokenFileText("old-access-token", ""));
    const result = await scene.run();
    assert.equal(result.status, 77);
    assert.match(result.stderr, /there is no refresh token/);
    assert.equal(scene.endpoint.requests.length, 0);
  });
});

describe("an IMAP server that misbehaves", () => {
  for (const [answer, words] of [
    ["refuse", /refused the token: \[AUTHENTICATIONFAILED\] Invalid credentials/],
    ["notConnected", /accepted the token but not the mailbox: .*authenticated but not connected/],
    ["noInbox", /accepted the token but not the mailbox/],
  ] as const) {
    test(`${answer}: 77, line 1 stays, the new refresh token is kept`, async () => {
      scene.imap.login = (token) => (token === "old-access-token" ? "accept" : answer);
      const result = await scene.run();
      assert.equal(result.status, 77, result.stderr);
      assert.match(result.stderr, words);
      assert.deepEqual(scene.lines(), {
        accessToken: "old-access-token",
        refreshToken: scene.account.current,
      });
      assert.match(scene.read() ?? "", /^# Expires: 2026-11-20T13:00:00Z$/m);
      assertTidy();
      scene.imap.login = () => "accept";
      assert.equal((await scene.run()).status, 0);
    });
  }

  for (const answer of [
    { at: "AUTHENTICATE", says: "NO Server Unavailable. 15" },
    { at: "LIST", says: "NO System Error (Failure)" },
    { at: "EXAMINE", says: "NO [TEMPFAIL] busy" },
  ] as const) {
    test(`trouble at ${answer.at} after a person's sign-in: stored unverified, 75`, async () => {
      scene.imap.login = () => answer;
      scene.endpoint.answer = () => ({
        status: 200,
        body: { access_token: "a", refresh_token: "r", token_type: "Bearer" },
      });
      rmSync(scene.tokenFile);
      const { status, stderr } = await signInByPaste([user, ...scene.options], scene.world());
      assert.equal(status, 75, stderr);
      assert.match(stderr, /could not answer now: .*not proven yet: run the command again/);
      assert.deepEqual(scene.lines(), { accessToken: "a", refreshToken: "r" });
      assert.match(scene.read() ?? "", /^# Verified: no, unverified: IMAP/m);
    });
  }

  test("a defect of ours in a proof is 70 and refuses nothing: a sign-in is kept", async () => {
    scene.endpoint.answer = () => ({
      status: 200,
      body: { access_token: "a", refresh_token: "r", token_type: "Bearer" },
    });
    rmSync(scene.tokenFile);
    // Asked for once the login begins.
    const trust = () => {
      throw new TypeError("a defect");
    };
    const world = Object.assign(scene.world(), { trust });
    const { status, stderr } = await signInByPaste([user, ...scene.options], world);
    assert.equal(status, 70, stderr);
    assert.match(stderr, /this is a defect of mxtoken \(TypeError\)/);
    assert.deepEqual(scene.lines(), { accessToken: "a", refreshToken: "r" });
  });

  for (const [answer, words] of [
    ["unavailable", /could not answer now: \[UNAVAILABLE\]/],
    ["limit", /Too many simultaneous connections/],
    ["throttle", /throttling: it asks to wait 93 seconds/],
    ["bye", /hung up during the login: .*maintenance/],
    ["drop", /localhost:\d+ hung up during the login without a word/],
  ] as const) {
    test(`${answer}: 75, both lines new, marked unverified`, async () => {
      scene.imap.login = (token) => (token === "old-access-token" ? "accept" : answer);
      const result = await scene.run();
      assert.equal(result.status, 75, result.stderr);
      assert.match(result.stderr, words);
      assert.equal(result.stdout, "");
      const { accessToken, refreshToken } = scene.lines();
      assert.match(accessToken ?? "", /^access-1-/);
      assert.equal(refreshToken, scene.account.current);
      assert.match(
        scene.read() ?? "",
        /^# Verified: no, unverified: IMAP at localhost:\d+ was not reachable at /m,
      );
      assertTidy();
    });
  }

  test("a mute one is given up after 30 seconds in all", async () => {
    const world = scene.world();
    scene.imap.login = (token) => {
      if (token === "old-access-token") return "accept";
      world.expire(30_000);
      return "mute";
    };
    const result = await scene.run(undefined, world);
    assert.equal(result.status, 75);
    assert.match(result.stderr, /did not finish within 30 seconds/);
  });

  test("away from the beginning: the refresh is made all the same", async () => {
    scene.imap.isAway = true;
    const result = await scene.run();
    assert.equal(result.status, 75);
    assert.equal(scene.endpoint.requests.length, 1);
    assert.match(scene.lines().accessToken ?? "", /^access-1-/);
  });

  test("refused before, accepted after: 0", async () => {
    scene.imap.login = (token) => (token === "old-access-token" ? "refuse" : "accept");
    const result = await scene.run();
    assert.equal(result.status, 0);
    assert.match(result.stderr, /stored token: localhost:\d+ refused the token/);
  });

  test("one that never says goodbye does not hold up a proven token", async () => {
    const world = scene.world();
    world.expire(2_000);
    scene.imap.isPolite = false;
    assert.equal((await scene.run(undefined, world)).status, 0);
  });

  test("one that asks for no login (PREAUTH) proves nothing", async () => {
    scene.imap.greeting = "* PREAUTH welcome";
    const result = await scene.run();
    assert.equal(result.status, 77);
    assert.match(result.stderr, /asks for no login, which proves nothing/);
  });

  test("one without an OAuth mechanism is named as such", async () => {
    scene.imap.capabilities = "IMAP4rev1 AUTH=PLAIN";
    const result = await scene.run();
    assert.equal(result.status, 77);
    assert.match(result.stderr, /it offers PLAIN/);
    assert.equal(scene.imap.logins.length, 0);
  });

  test("only a mechanism that the provider allows is used", async () => {
    const options = scene.options.map((word) => (word === "google" ? "office365" : word));
    scene.write(
      tokenFileText("old-access-token", scene.account.current, { Provider: "office365" }),
    );
    assert.equal((await scene.run([user, ...options])).status, 0);
    assert.deepEqual(
      new Set(scene.imap.logins.map((login) => login.mechanism)),
      new Set(["XOAUTH2"]),
    );
  });
});

describe("a disk that cannot be written", () => {
  test("a symbolic link is read through and never written through: 73, nothing asked", async () => {
    const { renameSync, symlinkSync } = await import("node:fs");
    const real = `${scene.directory}/real.txt`;
    renameSync(scene.tokenFile, real);
    symlinkSync(real, scene.tokenFile);
    const result = await scene.run();
    assert.equal(result.status, 73);
    assert.match(result.stderr, new RegExp(`name the real file instead: ${real}`));
    assert.equal(scene.endpoint.requests.length, 0);
    assert.equal(scene.imap.logins[0]?.token, "old-access-token");
    assert.match(readFileSync(real, "utf8"), /^old-access-token/);
  });

  test("a directory in its place: 65", async () => {
    const result = await scene.run([user, ...scene.options, "--token-file", scene.directory]);
    assert.equal(result.status, 65);
    assert.match(result.stderr, /is not a regular file/);
  });

  test("what a killed process left behind is removed by the next run", async () => {
    const { writeFileSync } = await import("node:fs");
    const name = `${dirname(scene.tokenFile)}/.oauth2_tokens_${user}.txt.`;
    writeFileSync(`${name}tmp`, "\n".repeat(32_768));
    writeFileSync(`${name}other`, "not ours");
    assert.equal((await scene.run()).status, 0);
    assert.ok(!existsSync(`${name}tmp`));
    assert.ok(existsSync(`${name}other`));
  });
});

describe("rights", () => {
  test("a stricter mode is kept, a looser one is not", async () => {
    chmodSync(scene.tokenFile, 0o400);
    assert.equal((await scene.run()).status, 0);
    assert.equal(statSync(scene.tokenFile).mode & 0o777, 0o400);
    chmodSync(scene.tokenFile, 0o644);
    assert.equal((await scene.run()).status, 0);
    assert.equal(statSync(scene.tokenFile).mode & 0o777, 0o600);
  });
});

describe("what the file was made with", () => {
  test("another provider's default file is neither used nor overwritten", async () => {
    const text = tokenFileText("their-access", "their-refresh", { Provider: "office365" });
    scene.write(text);
    const result = await scene.run();
    assert.equal(result.status, 77);
    assert.equal(scene.read(), text);
    assert.equal(scene.endpoint.requests.length + scene.imap.logins.length, 0);
    assert.match(result.stderr, new RegExp(`oauth2_tokens_${user}_google\\.txt`));
  });

  test("another provider's file that was named: 78", async () => {
    scene.write(tokenFileText("their-access", "their-refresh", { Provider: "office365" }));
    const result = await scene.run([user, ...scene.options, "--token-file", scene.tokenFile]);
    assert.equal(result.status, 78);
    assert.match(result.stderr, /belongs to office365, not to google/);
    assert.equal(scene.endpoint.requests.length + scene.imap.logins.length, 0);
  });

  test("an alias is the same provider", async () => {
    scene.write(tokenFileText("old-access-token", scene.account.current, { Provider: "gmail" }));
    assert.equal((await scene.run()).status, 0);
  });

  for (const [what, notes] of [["client id", { Client: "other-client" }]] as const) {
    test(`another ${what}: 78, and the file stays`, async () => {
      scene.write(tokenFileText("their-access", "their-refresh", notes));
      const before = scene.read();
      const result = await scene.run();
      assert.equal(result.status, 78);
      assert.match(result.stderr, new RegExp(`was made for the ${what} other-client`));
      assert.equal(scene.read(), before);
      assert.equal(scene.endpoint.requests.length + scene.imap.logins.length, 0);
    });
  }

  test("another mailbox's file that was named: 78", async () => {
    scene.write(tokenFileText("a", "b", { Account: "bar@example.test" }));
    const result = await scene.run([user, ...scene.options, "--token-file", scene.tokenFile]);
    assert.equal(result.status, 78);
    assert.match(
      result.stderr,
      /made for the mailbox bar@example\.test, not for foo@example\.test/,
    );
  });

  test("tokens are not sent to the catalogue's endpoint when another one issued them", async () => {
    const notes = { "Token endpoint": "https://login.example.test/token" };
    scene.write(tokenFileText("old-access-token", scene.account.current, notes));
    const position = scene.options.indexOf("--token-uri");
    const without = scene.options.filter(
      (_, index) => index !== position && index !== position + 1,
    );
    const result = await scene.run([user, ...without]);
    assert.equal(result.status, 78, result.stderr);
    assert.match(result.stderr, /made for the token endpoint at login\.example\.test, not for/);
    assert.equal((await scene.run()).status, 0);
  });

  test("two providers that are given by their values are told apart by their servers", async () => {
    const position = scene.options.indexOf("--provider");
    const options = scene.options.filter(
      (_, index) => index !== position && index !== position + 1,
    );
    const text = tokenFileText("their-access", "their-refresh", {
      Provider: "custom",
      "Token endpoint": "https://login.first.example/token",
    });
    scene.write(text);
    const result = await scene.run([user, ...options]);
    assert.equal(result.status, 78, result.stderr);
    assert.equal(scene.endpoint.requests.length + scene.imap.logins.length, 0);
  });

  test("another tenant: 78", async () => {
    scene.write(tokenFileText("a", "b", { Provider: "office365", Tenant: "contoso.example" }));
    const options = scene.options.map((word) => (word === "google" ? "office365" : word));
    const result = await scene.run([user, ...options, "--tenant", "fabrikam.example"]);
    assert.equal(result.status, 78);
    assert.match(
      result.stderr,
      /was made for the tenant contoso\.example, not for fabrikam\.example/,
    );
  });
});

describe("a token file that another process changes meanwhile", () => {
  test("a refresh that is finished is used instead of a second one", async () => {
    const text = tokenFileText("their-access", "their-refresh");
    scene.imap.login = (token) => {
      if (token === "old-access-token") scene.write(text);
      return "accept";
    };
    const result = await scene.run();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /another process has just refreshed/);
    assert.equal(scene.endpoint.requests.length, 0);
    assert.equal(scene.read(), text);
    assert.deepEqual(
      scene.imap.logins.map((login) => login.token),
      ["old-access-token", "their-access"],
    );
  });

  test("a refresh whose process died before its proof is refreshed again with its token", async () => {
    const { account } = scene;
    scene.imap.login = (token) => {
      // Another process has committed its new refresh token to line 2, and then it was killed.
      if (token === "old-access-token" && account.current === "refresh-0-initial-token") {
        account.answer(new URLSearchParams({ refresh_token: account.current }));
        scene.write(tokenFileText("old-access-token", account.current));
      }
      return "accept";
    };
    const result = await scene.run();
    assert.equal(result.status, 0, result.stderr);
    assert.ok(account.isAlive);
    assert.equal(scene.lines().refreshToken, account.current);
    assert.match(scene.lines().accessToken ?? "", /^access-2-/);
  });

  test("what another process has put there during the proof is not overwritten", async () => {
    const text = tokenFileText("their-access", "their-refresh");
    scene.imap.login = (token) => {
      if (token !== "old-access-token") scene.write(text);
      return "accept";
    };
    const result = await scene.run();
    assert.equal(result.status, 0, result.stderr);
    assert.equal(scene.read(), text);
  });

  test("another provider's tokens that appear meanwhile are sent nowhere", async () => {
    scene.imap.login = (token) => {
      if (token === "old-access-token") {
        scene.write(tokenFileText("their-access", "their-refresh", { Provider: "office365" }));
      }
      return "accept";
    };
    const result = await scene.run();
    assert.equal(result.status, 78);
    assert.equal(scene.endpoint.requests.length, 0);
    assert.ok(!scene.imap.logins.some((login) => login.token === "their-access"));
  });
});

describe("a refresh token from standard input", () => {
  const adopt = async (token: string, more: readonly string[] = [], world = scene.world()) => {
    world.stdin.end(`${token}\n`);
    return scene.run([user, ...scene.options, "--refresh-token-stdin", ...more], world);
  };
  const beside = () => scene.kept();

  test("where there is no file: both lines are written", async () => {
    rmSync(scene.tokenFile);
    const result = await adopt(scene.account.current);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(scene.lines().refreshToken, scene.account.current);
    assert.deepEqual(beside(), []);
  });

  test("the stored one itself: an ordinary refresh", async () => {
    const result = await adopt(scene.account.current);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(scene.lines().refreshToken, scene.account.current);
    assert.equal(scene.endpoint.requests.length, 1);
  });

  test("another one, proven: it replaces the stored tokens", async () => {
    scene.write(tokenFileText("other-access", "other-refresh"));
    const result = await adopt(scene.account.current);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(scene.lines().refreshToken, scene.account.current);
    assert.deepEqual(beside(), []);
  });

  test("another one, refused: the stored tokens stay, and its successor is kept and named", async () => {
    const stored = tokenFileText("other-access", "other-refresh");
    scene.write(stored);
    scene.imap.login = () => "refuse";
    const result = await adopt(scene.account.current);
    assert.equal(result.status, 77, result.stderr);
    assert.equal(scene.read(), stored);
    const [path = ""] = beside();
    assert.ok(result.stderr.includes(`its successor is in ${path}`), result.stderr);
    const kept = readFileSync(path, "utf8").split("\n");
    assert.equal(kept[1], scene.account.current);
  });

  test("a signal while it is exchanged: the successor is kept", async () => {
    scene.write(tokenFileText("other-access", "other-refresh"));
    const world = scene.world();
    scene.endpoint.answer = (request) => {
      world.interrupt("SIGINT");
      return scene.account.answer(request);
    };
    const result = await adopt(scene.account.current, [], world);
    assert.equal(result.status, 130, result.stderr);
    const [path = "nothing"] = beside();
    assert.ok(result.stderr.includes(path), result.stderr);
    assert.match(readFileSync(path, "utf8"), new RegExp(scene.account.current));
  });

  test("nothing on standard input: 64, and nothing asked", async () => {
    const result = await adopt("");
    assert.equal(result.status, 64, result.stderr);
    assert.equal(scene.endpoint.requests.length, 0);
  });

  test("an input that stays silent is given up", async () => {
    const world = scene.world();
    world.expire(300_000);
    const { main } = await import("../../src/cli/main.ts");
    const status = await main([user, ...scene.options, "--refresh-token-stdin"], world);
    assert.equal(status, 64);
  });
});

describe("an interrupted refresh", () => {
  test("waits for the answer that is on the wire, saves it, and ends with 130", async () => {
    const world = scene.world();
    scene.endpoint.answer = async (request) => {
      world.interrupt("SIGINT");
      await new Promise((resolve) => setImmediate(resolve));
      return scene.account.answer(request);
    };
    const result = await scene.run(undefined, world);
    assert.equal(result.status, 130, result.stderr);
    assert.deepEqual(scene.lines(), {
      accessToken: "old-access-token",
      refreshToken: scene.account.current,
    });
    assertTidy();
    scene.endpoint.answer = scene.account.answer;
    assert.equal((await scene.run()).status, 0);
  });

  test("gives up after 10 more seconds without an answer", async () => {
    const before = scene.read();
    const world = scene.world();
    scene.endpoint.answer = async () => {
      world.interrupt("SIGTERM");
      world.expire(10_000);
      return new Promise<Answer>(() => undefined);
    };
    const result = await scene.run(undefined, world);
    assert.equal(result.status, 143);
    assert.equal(scene.read(), before);
    assertTidy();
  });

  test("before the request was sent: nothing is asked", async () => {
    const world = scene.world();
    scene.imap.login = () => {
      world.interrupt("SIGINT");
      return "mute";
    };
    const result = await scene.run(undefined, world);
    assert.equal(result.status, 130);
    assert.equal(scene.endpoint.requests.length, 0);
  });
});
