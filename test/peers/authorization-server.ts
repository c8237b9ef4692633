import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import Provider from "oidc-provider";
import { Agent, fetch } from "undici";
import type { Certificates } from "./certificates.ts";

/**
 * oidc-provider over HTTPS: real authorization code grant with PKCE, rotation of refresh tokens
 * with reuse detection, introspection for Dovecot. Whoever `login_hint` names is signed in at once.
 */
export interface AuthorizationServer {
  readonly issuer: string;
  readonly authorizeUri: string;
  readonly tokenUri: string;
  /** the first of the clients */
  readonly clientId: string;
  readonly introspectionUri: string;
  /** follows the sign-in address as a browser does; the address that the browser ends on */
  signIn(address: string, how?: { deny?: boolean }): Promise<string>;
  /** requests that came to the token endpoint, by grant type */
  readonly seen: { grantType: string; refused: boolean }[];
  /** every token that was handed out */
  readonly secrets: string[];
  /** makes the introspection endpoint answer 503 */
  introspectionAway: boolean;
  /** what runs before an answer of the token endpoint leaves */
  beforeAnswer: () => Promise<void>;
  close(): Promise<void>;
}

export interface AuthorizationServerOptions {
  /** the clients for mxtoken; public where there is no secret; by default one, `mxtoken-test` */
  readonly clients?: readonly { readonly id: string; readonly secret?: string }[];
  /** scopes that can be asked for, beside its own */
  readonly scopes?: readonly string[];
  readonly port?: number;
  /** shows oidc-provider's own sign-in and consent pages instead of answering by itself */
  readonly pages?: boolean;
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
    clientId: (options.clients ?? defaultClients)[0]?.id ?? "",
    introspectionUri: `https://dovecot:dovecot-secret@localhost:${port}/token/introspection`,
    signIn: (address, how) => followSignIn(certificates, address, how),
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
  { clients = defaultClients, pages, scopes = [] }: AuthorizationServerOptions,
) {
  const provider = new Provider(issuer, {
    clients: [
      ...clients.map(({ id, secret }) => ({
        client_id: id,
        application_type: "web",
        redirect_uris: [...redirectUris, "https://elsewhere.example/auth"],
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        ...(secret === undefined
          ? { token_endpoint_auth_method: "none" }
          : { token_endpoint_auth_method: "client_secret_post", client_secret: secret }),
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
    },
    cookies: { keys: ["only for tests"] },
    rotateRefreshToken: true,
    // Google and Microsoft give one without prompt=consent; oidc-provider by itself does not.
    issueRefreshToken: async () => true,
    findAccount: async (_context: unknown, id: string) => ({
      accountId: id,
      claims: async () => ({ sub: id, email: id }),
    }),
    extraTokenClaims: async (_context: unknown, token: { accountId?: string }) => ({
      email: token.accountId,
    }),
    ...(pages ? {} : { interactions: { url: consentUrl } }),
    ttl: {
      AccessToken: 3600,
      RefreshToken: 90 * 24 * 3600,
      Grant: 90 * 24 * 3600,
      Session: 3600,
      Interaction: 3600,
      AuthorizationCode: 600,
    },
  });
  provider.use(consentPage(provider));
  allowAnyLoopbackPort(provider);
  return provider;
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
    const accountId = String(params["login_hint"]);
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
    if (context.path !== "/token") return;
    const body = (context.body ?? {}) as Record<string, unknown>;
    const grantType = String(context["oidc"]?.params?.["grant_type"]);
    peer.seen.push({ grantType, refused: context.status !== 200 });
    for (const name of ["access_token", "refresh_token", "id_token"]) {
      if (typeof body[name] === "string") peer.secrets.push(body[name]);
    }
    await peer.beforeAnswer();
  });
}

async function followSignIn(
  certificates: Certificates,
  address: string,
  how: { deny?: boolean } = {},
): Promise<string> {
  const dispatcher = new Agent({ connect: { ca: certificates.ca } });
  const jar = new Map<string, string>();
  const start = new URL(address);
  let url = start;
  try {
    for (let hops = 0; hops < 20; hops += 1) {
      const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
      const response = await fetch(url, {
        redirect: "manual",
        dispatcher,
        headers: { cookie, ...(how.deny ? { "x-deny": "yes" } : {}) },
      });
      await response.arrayBuffer();
      for (const line of response.headers.getSetCookie()) {
        const [pair = ""] = line.split(";");
        jar.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
      }
      const location = response.headers.get("location");
      if (location === null) throw new Error(`sign-in stopped with status ${response.status}`);
      url = new URL(location, url);
      if (url.origin !== start.origin) return url.href;
    }
  } finally {
    await dispatcher.close();
  }
  throw new Error("sign-in never came to an end");
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
  return async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
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
