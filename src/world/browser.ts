import { systemCode, systemReason } from "../errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Opens an address in the person's browser, without a shell. Resolves when the program that opens
 * it has ended, which on some desktops is when the browser ends.
 *
 * The package knows what each desktop wants, and Windows under WSL.
 *
 * @throws Error with a reason for people
 */
export async function openBrowser(url: string): Promise<void> {
  const { default: open } = await import("open");
  const child = await open(url).catch((error) => {
    const isMissing = systemCode(error) === "ENOENT";
    const reason = isMissing ? `${error.path} is not installed` : systemReason(error);
    throw new Error(reason, { cause: error });
  });
  const status = child.exitCode ?? (await new Promise((resolve) => child.once("exit", resolve)));
  if (status !== 0) throw new Error(`${child.spawnfile} ended with status ${status}`);
}

/**
 * Whether a browser that is opened here would be seen by the person: not over SSH, and not on a
 * Unix machine without a screen. `BROWSER`, which `xdg-open` follows, is a person's own word, and
 * editors that work over SSH set it.
 */
export function isBrowserSeen(platform: NodeJS.Platform, env: Environment): boolean {
  if (env["BROWSER"]) return true;
  if (isOverSsh(env)) return false;
  if (platform === "win32" || platform === "darwin") return true;
  return Boolean(env["DISPLAY"] || env["WAYLAND_DISPLAY"] || env["WSL_DISTRO_NAME"]);
}

export function isOverSsh(env: Environment): boolean {
  return Boolean(env["SSH_CONNECTION"] || env["SSH_CLIENT"] || env["SSH_TTY"]);
}

/**
 * The command for the person's own machine that leads its port to this machine's.
 *
 * @param port the same on both: it is a part of the redirect URI
 */
export function sshTunnel(env: Environment, port: number): string {
  const [, , host, sshPort] = (env["SSH_CONNECTION"] ?? "").split(" ");
  const user = env["USER"] || env["LOGNAME"] || "USER";
  const where = sshPort === undefined || sshPort === "22" ? "" : ` -p ${sshPort}`;
  return `ssh -L ${port}:localhost:${port}${where} ${user}@${host || "THIS-MACHINE"}`;
}
