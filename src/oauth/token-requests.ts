import { MxtokenError } from "../errors.ts";
import type { Tell } from "../events.ts";
import { whenAborted } from "../world/waiting.ts";
import type { World } from "../world/world.ts";
import type {
  ClientCredentials,
  CredentialsSource,
  OAuthClient,
  TokenRequestContext,
} from "./client.ts";

/** ms */
const answerTimeout = 60_000;
/** How long a signal waits for the answer to a request that may already have spent a token, in ms. */
const graceAfterSignal = 10_000;

/** Who asks, whom, and how it is proven. */
export interface Requester {
  readonly client: OAuthClient;
  /** fetches how the client proves itself, when a request leaves */
  readonly credentials: CredentialsSource;
  /** one more certificate authority, PEM */
  readonly ca: string | undefined;
}

/** Requests to one authorization server, each sent once. */
export class TokenRequests {
  readonly #world: World;
  readonly #requester: Requester;
  readonly #tell: Tell;
  readonly #toldOf = new Set<string>();

  constructor(world: World, requester: Requester, tell: Tell) {
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
   * @throws what `send` throws; Interrupted before it was sent
   */
  async send<T>(send: (context: TokenRequestContext) => Promise<T>): Promise<T> {
    const credentials = await this.prepare();
    try {
      return await this.#within(credentials, send);
    } catch (error) {
      const isRefused = error instanceof MxtokenError && error.oauthError === "invalid_client";
      if (!isRefused || credentials.secret === undefined) throw error;
      const again = await this.#requester.credentials(credentials.secret);
      if (credentials.secret.equals(again.secret)) throw error;
      return this.#within(again, send);
    }
  }

  async #within<T>(
    credentials: ClientCredentials,
    send: (context: TokenRequestContext) => Promise<T>,
  ): Promise<T> {
    const world = this.#world;
    const { client, ca } = this.#requester;
    world.interrupted.throwIfAborted();
    const stop = new AbortController();
    // A deadline that nobody cancels is kept in memory until it is over.
    const answered = new AbortController();
    const stopAfter = async (ms: number) => {
      await whenAborted(world.deadline(ms, answered.signal));
      stop.abort();
    };
    const onSignal = () => {
      this.#tell({ is: "finishingRequest" });
      void stopAfter(graceAfterSignal);
    };
    world.interrupted.addEventListener("abort", onSignal);
    void stopAfter(answerTimeout);
    try {
      return await send({ world, client, credentials, ca, signal: stop.signal });
    } finally {
      // With a reason of our own: Node's would hold a stack trace.
      answered.abort("answered");
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
