import { execFileSync } from "node:child_process";

export const isRoot = process.geteuid?.() === 0;

/** The command as root would give it; scripts/test runs as root or with sudo. */
export function rootCommand(...command: string[]): [string, string[]] {
  const [program = "", ...args] = isRoot ? command : ["sudo", "-n", ...command];
  return [program, args];
}

/** Mounts and owners are root's business. */
export function asRoot(...command: string[]): void {
  execFileSync(...rootCommand(...command), { stdio: ["ignore", "ignore", "inherit"] });
}
