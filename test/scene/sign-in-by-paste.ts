import { main } from "../../src/cli/main.ts";
import type { Result } from "./scene.ts";
import { callback } from "./visit.ts";
import type { TestWorld } from "./world.ts";

/** How a sign-in went, and the address that the person was sent to. */
export interface SignedIn extends Result {
  readonly address: URL;
}

/**
 * Runs the program in this process, and pastes what the browser of somebody who signs in would end
 * on.
 *
 * @param issuer as a server names itself in its answer (RFC 9207)
 */
export async function signInByPaste(
  args: readonly string[],
  world: TestWorld,
  issuer?: string,
): Promise<SignedIn> {
  const redirect = args.includes("--redirect-uri") ? [] : ["--redirect-uri", "https://localhost"];
  const ended = main([...args, ...redirect, "--remotebrowser"], world);
  await Promise.race([world.shown("paste it here"), ended]);
  const [address] = /^https:\/\/\S+code_challenge\S+$/m.exec(world.written.stderr) ?? [];
  if (address === undefined) throw new Error(`nobody was asked: ${world.written.stderr}`);
  const iss = issuer === undefined ? "" : `&iss=${encodeURIComponent(issuer)}`;
  world.stdin.end(`${callback(address, "a-code-of-the-sign-in")}${iss}\n`);
  const status = await ended;
  return { status, ...world.written, address: new URL(address) };
}
