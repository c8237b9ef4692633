#!/usr/bin/env node
import { showQuickly } from "./commands/show-quickly.ts";
import { withDashes } from "./commands/spelling.ts";
import { systemWorld } from "./world/system.ts";

// Where the built program begins. Mail programs run `mxtoken show` for every login, and most of what
// that takes is to load the program: so a token that is fresh is printed from here, and everything
// else is left to the program as a whole.

async function begin(): Promise<void> {
  const world = systemWorld();
  const shown = await showQuickly(process.argv.slice(2).map(withDashes), world);
  const isPrinted = shown !== undefined && (await print(shown));
  if (!isPrinted) await import("./cli.ts");

  function print(text: string): Promise<boolean> {
    return new Promise((resolve) => {
      world.stdout.write(text, (error) => resolve(!error));
    });
  }
}

void begin();
