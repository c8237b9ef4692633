/** Lets whatever else waits go before: for work that is done in steps because it is long. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
