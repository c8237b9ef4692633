import assert from "node:assert/strict";
import { test } from "node:test";
import { findProvider, type ProviderRow, providers } from "../src/catalog/providers.ts";

const names = new Set<string>();

for (const row of providers as readonly ProviderRow[]) {
  test(`the row ${row.name} holds together`, () => {
    for (const name of [row.name, ...row.aliases]) {
      assert.match(name, /^[a-z0-9][a-z0-9.-]*$/);
      assert.ok(!names.has(name), `${name} stands for two providers`);
      names.add(name);
      assert.equal(findProvider(name.toUpperCase()), row);
    }
    const endpoints = [row.authorizationEndpoint, row.tokenEndpoint];
    for (const endpoint of endpoints) {
      const url = new URL(endpoint.replace("{tenant}", "common"));
      assert.equal(url.protocol, "https:");
      assert.equal(url.search + url.hash, "");
      assert.equal(endpoint.includes("{tenant}"), row.defaultTenant !== undefined);
    }
    if (row.issuer !== undefined) assert.equal(new URL(row.issuer).protocol, "https:");
    assert.match(row.scopes.imap, /^\S+$/);
    assert.match(row.imap.host, /^[a-z0-9-]+(\.[a-z0-9-]+)+$/);
    assert.equal(row.imap.tls, row.imap.port === 993 ? "implicit" : "starttls");
    assert.ok(row.mechanisms.length > 0 && row.sources.length > 0);
  });

  for (const [name, application] of Object.entries(row.applications)) {
    test(`the application ${name} at ${row.name} holds together`, () => {
      assert.match(name, /^[a-z][a-z0-9-]*$/);
      assert.match(application.clientId, /^[\x21-\x7e]+$/);
      assert.ok(URL.canParse(application.redirectUri));
      assert.ok(application.sources.length > 0);
      // Nobody's own secret is ours to ship: a row has a published one, or asks for the user's.
      const isPublished = application.publishedClientSecret !== undefined;
      assert.ok(!(isPublished && application.needsOwnSecret));
      if (isPublished) assert.ok(application.sources.some((source) => source.includes("mozilla/")));
    });
  }
}

test("every provider has the default application", () => {
  for (const row of providers) assert.ok("thunderbird" in row.applications, row.name);
});

test("a redirect URI at Microsoft has no slash at its end, because it is compared as text", () => {
  for (const name of ["office365", "outlook"]) {
    assert.equal(findProvider(name)?.applications["thunderbird"]?.redirectUri, "https://localhost");
  }
});

test("an unknown name finds nothing", () => {
  for (const name of ["", "toString", "__proto__", "google "])
    assert.equal(findProvider(name), undefined);
});
