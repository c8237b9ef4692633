import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";
import { temporaryDirectory } from "./certificates.ts";

const source = fileURLToPath(new URL("imapsync.ts", import.meta.url));
let built: string | undefined;

/**
 * The stand-in for imapsync as a program for Node. It is started often, and as one file in JavaScript it
 * is there in a fifth of the time.
 *
 * @returns its path
 */
export function builtImapsync(): string {
  if (built !== undefined) return built;
  const outfile = join(temporaryDirectory(), "imapsync.mjs");
  // CommonJS packages inside an ES module ask for Node's own modules by require().
  const js = `import { createRequire } from "node:module"; const require = createRequire("${source}");`;
  const options = { bundle: true, platform: "node", format: "esm", banner: { js } } as const;
  buildSync({ ...options, entryPoints: [source], outfile });
  built = outfile;
  return outfile;
}
