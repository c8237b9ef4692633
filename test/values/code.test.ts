import assert from "node:assert/strict";
import { test } from "node:test";
import { type AuthorizingClient, authorizationUrl } from "../../src/oauth/grants.ts";
import { createProofs } from "../../src/oauth/transport.ts";

const redirectUri = "https://localhost";
const client: AuthorizingClient = {
  id: "client id",
  authorizationEndpoint: "https://login.example.com/authorize?policy=mail",
  scope: "mail offline_access",
  resource: undefined,
  usesPkce: true,
  authorizationParameters: { access_type: "offline", state: "theirs", prompt: "consent" },
  loginHint: "o'neil+x@example.com",
};
const proofs = { challenge: "challenge", state: "ours" };

for (const redirectUri of [
  "https://localhost",
  "http://127.0.0.1",
  "https://localhost:8443/x/",
  "https://elsewhere.example/cgi-bin/auth?x=1",
]) {
  test(`the redirect URI ${redirectUri} is sent character by character`, () => {
    const url = new URL(authorizationUrl(client, redirectUri, proofs));
    assert.equal(url.searchParams.get("redirect_uri"), redirectUri);
  });
}

test("the address has everything that RFC 6749 and 7636 ask for, and the provider's own parameters", () => {
  const address = authorizationUrl(client, redirectUri, proofs);
  assert.doesNotMatch(address, /\+/);
  assert.deepEqual(Object.fromEntries(new URL(address).searchParams), {
    policy: "mail",
    access_type: "offline",
    prompt: "consent",
    response_type: "code",
    client_id: "client id",
    redirect_uri: "https://localhost",
    scope: "mail offline_access",
    state: "ours",
    code_challenge: "challenge",
    code_challenge_method: "S256",
    login_hint: "o'neil+x@example.com",
  });
});

test("every sign-in has a verifier, a challenge and a state of its own", async () => {
  const many = await Promise.all(Array.from({ length: 20 }, createProofs));
  const values = many.flatMap(({ verifier, challenge, state }) => [
    verifier.reveal(),
    challenge,
    state,
  ]);
  assert.equal(new Set(values).size, 60);
  for (const value of values) assert.match(value, /^[\w-]{43,128}$/);
});
