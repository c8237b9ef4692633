import { stat } from "node:fs";
import { setFlagsFromString } from "node:v8";

const size = "UV_THREADPOOL_SIZE";

/**
 * Makes Node fit for a process that lasts for days and stores many tokens. To be called before anything
 * else.
 */
export function prepareToLast(): void {
  // Garbage is collected when it is a third of what is in use, and not a multiple.
  setFlagsFromString("--heap-growing-percent=30");
  if (process.env[size] !== undefined) return;
  // While 4 threads, Node's own number, wait for the disk, nothing else is written.
  process.env[size] = "16";
  // They are made at the first task of theirs. Programs that are started from here are not concerned.
  stat(".", () => undefined);
  delete process.env[size];
}
