import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { JWK } from "jose";
import Provider from "oidc-provider";
import type { Certificates } from "./certificates.ts";
import { closedInTheEnd } from "./closing.ts";
import { WebVisitor } from "./web-visitor.ts";

/**
 * oidc-provider over HTTPS: real authorization code grant with PKCE, device grant, client
 * credentials, rotation of refresh tokens with reuse detection, revocation, metadata, introspection
 * for Dovecot. Whoever `login_hint` names is signed in at once.
 */
export interface AuthorizationServer {
  readonly issuer: string;
  readonly authorizeUri: string;
  readonly tokenUri: string;
  readonly deviceUri: string;
  readonly revokeUri: string;
  /** the first of the clients */
  readonly clientId: string;
  readonly introspectionUri: string;
  /** follows the sign-in address as a browser does; the address that the browser ends on */
  signIn(address: string, how?: { deny?: boolean }): Promise<string>;
  /**
   * goes to the address of a device code, types the code there as a person does, and lets it
   * through or not; what the last page says
   */
  enterUserCode(
    address: string,
    userCode: string,
    how: { account: string; deny?: boolean },
  ): Promise<string>;
  /** whether a token that was handed out still counts, by introspection (RFC 7662) */
  isAlive(token: string): Promise<boolean>;
  /** requests that came to the token endpoint, by grant type */
  readonly seen: { grantType: string; refused: boolean }[];
  /** every token and device code that was handed out */
  readonly secrets: string[];
  /** makes the introspection endpoint answer 503 */
  introspectionAway: boolean;
  /** what runs before an answer of the token endpoint leaves */
  beforeAnswer: () => Promise<void>;
  close(): Promise<void>;
}

export interface AuthorizationServerOptions {
  /** the clients for mxtoken; by default one, `mxtoken-test` */
  readonly clients?: readonly RegisteredClient[];
  /** scopes that can be asked for, beside its own */
  readonly scopes?: readonly string[];
  readonly port?: number;
  /** shows oidc-provider's own sign-in and consent pages instead of answering by itself */
  readonly pages?: boolean;
  /** ways for a client to prove itself, as the metadata have them */
  readonly authenticationMethods?: readonly string[];
  /** the mailbox that an application's own token opens */
  readonly mailboxOfApplications?: string;
  /** how long an access token lives, in seconds; by default an hour */
  readonly accessTokenLife?: number;
}

/** Public where it has neither secret nor key. */
interface RegisteredClient {
  readonly id: string;
  readonly secret?: string;
  /** whether the secret is taken by HTTP Basic alone, and not in the body */
  readonly isBasic?: boolean;
  /** of the certificate that it proves itself by, PS256 */
  readonly publicKey?: JWK;
}

const defaultClients = [{ id: "mxtoken-test" }];
const redirectUris = ["https://localhost", "http://localhost", "http://127.0.0.1"];

export async function startAuthorizationServer(
  certificates: Certificates,
  options: AuthorizationServerOptions = {},
): Promise<AuthorizationServer> {
  const server = createServer({ key: certificates.key, cert: certificates.cert });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const issuer = `https://localhost:${port}`;
  const provider = providerAt(issuer, options);
  const peer: AuthorizationServer = {
    issuer,
    authorizeUri: `${issuer}/auth`,
    tokenUri: `${issuer}/token`,
    deviceUri: `${issuer}/device/auth`,
    revokeUri: `${issuer}/token/revocation`,
    clientId: (options.clients ?? defaultClients)[0]?.id ?? "",
    introspectionUri: `https://dovecot:dovecot-secret@localhost:${port}/token/introspection`,
    signIn: (address, how) => followSignIn(certificates, address, how),
    enterUserCode: (...code) => enterUserCode(certificates, ...code),
    isAlive: (token) => introspect(certificates, issuer, token),
    seen: [],
    secrets: [],
    introspectionAway: false,
    beforeAnswer: async () => undefined,
    close: closer(server),
  };
  watch(provider, peer);
  server.on("request", provider.callback());
  return peer;
}

function providerAt(
  issuer: string,
  {
    clients = defaultClients,
    pages,
    scopes = [],
    authenticationMethods,
    mailboxOfApplications,
    accessTokenLife = 3600,
  }: AuthorizationServerOptions,
) {
  const provider = new Provider(issuer, {
    clients: [
      ...clients.map((client) => ({
        client_id: client.id,
        application_type: "web",
        redirect_uris: [...redirectUris, "https://elsewhere.example/auth"],
        response_types: ["code"],
        ...authenticationOf(client),
      })),
      {
        client_id: "dovecot",
        client_secret: "dovecot-secret",
        redirect_uris: [],
        grant_types: [],
        response_types: [],
        token_endpoint_auth_method: "client_secret_basic",
      },
    ],
    scopes: ["openid", "offline_access", "mail", ...scopes],
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: pages === true },
      introspection: { enabled: true, allowedPolicy: async () => true },
      deviceFlow: { enabled: true },
      clientCredentials: { enabled: true },
      revocation: { enabled: true, allowedPolicy: ofTheSameClient },
    },
    ...(authenticationMethods === undefined ? {} : { clientAuthMethods: authenticationMethods }),
    cookies: { keys: ["only for tests"] },
    rotateRefreshToken: true,
    // Google and Microsoft give one without prompt=consent; oidc-provider by itself does not.
    issueRefreshToken: async () => true,
    findAccount: async (_context: unknown, id: string) => ({
      accountId: id,
      claims: async () => ({ sub: id, email: id }),
    }),
    extraTokenClaims: async (_context: unknown, token: { accountId?: string }) => ({
      email: token.accountId ?? mailboxOfApplications,
    }),
    ...(pages ? {} : { interactions: { url: consentUrl } }),
    ttl: {
      AccessToken: accessTokenLife,
      RefreshToken: 90 * 24 * 3600,
      Grant: 90 * 24 * 3600,
      Session: 3600,
      Interaction: 3600,
      AuthorizationCode: 600,
      ClientCredentials: 3600,
      DeviceCode: 600,
    },
  });
  provider.use(consentPage(provider));
  allowAnyLoopbackPort(provider);
  return provider;
}

const delegatedGrants = [
  "authorization_code",
  "refresh_token",
  "urn:ietf:params:oauth:grant-type:device_code",
];

/** How a client proves itself, and which grants it may use for that. */
function authenticationOf({ secret, isBasic, publicKey }: RegisteredClient): object {
  if (publicKey !== undefined) {
    return {
      token_endpoint_auth_method: "private_key_jwt",
      token_endpoint_auth_signing_alg: "PS256",
      jwks: { keys: [publicKey] },
      grant_types: [...delegatedGrants, "client_credentials"],
    };
  }
  if (secret === undefined) {
    return { token_endpoint_auth_method: "none", grant_types: delegatedGrants };
  }
  return {
    token_endpoint_auth_method: isBasic ? "client_secret_basic" : "client_secret_post",
    client_secret: secret,
    grant_types: [...delegatedGrants, "client_credentials"],
  };
}

async function ofTheSameClient(
  _context: unknown,
  client: { clientId: string },
  token: { clientId: string },
): Promise<boolean> {
  return token.clientId === client.clientId;
}

/** As Google and Microsoft compare loopback redirects (RFC 8252 section 7.3). */
function allowAnyLoopbackPort(provider: Provider): void {
  const { prototype } = provider.Client;
  const isAllowed = prototype.redirectUriAllowed;
  prototype.redirectUriAllowed = function (uri: string) {
    const withoutPort = uri.replace(/^(https?:\/\/(?:localhost|127\.0\.0\.1)):\d+/, "$1");
    return isAllowed.call(this, withoutPort);
  };
}

function consentUrl(_context: unknown, interaction: { uid: string }): string {
  return `/consent/${interaction.uid}`;
}

/** Signs in whom the request names, and consents, without a question. */
function consentPage(provider: Provider) {
  return async (context: KoaContext, next: () => Promise<void>) => {
    if (!context.path.startsWith("/consent/")) return next();
    const { params, grantId, prompt } = await provider.interactionDetails(context.req, context.res);
    // Whoever types a device code says who they are when they sign in.
    const accountId = String(params["login_hint"] ?? context.get("x-account"));
    if (context.get("x-deny") === "yes") {
      return provider.interactionFinished(context.req, context.res, {
        error: "access_denied",
        error_description: "the person \u001b[31mchose\u001b[0m Cancel",
      });
    }
    if (prompt.name === "login") {
      return provider.interactionFinished(context.req, context.res, { login: { accountId } });
    }
    const grant =
      grantId === undefined
        ? new provider.Grant({ accountId, clientId: String(params["client_id"]) })
        : await provider.Grant.find(grantId);
    grant?.addOIDCScope(String(params["scope"]));
    return provider.interactionFinished(
      context.req,
      context.res,
      { consent: { grantId: await grant?.save() } },
      { mergeWithLastSubmission: true },
    );
  };
}

function watch(provider: Provider, peer: AuthorizationServer): void {
  provider.use(async (context: KoaContext, next: () => Promise<void>) => {
    if (context.path === "/token/introspection" && peer.introspectionAway) {
      context.status = 503;
      return;
    }
    await next();
    if (context.path !== "/token" && context.path !== "/device/auth") return;
    const body = (context.body ?? {}) as Record<string, unknown>;
    for (const name of ["access_token", "refresh_token", "id_token", "device_code"]) {
      if (typeof body[name] === "string") peer.secrets.push(body[name]);
    }
    if (context.path !== "/token") return;
    const grantType = String(context["oidc"]?.params?.["grant_type"]);
    peer.seen.push({ grantType, refused: context.status !== 200 });
    await peer.beforeAnswer();
  });
}

async function followSignIn(
  certificates: Certificates,
  address: string,
  how: { deny?: boolean } = {},
): Promise<string> {
  const visitor = new WebVisitor(certificates, how.deny ? { "x-deny": "yes" } : {});
  try {
    const { status, location } = await visitor.follow(await visitor.open(new URL(address)));
    if (location === undefined) throw new Error(`sign-in stopped with status ${status}`);
    return location.href;
  } finally {
    await visitor.close();
  }
}

async function enterUserCode(
  certificates: Certificates,
  address: string,
  userCode: string,
  { account, deny }: { account: string; deny?: boolean },
): Promise<string> {
  const url = new URL(address);
  const visitor = new WebVisitor(certificates, { "x-account": account });
  try {
    const { text } = await visitor.open(url);
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(text)?.[1];
    if (xsrf === undefined) throw new Error("the page has no field for a code");
    const form = { xsrf, user_code: userCode };
    await visitor.open(url, form);
    const decided = await visitor.open(url, { ...form, [deny ? "abort" : "confirm"]: "yes" });
    return (await visitor.follow(decided)).text;
  } finally {
    await visitor.close();
  }
}

async function introspect(
  certificates: Certificates,
  issuer: string,
  token: string,
): Promise<boolean> {
  const basic = Buffer.from("dovecot:dovecot-secret").toString("base64");
  const visitor = new WebVisitor(certificates, { authorization: `Basic ${basic}` });
  try {
    const { text } = await visitor.open(new URL(`${issuer}/token/introspection`), { token });
    return JSON.parse(text).active === true;
  } finally {
    await visitor.close();
  }
}

/**
 * What closes the server and whatever is connected to it; closeAllConnections() leaves those whose
 * handshake is not at its end.
 */
export function closer(server: Server): () => Promise<void> {
  const sockets = new Set<Duplex>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return closedInTheEnd(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
}

interface KoaContext {
  path: string;
  req: import("node:http").IncomingMessage;
  res: import("node:http").ServerResponse;
  status: number;
  body: unknown;
  oidc?: { params?: Record<string, unknown> };
  get(name: string): string;
}
