import type { CauseRow } from "./cause.ts";

const tokenEndpoint = /^(?:token|device authorization|revocation) endpoint$/;
const authorizationEndpoint = "authorization endpoint";

/** What an authorization server says no to, at its token endpoint and on its pages. */
export const authorizationRows = [
  {
    id: "client-secret-not-given",
    matches: [{ oauthError: "invalid_client", isWithoutCredentials: true }],
    who: "you",
    cause: "the server does not take the application without a secret or a certificate",
    remedy:
      "no client secret was given: if the application has one, pass MXTOKEN_CLIENT_SECRET, --client-secret-file or --client-secret-command; nothing was changed",
    source: "RFC 6749 section 5.2",
  },
  {
    id: "client-not-recognised",
    matches: [{ endpoint: tokenEndpoint, oauthError: "invalid_client" }],
    examples: [{ endpoint: "token endpoint", oauthError: "invalid_client" }],
    who: "you",
    cause: "the server does not know the application, or not by this secret or certificate",
    remedy: "check --client-id and its secret or certificate; nothing was changed",
    source: "RFC 6749 section 5.2",
  },
  {
    id: "client-not-allowed",
    matches: [{ endpoint: tokenEndpoint, oauthError: "unauthorized_client" }],
    examples: [{ endpoint: "token endpoint", oauthError: "unauthorized_client" }],
    who: "applicationOwner",
    cause: "the application may not ask for a token in this way",
    remedy:
      "this application may not use this grant or this tenant; check --app, --client-id and --tenant",
    source: "RFC 6749 section 5.2",
  },
  {
    id: "scope-not-granted",
    matches: [{ endpoint: tokenEndpoint, oauthError: "invalid_scope" }],
    examples: [{ endpoint: "token endpoint", oauthError: "invalid_scope" }],
    who: "you",
    cause: "the server grants this scope to nobody by this application",
    remedy: "this application may not ask for this scope; check --scope",
    source: "RFC 6749 section 5.2",
  },
  {
    id: "issuer-of-many-tenants",
    matches: [{ namedIssuer: /\{\w+\}/ }],
    examples: [{ namedIssuer: "https://login.microsoftonline.com/{tenantid}/v2.0" }],
    who: "you",
    cause: "the metadata are for many tenants, and name the issuer of none",
    remedy: ({ namedIssuer }) => [
      `pass --issuer ${namedIssuer}, with your tenant's id in the place of the braces; at Microsoft, --provider office365 knows its endpoints without --issuer, and --tenant names the tenant`,
    ],
    source: "https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc",
  },
  {
    id: "issuer-of-another-name",
    matches: [{ namedIssuer: /^https:/i }],
    examples: [{ namedIssuer: "https://login.example.org/" }],
    who: "you",
    cause: "the metadata are of another issuer than the one that was named",
    remedy: ({ namedIssuer }) => [
      `the issuer is compared letter by letter, also the slash at its end: if this is the server that you mean, pass --issuer ${namedIssuer}`,
    ],
    source: "RFC 8414 section 3.3",
  },
  {
    id: "page-instead-of-answer",
    who: "you",
    cause: ({ endpoint }) => `a page for people came, and no ${endpoint} has one`,
    remedy: ({ endpoint }) => [
      `is the ${endpoint} right, and is there a sign-in page of the network in between?`,
    ],
    source: "RFC 6749 section 5.1",
  },
  {
    id: "not-an-oauth-answer",
    who: "you",
    cause: ({ endpoint }) => `whoever answered is no ${endpoint}`,
    remedy: ({ endpoint }) => [`is the ${endpoint} right?`],
    source: "RFC 6749 section 5.1",
  },
  {
    id: "server-busy",
    matches: [{ status: /^(?:408|429|5\d\d)$/ }],
    examples: [{ status: 503 }, { status: 429, retryAfter: 60 }],
    who: "provider",
    cause: "the server has trouble of its own, or is asked too much",
    remedy: ({ retryAfter }) =>
      retryAfter === undefined ? [] : [`it asks to wait ${retryAfter} seconds`],
    source: "RFC 9110 section 15.6",
  },
  {
    id: "sign-in-declined",
    matches: [
      { endpoint: authorizationEndpoint, oauthError: "access_denied" },
      // Microsoft's name of it in the device flow.
      { oauthError: "authorization_declined" },
    ],
    who: "you",
    cause: "the person, or the provider on the consent page, said no",
    remedy:
      "somebody chose Cancel, or this person or application may not do this; run the command again to try once more",
    source: "RFC 6749 section 4.1.2.1, RFC 8628 section 3.5",
  },
  {
    id: "consent-missing",
    matches: [{ endpoint: authorizationEndpoint, oauthError: "consent_required" }],
    who: "administrator",
    cause: "nobody has allowed the application yet",
    remedy: "this application must be allowed first, by an administrator or by whoever signs in",
    source: "OpenID Connect Core section 3.1.2.6",
  },
  {
    id: "sign-in-needed-in-browser",
    matches: [{ endpoint: authorizationEndpoint, oauthError: /^(?:login|interaction)_required$/ }],
    examples: [
      { endpoint: authorizationEndpoint, oauthError: "login_required" },
      { endpoint: authorizationEndpoint, oauthError: "interaction_required" },
    ],
    who: "you",
    cause: "nobody is signed in to the account in this browser",
    remedy:
      "the server wanted to ask nothing, and could not: sign in to the account in this browser, then run the command again",
    source: "OpenID Connect Core section 3.1.2.6",
  },
  {
    id: "account-not-chosen",
    matches: [{ endpoint: authorizationEndpoint, oauthError: "account_selection_required" }],
    who: "you",
    cause: "the server does not know which of several accounts is meant",
    remedy:
      "several accounts are signed in, in this browser: run the command again with --select-account, or use a private window",
    source: "OpenID Connect Core section 3.1.2.6",
  },
  {
    id: "scope-not-registered",
    matches: [{ endpoint: authorizationEndpoint, oauthError: "invalid_scope" }],
    who: "applicationOwner",
    cause: "the application may not ask people for this scope",
    remedy:
      "this application may not ask for this scope: check --scope, and what it is registered for",
    source: "RFC 6749 section 4.1.2.1",
  },
  {
    id: "client-not-for-sign-in",
    matches: [{ endpoint: authorizationEndpoint, oauthError: "unauthorized_client" }],
    who: "applicationOwner",
    cause: "the application may not let people sign in in this way",
    remedy:
      "this application may not let people sign in so: check --app, --client-id and --tenant, and how it is registered",
    source: "RFC 6749 section 4.1.2.1",
  },
  {
    id: "request-not-as-registered",
    matches: [{ endpoint: authorizationEndpoint, oauthError: "invalid_request" }],
    who: "you",
    cause: "the request is not as the application is registered",
    remedy:
      "the server does not take this request: check --client-id, --redirect-uri and --scope against how the application is registered",
    source: "RFC 6749 section 4.1.2.1",
  },
  {
    id: "no-authorization-codes",
    matches: [{ endpoint: authorizationEndpoint, oauthError: "unsupported_response_type" }],
    who: "applicationOwner",
    cause: "the server gives the application no authorization code",
    remedy:
      "this server gives no authorization codes to this application: check how it is registered, or try --flow device",
    source: "RFC 6749 section 4.1.2.1",
  },
  {
    id: "sign-in-not-finished-by-server",
    matches: [
      {
        endpoint: authorizationEndpoint,
        oauthError: /^(?:server_error|temporarily_unavailable)$/,
      },
    ],
    examples: [{ endpoint: authorizationEndpoint, oauthError: "temporarily_unavailable" }],
    who: "provider",
    cause: "the authorization server has trouble of its own",
    remedy: "nobody has refused anything: run the command again later",
    source: "RFC 6749 section 4.1.2.1",
  },
] as const satisfies readonly CauseRow[];
