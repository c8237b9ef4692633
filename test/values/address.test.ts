import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MxtokenError } from "../../src/errors.ts";
import { parseAddress, parseDomain } from "../../src/mailbox.ts";

const good = [
  ["foo@example.com", "foo", "example.com"],
  ["  foo@Example.COM \n", "foo", "example.com"],
  ["first.last+tag@sub.example.co.uk", "first.last+tag", "sub.example.co.uk"],
  ["o'neil@example.com", "o'neil", "example.com"],
  ["foo@münchen.example", "foo", "xn--mnchen-3ya.example"],
  ["用户@例え.jp", "用户", "xn--r8jz45g.jp"],
  // NFD and NFC are one address
  ["foo@mu\u0308nchen.example", "foo", "xn--mnchen-3ya.example"],
  ["root@localhost", "root", "localhost"],
] as const;

for (const [text, local, domain] of good) {
  test(`${JSON.stringify(text)} is an address`, () => {
    const address = parseAddress(text);
    assert.deepEqual([address.local, address.domain], [local, domain]);
    assert.equal(address.text, text.normalize("NFC").trim());
  });
}

for (const dot of [".", "\u3002"]) {
  test(`the dot at the end of foo@example.com${dot} says nothing`, () => {
    const address = parseAddress(` foo@example.com${dot}\n`);
    assert.deepEqual(address, { text: "foo@example.com", local: "foo", domain: "example.com" });
    assert.equal(parseDomain(`example.com${dot}`), "example.com");
  });
}

const bad = [
  "",
  "foo",
  "@example.com",
  "foo@",
  "foo bar@example.com",
  "foo@exam ple.com",
  "foo@example..com",
  "foo@.example.com",
  "foo@example.com..",
  "foo@.",
  "foo.",
  "foo@-example.com",
  "foo@example.com/x",
  "foo@[127.0.0.1]",
  "foo@bar@example.com",
  '"foo bar"@example.com',
  "Foo <foo@example.com>",
  "foo@example.com,bar@example.com",
  "foo\u0000@example.com",
  "foo\u001b[31m@example.com",
  "foo\n@example.com",
  "foo@exa%6dple.com",
  `${"x".repeat(65)}@example.com`,
  `foo@${"x".repeat(64)}.com`,
  `foo@${"abc.".repeat(64)}com`,
];

for (const text of bad) {
  test(`${JSON.stringify(text).slice(0, 60)} is not an address`, () => {
    assert.throws(
      () => parseAddress(text),
      (error) =>
        error instanceof MxtokenError && error.exitStatus === 64 && !/[\r\n]/.test(error.message),
    );
  });
}

test("whatever is given is either an address or a usage error", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.emailAddress()), (text) => {
      try {
        const { local, domain } = parseAddress(text);
        assert.match(domain, /^[a-z0-9_.-]+$/);
        assert.doesNotMatch(local, /[\p{C}\p{Z}@]/u);
      } catch (error) {
        assert.ok(error instanceof MxtokenError && error.code === "usage");
      }
    }),
  );
});

test("every ordinary address is read back as it was", () => {
  const label = fc
    .stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/)
    .filter((text) => !text.startsWith("xn--"));
  const local = fc.stringMatching(/^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}$/);
  fc.assert(
    fc.property(local, label, label, (name, host, top) => {
      // A domain that ends in a number is an IPv4 address to the URL standard.
      fc.pre(!/^(\d+|0x[0-9a-f]*)$/.test(top));
      const address = parseAddress(`${name}@${host}.${top}`);
      assert.equal(address.text, `${name}@${host}.${top}`);
      assert.equal(address.domain, `${host}.${top}`);
    }),
  );
});
