import { createServer } from "node:net";
import { networkInterfaces } from "node:os";

/** The loopback addresses of this machine: without IPv6, the first one alone. */
export const loopbackAddresses: readonly string[] = ["127.0.0.1", "::1"].filter((address) =>
  Object.values(networkInterfaces())
    .flat()
    .some((one) => one?.address === address),
);

/** No port is given twice, and another process begins with other ones. */
let next = process.pid * 64;

/**
 * A free port from below those that the system gives out by itself, so that nobody else gets it
 * between this and its use.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + (next % 10_000);
    next += 1;
    const results = await Promise.all(loopbackAddresses.map((address) => isFree(address, port)));
    if (results.every((result) => result)) return port;
  }
}

function isFree(address: string, port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
