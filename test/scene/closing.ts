import { after } from "node:test";

type Close = () => Promise<void>;

/** what is open still, the oldest first */
const open = new Set<Close>();

/**
 * A test closes what it has opened. What a `before` that failed has left open would keep its process
 * from ending, until the runner stops it after minutes: so it is closed after the last test as well.
 *
 * @returns a function to close it with, which does so once
 */
export function closedInTheEnd(close: Close): Close {
  let closed: Promise<void> | undefined;
  const closeOnce = () => {
    open.delete(closeOnce);
    closed ??= close();
    return closed;
  };
  open.add(closeOnce);
  return closeOnce;
}

// scripts/demo starts the same servers, and is no test.
if (process.env["NODE_TEST_CONTEXT"] !== undefined) {
  after(async () => {
    for (const close of [...open].reverse()) await close();
  });
}
