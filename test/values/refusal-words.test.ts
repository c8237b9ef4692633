import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { namesTheGrant, type SentGrant } from "../../src/oauth/refusal-words.ts";

type Case = readonly [error: string, description: string];

const named: Readonly<Record<SentGrant, readonly Case[]>> = {
  refreshToken: [
    ["invalid_grant", "AADSTS70008: The refresh token has expired due to inactivity."],
    ["INVALID_REFRESH_TOKEN", ""],
    ["invalidRefreshToken", ""],
    ["invalid_token", ""],
    ["expired_token", ""],
    ["token_expired", ""],
    ["token_revoked", ""],
    ["bad_refresh_token", ""],
    ["refresh_token_not_found", ""],
    ["refresh-token-expired", ""],
    ["EXPIRED_REFRESH_TOKEN", "whatever"],
    ["grant_expired", ""],
    ["invalid_request", "Invalid refresh token"],
    ["invalid_request", "token not found"],
    ["invalid_request", "The refresh token is invalid or expired"],
    ["invalid_request", "Token has been expired or revoked."],
    ["invalid_request", "Token is not active"],
    ["invalid_request", "Unknown refresh_token"],
    ["invalid_request", "The provided refresh token is no longer valid"],
    ["invalid_request", "refresh token was already used"],
    ["invalid_request", "Refresh token has already been redeemed"],
    ["invalid_request", "the refresh_token does not exist"],
    ["invalid_request", "Malformed refresh token"],
    ["invalid_request", "Refresh token could not be found"],
    ["invalid_request", "The grant was revoked by the resource owner"],
    ["invalid_request", "AADSTS70000: Provided grant is invalid or malformed."],
    ["invalid_request", "AADSTS50173: The provided grant has expired due to it being revoked"],
    ["invalid_request", "AADSTS700082: expired"],
    ["bad_request", "refresh token not valid for client id test-client"],
    ["error", "No such token"],
    ["unauthorized", "token expired"],
    ["TokenExpired", "The token has expired, sign in"],
  ],
  code: [
    ["bad_verification_code", "The code passed is incorrect or expired."],
    ["bad_verification_code", ""],
    ["expired_verification_code", ""],
    ["INVALID_AUTHORIZATION_CODE", ""],
    ["invalid_code", ""],
    ["code_expired", ""],
    ["invalid_request", "AADSTS54005: OAuth2 Authorization code was already redeemed"],
    ["invalid_request", "Malformed auth code."],
    ["invalid_request", "code was already redeemed"],
    ["invalid_request", "code expired"],
    ["invalid_request", "Code not found"],
    ["invalid_request", "Authorization code is invalid or has expired"],
    ["invalid_request", "unknown authorization code"],
    ["invalid_request", "authorization code expired or redirect_uri mismatch"],
    ["invalid_request", "The code has already been used"],
  ],
  deviceCode: [
    ["invalid_grant", "The device code has expired"],
    ["code_expired", "AADSTS70019: Verification code expired."],
    ["invalid_request", "AADSTS70019: CodeExpired"],
    ["bad_verification_code", ""],
    ["device_code_expired", ""],
    ["incorrect_device_code", "The device_code provided is not valid."],
    ["invalid_device_code", ""],
    ["token_expired", "This 'device_code' has expired."],
    ["invalid_request", "Unknown device code"],
    ["invalid_request", "user code not found"],
    ["not_found", "The device_code does not exist"],
    ["invalid_code", ""],
  ],
};

const notNamed: Readonly<Record<SentGrant, readonly Case[]>> = {
  refreshToken: [
    ["invalid_request", ""],
    ["invalid_request", "client_secret is missing."],
    ["invalid_request", "refresh_token is missing"],
    ["invalid_request", "Missing required parameter: refresh_token"],
    ["invalid_request", "The refresh_token parameter must be present"],
    ["invalid_request", "refresh token not provided"],
    ["invalid_request", "Invalid client_id"],
    ["invalid_request", "Invalid grant type"],
    ["invalid_request", "grant_type is unknown"],
    ["invalid_request", "the token endpoint does not exist"],
    ["invalid_request", "bad token request"],
    [
      "invalid_request",
      "AADSTS900144: The request body must contain the following parameter: 'scope'",
    ],
    ["invalid_request", "AADSTS9002313: Invalid request. Request is malformed or invalid."],
    ["invalid_request", "Client assertion token has expired"],
    ["invalid_request", "Client token is invalid"],
    ["invalid_request", "the JWT token has expired"],
    ["invalid_client", "AADSTS7000222: The provided client secret keys are expired"],
    ["invalid_client", "Invalid refresh token"],
    ["unauthorized_client", "The refresh token is invalid for this client"],
    ["unsupported_grant_type", "unknown grant"],
    ["invalid_scope", "token has an invalid scope"],
    ["access_denied", "Policy forbids it"],
    ["invalid_token_format", ""],
    ["invalid_redirect_uri", ""],
    ["some_error", "Something else is not valid"],
    ["temporarily_blocked", "too many tokens"],
  ],
  code: [
    ["invalid_request", "code is missing"],
    ["invalid_request", "Missing parameter: code"],
    ["invalid_request", "code_verifier is invalid"],
    ["invalid_request", "Invalid code challenge method"],
    ["invalid_request", "Invalid redirect_uri"],
    ["invalid_request", "bad error code"],
    ["invalid_request", "client_secret is invalid"],
    ["incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect."],
    ["redirect_uri_mismatch", "The redirect_uri MUST match the registered callback URL."],
    ["invalid_client", "unknown code"],
    ["invalid_request", "Invalid refresh token"],
  ],
  deviceCode: [
    ["authorization_pending", "The authorization request is still pending"],
    ["authorization_pending", "precondition required: the user has not entered the code yet"],
    ["slow_down", "too many requests"],
    ["access_denied", "the user said no"],
    ["invalid_request", "device_code is missing"],
    ["invalid_client", "unknown device code"],
    ["invalid_request", "client_secret is invalid"],
    ["unsupported_grant_type", "unknown grant"],
    ["device_flow_disabled", "Device Flow must be explicitly enabled for this App"],
    ["invalid_scope", "code has an invalid scope"],
  ],
};

for (const [cases, wanted] of [
  [named, true],
  [notNamed, false],
] as const) {
  for (const sent of ["refreshToken", "code"] as const) {
    describe(`${sent} ${wanted ? "is named" : "is not named"} by`, () => {
      for (const [error, description] of cases[sent]) {
        test(`${error} ${JSON.stringify(description)}`, () => {
          assert.equal(namesTheGrant(error, description, sent), wanted);
        });
      }
    });
  }
}

test("no description takes long, however a server chooses it", () => {
  const pieces = [
    "token ",
    "not ",
    "a ",
    "invalid",
    "_",
    "refresh",
    "already ",
    "aA",
    "no longer ",
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 20 }), (parts) => {
      namesTheGrant("x", parts.join("").repeat(20_000), "refreshToken");
    }),
    { numRuns: 100 },
  );
});
