import assert from "node:assert/strict";
import { userInfo } from "node:os";
import { test } from "node:test";
import fc from "fast-check";
import { MxtokenError } from "../../src/errors.ts";
import type { Mailbox } from "../../src/mailbox.ts";
import { parseAddress } from "../../src/mailbox.ts";
import { imapsyncOptions } from "../../src/programs/imapsync.ts";
import { parseDnsServer, parseEndpoint, showEndpoint } from "../../src/settings/servers.ts";
import { dataDirectory } from "../../src/world/system.ts";

const ports = { implicit: 993, starttls: 143 };
const parse = (text: string) => parseEndpoint(text, "imap-server", ports);

for (const [text, host, port, tls] of [
  ["imap.example.com", "imap.example.com", 993, "implicit"],
  ["imap.example.com:993", "imap.example.com", 993, "implicit"],
  ["imap.example.com:143", "imap.example.com", 143, "starttls"],
  ["imap.example.com:10143", "imap.example.com", 10143, "implicit"],
  ["starttls://imap.example.com", "imap.example.com", 143, "starttls"],
  ["STARTTLS://imap.example.com:10143", "imap.example.com", 10143, "starttls"],
  ["127.0.0.1:993", "127.0.0.1", 993, "implicit"],
  ["[::1]:1993", "::1", 1993, "implicit"],
  ["[::1]", "::1", 993, "implicit"],
] as const) {
  test(`${text} is a server`, () => assert.deepEqual(parse(text), { host, port, tls }));
}

for (const text of [
  "",
  ":993",
  "host:",
  "host:0",
  "host:65536",
  "host:abc",
  "host port",
  "a@b",
  "imap://host",
  "::1",
  "[::1",
  "[nonsense]:1",
  "host/path",
]) {
  test(`${JSON.stringify(text)} is no server`, () => {
    assert.throws(
      () => parse(text),
      (error) => error instanceof MxtokenError && error.code === "usage",
    );
  });
}

test("what is shown of a server is read as the same server", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()),
      fc.integer({ min: 1, max: 65535 }),
      (host, port) => {
        const shown = showEndpoint({ host, port });
        const { host: again, port: samePort } = parse(shown);
        assert.deepEqual([again, samePort], [host, port]);
      },
    ),
  );
});

const mailbox: Mailbox = {
  address: parseAddress("o'neil+x@example.com"),
  login: "o'neil+x@example.com",
  provider: "google",
  title: "",
  imap: { host: "imap.example.com", port: 143, tls: "starttls" },
  smtp: undefined,
  pop: undefined,
  verify: ["imap"],
  isPopTokenOnNextLine: false,
  mechanisms: ["XOAUTH2"],
  ca: undefined,
  caFile: undefined,
  proxy: undefined,
};

for (const [text, resolver] of [
  ["192.0.2.53", { host: "192.0.2.53", port: 53 }],
  [" 192.0.2.53:5353 ", { host: "192.0.2.53", port: 5353 }],
  ["[::1]:5316", { host: "::1", port: 5316 }],
  ["fe80::1%eth0", { host: "fe80::1%eth0", port: 53 }],
  ["2001:4860:4860::8888", { host: "2001:4860:4860::8888", port: 53 }],
  ["2001:db8:0:0:0:0:0:53", { host: "2001:db8:0:0:0:0:0:53", port: 53 }],
  ["2001:db8::a:fe", { host: "2001:db8::a:fe", port: 53 }],
  ["::1:5316", { host: "::1:5316", port: 53, perhapsMeant: "[::1]:5316" }],
] as const) {
  test(`the resolver ${text}`, () => assert.deepEqual(parseDnsServer(text), resolver));
}

test("imapsync's options can be pasted into a shell, whatever stands in them", () => {
  assert.equal(
    imapsyncOptions(mailbox, "/home/me/my tokens/a.txt", 2, "linux"),
    "--host2 imap.example.com --tls2 --user2 'o'\\''neil+x@example.com' --password2 x --oauthaccesstoken2 '/home/me/my tokens/a.txt' --sslargs2 SSL_verify_mode=1",
  );
  assert.match(
    imapsyncOptions({ ...mailbox, caFile: "/my ca.pem" }, "/a.txt", 1, "linux"),
    / --sslargs1 SSL_verify_mode=1 --sslargs1 'SSL_ca_file=\/my ca\.pem'$/,
  );
  assert.match(
    imapsyncOptions(mailbox, "C:\\Users\\me\\my tokens\\a.txt", 1, "win32"),
    /--oauthaccesstoken1 "C:\\Users\\me\\my tokens\\a\.txt"/,
  );
});

test("a user's data is where the platform has it", () => {
  assert.equal(dataDirectory("linux", { XDG_DATA_HOME: "/data" }), "/data/mxtoken");
  const mine = userInfo().homedir;
  for (const HOME of ["", ".", "relative", "~", undefined]) {
    const env = { XDG_DATA_HOME: "relative", HOME };
    assert.equal(dataDirectory("linux", env), `${mine}/.local/share/mxtoken`);
  }
  assert.equal(dataDirectory("linux", { HOME: "/h" }), "/h/.local/share/mxtoken");
  assert.equal(dataDirectory("darwin", { HOME: "/h" }), "/h/Library/Application Support/mxtoken");
  assert.match(dataDirectory("win32", { LOCALAPPDATA: "C:\\Local" }) ?? "", /^C:\\Local.mxtoken$/);
});
