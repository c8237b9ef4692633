// Node opens its inspector at SIGUSR1: a port of loopback from which every user of the machine reads
// what is in memory, tokens as well. Whoever takes the signal keeps that from happening. It is to be
// imported before anything else, because an import takes time. Windows has no such signal.
process.on("SIGUSR1", () => undefined);

/** Shuts the inspector that a signal has opened while Node itself started; --inspect is a person's word. */
export function shutInspector(): void {
  const options = [...process.execArgv, process.env["NODE_OPTIONS"] ?? ""];
  if (options.some((option) => option.includes("--inspect"))) return;
  const inspector = process.getBuiltinModule("node:inspector");
  if (inspector?.url() !== undefined) inspector.close();
}
