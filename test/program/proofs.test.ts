import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Secret } from "../../src/secret.ts";
import { type PopPeer, startPopPeer } from "../scene/pop-peer.ts";
import { assertHidden } from "../scene/probing.ts";
import { runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { signInByPaste } from "../scene/sign-in-by-paste.ts";
import { type SmtpPeer, startSmtpPeer } from "../scene/smtp-peer.ts";

const person = "person@example.test";
const all = ["--verify", "imap,smtp,pop"];

let scene: Scene;
let smtp: SmtpPeer;
let pop: PopPeer;
beforeEach(async () => {
  scene = await setScene();
  smtp = await startSmtpPeer(scene.certificates);
  pop = await startPopPeer(scene.certificates);
});
afterEach(() => Promise.all([scene, smtp, pop].map((peer) => peer?.close())));

function servers(): string[] {
  return ["--smtp-server", `localhost:${smtp.port}`, "--pop-server", `localhost:${pop.port}`];
}

function run(...more: readonly string[]) {
  return scene.run([user, ...scene.options, ...servers(), ...more]);
}

function check(more: readonly string[], world = scene.world()) {
  return scene.run(["check", user, ...scene.options, ...servers(), ...more], world);
}

function signIn(more: readonly string[], world = scene.world()) {
  grantWhatIsAsked();
  return signInByPaste([user, ...scene.options, ...servers(), ...more], world);
}

function grantWhatIsAsked(scope?: string): void {
  scene.endpoint.answer = () => ({
    status: 200,
    body: {
      access_token: "access-1",
      refresh_token: "refresh-1",
      token_type: "Bearer",
      expires_in: 3600,
      ...(scope === undefined ? {} : { scope }),
    },
  });
}

function store(notes: Record<string, string> = {}): void {
  scene.write(tokenFileText("old-access-token", scene.account.current, notes));
}

function verified(): string | undefined {
  return /^# Verified: (.*)$/m.exec(scene.read() ?? "")?.[1];
}

const byImap = () => `IMAP at localhost:${scene.imap.port}`;
const bySmtp = () => `SMTP at localhost:${smtp.port}`;
const byPop = () => `POP at localhost:${pop.port}`;

function resultsIn(json: string): string[] {
  const { findings } = JSON.parse(json) as { findings: { probe: string; result: string }[] };
  return findings.map(({ probe, result }) => `${probe} ${result}`);
}

describe("a refresh that is proven by every protocol", () => {
  beforeEach(() => store());

  test("all accept: 0, three findings, all of them in the note", async () => {
    const result = await run(...all, "--json");
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(resultsIn(result.stdout), ["imap accepted", "smtp accepted", "pop accepted"]);
    assert.equal(verified(), `2026-11-20T12:00:00Z by ${byImap()}, ${bySmtp()}, ${byPop()}`);
    const { accessToken } = scene.lines();
    for (const { logins } of [scene.imap, smtp, pop]) {
      assert.deepEqual(
        logins.map(({ token }) => token),
        ["old-access-token", accessToken],
      );
    }
  });

  test("each login is told in a sentence of its own", async () => {
    const { stderr } = await run(...all);
    for (const words of [
      /proven by IMAP login to localhost:\d+ as foo@example\.test with /,
      /proven by SMTP login .*; nothing was sent$/m,
      /proven by POP login .*: \d+ messages?$/m,
    ]) {
      assert.match(stderr, words);
    }
  });

  test("SMTP refuses and IMAP opens: stored for what it opens, 77, and it is told", async () => {
    smtp.login = () => "refuseAtOnce";
    const result = await run(...all, "--json");
    assert.equal(result.status, 77);
    const { error } = JSON.parse(result.stdout);
    assert.equal(error.code, "mailboxRefused");
    assert.deepEqual(resultsIn(result.stdout), ["imap accepted", "smtp refused", "pop accepted"]);
    assert.deepEqual(
      Object.keys(JSON.parse(result.stdout).findings[1]).sort(),
      ["host", "hint", "port", "probe", "reason", "result", "user"].sort(),
    );
    assert.match(result.stderr, /535 5\.7\.3.*the new token is in \S+ for what it opens/);
    assert.notEqual(scene.lines().accessToken, "old-access-token");
    assert.equal(
      verified(),
      `2026-11-20T12:00:00Z by ${byImap()}, ${byPop()}; ${bySmtp()} refused it`,
    );
  });

  test("IMAP refuses and SMTP accepts: 77, line 1 stays, line 2 does not", async () => {
    scene.imap.login = () => "refuse";
    const result = await run("--verify", "imap,smtp");
    assert.equal(result.status, 77);
    assert.match(result.stderr, /the first line of the file stays as it was/);
    assert.deepEqual(scene.lines(), {
      accessToken: "old-access-token",
      refreshToken: scene.account.current,
    });
  });

  test("all refuse: every reason is told", async () => {
    scene.imap.login = () => "refuse";
    smtp.login = () => "refuseAtOnce";
    pop.login = () => "refuse";
    const { status, stderr, stdout } = await run(...all);
    assert.equal(status, 77);
    assert.equal(stdout, "");
    for (const words of [/AUTHENTICATIONFAILED/, /535 5\.7\.3/, /localhost:\d+ refused/]) {
      assert.match(stderr, words);
    }
    assert.equal(scene.lines().accessToken, "old-access-token");
  });

  for (const [name, away] of [
    ["IMAP", () => Object.assign(scene.imap, { isAway: true })],
    ["SMTP", () => Object.assign(smtp, { isAway: true })],
    ["POP", () => Object.assign(pop, { isAway: true })],
  ] as const) {
    test(`${name} is away: 75, stored, and the note says who was not reachable`, async () => {
      away();
      const result = await run(...all);
      assert.equal(result.status, 75, result.stderr);
      assert.notEqual(scene.lines().accessToken, "old-access-token");
      assert.match(verified() ?? "", new RegExp(`; ${name} at localhost:\\d+ was not reachable$`));
    });
  }

  test("one refuses and one is away: no is the stronger word, 77", async () => {
    smtp.isAway = true;
    pop.login = () => "refuse";
    const result = await run(...all);
    assert.equal(result.status, 77, result.stderr);
    assert.equal(
      verified(),
      `2026-11-20T12:00:00Z by ${byImap()}; ${byPop()} refused it; ${bySmtp()} was not reachable`,
    );
  });

  test("--verify smtp asks SMTP alone", async () => {
    const result = await run("--verify", "smtp", "--json");
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(resultsIn(result.stdout), ["smtp accepted"]);
    assert.equal(scene.imap.logins.length + pop.logins.length, 0);
    assert.equal(verified(), `2026-11-20T12:00:00Z by ${bySmtp()}`);
  });

  test("--verify smtp that is refused: 77, and line 1 stays", async () => {
    smtp.login = () => "refuse";
    assert.equal((await run("--verify", "smtp")).status, 77);
    assert.equal(scene.lines().accessToken, "old-access-token");
  });

  test("--verify none: 0, stored, marked unverified, and nobody is logged in to", async () => {
    const result = await run("--verify", "none", "--json");
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(JSON.parse(result.stdout).findings, []);
    assert.notEqual(scene.lines().accessToken, "old-access-token");
    assert.equal(verified(), "no, unverified: no proof was wanted at 2026-11-20T12:00:00Z");
    for (const { logins } of [scene.imap, smtp, pop]) assert.equal(logins.length, 0);
  });

  for (const [list, words] of [
    ["nntp", /--verify: "nntp" is no protocol/],
    ["imap,nntp", /"nntp" is no protocol/],
    ["imap,,smtp", /"" is no protocol/],
    ["none,imap", /"none" is no protocol/],
  ] as const) {
    test(`--verify ${list}: 64, and nothing is asked`, async () => {
      const result = await run("--verify", list);
      assert.equal(result.status, 64);
      assert.match(result.stderr, words);
      assert.equal(scene.endpoint.requests.length, 0);
    });
  }

  test("a list in any order and case, each once", async () => {
    const result = await run("--verify", " POP, imap,pop ", "--json");
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(resultsIn(result.stdout), ["imap accepted", "pop accepted"]);
  });
});

test("a server that is not known: 78 before anything is asked", async () => {
  const at = scene.options.indexOf("--provider");
  const custom = scene.options.toSpliced(at, 2);
  for (const [protocol, command] of [
    ["smtp", []],
    ["pop", []],
    ["smtp", ["check"]],
  ] as const) {
    store({ Provider: "custom" });
    const result = await scene.run([...command, user, ...custom, "--verify", `imap,${protocol}`]);
    assert.equal(result.status, 78, result.stderr);
    assert.match(
      result.stderr,
      new RegExp(
        `no ${protocol.toUpperCase()} server is known for custom: pass --${protocol}-server`,
      ),
    );
    assert.equal(scene.endpoint.requests.length + scene.imap.logins.length, 0);
  }
});

describe("check", () => {
  beforeEach(() => store());

  test("by every protocol: three findings, and nothing is changed", async () => {
    const before = scene.read();
    const result = await check([...all, "--json"]);
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(resultsIn(result.stdout), ["imap accepted", "smtp accepted", "pop accepted"]);
    assert.equal(scene.read(), before);
    assert.equal(scene.endpoint.requests.length, 0);
  });

  test("SMTP refuses and the others do not: 77, all findings told", async () => {
    smtp.login = () => "tenantDisabled";
    const result = await check([...all, "--json"]);
    assert.equal(result.status, 77);
    assert.deepEqual(resultsIn(result.stdout), ["imap accepted", "smtp refused", "pop accepted"]);
  });

  test("one is away: 75", async () => {
    pop.isAway = true;
    assert.equal((await check(all)).status, 75);
  });

  test("--verify none: 64, there is nothing to do", async () => {
    const result = await check(["--verify", "none"]);
    assert.equal(result.status, 64);
    assert.match(result.stderr, /--verify none leaves nothing to check/);
  });

  test("a token from standard input, by every protocol", async () => {
    const world = scene.world();
    world.stdin.end("brought-token\n");
    const result = await check([...all, "--access-token-stdin"], world);
    assert.equal(result.status, 0, result.stderr);
    for (const { logins } of [scene.imap, smtp, pop]) {
      assert.deepEqual(
        logins.map(({ token }) => token),
        ["brought-token"],
      );
    }
  });

  for (const answer of ["accept", "refuse"] as const) {
    test(`--verbose shows the lines of every protocol (${answer}), and no secret in them`, async () => {
      const secret = `secret-${"0123456789abcdef".repeat(8)}`;
      scene.write(tokenFileText(secret, "refresh-secret", { Login: person }));
      for (const peer of [scene.imap, smtp, pop]) peer.login = () => answer;
      const world = scene.world();
      const result = await check([...all, "--verbose", "--json"], world);
      assert.equal(result.status, answer === "accept" ? 0 : 77, result.stderr);
      for (const words of [/AUTHENTICATE (XOAUTH2|OAUTHBEARER)/, /EHLO/, /CAPA/]) {
        assert.match(result.stderr, words);
      }
      const at = ({ port }: { port: number }) =>
        ({ host: "localhost", port, tls: "implicit" }) as const;
      const ends = [scene.imap, smtp, pop].map(at);
      assertHidden([result.stderr, result.stdout], new Secret(secret), [user, person], ends);
      assert.ok(!result.stderr.includes("refresh-secret"));
    });
  }
});

describe("a shared mailbox", () => {
  const names = () => ({
    imap: scene.imap.logins.at(-1)?.user,
    smtp: smtp.logins.at(-1)?.user,
    pop: pop.logins.at(-1)?.user,
  });
  const expected = { imap: user, smtp: person, pop: user };

  test("--login: IMAP and POP as the mailbox, SMTP as the person; remembered at the next run", async () => {
    const first = await signIn([...all, "--login", person]);
    assert.equal(first.status, 0, first.stderr);
    assert.equal(first.address.searchParams.get("login_hint"), person);
    assert.deepEqual(names(), expected);
    assert.match(scene.read() ?? "", /^# Login: person@example\.test$/m);
    const second = await run(...all);
    assert.equal(second.status, 0, second.stderr);
    assert.deepEqual(names(), expected);
    assert.match(scene.read() ?? "", /^# Login: person@example\.test$/m);
    assert.equal((await check(all)).status, 0);
    assert.deepEqual(names(), expected);
  });

  test("without --login everybody is the mailbox", async () => {
    store();
    await run(...all);
    assert.deepEqual(names(), { imap: user, smtp: user, pop: user });
    assert.doesNotMatch(scene.read() ?? "", /^# Login:/m);
  });
});

describe("the scope of a sign-in follows --access", () => {
  const outlook = "https://outlook.office.com";
  const office = [
    `${outlook}/IMAP.AccessAsUser.All`,
    `${outlook}/SMTP.Send`,
    `${outlook}/POP.AccessAsUser.All`,
  ];

  /** Signs in at the row's own authorization endpoint; the token endpoint is the test's. */
  async function scopeOf(provider: string, more: readonly string[], world = scene.world()) {
    grantWhatIsAsked();
    const ownClient = provider === "google" ? ["--client-id", "test-client"] : [];
    const { address, status, stderr } = await signInByPaste(
      [
        ...[user, "--provider", provider, ...ownClient, "--token-uri", scene.endpoint.uri],
        ...["--imap-server", `localhost:${scene.imap.port}`, ...servers()],
        ...["--ca-file", scene.certificates.caFile, "--home", scene.directory, ...more],
      ],
      world,
    );
    assert.equal(status, 0, stderr);
    return address.searchParams.get("scope")?.split(" ");
  }

  for (const [more, scope] of [
    [[], [office[0]]],
    [["--access", "imap,smtp,pop"], office],
    [
      ["--access", "pop,smtp"],
      [office[1], office[2], office[0]],
    ],
    [
      ["--verify", "imap,smtp"],
      [office[0], office[1]],
    ],
    [["--verify", "none", "--access", "smtp"], [office[1]]],
  ] as const) {
    test(`at Microsoft with ${more.join(" ") || "nothing"}: of one resource, and offline_access`, async () => {
      assert.deepEqual(await scopeOf("office365", more), [...scope, "offline_access"]);
    });
  }

  test("at Google it is one scope, whatever is opened", async () => {
    assert.deepEqual(await scopeOf("google", ["--access", "imap,smtp,pop"]), [
      "https://mail.google.com/",
    ]);
  });

  test("MXTOKEN_ACCESS counts too", async () => {
    const world = scene.world({ MXTOKEN_ACCESS: "imap,smtp" });
    assert.deepEqual(await scopeOf("office365", [], world), [
      ...office.slice(0, 2),
      "offline_access",
    ]);
  });

  for (const protocol of ["smtp", "pop"]) {
    test(`--access ${protocol} at Mail.ru, whose scope nobody knows for sure: 78`, async () => {
      const args = [user, "--provider", "mailru", "--access", protocol, "--home", scene.directory];
      const result = await runMain([...args, "--timeout", "5"], scene.world());
      assert.equal(result.status, 78, result.stderr);
      assert.match(
        result.stderr,
        new RegExp(
          `the scope for ${protocol.toUpperCase()} at mailru is not known for sure: pass --scope`,
        ),
      );
    });
  }
});

describe("what was granted is compared with what was asked", () => {
  const warning = /warning: the scope (.*?) was not granted/;

  async function signInGranted(asked: string, granted: string | undefined) {
    grantWhatIsAsked(granted);
    const at = scene.options.indexOf("--scope");
    const options = scene.options.toSpliced(at + 1, 1, asked);
    const result = await signInByPaste([user, ...options], scene.world());
    assert.equal(result.status, 0, result.stderr);
    return { told: warning.exec(result.stderr)?.[1], stderr: result.stderr };
  }

  for (const [asked, granted, told] of [
    ["mail", undefined, undefined],
    ["mail", "mail", undefined],
    ["mail send", "send MAIL", undefined],
    ["mail send", "mail", "send"],
    ["mail send pop", "pop", "mail send"],
    ["mail", "mail more", undefined],
  ] as const) {
    test(`asked ${asked}, granted ${granted}: ${told ?? "nothing"} is missing`, async () => {
      const { told: actual, stderr } = await signInGranted(asked, granted);
      assert.equal(actual, told);
      if (told !== undefined) assert.match(stderr, /though it was asked for/);
    });
  }

  test("the file says what was granted", async () => {
    await signInGranted("mail send", "mail");
    assert.match(scene.read() ?? "", /^# Scope: mail$/m);
  });

  for (const provider of ["office365", undefined]) {
    test(`offline_access, which is not echoed, is no warning at ${provider ?? "an unknown server"}`, async () => {
      grantWhatIsAsked("mail");
      const [, , ...rest] = scene.options;
      const named = provider === undefined ? [] : ["--provider", provider];
      const at = rest.indexOf("--scope");
      const args = [user, ...named, ...rest.toSpliced(at + 1, 1, "mail offline_access")];
      const result = await signInByPaste(args, scene.world());
      assert.equal(result.status, 0, result.stderr);
      assert.doesNotMatch(result.stderr, warning);
      assert.match(scene.read() ?? "", /^# Scope: mail offline_access$/m);
    });
  }

  test("a refresh of a file whose scope lacks what is wanted now is warned of, and told how", async () => {
    store({ Provider: "office365", Scope: `https://outlook.office.com/IMAP.AccessAsUser.All` });
    const [, , , , , , ...rest] = scene.options;
    const args = ["--provider", "office365", "--client-id", "test-client", ...rest, ...servers()];
    const result = await scene.run([user, ...args, "--access", "imap,smtp"]);
    assert.equal(result.status, 0, result.stderr);
    assert.match(
      result.stderr,
      /the scope https:\/\/outlook\.office\.com\/SMTP\.Send offline_access was not granted when somebody signed in; to add it, sign in anew with --startover/,
    );
    assert.match(scene.read() ?? "", /^# Scope: https:\/\/outlook\.office\.com\/IMAP\S+$/m);
  });

  test("with --quiet a warning is not told", async () => {
    store({ Scope: "other" });
    assert.equal((await run("--quiet")).stderr, "");
  });
});

describe("a sign-in that is proven by every protocol", () => {
  const proofs: [string, () => void, number, boolean][] = [
    ["all accept", () => undefined, 0, true],
    ["SMTP refuses", () => Object.assign(smtp, { login: () => "refuse" }), 77, true],
    ["IMAP refuses", () => Object.assign(scene.imap, { login: () => "refuse" }), 77, true],
    ["POP is away", () => Object.assign(pop, { isAway: true }), 75, true],
    [
      "IMAP and POP refuse",
      () => [scene.imap, pop].map((peer) => Object.assign(peer, { login: () => "refuse" })),
      77,
      false,
    ],
  ];
  for (const [what, arrange, status, isStored] of proofs) {
    test(`${what}: ${status}, ${isStored ? "stored" : "nothing is stored"}`, async () => {
      arrange();
      const result = await signIn(all);
      assert.equal(result.status, status, result.stderr);
      assert.equal(scene.read()?.split("\n")[0], isStored ? "access-1" : undefined);
      assert.match(
        result.stderr,
        status === 0
          ? /proven by SMTP/
          : isStored
            ? /the token is in \S+(, not proven yet| for what it opens)/
            : /nothing was stored/,
      );
    });
  }

  test("IMAP refuses and SMTP alone accepts: nothing is stored", async () => {
    scene.imap.login = () => "refuse";
    const result = await signIn(["--verify", "imap,smtp"]);
    assert.equal(result.status, 77, result.stderr);
    assert.equal(scene.read(), undefined);
  });

  test("--verify none: 0, stored, marked unverified, no login", async () => {
    const result = await signIn(["--verify", "none"]);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(verified(), "no, unverified: no proof was wanted at 2026-11-20T12:00:00Z");
    assert.equal(scene.imap.logins.length, 0);
  });
});
