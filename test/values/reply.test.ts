import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { MxtokenError } from "../../src/errors.ts";
import { judgeAnswer } from "../../src/oauth/authorization-response.ts";
import { type Asked, judgeReply } from "../../src/oauth/reply.ts";
import { tokenFrom } from "../../src/token.ts";
import type { HttpReply } from "../../src/world/world.ts";

const asked: Asked = {
  host: "as.example",
  endpoint: "token endpoint",
  member: "access_token",
  sent: "refreshToken",
};

function replyOf(more: Partial<HttpReply>): HttpReply {
  return { status: 200, headers: new Headers(), body: "", truncated: false, ...more };
}

function errorOf(run: () => unknown): MxtokenError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof MxtokenError, String(error));
    return error;
  }
  return assert.fail("nothing was thrown");
}

function judge(more: Partial<HttpReply>, of: Asked = asked): MxtokenError {
  return errorOf(() => judgeReply(replyOf(more), of, String));
}

describe("an answer that is not understood, and may hold tokens, is handed on:", () => {
  const whole = { access_token: "a", refresh_token: "secret-token" };
  for (const [what, more] of [
    ["broken JSON", { body: '{"access_token":"a","refresh_token":"secret-token"' }],
    ["JSON without an access token", { body: '{"refresh_token":"secret-token"}' }],
    ["an empty access token", { body: '{"access_token":"","refresh_token":"secret-token"}' }],
    ["an array", { body: JSON.stringify([whole]) }],
    ["tokens one level below", { body: JSON.stringify({ data: whole }) }],
    ["a form", { body: "access_token=a&refresh_token=secret-token" }],
    ["status 201", { status: 201, body: "refresh_token: secret-token" }],
    ["more than 1 MiB", { body: '{"access_token":"a","x":"secret-token', truncated: true }],
    ["an unknown content coding", { body: "c2VjcmV0LXRva2Vu", undecoded: "zstd" }],
    ["a refresh token that is an object", { body: '{"access_token":"a","refresh_token":{"x":1}}' }],
    ["a refresh token that is a number", { body: '{"access_token":"a","refresh_token":12345}' }],
  ] as const satisfies [string, Partial<HttpReply>][]) {
    test(what, () => {
      const error = judge(more);
      assert.equal(error.code, "notUnderstood");
      assert.equal(error.answer?.reveal(), more.body);
      for (const shown of [error.message, inspect(error), JSON.stringify(error)]) {
        assert.ok(!shown.includes("secret-token"), shown);
      }
    });
  }

  test("a token that cannot stand on a line", () => {
    const response = { access_token: "a", refresh_token: "b c" };
    const client = { scope: "mail", unechoedScopes: [] };
    const error = errorOf(() => tokenFrom(response, 0, client, undefined));
    assert.equal(error.code, "notUnderstood");
    assert.deepEqual(JSON.parse(error.answer?.reveal() ?? ""), response);
  });

  test("the coding is named", () => {
    assert.match(judge({ body: "x", undecoded: "zstd" }).message, /cannot be undone \(zstd\)$/);
  });
});

describe("nothing is handed on of", () => {
  for (const [what, more, of] of [
    ["an HTML page", { body: "\n<!doctype html><p>sign in here" }, asked],
    ["a page without a doctype", { body: "<html>" }, asked],
    ["a page after a byte order mark", { body: "\uFEFF<HTML>" }, asked],
    ["XML", { body: "<?xml version='1.0'?><x/>" }, asked],
    ["nothing at all", { body: " \n" }, asked],
    ["a redirect", { status: 302, body: "{}" }, asked],
    ["a refusal", { status: 400, body: "{}" }, asked],
    ["an application's answer", { body: "{}" }, { ...asked, isForApplication: true }],
    ["an endpoint that grants no token", { body: "{}" }, { ...asked, member: "device_code" }],
  ] as const satisfies [string, Partial<HttpReply>, Asked][]) {
    test(what, () => {
      const error = judge(more, of);
      assert.equal(error.code, "notUnderstood");
      assert.equal(error.answer, undefined);
    });
  }
});

describe("a refusal that names the refresh token", () => {
  const body = JSON.stringify({ error: "invalid_request", error_description: "token not found" });

  test("wants a new sign-in where one was sent, and nowhere else", () => {
    assert.equal(judge({ status: 400, body }).code, "signInNeeded");
    assert.equal(
      judge({ status: 400, body }, { ...asked, sent: undefined }).code,
      "applicationRefused",
    );
    const forApplication = { ...asked, isForApplication: true };
    assert.equal(judge({ status: 400, body }, forApplication).code, "applicationRefused");
  });
});

describe("an error at the redirect", () => {
  const expected = {
    state: "the-state",
    issuer: undefined,
    authorizationEndpoint: "https://as.example/authorize",
  };
  for (const [error, code, hint] of [
    ["server_error", "unreachable", /again later/],
    ["temporarily_unavailable", "unreachable", /again later/],
    ["access_denied", "signInDeclined", /chose Cancel/],
    ["login_required", "signInDeclined", /sign in to the account in this browser/],
    ["interaction_required", "signInDeclined", /sign in to the account in this browser/],
    ["account_selection_required", "signInDeclined", /--select-account/],
    ["consent_required", "signInDeclined", /must be allowed first/],
    ["invalid_scope", "signInDeclined", /--scope/],
    ["unauthorized_client", "signInDeclined", /--client-id/],
    ["invalid_request", "signInDeclined", /--redirect-uri/],
    ["unsupported_response_type", "signInDeclined", /--flow device/],
    ["something_else", "signInDeclined", undefined],
  ] as const) {
    test(`${error}: ${code}`, () => {
      const parameters = new URLSearchParams({
        state: "the-state",
        error,
        error_description: "why",
      });
      const thrown = errorOf(() => judgeAnswer(parameters, expected));
      assert.equal(thrown.code, code);
      assert.equal(thrown.oauthError, error);
      assert.ok(thrown.message.endsWith(`${error}: why`));
      if (hint === undefined) assert.equal(thrown.hint, undefined);
      else assert.match(thrown.hint ?? "", hint);
    });
  }
});

describe("a refusal in JSON of another form", () => {
  for (const [what, body, words] of [
    [
      "an object of Google's",
      { error: { code: 400, message: "Bad things happened", status: "INVALID_ARGUMENT" } },
      "INVALID_ARGUMENT: Bad things happened",
    ],
    [
      "Okta's",
      {
        errorCode: "E0000021",
        errorSummary: "Bad request. Accept header is wrong",
        errorId: "oae",
        errorCauses: [],
      },
      "E0000021: Bad request. Accept header is wrong",
    ],
    [
      "a message alone",
      { message: "Missing Authentication Token" },
      "Missing Authentication Token",
    ],
    [
      "a localized message",
      { localizedMessage: "Der Dienst ist gesperrt", timestamp: 17 },
      "Der Dienst ist gesperrt",
    ],
    [
      "RFC 9457's",
      { type: "https://example.com/probs", title: "You may not", detail: "Your plan has no mail" },
      "You may not: Your plan has no mail",
    ],
    [
      "a list of errors",
      { errors: [{ code: "auth.blocked", message: "Access is blocked" }] },
      "auth.blocked: Access is blocked",
    ],
    [
      "Apigee's",
      {
        fault: {
          faultstring: "Invalid API call as no apiproduct match found",
          detail: { errorcode: "keymanagement" },
        },
      },
      "keymanagement: Invalid API call as no apiproduct match found",
    ],
    [
      "an error and a message",
      { error: { message: "Account is locked", type: "OAuthException" } },
      "OAuthException: Account is locked",
    ],
    [
      "sentences under names that nobody knows",
      { hinweis: "Das Konto ist gesperrt" },
      "Das Konto ist gesperrt",
    ],
    ["nested twice", { data: { error: { message: "Try it later" } } }, "Try it later"],
  ] as const) {
    test(`${what}: its words are shown, and no page of the network is blamed`, () => {
      const error = judge({ status: 400, body: JSON.stringify(body) });
      assert.equal(error.code, "notUnderstood");
      assert.ok(error.message.endsWith(`, and says: ${words}`), error.message);
      assert.doesNotMatch(error.hint ?? "", /sign-in page/);
    });

    test(`${what}, as the server's own trouble`, () => {
      const error = judge({ status: 503, body: JSON.stringify(body) });
      assert.equal(error.code, "unreachable");
      assert.ok(error.message.endsWith(`status 503, ${words}`), error.message);
    });
  }

  for (const body of [
    { error: { message: "Invalid refresh token", code: 400 } },
    { errorCode: "invalid_refresh_token", errorSummary: "no" },
    { message: "The refresh token has expired" },
    { errors: [{ detail: "Refresh token was revoked" }] },
  ]) {
    test(`${JSON.stringify(body)} wants a new sign-in`, () => {
      assert.equal(judge({ status: 400, body: JSON.stringify(body) }).code, "signInNeeded");
    });
  }

  test("an OAuth error's words, where they stand elsewhere", () => {
    const body = JSON.stringify({ error: "invalid_request", message: "This plan has no mail" });
    assert.match(judge({ status: 400, body }).message, /invalid_request: This plan has no mail$/);
  });

  test("what granted something is never quoted", () => {
    const body = JSON.stringify({ message: "here is your token abc", token: "secret-token" });
    const error = judge({ body });
    assert.equal(error.code, "notUnderstood");
    assert.doesNotMatch(error.message, /abc|secret-token/);
  });

  test("a page of the network is blamed for HTML alone", () => {
    const page = judge({ status: 400, body: "<!DOCTYPE html><p>Sign in to the hotel" });
    assert.equal(page.causeId, "page-instead-of-answer");
    for (const body of ["{}", "[]", "no", ""]) {
      assert.equal(judge({ status: 400, body }).causeId, "not-an-oauth-answer");
    }
  });
});
