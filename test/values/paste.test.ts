import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MxtokenError } from "../../src/errors.ts";
import { readPaste } from "../../src/sign-in/paste.ts";

const state = "right-state-0123456789";
const expected = {
  state,
  issuer: undefined,
  authorizationEndpoint: "https://login.example.com/authorize",
};
const code = "0.AXoA-code_with.dots~and!marks";

function codeOf(text: string, overrides: Partial<typeof expected> | { issuer: string } = {}) {
  const verdict = readPaste(text, { ...expected, ...overrides });
  assert.equal(verdict.is, "code", verdict.is === "rubbish" ? verdict.reason : "");
  return verdict.is === "code" ? [verdict.code.reveal(), verdict.stateChecked] : [];
}

function reasonOf(text: string, overrides: { issuer?: string } = {}): string {
  const verdict = readPaste(text, { ...expected, ...overrides });
  assert.equal(verdict.is, "rubbish");
  return verdict.is === "rubbish" ? verdict.reason : "";
}

const answers: [string, string][] = [
  ["the whole address", `https://localhost/?code=${code}&state=${state}`],
  ["an address without a slash", `https://localhost?code=${code}&state=${state}`],
  [
    "parameters in the other order, and others",
    `http://127.0.0.1:1234/?state=${state}&session_state=x&code=${code}&scope=a`,
  ],
  ["blanks and line breaks around it", `\r\n  https://localhost/?code=${code}&state=${state}\t\n`],
  ["a fragment at its end", `https://localhost/?code=${code}&state=${state}#_=_`],
  [
    "an address that the browser shows without its scheme",
    `localhost/?code=${code}&state=${state}`,
  ],
  ["an address in quotes", `"https://localhost/?code=${code}&state=${state}"`],
  ["an address in angle brackets", `<https://localhost/?code=${code}&state=${state}>`],
  ["the query string with its mark", `?code=${code}&state=${state}`],
  ["the query string without its mark", `code=${code}&state=${state}`],
  [
    "the issuer's right origin",
    `?code=${code}&state=${state}&iss=${encodeURIComponent("https://login.example.com/tenant/v2.0")}`,
  ],
];

for (const [what, text] of answers) {
  test(`takes ${what}`, () => assert.deepEqual(codeOf(text), [code, true]));
}

test("decodes the code of an address", () => {
  assert.deepEqual(codeOf(`https://localhost/?code=4%2F0Ab_c-d%3D&state=${state}`), [
    "4/0Ab_c-d=",
    true,
  ]);
});

test("takes a bare code and says that its state was not checked", () => {
  assert.deepEqual(codeOf(code), [code, false]);
  assert.deepEqual(codeOf("  4%2F0AeanS0Y_abc  "), ["4/0AeanS0Y_abc", false]);
});

test("takes an address of far over 4,095 characters", () => {
  const long = "x".repeat(6000);
  assert.deepEqual(codeOf(`https://localhost/?code=${long}&state=${state}`), [long, true]);
});

const rubbish: [string, string, RegExp][] = [
  ["nothing", "   ", /nothing/],
  ["a wrong state", `?code=${code}&state=other-state-0123456789`, /another sign-in/],
  [
    "an error with a wrong state",
    "?error=access_denied&state=other-state-0123456789",
    /another sign-in/,
  ],
  ["no state", `https://localhost/?code=${code}`, /no state/],
  ["no code", `https://localhost/?state=${state}`, /no code/],
  ["an empty code", `https://localhost/?code=&state=${state}`, /no code/],
  ["two codes", `?code=${code}&code=other&state=${state}`, /no code/],
  ["an address without an answer", "https://localhost/", /no code/],
  [
    "the sign-in address itself",
    `https://login.example.com/authorize?client_id=x&code_challenge=y&state=${state}`,
    /sign-in address itself/,
  ],
  ["a short word", "yes", /too short/],
  ["words", "I have signed in now", /neither an address/],
  ["a mailbox address", "foo@example.com", /mailbox address/],
  ["a broken percent sign", "4%2F0AeanS0Y%zz", /no code has/],
  ["a code with a line break in it", `?code=abcdefghij%0Aklm&state=${state}`, /no code has/],
  ["a bare code with a line break in it", "abcdefghij%0Aklm", /no code has/],
  [
    "another issuer",
    `?code=${code}&state=${state}&iss=https://evil.example`,
    /another authorization server/,
  ],
  [
    "an issuer that is no address",
    `?code=${code}&state=${state}&iss=nonsense`,
    /another authorization server/,
  ],
];

for (const [what, text, reason] of rubbish) {
  test(`refuses ${what} with the reason`, () => assert.match(reasonOf(text), reason));
}

test("compares a known issuer exactly", () => {
  const iss = encodeURIComponent("https://accounts.example.com");
  const issuer = "https://accounts.example.com";
  assert.deepEqual(codeOf(`?code=${code}&state=${state}&iss=${iss}`, { issuer }), [code, true]);
  assert.match(
    reasonOf(`?code=${code}&state=${state}&iss=${iss}%2F`, { issuer }),
    /another authorization server/,
  );
});

for (const [what, text] of [
  [
    "with the right state",
    `https://localhost/?error=access_denied&error_description=%1b%5b31mno%07&state=${state}`,
  ],
  ["without a state", "error=access_denied&error_description=%1b%5b31mno%07"],
] as const) {
  test(`an error ${what} ends the sign-in with the server's words, made harmless`, () => {
    assert.throws(
      () => readPaste(text, expected),
      (error) =>
        error instanceof MxtokenError &&
        error.code === "signInDeclined" &&
        error.exitStatus === 77 &&
        /access_denied: \[31mno$/.test(error.message),
    );
  });
}

test("whatever is pasted gives a code, a reason, or the server's refusal", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
    fc.string().map((value) => `?code=${value}&state=${state}`),
    fc
      .string()
      .map((value) => `https://localhost/?code=${encodeURIComponent(value)}&state=${state}`),
  );
  fc.assert(
    fc.property(text, (pasted) => {
      try {
        const verdict = readPaste(pasted, expected);
        if (verdict.is === "code") assert.match(verdict.code.reveal(), /^[\x20-\x7e]+$/);
        else assert.ok(verdict.reason.length > 0);
      } catch (error) {
        assert.ok(error instanceof MxtokenError && error.code === "signInDeclined");
      }
    }),
    { numRuns: 1000 },
  );
});

test("a wrong state never yields a code", () => {
  fc.assert(
    fc.property(
      fc.string().filter((other) => other !== state),
      (other) => {
        const query = new URLSearchParams({ code, state: other });
        assert.equal(readPaste(`https://localhost/?${query}`, expected).is, "rubbish");
      },
    ),
  );
});
