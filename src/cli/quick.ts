import { rememberRead } from "../store/read.ts";
import { prepareToLast } from "../world/own-process.ts";
import { systemWorld } from "../world/system.ts";
import { showQuickly } from "./show-token.ts";

// Where the built program begins. Mail programs run `mxtoken show` for every login, and most of what
// that takes is to load the program: so a token that is fresh is printed from here, and everything
// else is left to the program as a whole.

async function start(argv: readonly string[]): Promise<void> {
  if (argv.some((word) => word === "keep" || word === "run")) prepareToLast();
  const memory = rememberRead();
  if (argv[0] === "show" && (await isShown(argv))) return;
  const program = await import("./main.ts");
  process.exitCode = await program.begin(argv, memory.read);
}

async function isShown(argv: readonly string[]): Promise<boolean> {
  const world = systemWorld({ ownsProcess: true });
  const shown = await showQuickly(argv, world);
  if (shown === undefined) return false;
  return new Promise((resolve) => {
    world.stdout.write(shown, (error) => resolve(!error));
  });
}

void start(process.argv.slice(2));
