import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type CallbackRequest,
  type Expectation,
  mayBeForm,
  readCallback,
} from "../../src/sign-in/callback.ts";

const state = "state-of-a-sign-in-0123456789";
const code = "code-that-nobody-sees";

const signIn = { path: "/" };

const awaited: Expectation<typeof signIn> = {
  scheme: "http",
  port: 8765,
  redirects: [
    { host: "localhost", path: "/" },
    { host: "127.0.0.1", path: "/seznam" },
  ],
  signInOf: (given) => {
    if (given === "state-that-has-ended") return "ended";
    return given === state ? signIn : undefined;
  },
};

const host = "localhost:8765";
const navigation = { "sec-fetch-mode": "navigate", accept: "text/html,*/*;q=0.8" };
const formType = { "content-type": "application/x-www-form-urlencoded" };

/** STATE and CODE stand for those above. */
function fill(text: string): string {
  return text.replaceAll("STATE", state).replaceAll("CODE", code);
}

function read(
  url: string,
  { headers, form, ...more }: Partial<CallbackRequest> = {},
  scheme: "http" | "https" = "http",
) {
  const request = { method: "GET", url: fill(url), headers: { host, ...headers }, ...more };
  const filled = form === undefined ? request : { ...request, form: fill(form) };
  return readCallback(filled, { ...awaited, scheme });
}

describe("an answer", () => {
  const answers: readonly [string, string, Partial<CallbackRequest>?][] = [
    ["with state and code", "/?code=CODE&state=STATE"],
    [
      "under another name of loopback",
      "/?code=CODE&state=STATE",
      { headers: { host: "[::1]:8765" } },
    ],
    [
      "with an address for the name",
      "/?code=CODE&state=STATE",
      { headers: { host: "127.0.0.1:8765" } },
    ],
    ["with a host in capitals", "/?code=CODE&state=STATE", { headers: { host: "LOCALHOST:8765" } }],
    ["that is an error", "/?error=access_denied&state=STATE"],
    ["without a code is the sign-in's to judge", "/?state=STATE"],
    ["that stands twice is the sign-in's to judge", "/?state=STATE&code=CODE&code=x"],
    [
      "that is fetched before anybody asks",
      "/?code=CODE&state=STATE",
      { headers: { purpose: "prefetch" } },
    ],
    ["that is posted", "/", { method: "POST", headers: formType, form: "code=CODE&state=STATE" }],
    ["whose path has a query of its own", "/?a=b&code=CODE&state=STATE"],
  ];
  for (const [name, url, more] of answers) {
    test(name, () => {
      const callback = read(url, more);
      assert.equal(callback.is, "answer");
      if (callback.is === "answer") assert.equal(callback.signIn, signIn);
    });
  }

  test("a form is one by its type only, and what stands in the address beside it does not count", () => {
    for (const [type, isForm] of [
      ["application/x-www-form-urlencoded", true],
      ["Application/X-WWW-Form-Urlencoded; charset=utf-8", true],
      ["application/x-www-form-urlencoded-not", false],
      ["text/plain", false],
      ["multipart/form-data; boundary=x", false],
      ["application/json", false],
      [undefined, false],
    ] as const) {
      const headers = { "content-type": type };
      assert.equal(mayBeForm({ method: "POST", headers }), isForm, type);
      assert.equal(mayBeForm({ method: "PUT", headers }), false);
      assert.equal(mayBeForm({ method: "GET", headers }), false);
    }
    const form = { method: "POST", headers: formType, form: "" };
    assert.equal(read("/?code=CODE&state=STATE", form).is, "useless");
  });
});

describe("what is of no use, told to a person", () => {
  const ours = { signIn };
  const cases: readonly [
    name: string,
    url: string,
    more: Partial<CallbackRequest>,
    expected: { kind: string; status: number; signIn?: object; reason?: RegExp },
  ][] = [
    [
      "an error without a state",
      "/?error=access_denied&error_description=said+no",
      {},
      { kind: "errorWithoutState", status: 400, reason: /says access_denied: said no, but not/ },
    ],
    [
      "an error with an empty state",
      "/?error=server_error&state=",
      {},
      { kind: "errorWithoutState", status: 400 },
    ],
    ["a code without a state", "/?code=CODE", {}, { kind: "noState", status: 400 }],
    ["an empty code without a state", "/?code=", {}, { kind: "noState", status: 400 }],
    [
      "a state that nobody knows",
      "/?code=CODE&state=other-state-xyz",
      {},
      { kind: "otherState", status: 400 },
    ],
    [
      "a state with something behind it",
      "/?code=CODE&state=STATE.",
      {},
      { kind: "otherState", status: 400 },
    ],
    [
      "the state of a sign-in that has ended",
      "/?code=CODE&state=state-that-has-ended",
      {},
      { kind: "endedSignIn", status: 410 },
    ],
    [
      "a state that stands twice",
      "/?code=CODE&state=STATE&state=STATE",
      {},
      { kind: "twice", status: 400, reason: /its state stands in it twice/ },
    ],
    ["two states", "/?code=CODE&state=STATE&state=x", {}, { kind: "twice", status: 400 }],
    [
      "HTML's escapes in the address",
      "/?code=CODE&amp;state=STATE",
      {},
      { kind: "changed", status: 400 },
    ],
    [
      "HTML's escapes before the code",
      "/?scope=mail&amp;code=CODE&amp;state=STATE",
      {},
      { kind: "changed", status: 400 },
    ],
    ["the bare path", "/", { headers: navigation }, { kind: "nothing", status: 400 }],
    ["an empty query", "/?", { headers: navigation }, { kind: "nothing", status: 400 }],
    [
      "a query of something else",
      "/?logout=done",
      { headers: navigation },
      { kind: "noAnswer", status: 400 },
    ],
    [
      "a query that is encoded as a whole",
      "/?code%3DCODE%26state%3DSTATE",
      {},
      { kind: "changed", status: 400 },
    ],
    [
      "another path",
      "/other?code=CODE&state=STATE",
      {},
      { kind: "otherPath", status: 404, reason: /another path than \/ or \/seznam/ },
    ],
    ["a slash more", "/seznam/?code=CODE&state=STATE", {}, { kind: "otherPath", status: 404 }],
    [
      "the path of another sign-in",
      "/seznam?code=CODE&state=STATE",
      {},
      { kind: "otherPath", status: 400, ...ours },
    ],
    ["an answer in the path", "/code=CODE&state=STATE", {}, { kind: "otherPath", status: 404 }],
    [
      "a path that begins like a host",
      "//evil.example/?code=CODE&state=STATE",
      {},
      { kind: "otherPath", status: 404 },
    ],
    [
      "an absolute address",
      "http://localhost:8765/?code=CODE&state=STATE",
      {},
      { kind: "otherPath", status: 404 },
    ],
    [
      "another host",
      "/?code=CODE&state=STATE",
      { headers: { host: "box.example:8765" } },
      { kind: "otherHost", status: 421, reason: /to box\.example:8765 instead of localhost:8765/ },
    ],
    [
      "another port",
      "/?code=CODE&state=STATE",
      { headers: { host: "localhost:1" } },
      { kind: "otherHost", status: 421 },
    ],
    [
      "no port",
      "/?code=CODE&state=STATE",
      { headers: { host: "localhost" } },
      { kind: "otherHost", status: 421 },
    ],
    [
      "a name of loopback that is none",
      "/?code=CODE&state=STATE",
      { headers: { host: "localhost.:8765" } },
      { kind: "otherHost", status: 421 },
    ],
    [
      "a host with strange characters",
      "/?code=CODE&state=STATE",
      { headers: { host: "a\u202eb" } },
      { kind: "otherHost", status: 421, reason: /it came to another host instead/ },
    ],
    ["HEAD", "/?code=CODE&state=STATE", { method: "HEAD" }, { kind: "otherMethod", status: 405 }],
    [
      "a form of another type",
      "/?code=CODE&state=STATE",
      { method: "POST" },
      { kind: "otherMethod", status: 405 },
    ],
    [
      "a form of another type, from a browser's window",
      "/",
      { method: "POST", headers: { ...navigation, "content-type": "text/plain" } },
      { kind: "otherMethod", status: 405 },
    ],
    [
      "a form without a state",
      "/",
      { method: "POST", headers: formType, form: "code=CODE" },
      { kind: "noState", status: 400 },
    ],
    [
      "a form with an error and no state",
      "/",
      { method: "POST", headers: formType, form: "error=x" },
      { kind: "errorWithoutState", status: 400 },
    ],
    [
      "a form at another path",
      "/x",
      { method: "POST", headers: formType, form: "code=CODE" },
      { kind: "otherPath", status: 404 },
    ],
  ];
  for (const [name, url, more, expected] of cases) {
    test(name, () => {
      const callback = read(url, more);
      assert.equal(callback.is, "useless");
      if (callback.is !== "useless") return;
      const { what, status, isTold } = callback;
      const { kind, signIn: whose, reason = /^it|^what/ } = { signIn: undefined, ...expected };
      assert.deepEqual(
        { kind: what.kind, status, isTold, signIn: callback.signIn },
        { kind, status: expected.status, isTold: true, signIn: whose },
      );
      assert.match(what.reason, reason);
      assert.match(what.remedy, /^(?:copy|sign in|where|let) /);
      for (const secret of [state, code]) {
        assert.ok(!JSON.stringify(what).includes(secret), `${what.reason} shows ${secret}`);
      }
    });
  }

  test("words of the server are made safe, and what may be a secret is blacked out of them", () => {
    const words = encodeURIComponent(`\u001b[2Jno\u202e: ${code} in ${state} ${"x".repeat(2000)}`);
    const callback = read(`/?error=a%0Ab&code=CODE&error_description=${words}`);
    assert.equal(callback.is, "useless");
    if (callback.is !== "useless") return;
    assert.match(callback.what.reason, /^it says a b: \[2Jno : \[secret\] in/);
    assert.ok(callback.what.reason.length < 700);
    assert.ok(!callback.what.reason.includes(code));
  });

  test("an error that is known says what to do", () => {
    const callback = read("/?error=access_denied");
    assert.equal(callback.is, "useless");
    if (callback.is !== "useless") return;
    assert.equal(callback.what.known?.causeId, "sign-in-declined");
    assert.match(callback.what.known?.hint ?? "", /somebody chose Cancel/);
  });
});

describe("what is of no use, and told to nobody", () => {
  const cases: readonly [string, string, Partial<CallbackRequest>][] = [
    ["a scanner's request", "/", { headers: {} }],
    ["a program's request", "/", { headers: { accept: "*/*" } }],
    [
      "a page that is fetched before anybody asks",
      "/",
      { headers: { ...navigation, "sec-purpose": "prefetch;prerender" } },
    ],
    ["Firefox's prefetch", "/?code=x", { headers: { "x-moz": "prefetch" } }],
    ["Safari's preview", "/", { headers: { accept: "text/html", purpose: "preview" } }],
    ["a picture of a web page", "/?error=x", { headers: { "sec-fetch-mode": "no-cors" } }],
    ["a script of a web page", "/?code=x&state=y", { headers: { "sec-fetch-mode": "cors" } }],
    ["an answer by PUT", "/?code=x", { method: "PUT" }],
  ];
  for (const [name, url, more] of cases) {
    test(name, () => {
      const callback = read(url, more);
      assert.equal(callback.is, "useless");
      if (callback.is === "useless") assert.equal(callback.isTold, false);
    });
  }
});

describe("what is no answer at all", () => {
  const cases: readonly [string, Partial<CallbackRequest>, string, number][] = [
    ["/favicon.ico", {}, "otherPath", 404],
    ["/robots.txt", {}, "otherPath", 404],
    ["/apple-touch-icon.png", { headers: navigation }, "otherPath", 404],
    ["/.well-known/appspecific/com.chrome.devtools.json", {}, "otherPath", 404],
    ["/mxtoken/0123456789abcdef0123456789abcdef", {}, "otherPath", 404],
    ["/", { method: "OPTIONS" }, "otherMethod", 405],
    ["/", { method: "POST", headers: { "content-type": "text/plain" } }, "otherMethod", 405],
    ["/", { method: "HEAD" }, "otherMethod", 405],
    ["/", { headers: { host: "evil.example" } }, "otherHost", 421],
    ["/", { headers: { host: undefined } }, "otherHost", 421],
    ["/", { headers: { host: "localhost:8765@evil.example" } }, "otherHost", 421],
    ["/", { headers: { host: "local host" } }, "otherHost", 421],
  ];
  for (const [url, more, refusal, status] of cases) {
    test(`${more.method ?? "GET"} ${url} ${more.headers?.host ?? ""}`, () => {
      assert.deepEqual(read(url, more), { is: "other", refusal, status });
    });
  }
});

describe("plain HTTP where TLS is spoken", () => {
  test("is led to the same address by HTTPS, whatever it is", () => {
    for (const url of ["/?code=CODE&state=STATE", "/favicon.ico", "/"]) {
      const callback = read(url, { isUnencrypted: true }, "https");
      assert.deepEqual(callback, { is: "redirect", location: `https://${host}${fill(url)}` });
    }
  });

  test("is led nowhere else", () => {
    for (const url of ["//evil.example/?code=x", "/\\evil.example/", "http://evil.example/", "*"]) {
      assert.notEqual(read(url, { isUnencrypted: true }, "https").is, "redirect", url);
    }
    const elsewhere = { isUnencrypted: true, headers: { host: "evil.example" } };
    assert.equal(read("/?code=x", elsewhere, "https").is, "useless");
    assert.equal(read("/", elsewhere, "https").is, "other");
  });
});
