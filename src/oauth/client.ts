import type { Flow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import type { Secret } from "../secret.ts";
import type { Clock, HttpReply, Net, Stop } from "../world/world.ts";

/** The endpoints of an authorization server. */
export interface ServerEndpoints {
  /** known wherever a person signs in by a code */
  readonly authorizationEndpoint: string | undefined;
  readonly tokenEndpoint: string;
  /** known wherever a person signs in by a device code */
  readonly deviceAuthorizationEndpoint: string | undefined;
  readonly revocationEndpoint: string | undefined;
  readonly tokenInfoEndpoint: string | undefined;
}

/** The certificate that the client is known by, and the key that proves it. */
export interface ClientCertificate {
  /** SHA-256 of its DER form in base64url, the header `x5t#S256` (RFC 7515 section 4.1.8) */
  readonly thumbprint: string;
  /** PEM */
  readonly key: Secret;
  /** where the key is, absolute, if everybody on this machine can read it */
  readonly readableByEverybody: string | undefined;
}

/** A service account of Google's and the key that signs in its name. */
export interface ServiceAccount {
  /** its name, the assertion's `iss` */
  readonly email: string;
  /** the number by which an administrator delegates to it */
  readonly clientId: string;
  readonly keyId: string | undefined;
  /** PEM */
  readonly privateKey: Secret;
  /** where the key file is, absolute, if everybody on this machine can read it */
  readonly readableByEverybody: string | undefined;
}

/** How the client proves that it is that one; all undefined for a public client. */
export interface ClientCredentials {
  readonly secret: Secret | undefined;
  /** proves the client instead of a secret */
  readonly certificate: ClientCertificate | undefined;
  readonly serviceAccount: ServiceAccount | undefined;
}

/**
 * Fetches how the client proves itself, or hands out what was fetched before.
 *
 * @param refused the secret that the server has just refused: then it is fetched again
 */
export type CredentialsSource = (refused?: Secret) => Promise<ClientCredentials>;

/** The OAuth client (RFC 6749 section 2) that asks for the token, and whom it asks. */
export interface OAuthClient extends ServerEndpoints {
  /** how it proves that it is that client (RFC 6749 section 2.3) */
  readonly authentication: "secret" | "certificate" | "serviceAccount" | "none";
  readonly flow: Flow;
  /** name of the application's row, or `own` where the person gave a client id */
  readonly app: string;
  readonly id: string;
  /** exactly as registered at the provider */
  readonly redirectUri: string;
  /** whether the provider is not known to take it with a listener's port in it */
  readonly isRedirectUriExact: boolean;
  /** whether the person named the token endpoint, instead of the provider's row */
  readonly isTokenEndpointNamed: boolean;
  /** what `iss` (RFC 9207) must be; undefined: its origin is compared with the endpoint's */
  readonly issuer: string | undefined;
  /** whether an answer without `iss` cannot be this server's (RFC 9207 section 2.4) */
  readonly isIssuerInAnswer: boolean;
  /** space-separated; empty where a refresh alone is wanted and nobody knows it */
  readonly scope: string;
  /** of a service account: asked for once where `scope` is not delegated */
  readonly alternativeScope: string | undefined;
  /** those that are granted without being named in the answer */
  readonly unechoedScopes: readonly string[];
  /** whether the token endpoint wants the scope repeated when a token is refreshed */
  readonly scopeOnRefresh: boolean;
  /** what the token is for (RFC 8707), where the server wants it said */
  readonly resource: string | undefined;
  /** whether the code is bound to this program by PKCE (RFC 7636) */
  readonly usesPkce: boolean;
  /** whether the secret is sent by HTTP Basic when a code is exchanged, and not in the body */
  readonly basicAtCodeExchange: boolean;
  /** the same at every request */
  readonly secretByBasic: boolean;
  readonly authorizationParameters: Readonly<Record<string, string>>;
  readonly loginHint: string;
  readonly tenant: string | undefined;
  /** the name on the provider's consent page, where it is not the person's own application */
  readonly consentName: string | undefined;
  /** what the server says that it cannot do; sentences without a full stop */
  readonly shortcomings: readonly string[];
}

/** What a request to the authorization server needs beside the client. */
export interface TokenRequestContext {
  readonly world: Clock & Net;
  readonly client: OAuthClient;
  readonly credentials: ClientCredentials;
  readonly ca: string | undefined;
  readonly signal: AbortSignal;
  /** the time to write into assertions, ms since 1970; undefined: this machine's */
  readonly now?: number;
  /** told of every answer; its header Date shows the server's clock */
  readonly onReply?: (reply: HttpReply) => void;
}

/** ms */
const answerTimeout = 60_000;
/** How long a signal waits for the answer to a request that may already have spent a token, in ms. */
const graceAfterSignal = 10_000;

/** Who asks, whom, and how it is proven. */
interface Requester {
  readonly client: OAuthClient;
  /** fetches how the client proves itself, when a request leaves */
  readonly credentials: CredentialsSource;
  /** one more certificate authority, PEM */
  readonly ca: string | undefined;
}

/** Requests to one authorization server, each sent once. */
export class TokenRequests {
  readonly #world: Clock & Net & Stop;
  readonly #requester: Requester;
  readonly #tell: Tell;
  readonly #toldOf = new Set<string>();

  constructor(world: Clock & Net & Stop, requester: Requester, tell: Tell) {
    this.#world = world;
    this.#requester = requester;
    this.#tell = tell;
  }

  /** Makes sure that the client's credentials can be had, before somebody is asked for anything. */
  async prepare(): Promise<ClientCredentials> {
    return this.#told(await this.#requester.credentials());
  }

  /**
   * Sends a request: with a deadline, and given up only 10 s after a signal, because the answer may hold
   * the only refresh token that still counts. Where the client is refused and its secret is another by
   * now, it is sent once more: nothing was spent by the first (RFC 6749 section 5.2).
   *
   * @param patience for how long the answer is waited for, ms
   * @throws what `send` throws; Interrupted before it was sent
   */
  async send<T>(
    send: (context: TokenRequestContext) => Promise<T>,
    patience = answerTimeout,
  ): Promise<T> {
    const credentials = await this.prepare();
    try {
      return await this.#within(credentials, send, patience);
    } catch (error) {
      const isRefused = error instanceof MxtokenError && error.oauthError === "invalid_client";
      if (!isRefused || credentials.secret === undefined) throw error;
      const again = await this.#requester.credentials(credentials.secret);
      if (credentials.secret.equals(again.secret)) throw error;
      return this.#within(again, send, patience);
    }
  }

  async #within<T>(
    credentials: ClientCredentials,
    send: (context: TokenRequestContext) => Promise<T>,
    patience: number,
  ): Promise<T> {
    const world = this.#world;
    const { client, ca } = this.#requester;
    world.interrupted.throwIfAborted();
    const stop = new AbortController();
    const abort = () => stop.abort();
    // A deadline that nobody cancels is kept in memory until it is over.
    const deadlines = [world.after(Math.min(patience, answerTimeout), abort)];
    const onSignal = () => {
      this.#tell({ is: "finishingRequest" });
      deadlines.push(world.after(graceAfterSignal, abort));
    };
    world.interrupted.addEventListener("abort", onSignal);
    try {
      return await send({ world, client, credentials, ca, signal: stop.signal });
    } finally {
      for (const cancel of deadlines) cancel();
      world.interrupted.removeEventListener("abort", onSignal);
    }
  }

  #told(credentials: ClientCredentials): ClientCredentials {
    for (const key of [credentials.serviceAccount, credentials.certificate]) {
      const path = key?.readableByEverybody;
      if (path === undefined || this.#toldOf.has(path)) continue;
      this.#toldOf.add(path);
      this.#tell({ is: "readableByEverybody", path });
    }
    return credentials;
  }
}
