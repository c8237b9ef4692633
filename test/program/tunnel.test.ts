import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { MxtokenError } from "../../src/errors.ts";
import { trustAlso } from "../../src/world/builtins.ts";
import { sendRequest } from "../../src/world/http.ts";
import { networkError } from "../../src/world/network-error.ts";
import { openTunnel } from "../../src/world/tunnel.ts";
import { issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { freePort } from "../scene/loopback.ts";
import { proxyAt, startMuteServer, startScript } from "../scene/probing.ts";

const target = { host: "mail.example", port: 993 };
const never = new AbortController().signal;

/** What is said of a tunnel that is not opened. */
async function failure(address: string, stop = never, to = target): Promise<MxtokenError> {
  const options = { stop, secureContext: undefined };
  const error: unknown = await openTunnel(proxyAt(address), to, options).then(
    (socket) => {
      socket.destroy();
      throw new Error("a tunnel was opened");
    },
    (reason: unknown) => reason,
  );
  const told = networkError("mail.example:993", error);
  const shown = [told.message, told.hint, JSON.stringify(told), JSON.stringify(told.facts)];
  assert.doesNotMatch(shown.join("\n"), /pass-word|bWU6/);
  return told;
}

type Script = readonly (string | readonly number[] | "end")[];

/** Answers each piece that comes with the next of the script. */
async function withProxy<T>(script: Script, run: (at: string, heard: Buffer[]) => Promise<T>) {
  const proxy = await startScript(script);
  try {
    return await run(`127.0.0.1:${proxy.port}`, proxy.heard);
  } finally {
    await proxy.close();
  }
}

describe("an HTTP proxy that opens no tunnel is told of by its answer:", () => {
  const answers: readonly [what: string, answer: string, login: string, RegExp, RegExp?][] = [
    [
      "wants a login",
      'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="a, Digest b"\r\n\r\n',
      "",
      /^cannot reach mail\.example:993: the proxy wants a user and a password \(407 Proxy Authentication Required\)$/,
      /^say them in --proxy, as in http:\/\/USER:PASSWORD@HOST:PORT, where # .* %23/,
    ],
    [
      "refuses the login",
      'HTTP/1.1 407 Go away\r\nproxy-authenticate: Digest realm="x", qop="auth"\r\nproxy-authenticate: Basic\r\n\r\n',
      "me:pass-word@",
      /the proxy does not take the user and the password \(407 Go away\)$/,
      /^look at what --proxy says; .* %23/,
    ],
    [
      "refuses it as tinyproxy does",
      "HTTP/1.0 401 Unauthorized\r\n\r\n",
      "me:pass-word@",
      /the proxy does not take the user and the password \(401 Unauthorized\)$/,
      /^look at what --proxy says/,
    ],
    [
      "knows other schemes",
      'HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\nProxy-Authenticate: Digest realm="x", nonce="Basic"\r\n\r\n',
      "me:pass-word@",
      /wants a login by Negotiate or NTLM or Digest \(407 No\), and mxtoken knows Basic alone$/,
      /cntlm/,
    ],
    [
      "forbids",
      "HTTP/1.1 403 Forbidden\r\n\r\n",
      "",
      /does not allow this connection \(403 Forb/,
      /whoever runs/,
    ],
    [
      "cannot connect",
      "HTTP/1.0 502 Bad Gateway\r\n\r\n<html>",
      "",
      /could not connect to it \(502 Bad Gateway\)$/,
    ],
    ["is too slow", "HTTP/1.1 504\r\n\r\n", "", /could not connect to it \(status 504\)$/],
    [
      "is a web server",
      "HTTP/1.1 405 Not Allowed\r\n\r\n",
      "",
      /takes no such connections \(405 Not Allowed\); is it a/,
    ],
    [
      "sends elsewhere",
      "HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n",
      "",
      /the proxy refused \(302 Found\)$/,
      /whoever/,
    ],
    [
      "has bare line feeds",
      "HTTP/1.1 403 Forbidden\nX: y\n\n",
      "",
      /\(403 Forbidden\)$/,
      /whoever/,
    ],
    [
      "quotes the password",
      "HTTP/1.1 403 me:pass-word bWU6cGFzcy13b3Jk \u001b[2J\r\n\r\n",
      "me:pass-word@",
      /\(403 me:\[secret\] \[secret\] \[2J\)$/,
      /whoever/,
    ],
    [
      "is a mail server",
      "220 mail.example ESMTP\r\n",
      "",
      /does not answer as a proxy of this kind does/,
    ],
    [
      "speaks TLS",
      "\x15\x03\x01\x00\x02\x02\x46",
      "",
      /does not answer as a proxy of this kind does/,
    ],
    [
      "has no end",
      `HTTP/1.1 200 OK\r\n${"X-Long: y\r\n".repeat(4000)}`,
      "",
      /does not answer as a proxy/,
    ],
    [
      "goes on and on",
      "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000),
      "",
      /does not answer as a proxy/,
    ],
    ["says what is no status", "HTTP/1.1 OK\r\n\r\n", "", /does not answer as a proxy/],
  ];
  for (const [what, answer, login, message, hint] of answers) {
    test(what, () =>
      withProxy([answer], async (at) => {
        const told = await failure(`http://${login}${at}`);
        assert.match(told.message, message);
        assert.equal(told.code, "unreachable");
        assert.match(told.hint ?? "", hint ?? /^$/);
        assert.equal(told.facts.proxy, at);
      }),
    );
  }

  test("ends the connection, at once or in the middle of its answer", async () => {
    for (const script of [["end"], ["HTTP/1.1 407 No\r\n", "end"]]) {
      const half = await startScript(script);
      const told = failure(`http://127.0.0.1:${half.port}`);
      await half.connected;
      if (script.length > 1) await half.close();
      assert.match((await told).message, /the proxy ended the connection without an answer/);
      await half.close();
    }
  });

  test("takes the connection and says nothing, or nothing whole", async () => {
    for (const script of [[], ["HTTP/1.1 407 No\r\n"]]) {
      await withProxy(script, async (at, heard) => {
        const stop = new AbortController();
        const told = failure(`http://${at}`, stop.signal);
        while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve));
        stop.abort();
        assert.match((await told).message, /the proxy took the connection and did not answer in/);
      });
    }
  });

  test("does not begin TLS", async () => {
    await withProxy([], async (at, heard) => {
      const stop = new AbortController();
      const told = failure(`https://${at}`, stop.signal);
      while (heard.length === 0) await new Promise((resolve) => setImmediate(resolve));
      stop.abort();
      assert.match((await told).message, /the proxy took the connection and did not answer in/);
    });
  });
});

describe("a proxy that is not reached is named itself:", () => {
  test("where nobody listens, and where its name leads nowhere", async () => {
    const port = await freePort();
    for (const scheme of ["http", "https", "socks5", "socks4", "socks4a"]) {
      const told = await failure(`${scheme}://127.0.0.1:${port}`);
      const words = `cannot reach the proxy 127.0.0.1:${port} (--proxy): the connection was refused`;
      assert.equal(told.message, words);
      assert.equal(told.facts.host, "mail.example:993");
    }
  });

  test("where its certificate cannot be trusted", async () => {
    const { key, cert, ca } = await issueCertificates(temporaryDirectory());
    const proxy = await startScript(
      ["HTTP/1.1 200 OK\r\n\r\n* OK behind it\r\n"],
      createTlsServer({ key, cert }),
    );
    const address = `https://localhost:${proxy.port}`;
    const told = await failure(address);
    assert.match(
      told.message,
      /^the certificate of the proxy localhost:\d+ \(--proxy\) cannot be t/,
    );
    const options = { stop: never, secureContext: trustAlso(ca, undefined) };
    const socket = await openTunnel(proxyAt(address), target, options);
    assert.equal(await firstWords(socket), "* OK behind it\r\n");
    socket.destroy();
    await proxy.close();
  });
});

function firstWords(socket: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) =>
    socket.once("data", (chunk: Buffer) => resolve(chunk.toString())),
  );
}

const socksAnswer = [5, 0, 0, 1, 127, 0, 0, 1, 0, 80];

describe("a SOCKS proxy that opens no tunnel is told of by its reply:", () => {
  const replies: readonly [what: string, login: string, script: Script, RegExp, RegExp?][] = [
    [
      "no method",
      "",
      [[5, 255]],
      /wants a user and a password \(SOCKS: no acceptable method\)$/,
      /say them in --proxy/,
    ],
    [
      "no method, with a login",
      "me:pass-word@",
      [[5, 255]],
      /does not take the user and the password/,
      /look at/,
    ],
    ["a method that was not offered", "", [[5, 2]], /wants a user and a password/, /say them/],
    [
      "wrong password",
      "me:pass-word@",
      [
        [5, 2],
        [1, 1],
      ],
      /\(SOCKS: wrong user or password\)$/,
      /look at what --proxy/,
    ],
    [
      "the ruleset",
      "",
      [
        [5, 0],
        [5, 2],
      ],
      /does not allow this connection \(SOCKS: not allowed by the r/,
      /whoever/,
    ],
    [
      "general failure",
      "",
      [
        [5, 0],
        [5, 1, 0, 1, 0, 0, 0, 0, 0, 0],
      ],
      /could not connect to it \(SOCKS: general failure\)$/,
    ],
    [
      "host unreachable",
      "",
      [
        [5, 0],
        [5, 4, 0, 1],
      ],
      /could not connect to it \(SOCKS: host unreachable\)$/,
    ],
    [
      "connection refused",
      "",
      [
        [5, 0],
        [5, 5],
      ],
      /could not connect to it \(SOCKS: connection refused\)$/,
    ],
    [
      "no IPv6",
      "",
      [
        [5, 0],
        [5, 8],
      ],
      /takes no such connections \(SOCKS: address type not supported\)/,
    ],
    [
      "a reply of its own",
      "",
      [
        [5, 0],
        [5, 77],
      ],
      /the proxy refused \(SOCKS reply 77\)$/,
      /whoever/,
    ],
    [
      "HTTP",
      "",
      ["HTTP/1.1 400 Bad Request\r\n\r\n"],
      /does not answer as a proxy of this kind does/,
    ],
    ["the end", "", ["end"], /ended the connection without an answer/],
    ["the end after the method", "", [[5, 0], "end"], /ended the connection without an answer/],
  ];
  for (const [what, login, script, message, hint] of replies) {
    test(what, () =>
      withProxy(script, async (at) => {
        const told = await failure(`socks5://${login}${at}`);
        assert.match(told.message, message);
        assert.match(told.hint ?? "", hint ?? /^$/);
      }),
    );
  }

  test("SOCKS 4: refused, and not possible", async () => {
    await withProxy([[0, 91, 0, 0, 0, 0, 0, 0]], async (at) => {
      const told = await failure(`socks4a://me@${at}`);
      assert.match(
        told.message,
        /refused or could not connect to it \(SOCKS: rejected or failed\)$/,
      );
    });
    await withProxy([[5, 0]], async (at) => {
      assert.match((await failure(`socks4a://${at}`)).message, /does not answer as a proxy/);
    });
    await withProxy([], async (at) => {
      const told = await failure(`socks4://${at}`, never, { host: "::1", port: 993 });
      assert.match(told.message, /SOCKS 4, which knows no IPv6 addresses$/);
    });
  });
});

describe("what is asked of a proxy", () => {
  /** What the proxy heard, and the first words through the tunnel. */
  async function asked(address: (at: string) => string, script: Script, to = target) {
    return withProxy(script, async (at, heard) => {
      const lookUp = async () => [
        { address: "2001:db8::1", family: 6 },
        { address: at === "" ? "" : "192.0.2.1", family: 4 },
      ];
      const proxy = proxyAt(address(at));
      const options = { stop: never, secureContext: undefined, lookUp };
      const socket = await openTunnel(proxy, to, options);
      const words = await firstWords(socket);
      socket.destroy();
      return { heard: Buffer.concat(heard), words };
    });
  }

  const welcome = "* OK the server speaks at once\r\n";
  const basic = (text: string) =>
    `Proxy-Authorization: Basic ${Buffer.from(text).toString("base64")}\r\n`;

  for (const [what, login, header] of [
    ["nothing of a login", "", ""],
    ["a user without a password", "me@", basic("me:")],
    ["both, decoded", "me%40x:p%23%2F%3F%25%5C@", basic("me@x:p#/?%\\")],
    ["a raw @, : and % in the password", "me:p@s:s%@", basic("me:p@s:s%")],
    ["letters of any script", "m%C3%BC:p%C3%A4@", basic("mü:pä")],
  ] as const) {
    test(`HTTP CONNECT: ${what}`, async () => {
      const script = [`HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nX: y\r\n\r\n${welcome}`];
      const { heard, words } = await asked((at) => `http://${login}${at}`, script);
      const line = "CONNECT mail.example:993 HTTP/1.1\r\nHost: mail.example:993\r\n";
      assert.equal(heard.toString(), `${line}${header}\r\n`);
      assert.equal(words, welcome);
    });
  }

  const socks5 = [
    [5, 0],
    [...socksAnswer, ...Buffer.from(welcome)],
  ];
  for (const [what, host, octets] of [
    ["a name", "mail.example", [3, 12, ...Buffer.from("mail.example")]],
    ["IPv4", "192.0.2.7", [1, 192, 0, 2, 7]],
    ["IPv6", "2001:db8::7:1", [4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 1]],
    ["IPv6, in full", "1:2:3:4:5:6:7:8", [4, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8]],
    ["IPv6, of nothing", "::", [4, ...Array(16).fill(0)]],
  ] as const) {
    test(`SOCKS 5: ${what}`, async () => {
      const { heard, words } = await asked((at) => `socks5h://${at}`, socks5, { host, port: 993 });
      assert.deepEqual([...heard], [5, 1, 0, 5, 1, 0, ...octets, 3, 225]);
      assert.equal(words, welcome);
    });
  }

  test("SOCKS 5: a login, also without a password, and an answer with a name", async () => {
    const named = [5, 0, 0, 3, 2, 65, 66, 0, 80, ...Buffer.from(welcome)];
    for (const [login, octets] of [
      ["me:pw@", [2, 109, 101, 2, 112, 119]],
      ["me@", [2, 109, 101, 0]],
    ] as const) {
      const { heard, words } = await asked(
        (at) => `socks5://${login}${at}`,
        [[5, 2], [1, 0], named],
      );
      assert.deepEqual([...heard.subarray(0, 5 + octets.length)], [5, 2, 0, 2, 1, ...octets]);
      assert.equal(words, welcome);
    }
  });

  test("SOCKS 4: an address of IPv4; SOCKS 4a: the name", async () => {
    const script = [[0, 90, 0, 0, 0, 0, 0, 0, ...Buffer.from(welcome)]];
    const four = await asked((at) => `socks4://me@${at}`, script);
    assert.deepEqual([...four.heard], [4, 1, 3, 225, 192, 0, 2, 1, 109, 101, 0]);
    assert.equal(four.words, welcome);
    const named = await asked((at) => `socks4a://${at}`, script);
    const name = [...Buffer.from("mail.example"), 0];
    assert.deepEqual([...named.heard], [4, 1, 3, 225, 0, 0, 0, 1, 0, ...name]);
  });
});

describe("an HTTPS request", () => {
  const request = {
    method: "POST",
    url: "https://login.example/token",
    headers: {},
    body: "refresh_token=x",
  } as const;

  for (const [what, scheme, script, message] of [
    [
      "is refused",
      "http",
      ["HTTP/1.1 403 Forbidden\r\n\r\n"],
      /does not allow this connection \(403 F/,
    ],
    [
      "wants a login",
      "http",
      ["HTTP/1.1 407 Auth\r\n\r\n"],
      /wants a user and a password \(407 Auth\)/,
    ],
    [
      "is refused by SOCKS",
      "socks5",
      [
        [5, 0],
        [5, 2],
      ],
      /does not allow this connection \(SOCKS: not/,
    ],
    ["is hung up on", "http", ["end"], /ended the connection without an answer/],
    [
      "meets no TLS",
      "http",
      ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 400 Bad\r\n\r\n"],
      /does not speak TLS on this/,
    ],
  ] as const) {
    test(`${what}, and is not in doubt`, () =>
      withProxy(script, async (at) => {
        const env = { HTTPS_PROXY: `${scheme}://${at}` };
        const sent = sendRequest({ ...request, signal: AbortSignal.timeout(20_000) }, env);
        const told = await sent.then(String, (error: unknown) => error);
        assert.ok(told instanceof MxtokenError, String(told));
        const start = `cannot reach login.example (HTTPS_PROXY is ${at}): `;
        assert.ok(told.message.startsWith(start), told.message);
        assert.match(told.message, message);
        assert.equal(told.facts.isInDoubt, false);
        if (told.causeId === "proxy-wants-login")
          assert.match(told.hint ?? "", /say them in HTTPS_P/);
      }));
  }

  test("through a proxy that is silent ends with its signal", async () => {
    const proxy = await startMuteServer();
    const stop = new AbortController();
    const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
    const sent = sendRequest({ ...request, signal: stop.signal }, env);
    await proxy.connected;
    stop.abort();
    await assert.rejects(sent, /nobody answered in time/);
    await proxy.close();
  });
});
