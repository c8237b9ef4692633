import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Mailbox } from "../../src/mailbox.ts";
import { parseAddress } from "../../src/mailbox.ts";
import { imapsyncArguments, imapsyncOptions, sidesOf } from "../../src/programs/imapsync.ts";

const mailbox: Mailbox = {
  address: parseAddress("old@example.test"),
  login: "person@example.test",
  provider: "office365",
  title: "",
  imap: { host: "imap.example.test", port: 993, tls: "implicit" },
  smtp: undefined,
  pop: undefined,
  verify: ["imap"],
  isPopTokenOnNextLine: false,
  mechanisms: ["XOAUTH2"],
  ca: undefined,
  caFile: undefined,
  proxy: undefined,
};
const tokenFile = "/tokens/old.txt";

function added(given: readonly string[], more: Partial<Mailbox> = {}, refresh?: string): string[] {
  return imapsyncArguments({ mailbox: { ...mailbox, ...more }, tokenFile }, 1, refresh, given);
}

/** The names of the options that are added. */
function names(given: readonly string[], more: Partial<Mailbox> = {}): string[] {
  return added(given, more).filter((word) => word.startsWith("--"));
}

const all = ["--host1", "--ssl1", "--user1", "--password1", "--oauthaccesstoken1", "--sslargs1"];

describe("imapsync's options as arguments", () => {
  test("all of them, of the side, where none is given", () => {
    assert.deepEqual(added([]), [
      ...["--host1", "imap.example.test", "--ssl1", "--user1", "old@example.test"],
      ...["--password1", "x", "--oauthaccesstoken1", tokenFile],
      ...["--sslargs1", "SSL_verify_mode=1"],
    ]);
    assert.deepEqual(
      imapsyncArguments({ mailbox, tokenFile }, 2, undefined, []).filter((word) =>
        word.startsWith("--"),
      ),
      all.map((name) => name.replace("1", "2")),
    );
  });

  test("what is given for the other side changes nothing", () => {
    const other = ["--host2", "h", "--nossl2", "--user2", "u", "--password2", "p", "--port2", "1"];
    const more = ["--oauthaccesstoken2", "f", "--sslargs2", "SSL_verify_mode=0", "--tls2"];
    assert.deepEqual(added([...other, ...more]), added([]));
  });

  const endpoints: [string, number, "implicit" | "starttls", string[]][] = [
    ["993 with TLS at once", 993, "implicit", ["--ssl1"]],
    ["another port with TLS at once", 1993, "implicit", ["--port1", "1993", "--ssl1"]],
    ["143 with STARTTLS", 143, "starttls", ["--tls1"]],
    ["another port with STARTTLS", 1143, "starttls", ["--port1", "1143", "--tls1"]],
    ["143 with TLS at once", 143, "implicit", ["--port1", "143", "--ssl1"]],
    ["993 with STARTTLS", 993, "starttls", ["--port1", "993", "--tls1"]],
  ];
  for (const [what, port, tls, expected] of endpoints) {
    test(`${what}: ${expected.join(" ")}`, () => {
      const words = added([], { imap: { host: "localhost", port, tls } });
      assert.deepEqual(words.slice(2, words.indexOf("--user1")), expected);
    });
  }

  test("another host than the provider's has a port of its own, and so has --port1", () => {
    const imap = { host: "localhost", port: 1993, tls: "implicit" } as const;
    assert.ok(!names(["--host1", "elsewhere"], { imap }).includes("--port1"));
    assert.ok(!names(["--port1", "2993"], { imap }).includes("--port1"));
    assert.ok(names(["--host2", "elsewhere"], { imap }).includes("--port1"));
  });

  test("a CA file is one more of sslargs, as it is", () => {
    const caFile = "/home/me/my ca's/ü.pem";
    assert.deepEqual(added([], { caFile }).slice(-4), [
      ...["--sslargs1", "SSL_verify_mode=1", "--sslargs1", `SSL_ca_file=${caFile}`],
    ]);
  });

  test("of several sslargs, only those that are given are left out", () => {
    const caFile = "/ca.pem";
    const last = (given: string[]) => {
      const words = added(given, { caFile });
      return words.flatMap((word, index) => (word === "--sslargs1" ? [words[index + 1]] : []));
    };
    const [verify, ca] = ["SSL_verify_mode=1", "SSL_ca_file=/ca.pem"];
    assert.deepEqual(last(["--sslargs1", "SSL_version=SSLv3"]), [verify, ca]);
    assert.deepEqual(last(["--sslargs1", "SSL_verify_mode=0"]), [ca]);
    assert.deepEqual(last(["--sslargs1=SSL_ca_file=/mine.pem"]), [verify]);
    assert.deepEqual(last(["-sslargs1", "SSL_version=x", "-SSLARGS1=SSL_verify_mode=0"]), [ca]);
    assert.deepEqual(
      last(["--sslargs1", "SSL_verify_mode=0", "--sslargs1", "SSL_ca_file=/mine.pem"]),
      [],
    );
    assert.deepEqual(last(["--sslargs2", "SSL_verify_mode=0"]), [verify, ca]);
    // Another option, whose name begins in the same way.
    assert.deepEqual(last(["--sslargs1", "SSL_verify_mode_x=1"]), [verify, ca]);
  });

  test("a command that prints a fresh token, where imapsync knows one", () => {
    const refresh = "/usr/bin/node '/my dir/cli.js' show old@example.test";
    assert.deepEqual(added([], {}, refresh).slice(-2), ["--oauthrefreshcmd1", refresh]);
    assert.ok(!added(["--oauthrefreshcmd1", "mine"], {}, refresh).includes("--oauthrefreshcmd1"));
  });

  test("the token file and the address are one argument each, whatever stands in them", () => {
    const odd = '/my tokens/o\'neil "ü" $x.txt';
    const words = imapsyncArguments({ mailbox, tokenFile: odd }, 2, undefined, []);
    assert.equal(words[words.indexOf("--oauthaccesstoken2") + 1], odd);
  });
});

describe("what the person gave stays, in every spelling", () => {
  /** What is given, and what is left out for it. */
  const cases: [string[], string[]][] = [
    [["--user1", "me"], ["--user1"]],
    [["--user1=me"], ["--user1"]],
    [["-user1", "me"], ["--user1"]],
    [["-user1=me"], ["--user1"]],
    [["+user1", "me"], ["--user1"]],
    [["--USER1", "me"], ["--user1"]],
    [["--User1=me"], ["--user1"]],
    [["--user1="], ["--user1"]],
    [["--user1", "a b\nc"], ["--user1"]],
    [["--user1=a\nb"], ["--user1"]],
    [["--host1", "h"], ["--host1"]],
    [["--password1", "p"], ["--password1"]],
    [["--passfile1", "f"], ["--password1"]],
    [["--passfile1=f"], ["--password1"]],
    [["--oauthaccesstoken1", "f"], ["--oauthaccesstoken1"]],
    [["--oauthdirect1", "t"], ["--oauthaccesstoken1"]],
    [["--ssl1"], ["--ssl1"]],
    [["-ssl1"], ["--ssl1"]],
    [["--tls1"], ["--ssl1"]],
    [["--nossl1"], ["--ssl1"]],
    [["--no-ssl1"], ["--ssl1"]],
    [["-NoSSL1"], ["--ssl1"]],
    [["--sslargs1", "SSL_verify_mode=0"], ["--sslargs1"]],
    [
      ["--user1", "me", "--passfile1", "f", "--tls1"],
      ["--user1", "--password1", "--ssl1"],
    ],
    // Words that only look like it.
    [["user1"], []],
    [["---user1", "me"], []],
    [["--user11", "me"], []],
    [["--xuser1", "me"], []],
    [["--user", "me"], []],
    [["--authuser1", "admin"], []],
    [["--folder", "user1"], []],
    [["--regextrans2", "s,--user1 x,,"], []],
    // As in `sudo -- imapsync --user1 me`.
    [["--", "--user1", "me"], ["--user1"]],
  ];
  for (const [given, without] of cases) {
    test(`${JSON.stringify(given.join(" "))} leaves out ${without.join(" ") || "nothing"}`, () => {
      assert.deepEqual(
        names(given),
        all.filter((name) => !without.includes(name)),
      );
    });
  }

  test("with STARTTLS as well", () => {
    const imap = { host: "h", port: 143, tls: "starttls" } as const;
    for (const [given, isAdded] of [
      ["--tls1", false],
      ["--ssl1", false],
      ["--notls1", false],
      ["--no-tls1", false],
      ["--nossl1", true],
      ["--no-ssl1", true],
      ["--tls2", true],
    ] as const) {
      assert.equal(names([given], { imap }).includes("--tls1"), isAdded, given);
    }
  });
});

describe("the sides that the accounts are", () => {
  const source = "old@example.test";
  const target = "new@example.test";
  for (const [addresses, given, sides] of [
    [[source, target], [], [1, 2]],
    [
      [source, target],
      ["--user1", "elsewhere"],
      [1, 2],
    ],
    [[source, source], [], [1, 2]],
    [[source], [], [1]],
    [[source], ["--user2", target], [1]],
    [[source], ["--user1", source], [1]],
    [[source], ["--user1", source, "--user2", target], [1]],
    [[target], ["--user1", source], [2]],
    [[target], ["-USER1=old@example.test"], [2]],
    [[target], ["--user2", target], [2]],
    // Here a token of the second side's would be sent to the first one's server.
    [[target], ["--user1", source, "--user2", target], [2]],
    [[target], ["--user1", source, "--user2", "NEW@example.test"], [2]],
    [[source], ["--user1", "OLD@Example.test"], [1]],
    [[source], ["--user1", "an.alias", "--user2", "another", "--password2", "x"], [1]],
    [[target], ["--user1", "another", "--passfile1", "f", "--user2", "an.alias"], [2]],
    [[target], ["--host1", "h", "--passfile1=f"], [2]],
    [[source], ["--user1", "an.alias", "--user2", "another"], undefined],
    [[source], ["--host1", "h"], [1]],
  ] as const) {
    test(`${addresses.join(", ")} with ${given.join(" ") || "nothing"}: ${sides ?? "neither"}`, () => {
      assert.deepEqual(sidesOf(addresses, given), sides);
    });
  }
});

// Perl's own Getopt::Long, with the options of imapsync 2.229 that are of concern here, reads what the
// person has given, and the same with what was added.

const script = String.raw`
use strict; use warnings; use Getopt::Long qw(GetOptionsFromArray);
local $SIG{__WARN__} = sub {};
while (my $line = <STDIN>) {
  chomp $line;
  my @words = map { pack "H*", substr $_, 1 } split / /, $line;
  my %o; my %ssl;
  GetOptionsFromArray(\@words, \%o, (map { ("host$_=s", "port$_=i", "user$_=s", "ssl$_!", "tls$_!",
    "password$_=s", "passfile$_=s", "oauthaccesstoken$_=s", "oauthdirect$_=s", "sslargs$_=s%") } 1, 2),
    "folder=s", "dry!");
  my @said = map { my $v = $o{$_}; ref $v ? map { "$_.$_" ne "" ? "$_=$$v{$_}" : () } sort keys %$v
    : "$_=$v" } sort grep { !ref $o{$_} } keys %o;
  push @said, map { my $n = $_; map { "$n.$_=$o{$n}{$_}" } sort keys %{$o{$n}} } sort grep { ref $o{$_} } keys %o;
  print join(" ", map { "x" . unpack "H*", $_ } @said), "\n";
}
`;

/** What Perl makes of each command line, as NAME to VALUE. */
function readByPerl(lines: readonly (readonly string[])[]): Map<string, string>[] {
  const hex = (text: string) => `x${Buffer.from(text).toString("hex")}`;
  const input = lines.map((words) => `${words.map(hex).join(" ")}\n`).join("");
  const options = { input, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 } as const;
  const output = execFileSync("perl", ["-e", script], options);
  return output
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const said = line.split(" ").filter((word) => word !== "");
      return new Map(
        said.map((word) => {
          const text = Buffer.from(word.slice(1), "hex").toString();
          const end = text.indexOf("=");
          return [text.slice(0, end), text.slice(end + 1)] as const;
        }),
      );
    });
}

test("Perl's Getopt::Long finds all that it needs, and everything that was given as it was", () => {
  const spelled = (name: fc.Arbitrary<string>) =>
    fc
      .tuple(fc.constantFrom("-", "--", "+"), name, fc.constantFrom("as it is", "capitals"))
      .map(([dash, word, how]) => dash + (how === "capitals" ? word.toUpperCase() : word));
  const text = fc.constantFrom("host", "user", "password", "passfile", "oauthaccesstoken");
  const value = fc.constantFrom("x", "a b", "me@example.test", "/tmp/ü.txt", "o'neil", "user1");
  const side = fc.constantFrom("1", "2");
  const option = fc.oneof(
    fc
      .tuple(spelled(fc.tuple(text, side).map((pair) => pair.join(""))), value, fc.boolean())
      .map(([name, given, isInline]) => (isInline ? [`${name}=${given}`] : [name, given])),
    spelled(
      fc
        .tuple(fc.constantFrom("", "no", "no-"), fc.constantFrom("ssl", "tls"), side)
        .map((parts) => parts.join("")),
    ).map((name) => [name]),
    fc
      .tuple(
        spelled(side.map((number) => `sslargs${number}`)),
        fc.constantFrom("SSL_verify_mode=0", "SSL_ca_file=/mine.pem", "SSL_version=x"),
      )
      .map(([name, given]) => [name, given]),
    fc.constantFrom(["--dry"], ["--folder", "INBOX"], ["--folder", "user1"]),
  );
  const commandLines = fc.array(option, { maxLength: 6 }).map((options) => options.flat());
  const samples = fc.sample(commandLines, { numRuns: 3000, seed: 42 });
  const more = {
    caFile: "/ca.pem",
    imap: { host: "h.test", port: 1993, tls: "implicit" },
  } as const;
  const before = readByPerl(samples);
  const after = readByPerl(samples.map((given) => [...given, ...added(given, more)]));
  for (const [index, given] of samples.entries()) {
    const [was, is] = [before[index], after[index]];
    assert.ok(was !== undefined && is !== undefined);
    const line = given.join(" ");
    const hasAny = (...alternatives: string[]) => alternatives.some((name) => was.has(name));
    for (const [name, said] of was) assert.equal(is.get(name), said, `${name} of ${line}`);
    const has = (...alternatives: string[]) =>
      assert.ok(
        alternatives.some((name) => is.has(name)),
        `${alternatives.join(" or ")} of ${line}`,
      );
    has("host1");
    has("user1");
    has("password1", "passfile1");
    has("oauthaccesstoken1");
    has("ssl1", "tls1");
    if (!hasAny("ssl1", "tls1")) assert.equal(is.get("ssl1"), "1", line);
    has("sslargs1.SSL_verify_mode");
    has("sslargs1.SSL_ca_file");
    if (!was.has("host1") && !was.has("port1")) assert.equal(is.get("port1"), "1993", line);
    // What means something else in the same place is not put beside it.
    assert.equal(is.has("password1") && !was.has("password1"), !hasAny("password1", "passfile1"));
    if (was.get("tls1") === "1") assert.equal(is.has("ssl1"), was.has("ssl1"), line);
    assert.deepEqual(
      [...is.keys()].filter((name) => /2(\.|$)/.test(name)),
      [...was.keys()].filter((name) => /2(\.|$)/.test(name)),
    );
  }
});

describe("as text, to be pasted", () => {
  test("a POSIX shell reads the very arguments", () => {
    const odd: Partial<Mailbox> = {
      address: parseAddress("o'neil+x@example.test"),
      caFile: '/my ca\'s/$HOME `x` \\ "ü" *.pem',
      imap: { host: "localhost", port: 1993, tls: "implicit" },
    };
    const path = "/my tokens/a;b&c|d #e\n$(f)'\".txt";
    for (const side of [1, 2] as const) {
      const text = imapsyncOptions({ ...mailbox, ...odd }, path, side, "linux");
      const read = execFileSync("sh", ["-c", `printf '%s\\0' ${text}`], { encoding: "utf8" });
      assert.deepEqual(
        read.split("\0").slice(0, -1),
        imapsyncArguments(
          { mailbox: { ...mailbox, ...odd }, tokenFile: path },
          side,
          undefined,
          [],
        ),
      );
    }
  });

  test("for Windows' cmd in double quotes", () => {
    const text = imapsyncOptions(mailbox, "C:\\my tokens\\a.txt", 2, "win32");
    assert.match(text, / --oauthaccesstoken2 "C:\\my tokens\\a\.txt" /);
  });
});
