import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, test } from "node:test";
import { providerByName } from "../../src/catalog/providers.ts";
import { main } from "../../src/cli/main.ts";
import { accountsIn, otherAccount, readClaims } from "../../src/proof/identity.ts";
import { Secret } from "../../src/secret.ts";
import type { HttpReply } from "../../src/world/world.ts";
import type { LoginAnswer } from "../scene/imap-peer.ts";
import { startPopPeer } from "../scene/pop-peer.ts";
import { runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { type SignedIn, signInByPaste } from "../scene/sign-in-by-paste.ts";
import { callback, visit } from "../scene/visit.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

const other = "bar@example.test";

/** A token as servers make them; nobody here checks its signature. */
function jwt(claims: unknown): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}.c2lnbmF0dXJl`;
}

describe("the claims of a token", () => {
  const base64 = (text: string) => Buffer.from(text).toString("base64url");
  for (const [what, token, claims] of [
    ["a JWT", jwt({ sub: "x", n: 1 }), { sub: "x", n: 1 }],
    ["one without a signature", `e30.${base64('{"upn":"u@v.w"}')}.`, { upn: "u@v.w" }],
    ["one with other alphabets", `e30.${base64('{"name":"Жж?>~"}')}.x`, { name: "Жж?>~" }],
    ["one whose payload is padded", `e30.${Buffer.from('{"a":1}').toString("base64")}.x`, { a: 1 }],
    ["an opaque token", "ya29.a0AfB_byC-opaque", undefined],
    ["a token without dots", "EwBwA8l6BAAU", undefined],
    [
      "an encrypted one",
      "eyJhbGciOiJSU0EtT0FFUCJ9.OKOawDo13gRp2ojaHV7LFpZcgV7T6DVZKTyKO.a.b.c",
      undefined,
    ],
    ["an empty payload", "e30..x", undefined],
    ["dots alone", "...", undefined],
    ["a list", `e30.${base64('[{"sub":"x"}]')}.x`, undefined],
    ["null", `e30.${base64("null")}.x`, undefined],
    ["a number", `e30.${base64("17")}.x`, undefined],
    ["a text", `e30.${base64('"foo@example.test"')}.x`, undefined],
    ["broken JSON", `e30.${base64('{"sub":')}.x`, undefined],
    [
      "bytes that are no text",
      `e30.${Buffer.from([0xff, 0xfe, 0x7b]).toString("base64url")}.x`,
      undefined,
    ],
    ["one of over 64 KiB", jwt({ sub: "x".repeat(64 * 1024) }), undefined],
  ] as const) {
    test(`of ${what}`, () => assert.deepEqual(readClaims(new Secret(token)), claims));
  }

  test("of no token", () => assert.equal(readClaims(undefined), undefined));

  test("cannot reach into the language", () => {
    const claims = readClaims(new Secret(`e30.${base64('{"__proto__":{"email":"a@b.c"}}')}.x`));
    assert.deepEqual(accountsIn(claims), []);
  });
});

describe("the accounts in claims", () => {
  for (const [what, claims, accounts] of [
    ["nothing", undefined, []],
    ["no account", { iss: "x", oid: "a@b.c" }, []],
    [
      "every name, the surest first",
      { sub: "5@x", upn: "3@x", unique_name: "4@x", email: "1@x", preferred_username: "2@x" },
      ["1@x", "2@x", "3@x", "4@x", "5@x"],
    ],
    ["a sub that is no address", { sub: "AAAAAbcdef" }, []],
    ["a sub that is one", { sub: other }, [other]],
    ["a name that is no address", { preferred_username: "+1 555 0100", email: other }, [other]],
    [
      "values that are no text",
      { email: [other], upn: 5, sub: null, unique_name: { a: other } },
      [],
    ],
    ["blanks and line breaks", { email: "a b@c", upn: "a@b\nc" }, []],
    ["one that is too long", { email: `${"x".repeat(320)}@example.test` }, []],
  ] as const) {
    test(what, () => assert.deepEqual(accountsIn(claims), accounts));
  }
});

describe("whether a token is somebody else's", () => {
  for (const [what, expected, accounts, result] of [
    ["nobody knows", [user], [], undefined],
    ["it is not", [user], [user], undefined],
    ["in another case of letters it is not", [user], ["FOO@Example.Test"], undefined],
    ["nor where the address was typed so", ["FOO@Example.TEST"], [user], undefined],
    ["it is", [user], [other], other],
    ["one of its names is ours", [user], [other, user], undefined],
    ["it is the person's", [user, other], [other], undefined],
    ["the surest name is told", [user], [other, "third@example.test"], other],
    [
      "a domain in another script",
      ["foo@bücher.example"],
      ["foo@xn--bcher-kva.example"],
      undefined,
    ],
    ["nothing is expected", [], [other], other],
  ] as const) {
    test(what, () => assert.equal(otherAccount(expected, accounts), result));
  }
});

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
});
afterEach(() => scene?.close());

/** What the token endpoint grants from now on. */
function grant(more: Record<string, unknown>): void {
  scene.endpoint.answer = () => ({
    status: 200,
    body: {
      access_token: "opaque-access",
      refresh_token: "refresh-1",
      token_type: "Bearer",
      expires_in: 3600,
      ...more,
    },
  });
}

function signIn(...more: string[]): Promise<SignedIn> {
  return signInByPaste([user, ...scene.options, ...more], scene.world());
}

function assertWrongAccount({ status, stderr }: { status: number; stderr: string }): void {
  assert.equal(status, 77, stderr);
  assert.match(stderr, /the token is bar@example\.test's, not foo@example\.test's: /);
  assert.match(stderr, /in a private browser window, or with --select-account/);
  assert.match(stderr, /if bar@example\.test has a right to the mailbox, pass --login bar@example/);
}

const tokensOfOther: [string, Record<string, unknown>][] = [
  ["the access token's own claims", { access_token: jwt({ upn: other }) }],
  ["the ID token", { id_token: jwt({ email: other, sub: "12345" }) }],
];

describe("a sign-in with another account", () => {
  for (const [what, granted] of tokensOfOther) {
    describe(`that is known by ${what}`, () => {
      beforeEach(() => grant(granted));

      for (const [state, answer, words] of [
        ["refuses it", "refuse", /AUTHENTICATIONFAILED.*; nothing was stored/],
        ["opens no INBOX for it", "noInbox", /nothing was stored/],
        ["is away", "unavailable", /nothing was stored, because no login has shown otherwise/],
        ["drops the connection", "drop", /nothing was stored/],
      ] as [string, LoginAnswer, RegExp][]) {
        test(`and the mailbox ${state}: 77, the other account named, nothing stored`, async () => {
          scene.imap.login = () => answer;
          const result = await signIn("--json");
          assertWrongAccount(result);
          assert.match(result.stderr, words);
          const { error, findings } = JSON.parse(result.stdout);
          assert.equal(error.code, "wrongAccount");
          assert.deepEqual(
            findings.map(({ probe }: { probe: string }) => probe),
            ["imap"],
          );
          assert.equal(scene.read(), undefined);
        });
      }

      test("and --verify none: 77 too, nothing stored, no login", async () => {
        assertWrongAccount(await signIn("--verify", "none"));
        assert.equal(scene.read(), undefined);
        assert.equal(scene.imap.logins.length, 0);
      });

      test("and INBOX opens: 0, stored, and a warning, also with --quiet", async () => {
        for (const more of [[], ["--quiet", "--startover"]]) {
          const result = await signIn(...more);
          assert.equal(result.status, 0, result.stderr);
          assert.match(
            result.stderr,
            /warning: the token is bar@example\.test's, and it opens foo@example\.test all the same/,
          );
          assert.equal(scene.lines().refreshToken, "refresh-1");
        }
      });

      test("and --login is that one's: no warning, whatever the case of letters", async () => {
        const result = await signIn("--login", "BAR@example.test");
        assert.equal(result.status, 0, result.stderr);
        assert.doesNotMatch(result.stderr, /warning/);
      });

      test("and --login is that one's, refused: it is the mailbox that refuses, not the account", async () => {
        scene.imap.login = () => "refuse";
        const result = await signIn("--login", other, "--json");
        assert.equal(result.status, 77);
        assert.equal(JSON.parse(result.stdout).error.code, "mailboxRefused");
      });

      test("and --login is a third one's: both that were wanted are named", async () => {
        scene.imap.login = () => "refuse";
        const { stderr } = await signIn("--login", "third@example.test");
        assert.match(
          stderr,
          /the token is bar@example\.test's, not foo@example\.test or third@example\.test's/,
        );
      });

      test("an old file is not touched", async () => {
        scene.write(tokenFileText("old-access", "old-refresh"));
        const before = scene.read();
        scene.imap.login = (token) => (token === "old-access" ? "accept" : "refuse");
        assertWrongAccount(await signIn("--startover"));
        assert.equal(scene.read(), before);
      });
    });
  }

  test("IMAP refuses and POP opens: the mailbox is open, so it is a warning beside the 77", async () => {
    grant({ access_token: jwt({ upn: other }) });
    scene.imap.login = () => "refuse";
    const pop = await startPopPeer(scene.certificates);
    const servers = ["--pop-server", `localhost:${pop.port}`, "--verify", "imap,pop"];
    const result = await signIn(...servers, "--json");
    await pop.close();
    assert.equal(result.status, 77);
    assert.equal(JSON.parse(result.stdout).error.code, "mailboxRefused");
    assert.match(result.stderr, /warning: the token is bar@example\.test's/);
    assert.equal(scene.lines().refreshToken, "refresh-1");
  });

  test("a name in a claim cannot write to the terminal", async () => {
    grant({ access_token: jwt({ upn: "\u009b31mbar\u202e@example.test", email: other }) });
    scene.imap.login = () => "refuse";
    const { stderr } = await signIn();
    assert.match(stderr, /the token is bar@example\.test's/);
    for (const character of ["\u009b", "\u202e"]) assert.ok(!stderr.includes(character));
  });
});

describe("a sign-in with the right account, or one that nobody knows", () => {
  for (const [what, granted] of [
    ["its own access token", { access_token: jwt({ upn: "Foo@EXAMPLE.test" }) }],
    ["one of its names", { access_token: jwt({ upn: other, email: user }) }],
    [
      "the ID token, whatever the access token says",
      { access_token: jwt({ upn: other }), id_token: jwt({ email: user }) },
    ],
    ["a subject that is no address", { access_token: jwt({ sub: "0-1-2" }) }],
    ["garbage for an ID token", { id_token: "garbage" }],
    ["an opaque token", {}],
  ] as const) {
    test(`${what}: accepted without a warning, refused as the mailbox's`, async () => {
      grant(granted);
      const accepted = await signIn();
      assert.equal(accepted.status, 0, accepted.stderr);
      assert.doesNotMatch(accepted.stderr, /warning/);
      scene.imap.login = () => "refuse";
      const refused = await signIn("--startover", "--json");
      assert.equal(refused.status, 77);
      assert.equal(JSON.parse(refused.stdout).error.code, "mailboxRefused");
    });
  }
});

describe("Google's tokeninfo", () => {
  const google = providerByName("google");
  const tokenInfo = google?.tokenInfoEndpoint ?? "";
  const reply = (body: unknown, status = 200): HttpReply => ({
    status,
    headers: new Headers({ "content-type": "application/json" }),
    body: typeof body === "string" ? body : JSON.stringify(body),
    truncated: false,
  });

  /** A world in which Google answers as it is told. */
  function googleWorld(
    token: Record<string, unknown>,
    info: () => HttpReply | Promise<HttpReply>,
  ): TestWorld {
    const world = scene.world();
    world.http = async (request) => {
      world.requests.push(request);
      if (request.url === tokenInfo) return info();
      assert.equal(request.url, google?.tokenEndpoint);
      return reply({
        token_type: "Bearer",
        refresh_token: "1//refresh",
        expires_in: 3600,
        ...token,
      });
    };
    return world;
  }

  const opaque = { access_token: "ya29.opaque-access-token" };
  const asked = (world: TestWorld) => world.requests.filter(({ url }) => url === tokenInfo);
  const options = () => [
    ...[user, "--provider", "google", "--home", scene.directory],
    ...["--imap-server", `localhost:${scene.imap.port}`, "--ca-file", scene.certificates.caFile],
  ];
  const signInAtGoogle = (world: TestWorld, ...more: string[]) =>
    signInByPaste([...options(), ...more], world, google?.issuer);

  test("is asked at a sign-in whose an opaque token is; the token is in the header alone", async () => {
    const world = googleWorld(opaque, () => reply({ email: other, aud: "x" }));
    scene.imap.login = () => "refuse";
    assertWrongAccount(await signInAtGoogle(world));
    const [request, ...more] = asked(world);
    assert.deepEqual(more, []);
    assert.equal(request?.headers["authorization"], `Bearer ${opaque.access_token}`);
    assert.ok(!`${request?.url}${request?.body}`.includes("ya29"));
    assert.equal(scene.read(), undefined);
  });

  test("says that it is the right one, and nothing is said", async () => {
    const result = await signInAtGoogle(googleWorld(opaque, () => reply({ email: user })));
    assert.equal(result.status, 0, result.stderr);
    assert.doesNotMatch(result.stderr, /warning/);
  });

  test("is not asked where the token tells it itself, nor the ID token", async () => {
    for (const token of [
      { access_token: jwt({ email: user }) },
      { ...opaque, id_token: jwt({ email: user }) },
    ]) {
      const world = googleWorld(token, () => reply({ email: other }));
      const result = await signInAtGoogle(world, "--startover");
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(asked(world), []);
    }
  });

  for (const [what, info] of [
    ["an error", () => reply({ error: "invalid_token" }, 400)],
    ["a server error", () => reply("busy", 503)],
    ["no address", () => reply({ aud: "x", scope: "y" })],
    ["an address that is none", () => reply({ email: "nobody" })],
    ["HTML", () => reply("<html>")],
    ["null", () => reply("null")],
    ["a list", () => reply([other])],
    ["half an answer", () => ({ ...reply({ email: other }), truncated: true })],
    ["nothing", () => Promise.reject(new Error("unreachable"))],
  ] as const) {
    test(`that answers ${what} is no failure`, async () => {
      const world = googleWorld(opaque, info);
      const result = await signInAtGoogle(world);
      assert.equal(result.status, 0, result.stderr);
      assert.doesNotMatch(result.stderr, /warning/);
      assert.equal(asked(world).length, 1);
    });
  }

  test("that never answers is given up after ten seconds", async () => {
    const world = googleWorld(opaque, () => new Promise(() => undefined));
    const send = world.http;
    world.http = (request) => {
      if (request.url !== tokenInfo) return send(request);
      return new Promise((_, reject) => {
        request.signal.addEventListener("abort", () => reject(new Error("given up")));
        world.expire(10_000);
      });
    };
    const result = await signInAtGoogle(world);
    assert.equal(result.status, 0, result.stderr);
  });

  test("is not asked at a refresh, by check, by show, or where the endpoint is another's", async () => {
    const world = googleWorld(opaque, () => reply({ email: other }));
    scene.write(
      tokenFileText("old-access", "1//refresh", {
        Client: google?.applications["thunderbird"]?.clientId ?? "",
        App: "thunderbird",
      }),
    );
    assert.equal((await runMain(options(), world)).status, 0, world.written.stderr);
    const later = googleWorld(opaque, () => reply({ email: other }));
    assert.equal((await runMain(["show", ...options(), "--nocache"], later)).status, 0);
    const checking = googleWorld(opaque, () => reply({ email: other }));
    assert.equal((await runMain(["check", ...options()], checking)).status, 0);
    for (const each of [world, later, checking]) assert.deepEqual(asked(each), []);
    grant({});
    const elsewhere = scene.world();
    const result = await signInByPaste([user, ...scene.options, "--token-file", "x"], elsewhere);
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(asked(elsewhere), []);
  });
});

describe("a refresh of another account's token", () => {
  beforeEach(() => {
    scene.write(tokenFileText("old-access", "old-refresh"));
    grant({ access_token: jwt({ upn: other }) });
  });
  const onlyOld = (answer: LoginAnswer) => (token: string) =>
    token === "old-access" ? "accept" : answer;

  test("that opens the mailbox needs no word: it was told at the sign-in", async () => {
    const result = await scene.run();
    assert.equal(result.status, 0, result.stderr);
    assert.doesNotMatch(result.stderr, /warning/);
  });

  test("that cannot be proven now stays 75, and is stored: it opened once", async () => {
    scene.imap.login = onlyOld("unavailable");
    const result = await scene.run();
    assert.equal(result.status, 75, result.stderr);
    assert.notEqual(scene.lines().accessToken, "old-access");
  });

  test("that is refused: 77, named, line 1 stays", async () => {
    scene.imap.login = onlyOld("refuse");
    assertWrongAccount(await scene.run());
    assert.deepEqual(scene.lines(), { accessToken: "old-access", refreshToken: "refresh-1" });
  });

  test("by show is a refresh too", async () => {
    const result = await scene.run(["show", user, ...scene.options, "--nocache"]);
    assert.equal(result.status, 0, result.stderr);
  });
});

describe("check of another account's token", () => {
  const checked = () => scene.run(["check", user, ...scene.options]);
  beforeEach(() => scene.write(tokenFileText(jwt({ upn: other }), "r")));

  test("that opens the mailbox: 0 with a warning", async () => {
    const result = await checked();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /warning: the token is bar@example\.test's/);
  });

  test("that is refused: 77, named", async () => {
    scene.imap.login = () => "refuse";
    assertWrongAccount(await checked());
  });

  test("that cannot be proven now: 75", async () => {
    scene.imap.login = () => "unavailable";
    assert.equal((await checked()).status, 75);
  });
});

describe("another account's refresh token, from standard input", () => {
  const spent = "the refresh token that you gave is spent, and its successor is in ";

  function bring(...args: string[]) {
    const world = scene.world();
    world.stdin.end("brought-refresh\n");
    return scene.run([...args, user, ...scene.options, "--refresh-token-stdin"], world);
  }

  const beside = () => scene.kept();

  for (const [command, answers] of [
    ["show", ["accept"]],
    ["", ["refuse", "unavailable"]],
  ] as [string, LoginAnswer[]][]) {
    for (const answer of answers) {
      for (const isThere of [false, true]) {
        const what = `${command || "the whole job"} with ${isThere ? "a" : "no"} file, ${answer}`;

        test(`${what}: 77, the file is not left with it, the new one is kept beside`, async () => {
          grant({ access_token: jwt({ upn: other }) });
          scene.imap.login = () => answer;
          if (isThere) scene.write(tokenFileText("stored-access", "stored-refresh"));
          const before = scene.read();
          const result = await bring(...(command === "" ? [] : [command]));
          assertWrongAccount(result);
          assert.equal(result.stdout, "");
          assert.equal(scene.read(), before);
          const [path = "", ...more] = beside();
          assert.deepEqual(more, []);
          assert.ok(result.stderr.includes(`${spent}${path}\n`), result.stderr);
          assert.equal(readFileSync(path, "utf8").split("\n")[1], "refresh-1");
        });

        test(`${what}, the same refresh token: nothing is written`, async () => {
          grant({ access_token: jwt({ upn: other }), refresh_token: undefined });
          scene.imap.login = () => answer;
          if (isThere) scene.write(tokenFileText("stored-access", "stored-refresh"));
          const before = scene.read();
          const result = await bring(...(command === "" ? [] : [command]));
          assertWrongAccount(result);
          assert.match(result.stderr, /the refresh token that you gave is still good/);
          assert.equal(scene.read(), before);
          assert.deepEqual(beside(), []);
        });
      }
    }
  }

  test("that opens the mailbox is stored, with a warning", async () => {
    grant({ access_token: jwt({ upn: other }) });
    const result = await bring();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /warning: the token is bar@example\.test's/);
    assert.equal(scene.lines().refreshToken, "refresh-1");
    assert.deepEqual(beside(), []);
  });

  test("that --login names is the person's, for show as well", async () => {
    grant({ access_token: jwt({ upn: other }) });
    const result = await bring("show", "--login", other);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(scene.lines().refreshToken, "refresh-1");
  });
});

test("an application's own token is never compared: it is nobody's", async () => {
  const claims = { upn: other, email: other, roles: ["IMAP.AccessAsApp"] };
  grant({ access_token: jwt(claims), id_token: jwt(claims) });
  const args = [
    ...[user, "--provider", "office365", "--tenant", "contoso.example", "--client-id", "app"],
    ...["--flow", "client-credentials", "--token-uri", scene.endpoint.uri],
    ...["--imap-server", `localhost:${scene.imap.port}`, "--ca-file", scene.certificates.caFile],
    ...["--home", scene.directory],
  ];
  for (const more of [[], ["--verify", "none"]]) {
    const world = scene.world({ MXTOKEN_CLIENT_SECRET: "s" });
    const result = await runMain([...args, ...more], world);
    assert.equal(result.status, 0, result.stderr);
    assert.doesNotMatch(result.stderr, /warning|bar@/);
  }
  scene.imap.login = () => "refuse";
  const world = scene.world({ MXTOKEN_CLIENT_SECRET: "s" });
  const refused = await runMain([...args, "--json"], world);
  assert.equal(JSON.parse(refused.stdout).error.code, "mailboxRefused");
});

describe("the browser's page", () => {
  async function page(): Promise<{ text: string; status: number }> {
    const world = testWorld({ cwd: scene.directory, now: Date.now() });
    const redirect = ["--redirect-uri", "https://localhost"];
    const ended = main([user, ...scene.options, ...redirect], world);
    await Promise.race([world.shown("paste it here"), ended]);
    const [address = ""] = /^https:\/\/\S+code_challenge\S+$/m.exec(world.written.stderr) ?? [];
    const { text } = await visit(scene.directory, callback(address, "a-code"));
    return { text, status: await ended };
  }

  test("names the other account where the mailbox opens", async () => {
    grant({ access_token: jwt({ upn: "<b>bar@example.test" }) });
    const { text, status } = await page();
    assert.equal(status, 0);
    assert.match(text, /Signed in/);
    assert.match(
      text,
      /The account that signed in is &lt;b&gt;bar@example\.test\. Is that the one you meant\?/,
    );
  });

  test("says nothing of it where it is the right one", async () => {
    grant({ access_token: jwt({ upn: user }) });
    assert.doesNotMatch((await page()).text, /The account that signed in/);
  });

  for (const answer of ["refuse", "unavailable"] as const) {
    test(`says that it is not signed in where the login was not accepted (${answer})`, async () => {
      grant({ access_token: jwt({ upn: other }) });
      scene.imap.login = () => answer;
      const { text, status } = await page();
      assert.equal(status, 77);
      assert.match(text, /Not signed in/);
      assert.match(text, /The token is bar@example\.test&#39;s, not foo@example\.test&#39;s/);
      assert.match(text, /private browser window/);
    });
  }
});

describe("--select-account", () => {
  for (const [provider, usual, chosen] of [
    ["google", "consent", "consent select_account"],
    ["office365", null, "select_account"],
  ] as const) {
    test(`at ${provider} asks for ${chosen}`, async () => {
      grant({});
      const [, , ...rest] = scene.options;
      const args = [user, "--provider", provider, ...rest, "--verify", "none"];
      for (const [more, prompt] of [
        [[], usual],
        [["--select-account"], chosen],
      ] as const) {
        const words = [...args, ...more, "--startover"];
        const { address, status, stderr } = await signInByPaste(words, scene.world());
        assert.equal(status, 0, stderr);
        assert.equal(address.searchParams.get("prompt"), prompt);
        assert.equal(address.searchParams.get("login_hint"), user);
      }
    });
  }
});
