import { MxtokenError } from "../errors.ts";
import type { ListenerFacts, Tell } from "../events.ts";
import type { OAuthClient } from "../oauth/client.ts";
import { type AuthorizingClient, authorizationUrl } from "../oauth/grants.ts";
import { createProofs } from "../oauth/transport.ts";
import type { World } from "../world/world.ts";
import { certificateForThisRun, type ListenerCertificate } from "./certificate.ts";
import type { Listener } from "./listener.ts";
import { type LoopbackRedirect, withPort } from "./redirect.ts";
import type { SignInPages } from "./result-page.ts";
import { SignIn } from "./sign-in.ts";

/** What the sign-ins of one owner have in common. */
export interface DeskSettings {
  /** where the listener's certificate is kept, absolute */
  readonly certificateDirectory: string;
  /** the command that shows this very certificate */
  readonly certificateCommand: string;
  readonly pages: SignInPages;
  /** whether it listens on while no sign-in is pending: then who comes late is told so */
  readonly isLasting?: boolean;
}

/** What a person is to be asked for. */
interface PendingSignIn {
  readonly client: AuthorizingClient & Pick<OAuthClient, "issuer" | "isIssuerInAnswer">;
  /** for the request where nobody listens */
  readonly redirectUri: string;
  /** undefined: nobody shall listen */
  readonly listenAt: LoopbackRedirect | undefined;
  /** told of the listener's certificate, of a listener that cannot be had, and of what is no answer */
  readonly tell: Tell;
}

/** A listener and how many sign-ins come back to it. */
interface SharedListener {
  readonly started: Promise<{ readonly listener: Listener; readonly facts: ListenerFacts }>;
  users: number;
}

const gaveUp = {
  is: "unfinished",
  message: "nobody waits for this sign-in any more",
  hint: undefined,
} as const;

/**
 * Where people's sign-ins come back to (authorization code grant with PKCE, RFC 6749 section 4.1, RFC
 * 7636): one listener for each scheme and port serves all of them at once, told apart by their state.
 * It lives as long as its owner.
 */
export class SignInDesk {
  readonly #world: World;
  readonly #settings: DeskSettings;
  readonly #listeners = new Map<string, SharedListener>();
  readonly #signIns = new Set<SignIn>();
  #certificate: Promise<ListenerCertificate> | undefined;
  #isClosed = false;

  constructor(world: World, settings: DeskSettings) {
    this.#world = world;
    this.#settings = settings;
  }

  /**
   * Begins a sign-in, with proofs of its own. A listener that cannot be had is told and is no end:
   * the answer can always be pasted.
   *
   * @throws MxtokenError `defect` when it is closed; Interrupted
   */
  async begin(pending: PendingSignIn): Promise<SignIn> {
    const { client, listenAt, redirectUri: registered } = pending;
    const { authorizationEndpoint, issuer, isIssuerInAnswer } = client;
    const { verifier, challenge, state } = await createProofs();
    // Before as well: what is begun after the end is closed by nobody.
    this.#requireOpen();
    const held = listenAt === undefined ? undefined : await this.#hold(listenAt, pending.tell);
    this.#requireOpen();
    const redirectUri = held === undefined ? registered : withPort(held.redirect, held.facts.port);
    const url = authorizationUrl(client, redirectUri, { challenge, state });
    const expected = { state, issuer, isIssuerInAnswer, authorizationEndpoint };
    const request = { url, redirectUri, verifier, expected, listener: held?.facts };
    const signIn: SignIn = new SignIn(this.#world, this.#settings.pages, request, {
      ended: () => held?.listener.end(signIn),
      finished: async (pages) => {
        this.#signIns.delete(signIn);
        held?.listener.forget(pages);
        await held?.release();
      },
    });
    this.#signIns.add(signIn);
    held?.listener.expect(signIn, held.redirect, pending.tell);
    return signIn;
  }

  /**
   * Ends every sign-in that is still pending, waits until the browsers have taken their pages, and
   * listens no more.
   */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#signIns].map((signIn) => signIn.end(gaveUp)));
    const shared = [...this.#listeners.values()];
    this.#listeners.clear();
    await Promise.all(shared.map(closeListener));
  }

  #requireOpen(): void {
    if (this.#isClosed) throw new MxtokenError("defect", "the sign-in desk is closed");
  }

  /** @returns undefined where there can be none, which is told */
  async #hold(redirect: LoopbackRedirect, tell: Tell) {
    const key = `${redirect.scheme} ${redirect.port ?? "any"}`;
    const shared = this.#listeners.get(key) ?? this.#start(key, redirect, tell);
    shared.users += 1;
    const release = () => this.#release(key, shared);
    try {
      const { listener, facts } = await shared.started;
      if (redirect.host === "[::1]") listener.server.requireIpv6();
      return { listener, facts, redirect, release };
    } catch (error) {
      await release();
      if (!(error instanceof MxtokenError)) throw error;
      tell({ is: "cannotListen", reason: error.message });
      return undefined;
    }
  }

  #start(key: string, redirect: LoopbackRedirect, tell: Tell): SharedListener {
    const shared = { started: this.#listen(redirect, tell), users: 0 };
    this.#listeners.set(key, shared);
    // One that cannot be had now may be had by the next sign-in.
    shared.started.catch(() => this.#listeners.delete(key));
    return shared;
  }

  async #listen({ scheme, port }: LoopbackRedirect, tell: Tell) {
    const made = scheme === "https" ? await this.#certificateFor(tell) : undefined;
    // Node's HTTPS server takes its time to load, and most runs need none.
    const { startListener } = await import("./listener.ts");
    const { pages, certificateCommand } = this.#settings;
    const listener = await startListener(this.#world, { keyPair: made?.pair, port, pages });
    const isKept = made !== undefined && made.notKept === undefined;
    const facts = {
      port: listener.server.port,
      fingerprint: made?.facts.fingerprint,
      certificateCommand: isKept ? certificateCommand : undefined,
    };
    return { listener, facts };
  }

  async #release(key: string, shared: SharedListener): Promise<void> {
    shared.users -= 1;
    if (shared.users > 0 || this.#settings.isLasting === true) return;
    if (this.#listeners.get(key) === shared) this.#listeners.delete(key);
    await closeListener(shared);
  }

  /** One for all listeners; it is told of when it is made. */
  #certificateFor(tell: Tell): Promise<ListenerCertificate> {
    const make = async () => {
      const { certificateDirectory, certificateCommand: command } = this.#settings;
      const made = await certificateForThisRun(this.#world, certificateDirectory);
      const { isNew, files, renewedBecause, notKept } = made;
      if (notKept !== undefined) tell({ is: "certificateNotKept", reason: notKept });
      else if (isNew) {
        tell({ is: "certificateMade", path: files.certificate, renewedBecause, command });
      }
      return made;
    };
    this.#certificate ??= make();
    return this.#certificate;
  }
}

/** One that could not be had needs no end. */
async function closeListener({ started }: SharedListener): Promise<void> {
  const found = await started.catch(() => undefined);
  await found?.listener.server.close();
}
