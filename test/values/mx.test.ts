import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { providers } from "../../src/catalog/providers.ts";
import { gateways, passwordOnlyProviders } from "../../src/catalog/without-tokens.ts";
import { judgeMx, matchesHost } from "../../src/discover/mx.ts";
import { seenHosts } from "../scene/mx-hosts.ts";

/** The verdict in the words of the table. */
function ownerOf(...hosts: string[]): string {
  const verdict = judgeMx(hosts);
  switch (verdict.is) {
    case "provider":
      return verdict.isConfirmed ? verdict.row.name : `probably ${verdict.row.name}`;
    case "ambiguous":
      return verdict.matches.map(({ row }) => row.name).join("+");
    case "gateway":
      return `gateway ${verdict.gateway.title}`;
    case "unknown":
      return "nobody known";
  }
}

for (const { seen, owner, hosts } of seenHosts) {
  for (const host of hosts) {
    test(`${host} (${seen}) is of ${owner}`, () => {
      assert.equal(ownerOf(host), owner);
      assert.equal(ownerOf(host.toUpperCase()), owner);
      // By whole labels: what only contains or extends the name is somebody else's.
      assert.equal(ownerOf(`${host}.evil.example`), "nobody known");
      assert.equal(ownerOf(`${host}x`), "nobody known");
    });
  }
}

test("the table is what it should be", () => {
  const hosts = seenHosts.flatMap((row) => row.hosts);
  assert.equal(new Set(hosts).size, hosts.length, "a host stands there twice");
  assert.ok(hosts.length >= 60);
  const tested = new Set(seenHosts.flatMap(({ owner }) => owner.split("+")));
  for (const { mx, name } of [...providers, ...passwordOnlyProviders]) {
    if (mx.length > 0) assert.ok(tested.has(name), `${name} has no host in the table`);
  }
  for (const { title } of gateways) assert.ok(tested.has(`gateway ${title}`), title);
});

for (const [name, hosts, owner] of [
  ["the best preference comes first", ["aspmx.l.google.com", "alt1.aspmx.l.google.com"], "google"],
  ["an unknown backup", ["aspmx.l.google.com", "mx.backup.example"], "google"],
  ["an unknown host before it", ["mx.own.example", "aspmx.l.google.com"], "google"],
  ["a gateway before it", ["mx0a-1.pphosted.com", "a.mail.protection.outlook.com"], "office365"],
  [
    "in the middle of a move",
    ["aspmx.l.google.com", "a.mail.protection.outlook.com", "alt1.aspmx.l.google.com"],
    "google+office365",
  ],
  [
    "work and personal",
    ["a.mail.protection.outlook.com", "a.olc.protection.outlook.com"],
    "office365+outlook",
  ],
  ["one with OAuth and one without", ["mx.zoho.com", "smtp.google.com"], "zoho+google"],
  ["a sure one and a probable one", ["mx1.comcast.net", "smtp.google.com"], "comcast+google"],
  ["a gateway and nobody known", ["mx.own.example", "x.mimecast.com"], "gateway Mimecast"],
  ["proof of who owns a domain", ["abc.mx-verification.google.com"], "nobody known"],
  ["Microsoft's submission server", ["smtp.hve.mx.microsoft"], "nobody known"],
  ["nothing at all", [], "nobody known"],
  ["the empty name of a null MX", [""], "nobody known"],
] as const) {
  test(`${name}: ${owner}`, () => assert.equal(ownerOf(...hosts), owner));
}

for (const host of [
  "outlook.com.evil.example",
  "mail.protection.outlook.com",
  "evilmail.protection.outlook.com",
  "protection.outlook.com",
  "google.com",
  "notgoogle.com",
  "l-google.com",
  "aspmx.l.google.com.",
  "google.com.au",
  ".google.com",
  ".l.google.com",
  "mx.microsoft",
  "contoso.mx.microsoft.com",
  "xmx.yandex.net",
  "a.mx.yandex.net",
]) {
  test(`${host} matches nothing`, () => assert.equal(ownerOf(host), "nobody known"));
}

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?$/);
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));

test("a star stands for one label or more, whatever they are", () => {
  fc.assert(
    fc.property(name, name, (prefix, suffix) => {
      assert.ok(matchesHost(`${prefix}.${suffix}`, `*.${suffix}`));
      assert.ok(!matchesHost(suffix, `*.${suffix}`));
    }),
  );
});

test("a name without the dot before the suffix never fits", () => {
  fc.assert(
    fc.property(name, name, (prefix, suffix) => {
      assert.equal(matchesHost(`${prefix}${suffix}`, `*.${suffix}`), false);
    }),
  );
});

test("a name that goes on after the suffix never fits", () => {
  fc.assert(
    fc.property(name, name, name, (prefix, suffix, more) => {
      fc.pre(!more.endsWith(suffix));
      assert.equal(matchesHost(`${prefix}.${suffix}.${more}`, `*.${suffix}`), false);
    }),
  );
});

test("a pattern without a star is that very name in any letters", () => {
  fc.assert(
    fc.property(name, name, (one, other) => {
      assert.ok(matchesHost(one.toUpperCase(), one));
      assert.equal(matchesHost(other, one), one === other);
    }),
  );
});

test("whatever a domain's hosts are called, the verdict does not depend on unknown ones among them", () => {
  const known = fc.constantFrom(...seenHosts.flatMap(({ hosts }) => hosts.slice(0, 1)));
  fc.assert(
    fc.property(known, fc.array(name), (host, others) => {
      fc.pre(others.every((other) => ownerOf(other) === "nobody known"));
      assert.equal(ownerOf(...others, host), ownerOf(host));
      assert.equal(ownerOf(host, ...others), ownerOf(host));
    }),
  );
});
