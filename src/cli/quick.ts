import manifest from "../../package.json" with { type: "json" };
import { rememberRead } from "../store/read.ts";
import { prepareToLast } from "../world/own-process.ts";
import { writeAtOnce } from "../world/patient-output.ts";
import { systemWorld } from "../world/system.ts";
import { showQuickly } from "./show-token.ts";

// Where the built program begins. Mail programs run `mxtoken show` for every login, and most of what
// that takes is to load the program: so a token that is fresh is printed from here, and everything
// else is left to the program as a whole.

async function start(argv: readonly string[]): Promise<void> {
  if (argv.some((word) => word === "keep" || word === "run")) prepareToLast();
  const memory = rememberRead();
  const text = await quickly(argv);
  if (text !== undefined && (await isPrinted(text))) return;
  const program = await import("./main.ts");
  process.exitCode = await program.begin(argv, memory.read);
}

/** What a command prints that neither needs nor changes anything; undefined for any other. */
async function quickly(argv: readonly string[]): Promise<string | undefined> {
  const [first, second] = argv;
  if (first === "--version" && second === undefined) return `${manifest.version}\n`;
  return first === "show" ? showQuickly(argv, systemWorld({ ownsProcess: true })) : undefined;
}

async function isPrinted(text: string): Promise<boolean> {
  const rest = writeAtOnce(text);
  if (rest.length === 0) return true;
  const { stdout } = systemWorld({ ownsProcess: true });
  return new Promise((resolve) => {
    stdout.write(rest, (error) => resolve(!error));
  });
}

void start(process.argv.slice(2));
