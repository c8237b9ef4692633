import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MxtokenError } from "../../src/errors.ts";
import { hostAndPort, parseProxy, proxyFor, proxyOf } from "../../src/proxy.ts";

function read(text: string) {
  const { kind, credentials, ...proxy } = parseProxy(text, "--proxy", "usage");
  const login = credentials && [credentials.user.reveal(), credentials.password.reveal()];
  return [kind, hostAndPort(proxy), login];
}

describe("a proxy's address:", () => {
  for (const [text, ...expected] of [
    ["http://proxy.example:3128", "http", "proxy.example:3128", undefined],
    ["proxy.example:3128", "http", "proxy.example:3128", undefined],
    [" localhost:3128/ ", "http", "localhost:3128", undefined],
    ["HTTP://Proxy.Example", "http", "proxy.example:80", undefined],
    ["https://proxy.example", "https", "proxy.example:443", undefined],
    ["https://proxy.example:80/a?b#c", "https", "proxy.example:80", undefined],
    ["socks://proxy.example", "socks5", "proxy.example:1080", undefined],
    ["socks5h://[2001:DB8::1]:80", "socks5", "[2001:db8::1]:80", undefined],
    ["socks4a://bücher.example", "socks4a", "xn--bcher-kva.example:1080", undefined],
    ["http://me@proxy:1", "http", "proxy:1", ["me", ""]],
    ["http://me:@proxy:1", "http", "proxy:1", ["me", ""]],
    ["me:pw@proxy:1", "http", "proxy:1", ["me", "pw"]],
    ["socks5://me:p%40%25%23@proxy:1", "socks5", "proxy:1", ["me", "p@%#"]],
    ["http://me:a@b:c%d^[e]@proxy:1", "http", "proxy:1", ["me", "a@b:c%d^[e]"]],
    ["http://DOMAIN%5Cme:pw@proxy:1", "http", "proxy:1", ["DOMAIN\\me", "pw"]],
    ["http://me:%ff%41@proxy:1", "http", "proxy:1", ["me", "%ff%41"]],
  ] as const) {
    test(text, () => assert.deepEqual(read(text), expected));
  }
});

describe("what is no proxy's address is refused, and not shown:", () => {
  for (const [text, isAboutCharacters] of [
    ["", false],
    ["ftp://proxy.example:21", false],
    ["http://", false],
    ["socks5://", false],
    ["socks5:proxy.example", false],
    ["http://proxy.example:99999", false],
    ["http://proxy.example:0", false],
    ["http://me:pass#word@proxy:3128", true],
    ["http://me:12#word@proxy:3128", true],
    ["http://me:12/word@proxy:3128", true],
    ["http://me:12?word@proxy:3128", true],
    ["http://DOMAIN\\me:word@proxy:3128", true],
    ["socks5://me:12/word@proxy:1080", true],
    ["me:12#word@proxy:3128", true],
    ["http://me:word@", true],
  ] as const) {
    test(JSON.stringify(text), () => {
      assert.throws(
        () => parseProxy(text, "HTTPS_PROXY", "configuration"),
        (error: unknown) => {
          assert.ok(error instanceof MxtokenError);
          assert.match(error.message, /^HTTPS_PROXY must look like http:\/\/host:3128 or socks5:/);
          assert.equal(error.code, "configuration");
          assert.equal(
            error.hint?.includes("%23 %2F %3F %40 %25 and %5C") === true,
            isAboutCharacters,
          );
          assert.doesNotMatch(`${JSON.stringify(error)}${error.stack}`, /word@|me:/);
          return true;
        },
      );
    });
  }

  test("a login that SOCKS cannot carry", () => {
    const long = "x".repeat(256);
    assert.throws(
      () => parseProxy(`socks5://me:${long}@p:1`, "--proxy", "usage"),
      /over 255 octets/,
    );
    assert.equal(read(`http://me:${long}@p:1`)[1], "p:1");
  });
});

describe("the proxy of the environment", () => {
  const env = { HTTPS_PROXY: "proxy.example:3128" };

  test("small letters come first; nothing, and NO_PROXY=*, is none", () => {
    assert.equal(proxyOf(env)?.port, 3128);
    assert.equal(proxyOf({ ...env, https_proxy: "http://other:1" })?.port, 1);
    assert.equal(proxyOf({ ...env, https_proxy: " " }), undefined);
    assert.equal(proxyOf({ ...env, NO_PROXY: " * " }), undefined);
    assert.equal(proxyOf({}), undefined);
  });

  for (const [left, url, isUsed] of [
    ["", "https://a.example/x", true],
    ["", "http://a.example/x", false],
    ["a.example", "https://a.example/x", false],
    ["b.example, .A.example", "https://a.example/x", false],
    ["*.example", "https://a.example/x", false],
    ["example", "https://a.example:8443/x", false],
    ["xample", "https://a.example/x", true],
    ["a.example:443", "https://a.example/x", false],
    ["a.example:8443 b", "https://a.example/x", true],
    ["a.example:8443 b", "https://a.example:8443/x", false],
    ["[::1]", "https://[::1]/x", false],
    ["::1, 2001:db8::1", "https://[::1]/x", false],
  ] as const) {
    test(`NO_PROXY=${left}: ${url} is ${isUsed ? "" : "not "}asked through it`, () => {
      const found = proxyFor(new URL(url), { ...env, NO_PROXY: left });
      assert.equal(found !== undefined, isUsed);
    });
  }
});
