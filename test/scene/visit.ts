import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Agent, request } from "undici";

/** What a browser that trusts the listener's certificate ends on. */
export interface Visited {
  readonly status: number;
  /** the path after redirects */
  readonly path: string;
  readonly text: string;
}

/** Goes to the listener as a browser does that comes back from the sign-in. */
export async function visit(home: string, url: string): Promise<Visited> {
  const isTls = url.startsWith("https:");
  const ca = isTls ? readFileSync(join(home, "certs", "localhost.crt")) : undefined;
  const dispatcher = new Agent(ca === undefined ? {} : { connect: { ca } });
  try {
    const first = await request(url, { dispatcher });
    const { location } = first.headers;
    if (typeof location !== "string") {
      return {
        status: first.statusCode,
        path: new URL(url).pathname,
        text: await first.body.text(),
      };
    }
    await first.body.dump();
    const next = await request(new URL(location, url), { dispatcher });
    return { status: next.statusCode, path: location, text: await next.body.text() };
  } finally {
    await dispatcher.close();
  }
}

/** The redirect URI and the state that stand in a sign-in address. */
export function partsOf(address: string): { redirectUri: string; state: string } {
  const { searchParams } = new URL(address);
  return {
    redirectUri: searchParams.get("redirect_uri") ?? "",
    state: searchParams.get("state") ?? "",
  };
}

/** Where the browser goes with this code. */
export function callback(address: string, code: string): string {
  const { redirectUri, state } = partsOf(address);
  const url = new URL(redirectUri);
  url.search = new URLSearchParams({ code, state }).toString();
  return url.href;
}
