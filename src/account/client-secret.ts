import { resolve } from "node:path";
import { MxtokenError } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { ClientSecretSource } from "../settings/settings.ts";
import { mayBeReadLater, systemReason } from "../system-error.ts";
import { secretsIn } from "../world/builtins.ts";
import { readText } from "../world/read-bounded.ts";
import { runWithin, within } from "../world/waiting.ts";
import type { Clock, Host, Stop } from "../world/world.ts";

/** A secret that was fetched. */
interface Fetched {
  readonly secret: Secret | undefined;
  /** ms since 1970 */
  readonly at: number;
  /** it was fetched again because the former one was refused, and is no other */
  readonly isSame: boolean;
}

/** What was fetched from each source, for as long as the settings live that name it. */
const fetched = new WeakMap<ClientSecretSource, Promise<Fetched>>();

/** What is no other than the one that was refused is not fetched again for so many ms. */
const againAfter = 60_000;

/**
 * The secret as it was fetched before, for whichever account; else, or where that very one was refused,
 * it is fetched now.
 */
export async function keptSecret(
  world: Clock & Host & Stop,
  source: ClientSecretSource,
  refused: Secret | undefined,
): Promise<Secret | undefined> {
  const before = fetched.get(source);
  const kept = before === undefined ? undefined : await before;
  // Another account has fetched it again meanwhile.
  if (fetched.get(source) !== before) return keptSecret(world, source, refused);
  if (kept !== undefined && kept.secret !== refused) return kept.secret;
  if (kept?.isSame === true && world.now() - kept.at < againAfter) return kept.secret;
  const fetching = readClientSecret(world, source).then((secret) => ({
    secret,
    at: world.now(),
    isSame: secret?.equals(refused) === true,
  }));
  fetched.set(source, fetching);
  try {
    return (await fetching).secret;
  } catch (error) {
    // A source that is gone for a while is asked again.
    if (fetched.get(source) === fetching) fetched.delete(source);
    throw error;
  }
}

/**
 * Fetches the client secret from where the person keeps it: the first line of the file or of what
 * the command prints, without blanks around it.
 *
 * @returns undefined when no source was named
 * @throws MxtokenError `configuration`
 */
async function readClientSecret(
  world: Clock & Host & Stop,
  source: ClientSecretSource,
): Promise<Secret | undefined> {
  if (source.value !== undefined) return secretFrom(source.value, "the client secret");
  if (source.file !== undefined) return readSecretFile(world, source.file);
  if (source.command !== undefined) return runSecretCommand(world, source.command);
  return undefined;
}

async function readSecretFile(world: Clock & Host & Stop, name: string): Promise<Secret> {
  const read = (stop: AbortSignal) => readText(path, { limit: sizeLimit, mayBePipe: true, stop });
  const path = resolve(world.cwd, name);
  const what = `the client secret file ${path}`;
  try {
    const found = await within(world, commandPatience, read, () => undefined);
    if (found === undefined) {
      throw new MxtokenError("unreachable", `nothing came from ${what} within 5 minutes`);
    }
    if (found.is === "read") return secretFrom(found.text, what);
    throw new MxtokenError("configuration", `${what} ${found.why}`, { hint: found.hint });
  } catch (error) {
    world.interrupted.throwIfAborted();
    if (error instanceof MxtokenError) throw error;
    throw new MxtokenError(
      mayBeReadLater(error) ? "unreachable" : "configuration",
      `cannot read ${what}: ${systemReason(error)}`,
      { cause: error, mayPass: true },
    );
  }
}

/** No client secret is that long; bytes. */
const sizeLimit = 64 * 1024;

/** Somebody may have to unlock something; ms. */
const commandPatience = 300_000;

async function runSecretCommand(world: Clock & Host & Stop, command: string): Promise<Secret> {
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
  const line = text.trim().split(/\r?\n/, 1)[0]?.trim() ?? "";
  if (line === "") throw new MxtokenError("configuration", `${what} is empty`);
  if (!/^[\x20-\x7e]+$/.test(line)) {
    throw new MxtokenError("configuration", `${what} holds characters that no client secret has`);
  }
  return new Secret(line);
}
