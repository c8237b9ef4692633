import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type DovecotPlace, dovecotSettings } from "../scene/dovecot-settings.ts";

const place: DovecotPlace = {
  root: "/tmp/d",
  certFile: "/tmp/d/cert.pem",
  keyFile: "/tmp/d/key.pem",
  oauth2File: "/tmp/d/oauth2.conf",
  logFile: "/tmp/d/log",
  imaps: 20993,
  imap: 20143,
  pop: { pop3s: 20995, pop3: 20110 },
  authSocket: "postfix-auth",
  introspectionUri: "https://localhost:20443/introspect",
  issuer: "https://localhost:20443",
  caFile: "/tmp/ca.pem",
  mail: { uid: 65534, gid: 65533 },
  starter: undefined,
};

/** What must stand in the configuration of a version, each on a line of its own, and what must not. */
interface Row {
  readonly versions: readonly string[];
  readonly main: readonly string[];
  readonly oauth2: readonly string[] | undefined;
  readonly foreign: readonly string[];
}

const of23 = [
  "ssl_cert = </tmp/d/cert.pem",
  "ssl_key = </tmp/d/key.pem",
  "mail_location = maildir:/tmp/d/mail/%u",
  "  driver = oauth2",
  "  mechanisms = xoauth2 oauthbearer",
  "  args = /tmp/d/oauth2.conf",
  "  args = uid=65534 gid=65533 home=/tmp/d/mail/%u",
];
const of24 = [
  "dovecot_config_version = 2.4.0",
  "dovecot_storage_version = 2.4.0",
  "ssl_server_cert_file = /tmp/d/cert.pem",
  "ssl_server_key_file = /tmp/d/key.pem",
  "mail_driver = maildir",
  "mail_path = /tmp/d/mail/%{user}",
  "passdb oauth2 {",
  "  mechanisms_filter = xoauth2 oauthbearer",
  "oauth2 {",
  "ssl_client_ca_file = /tmp/ca.pem",
  "userdb static {",
  "    uid = 65534",
  "    gid = 65533",
  "    home = /tmp/d/mail/%{user}",
];
const asking = [
  "introspection_mode = post",
  "introspection_url = https://localhost:20443/introspect",
  "username_attribute = email",
  "openid_configuration_url = https://localhost:20443/.well-known/openid-configuration",
];

const table: readonly Row[] = [
  {
    versions: ["2.3.19.1 (9b53102964)\n", "2.3.4.1 (f79e8e7e4)", "2.2.36 (1f10bfa63)"],
    main: of23,
    oauth2: [...asking, "tls_ca_cert_file = /tmp/ca.pem"],
    foreign: of24,
  },
  {
    versions: ["2.4.1-4 (7d8c0e5759)\n", "2.4.0", "2.10.0 (0123456789)", "3.0.0"],
    main: [...of24, ...asking],
    oauth2: undefined,
    foreign: of23,
  },
];

for (const { versions, main, oauth2, foreign } of table) {
  for (const version of versions) {
    describe(`Dovecot ${version.trim()}`, () => {
      const settings = dovecotSettings(version, place);
      const lines = settings.main.split("\n");

      test("says it in its own words, and in no other's", () => {
        for (const line of main) assert.ok(lines.includes(line), line);
        for (const line of foreign) assert.ok(!lines.includes(line), line);
      });

      test("asks the authorization server", () => {
        if (oauth2 === undefined) assert.equal(settings.oauth2, undefined);
        else
          for (const line of oauth2) assert.ok(settings.oauth2?.split("\n").includes(line), line);
      });

      test("closes what it opens, and says nothing twice in one place", () => {
        const path: string[] = [];
        const seen = new Set<string>();
        for (const line of lines.map((text) => text.trim()).filter((text) => text !== "")) {
          if (line.endsWith("{")) path.push(line);
          else if (line === "}") assert.notEqual(path.pop(), undefined);
          else {
            const name = [...path, line.split(" = ")[0]].join(" ");
            assert.ok(!seen.has(name), name);
            seen.add(name);
          }
        }
        assert.deepEqual(path, []);
      });
    });
  }
}

test("without POP3 and without root", () => {
  for (const version of ["2.3.19.1", "2.4.1"]) {
    const starter = { user: "somebody", group: "people" };
    const { main } = dovecotSettings(version, { ...place, pop: undefined, starter });
    assert.match(main, /^protocols = imap$/m);
    assert.doesNotMatch(main, /pop3/);
    assert.match(main, /^default_internal_user = somebody$/m);
    assert.match(main, /^default_internal_group = people$/m);
  }
});

test("what is no version is not taken for one", () => {
  for (const text of ["", "dovecot: command not found", "2", "v2.4.1"]) {
    assert.throws(() => dovecotSettings(text, place), /not a version of Dovecot/);
  }
});
