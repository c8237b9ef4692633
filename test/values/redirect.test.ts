import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MxtokenError } from "../../src/errors.ts";
import { loopbackRedirect, withPort } from "../../src/sign-in/redirect.ts";

const nothing = { port: undefined, scheme: undefined };

describe("the redirect URI with the listener's port", () => {
  for (const [uri, settings, withPort4711] of [
    ["https://localhost", nothing, "https://localhost:4711"],
    ["http://localhost", nothing, "http://localhost:4711"],
    ["http://127.0.0.1", nothing, "http://127.0.0.1:4711"],
    ["http://[::1]", nothing, "http://[::1]:4711"],
    ["http://localhost/", nothing, "http://localhost:4711/"],
    ["http://127.0.0.1/seznam", nothing, "http://127.0.0.1:4711/seznam"],
    ["http://localhost/a?b=c:1", nothing, "http://localhost:4711/a?b=c:1"],
    ["https://localhost?b", nothing, "https://localhost:4711?b"],
    ["https://localhost", { ...nothing, scheme: "http" }, "http://localhost:4711"],
    ["http://127.0.0.1", { ...nothing, scheme: "https" }, "https://127.0.0.1:4711"],
    ["https://localhost", { ...nothing, port: 4711 }, "https://localhost:4711"],
    ["https://localhost:4711", nothing, "https://localhost:4711"],
    ["https://localhost:4711/x", { ...nothing, port: 4711 }, "https://localhost:4711/x"],
  ] as const) {
    test(`${uri} ${JSON.stringify(settings)}`, () => {
      const redirect = loopbackRedirect(uri, settings);
      assert.ok(redirect);
      assert.equal(withPort(redirect, 4711), withPort4711);
    });
  }

  test("a port that is registered is the listener's", () => {
    assert.equal(loopbackRedirect("http://localhost:8080/cb", nothing)?.port, 8080);
    assert.equal(loopbackRedirect("http://localhost/cb", nothing)?.port, undefined);
    assert.equal(loopbackRedirect("http://localhost", { ...nothing, port: 5 })?.port, 5);
  });

  test("the path is what a browser asks for", () => {
    for (const [uri, path] of [
      ["https://localhost", "/"],
      ["https://localhost?x=/y", "/"],
      ["https://localhost/", "/"],
      ["https://localhost/a/b?c=d/e", "/a/b"],
    ] as const) {
      assert.equal(loopbackRedirect(uri, nothing)?.path, path);
    }
  });
});

describe("a redirect URI that is not on this machine", () => {
  const elsewhere = [
    "https://imapsync.lamiral.info/cgi-bin/auth",
    "https://localhost.example.com",
    "https://localhost@example.com/",
    "https://127.0.0.1.example.com",
    "http://127.0.0.10",
    "com.example.app:/auth",
    "urn:ietf:wg:oauth:2.0:oob",
  ];
  for (const uri of elsewhere) {
    test(uri, () => {
      assert.equal(loopbackRedirect(uri, nothing), undefined);
      for (const [settings, name] of [
        [{ ...nothing, port: 8080 }, "--port 8080"],
        [{ ...nothing, scheme: "http" }, "--local"],
        [{ ...nothing, scheme: "https" }, "--localssl"],
      ] as const) {
        assert.throws(
          () => loopbackRedirect(uri, settings),
          (error) =>
            error instanceof MxtokenError &&
            error.code === "configuration" &&
            error.message.startsWith(`${name} asks for a listener`),
        );
      }
    });
  }

  test("a port that contradicts the registered one is refused", () => {
    assert.throws(
      () => loopbackRedirect("http://localhost:8080", { ...nothing, port: 8081 }),
      /--port 8081 and the redirect URI http:\/\/localhost:8080 contradict each other/,
    );
  });
});
