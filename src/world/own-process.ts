// What Node does by itself, and what only a program may change of it whose process is its own.

// Node opens its inspector at SIGUSR1: a port of loopback from which every user of the machine reads
// what is in memory, tokens as well. Whoever takes the signal keeps that from happening. It is to be
// imported before anything else, because an import takes time. Windows has no such signal.
process.on("SIGUSR1", () => undefined);

/** When to look again, ms: Node opens it from a thread of its own, and where the signal came early, twice. */
const opening = [10, 100, 1000];

/** Shuts the inspector that a signal has opened while Node itself started; --inspect is a person's word. */
export function shutInspector(): void {
  const options = [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""];
  if (options.some((option) => option.includes("--inspect"))) return;
  shutIfOpen();
  // It opens where the event loop takes up what has happened outside, and timers come before that.
  setImmediate(shutIfOpen);
  for (const ms of opening) setTimeout(() => setImmediate(shutIfOpen), ms).unref();
}

function shutIfOpen(): void {
  const inspector = process.getBuiltinModule("node:inspector");
  if (inspector?.url() !== undefined) inspector.close();
}

const size = "UV_THREADPOOL_SIZE";

/** How long the list and the files of very many accounts are being read, ms. */
const firstReading = 2000;

/** Garbage is collected when it is a third of what is in use, and not a multiple. */
function collectOften(): void {
  const v8 = process.getBuiltinModule("node:v8");
  v8.setFlagsFromString("--heap-growing-percent=30");
  v8.setFlagsFromString("--expose-gc");
  const collect: () => void = process.getBuiltinModule("node:vm").runInNewContext("gc");
  collect();
}

/**
 * Makes Node fit for a process that lasts for days and stores many tokens. To be called before anything
 * else.
 */
export function prepareToLast(): void {
  // At first nearly everything that is made stays, and to look for garbage finds none; and code that V8 has
  // kept (scripts/built/) is only taken as long as its flags are the same.
  setTimeout(collectOften, firstReading).unref();
  if (process.env[size] !== undefined) return;
  // While 4 threads, Node's own number, wait for the disk, nothing else is written.
  process.env[size] = "16";
  // They are made at the first task of theirs. Programs that are started from here are not concerned.
  process.getBuiltinModule("node:fs").stat(".", () => undefined);
  delete process.env[size];
}
