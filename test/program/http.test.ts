import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { createServer, type TLSSocket } from "node:tls";
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { httpPool, sendRequest } from "../../src/world/http.ts";
import type { HttpReply } from "../../src/world/world.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { startHttpProxy } from "../scene/probing.ts";

const text = JSON.stringify({ access_token: "a-token", note: "grüße" });
const body = Buffer.from(text);
const mebibyte = 1024 * 1024;

let certificates: Certificates;
let port: number;
/** what the server writes when it has read a request, piece by piece */
let pieces: readonly (string | Buffer)[] = [];
let requests: string[] = [];
const sockets = new Set<TLSSocket>();

const server = { close: async () => undefined as unknown };
before(async () => {
  certificates = await issueCertificates(temporaryDirectory());
  const { key, cert } = certificates;
  const listener = createServer({ key, cert }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    let heard = "";
    socket.on("data", async (chunk) => {
      heard += chunk.toString("latin1");
      const [head = "", sent] = heard.split("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      if (sent === undefined || sent.length < length) return;
      requests.push(heard);
      heard = "";
      for (const piece of pieces) {
        await new Promise((resolve) => socket.write(piece, resolve));
        // A piece of its own on the wire.
        await new Promise((resolve) => setImmediate(resolve));
      }
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const address = listener.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
  server.close = () => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => listener.close(resolve));
  };
});
beforeEach(() => {
  requests = [];
});
after(() => server.close());

function requestOf(signal = AbortSignal.timeout(20_000)) {
  return {
    method: "POST",
    url: `https://localhost:${port}/token`,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "grant_type=refresh_token",
    ca: certificates.ca,
    signal,
  } as const;
}

async function ask(answer: readonly (string | Buffer)[], env = {}): Promise<HttpReply> {
  pieces = answer;
  return sendRequest(requestOf(), env);
}

/** A whole answer in one piece. */
function answerOf(content: Buffer, ...headers: readonly string[]): Buffer {
  const head = ["HTTP/1.1 200 OK", `Content-Length: ${content.length}`, ...headers, "", ""];
  return Buffer.concat([Buffer.from(head.join("\r\n")), content]);
}

test("no content coding is asked for", async () => {
  await ask([answerOf(body)]);
  assert.match(requests[0] ?? "", /^accept-encoding: identity\r$/im);
});

describe("a content coding is undone although it was not asked for:", () => {
  const twice = gzipSync(brotliCompressSync(body));
  for (const [coding, coded] of [
    ["gzip", gzipSync(body)],
    ["GZIP", gzipSync(body)],
    ["x-gzip", gzipSync(body)],
    ["deflate", deflateSync(body)],
    ["deflate", deflateSync(body, { level: 9 })],
    ["Deflate", deflateRawSync(body)],
    ["br", brotliCompressSync(body)],
    ["br, gzip", twice],
    ["identity, br , ,X-GZip", twice],
    ["deflate, gzip, br", brotliCompressSync(gzipSync(deflateRawSync(body)))],
    ["identity", body],
    ["", body],
    // A proxy has decoded it, and has left the header.
    ["gzip", body],
    ["br", body],
    // The end of it is missing.
    ["gzip", gzipSync(body).subarray(0, -8)],
  ] as const) {
    test(`${coding || "none"}, ${coded.length} octets`, async () => {
      const reply = await ask([answerOf(coded, `Content-Encoding: ${coding}`)]);
      assert.equal(reply.body, text);
      assert.equal(reply.truncated, false);
      assert.equal(reply.undecoded, undefined);
    });
  }

  test("two headers of it count in their order", async () => {
    const coded = gzipSync(deflateSync(body));
    const headers = ["Content-Encoding: deflate", "Content-Encoding: gzip"];
    assert.equal((await ask([answerOf(coded, ...headers)])).body, text);
  });
});

describe("a coding that cannot be undone is named, and what came is kept:", () => {
  for (const [coding, coded, named] of [
    ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3]), "zstd"],
    ["compress", Buffer.from([0x1f, 0x9d, 1, 2, 3]), "compress"],
    ["gzip", Buffer.from("no gzip at all"), "gzip"],
    ["br", Buffer.from([0xff, 0xff, 0xff, 0xff]), "br"],
    ["zstd, gzip", gzipSync("x"), "zstd"],
    ["gzip, gzip, gzip, gzip, gzip", gzipSync(body), "too many codings"],
  ] as const) {
    test(coding, async () => {
      const reply = await ask([answerOf(coded, `Content-Encoding: ${coding}`)]);
      assert.equal(reply.undecoded, named);
      assert.deepEqual(Buffer.from(reply.body, "base64"), coded);
    });
  }
});

describe("what unfolds without an end is cut off at 1 MiB:", () => {
  const much = Buffer.alloc(64 * mebibyte, "a");
  for (const [coding, bomb] of [
    ["gzip", gzipSync(much)],
    ["br", brotliCompressSync(much, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
    ["deflate", deflateRawSync(much)],
    ["gzip, gzip", gzipSync(gzipSync(much))],
    ["identity", much.subarray(0, 3 * mebibyte)],
  ] as const) {
    test(coding, async () => {
      const reply = await ask([answerOf(bomb, `Content-Encoding: ${coding}`)]);
      assert.equal(reply.truncated, true);
      assert.ok(reply.body.length <= mebibyte);
      assert.match(reply.body, /^a{1000}/);
    });
  }
});

describe("no failure is", () => {
  const go = "HTTP/1.1 100 Continue\r\n\r\n";
  const hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n";
  const answer = answerOf(body);
  for (const [what, sent] of [
    ["a 100 Continue in a packet of its own", [go, answer]],
    ["a 100 Continue in the same packet", [Buffer.concat([Buffer.from(go), answer])]],
    ["a 100 Continue in pieces", [..."HTTP/1.1 100 Con", "tinue\r\nX: y\r", "\n\r", "\n", answer]],
    ["three of them", [go, `${go}${go}`, answer]],
    ["103 Early Hints", [hints, answer]],
    ["103 and 100", [hints, go, answer]],
    ["100 and 103", [go, hints, answer]],
    ["an answer octet by octet", [...answer].map((octet) => Buffer.from([octet]))],
    ["headers of 20 KiB", [answerOf(body, `X-Long: ${"x".repeat(20 * 1024)}`)]],
    ["headers of 40 KiB", [answerOf(body, ...Array(40).fill(`X-Long: ${"x".repeat(1000)}`))]],
    [
      "a chunked body with trailers",
      [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-After\r\n\r\n",
        ...[body.subarray(0, 5), body.subarray(5)].flatMap((part) => [
          `${part.length.toString(16)};ext=1\r\n`,
          part,
          "\r\n",
        ]),
        "0\r\nX-After: yes\r\n\r\n",
      ],
    ],
    [
      "a chunked body in gzip",
      [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n",
        `${gzipSync(body).length.toString(16)}\r\n`,
        gzipSync(body),
        "\r\n0\r\n\r\n",
      ],
    ],
  ] as const) {
    test(what, async () => {
      const reply = await ask(sent);
      assert.equal(reply.status, 200);
      assert.equal(reply.body, text);
    });
  }

  test("any of it on a connection that is used again, or through a proxy", async () => {
    const proxy = await startHttpProxy();
    for (const env of [{}, { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` }]) {
      const pool = httpPool(env);
      const gzipped = answerOf(gzipSync(body), "Content-Encoding: gzip");
      for (const sent of [[go, gzipped], [answer], [hints, go, answer]]) {
        pieces = sent;
        const reply = await pool.http(requestOf());
        assert.equal(reply.body, text);
      }
      await pool.close();
    }
    assert.ok(proxy.asked.length >= 1);
    await proxy.close();
  });

  test("a body that looks like an interim response", async () => {
    const body = Buffer.from(go);
    assert.equal((await ask([answerOf(body).subarray(0, -body.length), body])).body, go);
  });
});

test("headers without an end, and interim responses without an end, are unreachable", async () => {
  for (const sent of [
    [answerOf(body, ...Array(200).fill(`X-Long: ${"x".repeat(1000)}`))],
    ["HTTP/1.1 100 Continue\r\n", ...Array(200).fill(`X: ${"x".repeat(1000)}\r\n`)],
    ["220 mail.example.test ESMTP\r\n"],
  ]) {
    await assert.rejects(ask(sent), { code: "unreachable" });
  }
});

test("what undici was asked wrongly is a defect, and no network's failure", async () => {
  const request = { ...requestOf(), headers: { "bad header": "\u0000" } };
  await assert.rejects(sendRequest(request, {}), (error: Error) => error.name !== "MxtokenError");
});
