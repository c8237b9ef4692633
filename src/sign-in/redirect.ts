import { MxtokenError } from "../errors.ts";

/** A redirect URI on this machine (RFC 8252 section 7.3), where a listener can wait for the answer. */
export interface LoopbackRedirect {
  /** as it is registered, perhaps with the scheme that the person wants */
  readonly uri: string;
  readonly scheme: "http" | "https";
  readonly host: "localhost" | "127.0.0.1" | "[::1]";
  /** undefined: any free one, which is inserted */
  readonly port: number | undefined;
  readonly path: string;
}

/** What the person says about the listener. */
interface ListenerSettings {
  /** `--port` */
  readonly port: number | undefined;
  /** from the environment: taken wherever the port is free to choose */
  readonly usualPort?: number | undefined;
  /** `--local` and `--localssl` */
  readonly scheme: "http" | "https" | undefined;
}

/** How the person signs in and how the answer comes back. */
export interface BrowserSettings {
  /** a browser may be opened here */
  readonly open: boolean;
  /** `--remotebrowser`: the browser is on another machine */
  readonly isRemote: boolean;
  readonly listener: ListenerSettings;
}

const form =
  /^(?<scheme>https?):\/\/(?<host>localhost|127\.0\.0\.1|\[::1\])(?::(?<port>[1-9]\d{0,4}))?(?<rest>[/?].*)?$/i;

/**
 * Where the listener for a redirect URI has to be, if it is on this machine at all.
 *
 * @param isExact the provider is not known to take the redirect URI with a port in it
 * @throws MxtokenError `configuration` where the settings and the redirect URI exclude each other
 */
export function loopbackRedirect(
  redirectUri: string,
  settings: ListenerSettings,
  isExact = false,
): LoopbackRedirect | undefined {
  const groups = form.exec(redirectUri)?.groups;
  if (groups === undefined || isExact) {
    const wish = wishOf(settings);
    if (wish === undefined) return undefined;
    const why = isExact ? "is registered without a port" : "is not on this machine";
    throw new MxtokenError(
      "configuration",
      `${wish} asks for a listener, but the redirect URI ${redirectUri} ${why}`,
      { hint: "without it, the answer is pasted" },
    );
  }
  const scheme = settings.scheme ?? (groups["scheme"]?.toLowerCase() as "http" | "https");
  const registered = groups["port"] === undefined ? undefined : Number(groups["port"]);
  if (registered !== undefined && settings.port !== undefined && registered !== settings.port) {
    throw new MxtokenError(
      "configuration",
      `--port ${settings.port} and the redirect URI ${redirectUri} contradict each other`,
    );
  }
  const rest = groups["rest"] ?? "";
  const path = rest.replace(/\?.*$/, "");
  return {
    uri: redirectUri.replace(/^https?/i, scheme),
    scheme,
    host: groups["host"]?.toLowerCase() as LoopbackRedirect["host"],
    port: registered ?? settings.port ?? settings.usualPort,
    path: path === "" ? "/" : path,
  };
}

/**
 * The redirect URI with the listener's port, and otherwise exactly as it is registered: a slash
 * more at its end would make it another one.
 */
export function withPort(redirect: LoopbackRedirect, port: number): string {
  return redirect.uri.replace(form, `$<scheme>://$<host>:${port}$<rest>`);
}

function wishOf({ port, scheme }: ListenerSettings): string | undefined {
  if (port !== undefined) return `--port ${port}`;
  if (scheme === undefined) return undefined;
  return scheme === "http" ? "--local" : "--localssl";
}
