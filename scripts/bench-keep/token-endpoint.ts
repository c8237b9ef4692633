// The token endpoint of bench-keep.ts, as a process of its own: over HTTPS, it answers every refresh
// after 50 ms, rotates the refresh tokens, and refuses one that is spent.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";

/** What it tells its parent; times are ms since 1970. */
export type Told =
  | { readonly port: number }
  /** since it was asked to watch */
  | { readonly firstRequestAt: number }
  /** so far; and how many of them were answered with a token */
  | { readonly requests: number; readonly granted: number };

/** What its parent asks of it: to tell of the next request, or of how many there were; or to be away. */
export type Asked = "watch" | "count" | "be away" | "be there";

const [keyFile = "", certFile = "", delay = "50"] = process.argv.slice(2);
const tell = (told: Told) => process.send?.(told);
/** of each account, how often it was refreshed */
const serials = new Map<string, number>();
let isWatching = true;
let isAway = false;
let requests = 0;
let granted = 0;

const server = createServer({ key: readFileSync(keyFile), cert: readFileSync(certFile) });
server.keepAliveTimeout = 60_000;
server.on("request", (request, response) => {
  if (isWatching) tell({ firstRequestAt: Date.now() });
  isWatching = false;
  requests += 1;
  let body = "";
  request.setEncoding("utf8").on("data", (chunk: string) => {
    body += chunk;
  });
  request.on("end", () => {
    const { status, document } = answer(new URLSearchParams(body).get("refresh_token") ?? "");
    setTimeout(() => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(document));
    }, Number(delay));
  });
});
server.listen(0, "127.0.0.1", () => tell({ port: (server.address() as AddressInfo).port }));
process.on("message", (asked: Asked) => {
  if (asked === "watch") isWatching = true;
  else if (asked === "count") tell({ requests, granted });
  else isAway = asked === "be away";
});
process.on("disconnect", () => process.exit());

/** @param refreshToken `refresh-ACCOUNT-SERIAL-…` */
function answer(refreshToken: string): { status: number; document: object } {
  if (isAway) return { status: 503, document: { error: "temporarily_unavailable" } };
  const [, account = "", spent = ""] = refreshToken.split("-");
  const serial = serials.get(account) ?? 0;
  if (Number(spent) !== serial) return { status: 400, document: { error: "invalid_grant" } };
  serials.set(account, serial + 1);
  granted += 1;
  const padding = "x".repeat(1000);
  return {
    status: 200,
    document: {
      access_token: `access-${account}-${serial + 1}-${padding}`,
      refresh_token: `refresh-${account}-${serial + 1}-${padding}`,
      token_type: "Bearer",
      expires_in: 7200,
    },
  };
}
