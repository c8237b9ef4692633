import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { providers } from "../../src/catalog/providers.ts";
import { passwordOnlyProviders } from "../../src/catalog/without-tokens.ts";
import { showEndpoint } from "../../src/settings/servers.ts";
import { type DnsAnswer, type DnsServer, startDnsServer } from "../scene/dns-server.ts";
import { freePort } from "../scene/loopback.ts";
import { type Result, runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { standIn } from "../scene/stand-in.ts";
import { testWorld } from "../scene/world.ts";

let scene: Scene;
let dns: DnsServer;
beforeEach(async () => {
  scene = await setScene();
  dns = await startDnsServer();
});
afterEach(async () => {
  await scene?.close();
  await dns?.close();
});

const mx = (...hosts: string[]): DnsAnswer => ({
  mx: hosts.map((host, index) => [(index + 1) * 10, host] as const),
});

function run(...args: string[]): Promise<Result> {
  return runMain(args, scene.world({ MXTOKEN_HOME: scene.directory }));
}

/** Options that lead to the scripted servers; the provider and its endpoints are not among them. */
function options(): string[] {
  const imap = ["--imap-server", `localhost:${scene.imap.port}`];
  return [...imap, "--ca-file", scene.certificates.caFile, "--dns-server", dns.address];
}

/** As {@link run}, where a scripted token endpoint stands in for Microsoft's. */
function runAtMicrosoft(...args: string[]): Promise<Result> {
  const world = scene.world({ MXTOKEN_HOME: scene.directory });
  const microsoft = "https://login.microsoftonline.com/common/oauth2/v2.0/token";
  return runMain(args, standIn(world, microsoft, scene.endpoint.uri));
}

/** Runs with these servers given by hand. */
function runWithServers(names: readonly string[]): Promise<Result> {
  dns.answer = () => [mx(microsoftMx)];
  const servers: Record<string, string> = {
    "authorize-uri": "https://localhost/authorize",
    "token-uri": scene.endpoint.uri,
    "imap-server": `localhost:${scene.imap.port}`,
  };
  const given = names.flatMap((name) => [`--${name}`, servers[name] ?? ""]);
  return run(
    ...[user, ...given, "--dns-server", dns.address, "--ca-file", scene.certificates.caFile],
  );
}

const microsoftMx = "example-test.mail.protection.outlook.com";

describe("an address without --provider", () => {
  test("finds it by the MX, says so, and works as if it had been named", async () => {
    dns.answer = () => [mx(microsoftMx)];
    scene.write(`old-access\n${scene.account.current}\n`);
    const result = await runAtMicrosoft(user, ...options());
    assert.equal(result.status, 0, result.stderr);
    assert.match(
      result.stderr,
      /^mxtoken: provider office365: MX example-test\.mail\.protection\.outlook\.com$/m,
    );
    assert.match(scene.read() ?? "", /^# Provider: office365$/m);
    assert.deepEqual(
      dns.queries.map(({ name }) => name),
      ["example.test"],
    );
    dns.answer = () => [{ rcode: 2 }];
    const again = await runAtMicrosoft(user, ...options(), "--json");
    assert.equal(again.status, 0, again.stderr);
    assert.equal(dns.queries.length, 1, "the token file tells it the next time");
    assert.match(again.stderr, /^mxtoken: provider office365: the token file, which was made/m);
    assert.deepEqual(JSON.parse(again.stdout).evidence, { by: "tokenFile" });
  });

  test("tells the rest where every server is given", async () => {
    dns.answer = () => [mx(microsoftMx)];
    scene.write(tokenFileText("old-access", scene.account.current, { Provider: "", Client: "" }));
    const servers = [
      ...["--authorize-uri", "https://localhost/authorize", "--token-uri", scene.endpoint.uri],
      ...options(),
    ];
    const result = await run(user, ...servers, "--scope", "mail");
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /^mxtoken: provider office365: MX /m);
    assert.match(scene.read() ?? "", /^# Provider: office365$/m);
    dns.answer = () => [mx("mx.own.example")];
    const unknown = await run("other@example.test", ...servers, "--scope", "mail");
    assert.equal(unknown.status, 68, unknown.stderr);
    assert.match(unknown.stderr, /all its values: --authorize-uri --token-uri --scope --client-id/);
  });

  for (const given of [
    ["authorize-uri"],
    ["token-uri"],
    ["authorize-uri", "token-uri"],
    ["authorize-uri", "imap-server"],
    ["token-uri", "imap-server"],
  ]) {
    test(`with --${given.join(" --")} alone nobody is asked, and no token leaves: 78`, async () => {
      scene.write(tokenFileText("old-access", scene.account.current, { Provider: "", Client: "" }));
      assert.equal((await runWithServers(given)).status, 78);
      assert.deepEqual([dns.queries.length, scene.endpoint.requests.length], [0, 0]);
      assert.equal(scene.imap.logins.length, 0);
    });
  }

  test("where the token file names a provider that is not known, not even every server lets MX tell: 78", async () => {
    scene.write(tokenFileText("old-access", scene.account.current, { Provider: "gone" }));
    const result = await runWithServers(["authorize-uri", "token-uri", "imap-server"]);
    assert.equal(result.status, 78, result.stderr);
    assert.deepEqual([dns.queries.length, scene.endpoint.requests.length], [0, 0]);
  });

  test("tells the evidence as data, with the better hosts that tell nothing", async () => {
    dns.answer = () => [mx("mx.own.example", microsoftMx)];
    scene.write(`old-access\n${scene.account.current}\n`);
    const result = await runAtMicrosoft(user, ...options(), "--json");
    assert.match(
      result.stderr,
      /\(preferred to it: mx\.own\.example, of no provider that is known\)$/m,
    );
    const { provider, evidence } = JSON.parse(result.stdout);
    assert.deepEqual(
      [provider, evidence],
      ["office365", { by: "mx", host: microsoftMx, before: ["mx.own.example"] }],
    );
  });

  for (const [what, records, before, words] of [
    ["no better", [[10, "mx.own.example"]], [], ""],
    ["worse", [[20, "mx0a-1.pphosted.com"]], [], ""],
    [
      "a gateway",
      [[1, "mx0a-1.pphosted.com"]],
      ["mx0a-1.pphosted.com"],
      " (preferred to it: mx0a-1.pphosted.com, a mail gateway of Proofpoint)",
    ],
    [
      "several",
      [
        [1, "mx.own.example"],
        [2, "mx0a-1.pphosted.com"],
        [10, "mx.third.example"],
      ],
      ["mx.own.example", "mx0a-1.pphosted.com"],
      " (preferred to it: mx0a-1.pphosted.com, a mail gateway of Proofpoint, and 1 more)",
    ],
  ] as const) {
    test(`another host beside it is told where it is preferred: ${what}`, async () => {
      dns.answer = () => [{ mx: [...records, [10, microsoftMx]] }];
      const shown = await run("provider", user, "--dns-server", dns.address);
      assert.ok(shown.stdout.includes(`  MX ${microsoftMx}${words}\n`), shown.stdout);
      const json = await run("provider", user, "--dns-server", dns.address, "--json");
      assert.deepEqual(JSON.parse(json.stdout).evidence.before, before);
    });
  }

  for (const [what, tokens, host, message] of [
    [
      "Google's",
      ["ya29.a0Af", "1//03refresh"],
      microsoftMx,
      /look like google's, but the address tells office365/,
    ],
    ["Google's refresh token alone", ["", "1//03refresh"], microsoftMx, /look like google's/],
    [
      "not Google's",
      ["eyJhbGciOi", "0.AXkA"],
      "aspmx.l.google.com",
      /look not like google's, but the address tells google/,
    ],
  ] as const) {
    test(`a token from standard input that is evidently ${what} is sent nowhere else: 78`, async () => {
      dns.answer = () => [mx(host)];
      for (const args of [
        [user, "--refresh-token-stdin"],
        ["check", user, "--access-token-stdin"],
      ]) {
        const world = scene.world();
        world.stdin.end(`${tokens[1]}\n`);
        const result = await runMain(
          [...args, "--home", scene.directory, "--dns-server", dns.address],
          world,
        );
        assert.equal(result.status, 78, result.stderr);
        assert.match(
          result.stderr,
          /what came on standard input seems to look (not )?like google's, but the address tells/,
        );
      }
    });

    test(`tokens that are evidently ${what} are sent nowhere else: 78`, async () => {
      dns.answer = () => [mx(host)];
      scene.write(`${tokens.join("\n")}\n# Line 1 is the access token.\n`);
      for (const args of [[user], ["check", user]]) {
        const result = await run(...args, "--dns-server", dns.address);
        assert.equal(result.status, 78, result.stderr);
        assert.match(result.stderr, message);
        assert.ok(tokens.every((token) => token === "" || !result.stderr.includes(token)));
      }
      const startover = await run(user, "--startover", "--dns-server", dns.address);
      assert.equal(startover.status, 77, startover.stderr);
    });
  }

  test("tokens that do not say whose they are go to Google and Microsoft only: 78", async () => {
    dns.answer = () => [mx("mx.yandex.net")];
    scene.write("eyJ0eXAi\n0.AXkAmicrosoft\n");
    const result = await run(user, "--dns-server", dns.address);
    assert.equal(result.status, 78, result.stderr);
    assert.match(
      result.stderr,
      /do not say which provider they are from, but the address tells yandex/,
    );
  });

  test("asks about the domain in ASCII", async () => {
    dns.answer = () => [{ rcode: 3 }];
    await run("foo@Bücher.example", ...options());
    await run("foo@例え。テスト", ...options());
    assert.deepEqual(
      dns.queries.map(({ name }) => name),
      ["xn--bcher-kva.example", "xn--r8jz45g.xn--zckzah"],
    );
  });

  test("a file of the same address at another provider is left alone", async () => {
    scene.write(tokenFileText("old-access", "old-refresh", { Provider: "google" }));
    const before = scene.read();
    const result = await run(user, "--dns-server", dns.address, "--provider", "office365");
    assert.match(result.stderr, /belongs to google and is left alone/);
    assert.equal(scene.read(), before);
    assert.equal(dns.queries.length, 0);
  });
});

describe("no DNS is asked", () => {
  const nobody = ["--dns-server", "127.0.0.1:1"];

  for (const [what, ...args] of [
    ["with --provider", user, "--provider", "google"],
    ["for a domain that is known", "foo@gmail.com"],
    ["for a domain that is known, in other letters", "foo@GMail.COM"],
  ] as const) {
    test(what, async () => {
      const result = await run(...args, ...nobody);
      assert.equal(result.status, 77, result.stderr);
      assert.match(result.stderr, /a person must sign in/);
    });
  }

  test("with all values given", async () => {
    const values = ["--authorize-uri", "https://a.example", "--token-uri", "https://t.example"];
    const more = ["--scope", "mail", "--client-id", "me", "--imap-server", "imap.example"];
    const result = await run(user, ...values, ...more, ...nobody);
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /at custom/);
  });

  test("for check without a token file", async () => {
    const result = await run("check", user, "--dns-server", dns.address);
    assert.equal(result.status, 77);
    assert.match(result.stderr, /there is no access token in/);
    assert.equal(dns.queries.length, 0);
  });

  test("for check with a server", async () => {
    scene.write("access-token\nrefresh-token\n");
    const server = ["--imap-server", `localhost:${scene.imap.port}`];
    const ca = ["--ca-file", scene.certificates.caFile];
    const result = await run("check", user, ...server, ...ca, "--dns-server", dns.address);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(dns.queries.length, 0);
  });
});

test("check finds the provider of a file that does not name it", async () => {
  dns.answer = () => [mx(microsoftMx)];
  scene.write("access-token\nrefresh-token\n");
  const nowhere = ["--proxy", "http://127.0.0.1:1"];
  const result = await run("check", user, "--dns-server", dns.address, ...nowhere);
  assert.equal(result.status, 75, result.stderr);
  assert.match(result.stderr, /outlook\.office365\.com:993/);
});

test("a domain with one provider's MX and another's row of domains: the exact one wins", async () => {
  dns.answer = () => [mx("aspmx.l.google.com")];
  const exact = await run("provider", "verizon.net", "--dns-server", dns.address);
  assert.match(exact.stdout, /^evidence\s+domain verizon\.net$/m);
  assert.equal(dns.queries.length, 0);
  const asked = await run("provider", "yahoo.fr", "--dns-server", dns.address);
  assert.match(asked.stdout, /^evidence\s+MX aspmx\.l\.google\.com$/m);
  assert.equal(dns.queries.length, 1);
});

const byHand =
  /pass --provider NAME \(google, office365, .*, thundermail\), or all its values: --authorize-uri --token-uri --scope --client-id --imap-server/;

for (const [what, answer, reason, message, hint] of [
  [
    "a domain that does not exist",
    { rcode: 3 },
    "noSuchDomain",
    /: the domain example\.test does not exist \(NXDOMAIN, says 127\.0\.0\.1:\d+\)$/m,
    /hint: is the address right\? If so, pass --provider NAME \(google/,
  ],
  ["no MX", mx(), "noMx", /: example\.test has no MX records/, byHand],
  [
    "a null MX",
    mx(""),
    "nullMx",
    /: example\.test takes no mail: its MX is null \(RFC 7505\)$/m,
    byHand,
  ],
  [
    "an MX of nobody known",
    mx("mx1.mail.ovh.net", "mx2.mail.ovh.net"),
    "unknownMx",
    /: the MX of example\.test is of no provider that is known: mx1\.mail\.ovh\.net, mx2\.mail\.ovh\.net$/m,
    byHand,
  ],
  [
    "more MX of nobody known than are of use",
    mx(...["a", "b", "c", "d", "e", "f", "g"].map((name) => `${name}.example`)),
    "unknownMx",
    /: a\.example, b\.example, c\.example, d\.example, e\.example and 2 more$/m,
    byHand,
  ],
  [
    "two providers",
    mx("aspmx.l.google.com", "a.mail.protection.outlook.com"),
    "severalProviders",
    /more than one provider: google \(MX aspmx\.l\.google\.com\) and office365 \(MX a\.mail\.protection\.outlook\.com\)$/m,
    /hint: pass --provider google or --provider office365, whichever has this mailbox$/m,
  ],
  [
    "two providers without OAuth",
    mx("mx.zoho.com", "mail.protonmail.ch"),
    "severalProviders",
    /more than one provider: zoho .* and proton/,
    /hint: Zoho.*; Proton/,
  ],
  [
    "a host that nobody is known for",
    mx("mx-att.mail.am0.yahoodns.net"),
    "severalProviders",
    /, mx-att\.mail\.am0\.yahoodns\.net, may be of yahoo and att$/m,
    /--provider yahoo or --provider att/,
  ],
  [
    "a gateway",
    mx("mx0a-1.pphosted.com"),
    "gateway",
    /the MX of example\.test, mx0a-1\.pphosted\.com, is a mail gateway of Proofpoint/,
    byHand,
  ],
  [
    "a cloud of the US government",
    mx("contoso.mail.protection.office365.us"),
    "severalProviders",
    /is shared by more than one provider: office365-gcc-high and office365-dod$/m,
    /--provider office365-gcc-high or --provider office365-dod/,
  ],
  [
    "a host that is probably somebody's",
    mx("mx1.comcast.net"),
    "probableProvider",
    /the MX mx1\.comcast\.net is probably of comcast .*no token is asked for on a guess$/m,
    /hint: if that is right, pass --provider comcast$/m,
  ],
  ["SERVFAIL", { rcode: 2 }, undefined, /could not be looked up: .*SERVFAIL/, /--dns-server IP/],
  ["REFUSED", { rcode: 5 }, undefined, /could not be looked up: .*REFUSED/, /--provider NAME/],
] as const) {
  test(`told, with what to do: ${what}`, async () => {
    dns.answer = () => [answer];
    for (const args of [[user], ["provider", user], ["provider", "example.test"]]) {
      const result = await run(...args, "--dns-server", dns.address);
      assert.equal(result.status, reason === undefined ? 75 : 68, result.stderr);
      assert.match(result.stderr, message);
      assert.match(result.stderr, hint);
      assert.equal(result.stdout, "");
      const json = await run(...args, "--dns-server", dns.address, "--json");
      assert.equal(JSON.parse(json.stdout).error.reason, reason);
    }
  });
}

test("a token file of a provider that is none of the known is told: 68", async () => {
  scene.write(tokenFileText("old-access", "old-refresh", { Provider: "custom" }));
  const result = await run(user, "--json");
  assert.equal(result.status, 68, result.stderr);
  assert.match(result.stderr, /was made for custom, which is not in the catalogue$/m);
  assert.equal(JSON.parse(result.stdout).error.reason, "notInCatalogue");
});

test("nobody listens at the resolver: 75", async () => {
  const result = await run(user, "--dns-server", `127.0.0.1:${await freePort()}`);
  assert.equal(result.status, 75);
  assert.match(result.stderr, /nobody listens there/);
});

test("the system's resolvers are asked where none is named", async () => {
  dns.answer = () => [mx("aspmx.l.google.com")];
  const resolvers = [`127.0.0.1:${await freePort()}`, "not an address", dns.address];
  const world = testWorld({ cwd: scene.directory, resolvers });
  const result = await runMain(["provider", user], world);
  assert.equal(result.status, 0, result.stderr);
  assert.match(result.stdout, /^provider\s+google /);
});

for (const text of [
  "",
  "localhost",
  "dns.example",
  "127.0.0.1:0",
  "127.0.0.1:65536",
  "127.0.0",
  "[::1",
  "[127.0.0.1]:53",
  "::1:53x",
  "tls://1.1.1.1",
]) {
  test(`--dns-server ${JSON.stringify(text)} is none, and is told at once`, async () => {
    const result = await run("provider", "gmail.com", "--dns-server", text);
    assert.equal(result.status, 64);
    assert.match(result.stderr, /--dns-server/);
  });
}

test("--verbose shows what was asked and answered", async () => {
  dns.answer = ({ transport }) =>
    transport === "udp" ? [{ truncated: true }] : [mx("aspmx.l.google.com", "")];
  const result = await run("provider", user, "--dns-server", dns.address, "--verbose");
  const place = dns.address.replaceAll(".", "\\.");
  assert.match(result.stderr, new RegExp(`DNS ${place}: MX example\\.test\\?`));
  assert.match(result.stderr, new RegExp(`DNS ${place}: truncated`));
  assert.match(result.stderr, new RegExp(`DNS ${place} by TCP: aspmx\\.l\\.google\\.com \\.`));
});

test("a dot at the end of a domain says nothing", async () => {
  for (const text of ["gmail.com.", "foo@gmail.com."]) {
    const result = await run("provider", text);
    assert.match(result.stdout, /^evidence\s+domain gmail\.com$/m);
  }
  const mailbox = await run("foo@gmail.com.");
  assert.match(mailbox.stderr, /^mxtoken: foo@gmail\.com at google /m);
  assert.match(mailbox.stderr, /oauth2_tokens_foo@gmail\.com\.txt$/m);
});

for (const [host, evidence] of [
  ["mx01.mail.icloud.com", "MX mx01.mail.icloud.com"],
  ["mx.zoho.jp", "MX mx.zoho.jp, which is probably theirs"],
] as const) {
  test(`an MX of a provider that takes no token is told with what to do: ${host}`, async () => {
    dns.answer = () => [mx(host)];
    const wanted = await run(user, "--dns-server", dns.address);
    const asked = await run("provider", user, "--dns-server", dns.address);
    for (const result of [wanted, asked]) {
      assert.equal(result.status, 68);
      assert.ok(result.stderr.includes(`no token opens a mailbox there (${evidence})\n`));
      assert.match(result.stderr, /^mxtoken: hint: .*app-specific/m);
    }
    assert.equal(wanted.stdout, "");
    assert.ok(asked.stdout.includes(`  ${evidence}\n`));
  });
}

test("who has no OAuth 2.0 is not offered as a choice", async () => {
  dns.answer = () => [mx("mx00.gmx.net", microsoftMx)];
  const result = await run(user, "--dns-server", dns.address);
  assert.match(result.stderr, /tells more than one provider: gmx .* and office365/);
  assert.match(result.stderr, /hint: pass --provider office365, if that has this mailbox$/m);
});

describe("mxtoken provider", () => {
  test("says what is known of Microsoft 365", async () => {
    dns.answer = () => [mx("contoso-com.mail.protection.outlook.com")];
    const result = await run("provider", "foo@contoso.example", "--dns-server", dns.address);
    assert.equal(result.status, 0, result.stderr);
    for (const line of [
      /^provider\s+office365 \(Microsoft 365, work or school\)$/m,
      /^evidence\s+MX contoso-com\.mail\.protection\.outlook\.com$/m,
      /^IMAP\s+outlook\.office365\.com:993$/m,
      /^SMTP\s+smtp\.office365\.com:587 \(STARTTLS\)$/m,
      /^POP\s+outlook\.office365\.com:995$/m,
      /^token\s+https:\/\/login\.microsoftonline\.com\/common\/oauth2\/v2\.0\/token$/m,
      /^scope SMTP\s+https:\/\/outlook\.office\.com\/SMTP\.Send offline_access$/m,
      /^flows\s+code, device, client-credentials$/m,
      /^application\s+thunderbird: 9e5f94bc\S+, back to https:\/\/localhost$/m,
      /^application\s+imapsync: c46947ca\S+, back to \S+, by paste, with a secret that you must bring$/m,
    ]) {
      assert.match(result.stdout, line);
    }
    assert.equal(result.stderr, "mxtoken: asking DNS for the MX of contoso.example\n");
  });

  for (const row of providers) {
    test(`shows the row ${row.name}, by name, as text and as data, and no secret of it`, async () => {
      const text = await run("provider", row.name);
      assert.equal(text.status, 0, text.stderr);
      assert.ok(text.stdout.includes(row.imap.host));
      assert.ok(text.stdout.includes(`\nother names    ${row.aliases.join(", ")}\n`));
      const json = await run("provider", row.name, "--json");
      const shown = JSON.parse(json.stdout);
      assert.deepEqual(
        [shown.ok, shown.provider, shown.aliases, shown.evidence, shown.imap, shown.sources],
        [true, row.name, row.aliases, { by: "name" }, row.imap, row.sources],
      );
      assert.equal(
        shown.tokenEndpoint,
        row.tokenEndpoint.replace("{tenant}", row.defaultTenant ?? ""),
      );
      for (const { publishedClientSecret } of Object.values(row.applications)) {
        if (publishedClientSecret === undefined) continue;
        assert.ok(!(text.stdout + json.stdout).includes(publishedClientSecret));
      }
      for (const domain of row.domains) {
        const found = await run("provider", domain, "--json");
        assert.deepEqual(JSON.parse(found.stdout).evidence, { by: "domain", domain });
        assert.equal(JSON.parse(found.stdout).provider, row.name);
      }
    });
  }

  for (const row of passwordOnlyProviders) {
    test(`says what to do instead at ${row.name}, by name and by domain: 68`, async () => {
      for (const text of [row.name, ...row.domains, `foo@${row.domains[0]}`]) {
        const result = await run("provider", text);
        assert.equal(result.status, 68);
        assert.ok(result.stderr.includes(`${row.title} has no OAuth 2.0 for IMAP`));
        assert.ok(result.stderr.includes(row.instead));
        for (const shown of [
          row.name,
          row.aliases.join(", "),
          row.title,
          row.instead,
          ...(row.remarks ?? []),
        ]) {
          assert.ok(result.stdout.includes(shown), shown);
        }
        for (const server of [row.imap, row.smtp, row.pop]) {
          if (server !== undefined) assert.ok(result.stdout.includes(showEndpoint(server)));
        }
        const json = await run("provider", text, "--json");
        assert.equal(json.status, 68);
        const { ok, error, evidence: _evidence, ...rest } = JSON.parse(json.stdout);
        assert.deepEqual([ok, error.code, error.hint], [false, "noProvider", row.instead]);
        assert.equal(error.reason, "withoutOAuth");
        const { name, aliases, title, imap, smtp, pop, instead, remarks = [], sources } = row;
        const servers = { imap, smtp, pop };
        const known = { provider: name, aliases, title, ...servers, instead, remarks, sources };
        assert.deepEqual(rest, JSON.parse(JSON.stringify(known)));
      }
      const named = await run(user, "--provider", row.name);
      assert.equal(named.status, 68);
      assert.ok(named.stderr.includes(row.instead));
    });
  }

  for (const [args, message] of [
    [
      [],
      /no address and no domain was given\n.*; or name one of google, .*, thundermail, icloud, /,
    ],
    [["a@example.com", "b@example.com"], /one address at a time/],
    [["nobody"], /neither a mailbox address, nor a mail domain/],
    [["https://example.com"], /neither a mailbox address, nor a mail domain/],
    [["a b.example"], /neither/],
    [["@example.com"], /not a mailbox address/],
    [["example..com"], /neither/],
    [["192.0.2.1"], /neither/],
    [["foo@192.0.2.1"], /not a mailbox address/],
    [["nobody"], /nor a provider's name/],
    [["gmail.com", "--provider", "google"], /unknown option --provider/],
  ] as const) {
    test(`refuses ${JSON.stringify(args)}: 64`, async () => {
      const result = await run("provider", ...args);
      assert.equal(result.status, 64, result.stderr);
      assert.match(result.stderr, message);
    });
  }
});
