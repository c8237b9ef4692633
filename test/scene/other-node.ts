import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const cache = fileURLToPath(new URL("../../node_modules/.cache/node/", import.meta.url));

/**
 * The binary of another Node, from the npm registry; this one where it is of that version.
 *
 * @param major its version
 */
export function otherNode(major: number): string {
  if (Number(process.versions.node.split(".")[0]) === major) return process.execPath;
  const name = `node-${process.platform}-${process.arch}`;
  const directory = join(cache, String(major));
  const binary = join(directory, "node_modules", name, "bin", "node");
  if (existsSync(binary)) return binary;
  mkdirSync(directory, { recursive: true });
  const quiet = ["--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--loglevel=error"];
  execFileSync("npm", ["install", ...quiet, "--prefix", directory, `${name}@${major}`], {
    stdio: "inherit",
  });
  return binary;
}
