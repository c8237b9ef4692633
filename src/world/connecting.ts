import { lookup } from "node:dns/promises";
import { connect, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, type SecureContext, type TLSSocket } from "node:tls";
import { connectionError } from "./network-error.ts";

/**
 * Milliseconds until a connection can be used: with its name looked up, the proxy gone through and TLS
 * begun. A SYN that is lost is sent again after 1, 3, 7 and 15 seconds (RFC 6298).
 */
export const connectTimeout = 20_000;

/**
 * Milliseconds until the next address is tried as well (RFC 8305 section 5). The one before is not given
 * up for that, as Node's own autoSelectFamily does it: on a slow link its answer is still on the way.
 */
const attemptDelay = 250;

/** Who listens, by name or address. */
export interface Listener {
  readonly host: string;
  readonly port: number;
}

/** The addresses of a name, in the order in which they are to be tried. */
export type LookUp = (host: string) => Promise<readonly { address: string; family: number }[]>;

export const lookUpBySystem: LookUp = (host) => lookup(host, { all: true });

/**
 * Connects by TCP to whichever address of a host answers first. Both families are tried in turn, each a
 * moment after the other and none in place of the other, so that neither a family that leads nowhere nor
 * a slow link is in the way (RFC 8305).
 *
 * @param stop ends it
 * @throws Error of Node's kind, of the address that says most
 */
export async function connectTo(
  { host, port }: Listener,
  stop: AbortSignal,
  lookUp: LookUp = lookUpBySystem,
): Promise<Socket> {
  const addresses =
    isIP(host) === 0 ? inTurns(await unlessStopped(lookUp(host), stop)) : [{ address: host }];
  const attempts = new Set<Socket>();
  const failures: unknown[] = [];
  let timer: NodeJS.Timeout | undefined;
  let end: () => void = () => undefined;
  try {
    const winner = await new Promise<Socket>((resolve, reject) => {
      end = () => reject(connectionError("CONNECT_TIMEOUT"));
      whenEnded(stop, end);
      const tryNext = () => {
        clearTimeout(timer);
        const next = addresses.shift();
        if (next === undefined && attempts.size === 0) reject(mostTelling(failures, host));
        if (next === undefined) return;
        const attempt = connect({ host: next.address, port });
        attempts.add(attempt);
        attempt.once("connect", () => resolve(attempt));
        attempt.on("error", (error) => {
          failures.push(error);
          if (attempts.delete(attempt)) tryNext();
        });
        if (addresses.length > 0) timer = setTimeout(tryNext, attemptDelay);
      };
      tryNext();
    });
    attempts.delete(winner);
    return winner;
  } finally {
    clearTimeout(timer);
    stop.removeEventListener("abort", end);
    const others = [...attempts];
    attempts.clear();
    for (const other of others) other.destroy();
  }
}

/** The families in turn, each in its own order (RFC 8305 section 4). */
function inTurns(addresses: Awaited<ReturnType<LookUp>>): { address: string }[] {
  const [first] = addresses;
  const one = addresses.filter(({ family }) => family === first?.family);
  const other = addresses.filter(({ family }) => family !== first?.family);
  return addresses.flatMap((_, place) =>
    [one, other].flatMap((each) => each.slice(place, place + 1)),
  );
}

/** That there is no way from here says least: it is so for a whole family where the network lacks it. */
const noWay: ReadonlySet<unknown> = new Set([
  ...["ENETUNREACH", "EADDRNOTAVAIL", "EAFNOSUPPORT"],
  // A link-local address without a zone (RFC 4007 section 6).
  "EINVAL",
]);

function mostTelling(failures: readonly unknown[], host: string): unknown {
  const code = (error: unknown) => (error instanceof Error && "code" in error ? error.code : "");
  const telling = failures.find((error) => !noWay.has(code(error)));
  return telling ?? failures[0] ?? connectionError("ENOTFOUND", new Error(`no address: ${host}`));
}

/** What TLS is begun with; where there is no context, Node's own list of authorities is trusted. */
export interface TlsTrust {
  readonly secureContext: SecureContext | undefined;
  /** what is to be spoken over it (RFC 7301), where that is said */
  readonly protocols?: string[];
}

/** Said aloud, because NODE_TLS_REJECT_UNAUTHORIZED=0 would switch verification off. */
export function tlsOptions({ secureContext, protocols }: TlsTrust) {
  return {
    rejectUnauthorized: true,
    ...(secureContext === undefined ? {} : { secureContext }),
    ...(protocols === undefined ? {} : { ALPNProtocols: protocols }),
  };
}

/** Begins TLS on a connection; the certificate is verified, and must be the host's. */
export function beginTls(
  socket: Duplex,
  { host, ...trust }: TlsTrust & Pick<Listener, "host">,
): TLSSocket {
  // RFC 6066 section 3 allows no address there.
  const name = isIP(host) ? {} : { servername: host };
  const secure = connectTls({ ...tlsOptions(trust), host, socket, ...name });
  // An error that comes later is seen by whoever reads.
  return secure.on("error", () => undefined);
}

/**
 * Begins TLS as {@link beginTls} does, and waits until it has begun.
 *
 * @param end gives it up
 * @throws Error of Node's kind
 */
export async function startTls(
  socket: Socket,
  options: TlsTrust & Pick<Listener, "host">,
  end: AbortSignal,
): Promise<Socket> {
  const secure = beginTls(socket, options);
  try {
    await new Promise<void>((resolve, reject) => {
      secure.once("secureConnect", () => resolve());
      secure.once("error", reject);
      secure.once("close", () => reject(connectionError("ECONNRESET")));
      whenEnded(end, () => reject(connectionError("CONNECT_TIMEOUT")));
    });
    return secure;
  } catch (error) {
    secure.destroy();
    socket.destroy();
    throw error;
  }
}

/**
 * Does not wait any longer for what cannot be given up, as the look-up of a name.
 *
 * @throws Error of Node's kind, `CONNECT_TIMEOUT`; what the step throws
 */
export async function unlessStopped<T>(step: Promise<T>, stop: AbortSignal): Promise<T> {
  step.catch(() => undefined);
  let end: () => void = () => undefined;
  try {
    return await Promise.race([
      step,
      new Promise<never>((_resolve, reject) => {
        end = () => reject(connectionError("CONNECT_TIMEOUT"));
        whenEnded(stop, end);
      }),
    ]);
  } finally {
    stop.removeEventListener("abort", end);
  }
}

/** Runs it when the signal aborts, at once if it has already. */
export function whenEnded(signal: AbortSignal, run: () => void): void {
  if (signal.aborted) run();
  else signal.addEventListener("abort", run, { once: true });
}
