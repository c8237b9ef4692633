import { readFile } from "node:fs/promises";
import { MxtokenError, mayBeReadLater, systemReason } from "../errors.ts";
import { Secret } from "../secret.ts";
import { secretsIn } from "../world/environment.ts";
import { runWithin } from "../world/run-within.ts";
import type { World } from "../world/world.ts";
import type { ClientSecretSource } from "./settings.ts";

/**
 * Fetches the client secret from where the person keeps it: the first line of the file or of what
 * the command prints, without blanks around it.
 *
 * @returns undefined when no source was named
 * @throws MxtokenError `configuration`
 */
export async function readClientSecret(
  world: World,
  source: ClientSecretSource,
): Promise<Secret | undefined> {
  if (source.value !== undefined) return secretFrom(source.value, "the client secret");
  if (source.file !== undefined) return readSecretFile(source.file);
  if (source.command !== undefined) return runSecretCommand(world, source.command);
  return undefined;
}

async function readSecretFile(path: string): Promise<Secret> {
  try {
    return secretFrom(await readFile(path, "utf8"), `the client secret file ${path}`);
  } catch (error) {
    if (error instanceof MxtokenError) throw error;
    throw new MxtokenError(
      mayBeReadLater(error) ? "unreachable" : "configuration",
      `cannot read the client secret file ${path}: ${systemReason(error)}`,
      { cause: error, mayPass: true },
    );
  }
}

/** Somebody may have to unlock something; ms. */
const commandPatience = 300_000;

async function runSecretCommand(world: World, command: string): Promise<Secret> {
  const result = await runWithin(
    world,
    { shell: command },
    commandPatience,
    // What prints the secret may be told by one where to find it, as no other command is.
    secretsIn(world.env),
  );
  if (result === undefined) {
    throw new MxtokenError("unreachable", "the client secret command did not end within 5 minutes");
  }
  if (result.status !== 0) {
    throw new MxtokenError(
      "configuration",
      `the client secret command ended with status ${result.status ?? "unknown (it was killed)"}`,
      // Only the shell's own "not found" and "not executable" do not pass.
      { mayPass: result.status !== 126 && result.status !== 127 },
    );
  }
  return secretFrom(result.stdout, "what the client secret command prints");
}

function secretFrom(text: string, what: string): Secret {
  const line =
    text
      .replace(/^\uFEFF/, "")
      .trim()
      .split(/\r?\n/, 1)[0]
      ?.trim() ?? "";
  if (line === "") throw new MxtokenError("configuration", `${what} is empty`);
  if (!/^[\x20-\x7e]+$/.test(line)) {
    throw new MxtokenError("configuration", `${what} holds characters that no client secret has`);
  }
  return new Secret(line);
}
