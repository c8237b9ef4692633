import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { pause } from "./random.ts";
import type { Exchange, RequestFault } from "./request-fault.ts";

const json = { "content-type": "application/json" };
const html = { "content-type": "text/html" };

type Responds = readonly [name: string, respond: (exchange: Exchange) => void | Promise<void>];

/** Nothing was replaced: the stored token still counts. */
const without: readonly Responds[] = [
  ["cut when it was read", ({ response }) => void response.destroy()],
  ["500", ({ send }) => send(500, html, "<h1>Internal Server Error</h1>")],
  ["502 without a body", ({ send }) => send(502, {}, "")],
  ["503", ({ send }) => send(503, { ...html, "retry-after": "120" }, "<h1>Maintenance</h1>")],
  ["504 and JSON", ({ send }) => send(504, json, '{"message":"timed out"}')],
  ["429", ({ send }) => send(429, { ...json, "retry-after": "1" }, '{"error":"slow_down"}')],
  ["408", ({ send }) => send(408, html, "")],
  ["403 of a gateway", ({ send }) => send(403, html, "<html>blocked</html>")],
  ["400 of a gateway", ({ send }) => send(400, html, "<html>bad request</html>")],
  ["temporarily_unavailable", ({ send }) => send(400, json, '{"error":"temporarily_unavailable"}')],
  ["server_error", ({ send }) => send(500, json, '{"error":"server_error"}')],
  ["a redirect", ({ send }) => send(302, { location: "https://127.0.0.1:1/portal" }, "")],
  ["a captive portal", ({ send }) => send(200, html, "<html><form>Log in</form></html>")],
  ["200 and nothing", ({ send }) => send(200, json, "")],
  ["200 and null", ({ send }) => send(200, json, "null")],
  ["200 and a list", ({ send }) => send(200, json, "[]")],
  ["200 and broken JSON", ({ send }) => send(200, json, '{"access_token":')],
  ["200 and no token", ({ send }) => send(200, json, '{"token_type":"Bearer"}')],
];

/** The token was replaced, and the answer never arrives: nobody can do anything about it. */
const lost: readonly Responds[] = [
  ["replaced, and cut", after(({ cut }) => cut())],
  ["replaced, and half an answer", after(sendPart((length) => length / 2))],
  ["replaced, and an answer without its last byte", after(sendPart((length) => length - 1))],
  ["replaced, and headers alone", after(sendPart(() => 0))],
  [
    "replaced, and 503",
    after(({ send, response, cut }) => {
      send(503, html, "<h1>Maintenance</h1>");
      response.once("finish", cut);
    }),
  ],
];

/** The token was replaced, and the answer arrives, in an unusual manner. */
const unusual: readonly Responds[] = [
  ["gzip", after(({ send }, answer) => send(200, coded("gzip"), gzipSync(answer)))],
  ["deflate", after(({ send }, answer) => send(200, coded("deflate"), deflateSync(answer)))],
  ["brotli", after(({ send }, answer) => send(200, coded("br"), brotliCompressSync(answer)))],
  ["as text/html", after(({ send }, answer) => send(200, html, answer))],
  ["without a content type", after(({ send }, answer) => send(200, {}, answer))],
  ["with a byte-order mark", after(({ send }, answer) => send(200, json, `\uFEFF${answer}`))],
  ["between blanks", after(({ send }, answer) => send(200, json, ` \r\n${answer}\r\n `))],
  ["status 201", after(({ send }, answer) => send(201, json, answer))],
  ["with 300 KB more", after(({ send }, answer) => send(200, json, padded(answer)))],
  ["with rubbish behind it", after(({ send }, answer) => send(200, json, `${answer}\n<!-- -->`))],
  ["byte by byte", after(({ response }, answer) => trickle(response, answer, 1))],
  ["in three parts", after(({ response }, answer) => trickle(response, answer, 100))],
];

/** What a token endpoint does wrong. */
export const endpointFaults: readonly [RequestFault, ...RequestFault[]] = [
  { name: "endpoint: slow", before: () => pause(300) },
  ...[...without, ...lost, ...unusual].map(([name, respond]) => ({
    name: `endpoint: ${name}`,
    respond,
  })),
];

function after(respond: (exchange: Exchange, answer: string) => void | Promise<void>) {
  return (exchange: Exchange) => respond(exchange, exchange.rotate());
}

function sendPart(partOf: (length: number) => number) {
  return ({ response, cut }: Exchange, answer: string) => {
    response.writeHead(200, { ...json, "content-length": answer.length });
    response.write(answer.slice(0, partOf(answer.length)) || "", cut);
    if (partOf(answer.length) < 1) {
      response.flushHeaders();
      setImmediate(cut);
    }
  };
}

async function trickle(
  response: Exchange["response"],
  answer: string,
  bytes: number,
): Promise<void> {
  response.writeHead(200, json);
  for (let at = 0; at < answer.length; at += bytes) {
    response.write(answer.slice(at, at + bytes));
    await pause(bytes === 1 ? 0 : 10);
  }
  response.end();
}

function coded(coding: string): Record<string, string> {
  return { ...json, "content-encoding": coding };
}

function padded(answer: string): string {
  return `${answer.slice(0, -1)},"padding":"${"x".repeat(300_000)}"}`;
}
