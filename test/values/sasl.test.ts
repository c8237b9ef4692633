import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Mechanism } from "../../src/mail-server.ts";
import {
  type Carrier,
  decodeChallenge,
  exchange,
  inBase64,
  initialResponse,
  oauthbearer,
  sayWithout,
  xoauth2,
} from "../../src/proof/sasl.ts";
import { Secret } from "../../src/secret.ts";

const server = { host: "mail.example.test", port: 993 };

describe("initial client responses", () => {
  test("XOAUTH2, as Google's documentation shows it", () => {
    const token = new Secret("vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==");
    const text = xoauth2("someuser@example.com", token);
    assert.equal(
      text.reveal(),
      "user=someuser@example.com\u0001auth=Bearer vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==\u0001\u0001",
    );
    assert.equal(
      inBase64(text).reveal(),
      "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB2RjlkZnQ0cW1UYzJOdmIzUmxja0JoZEhSaGRtbHpkR0V1WTI5dENnPT0BAQ==",
    );
  });

  test("OAUTHBEARER, as RFC 7628 section 4.1 shows it", () => {
    const token = new Secret("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==");
    const place = { host: "server.example.com", port: 143 };
    assert.equal(
      initialResponse("OAUTHBEARER", "user@example.com", place, token).reveal(),
      "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB",
    );
  });

  for (const [user, saslname] of [
    ["foo@example.test", "foo@example.test"],
    ["a=b@example.test", "a=3Db@example.test"],
    ["a,b@example.test", "a=2Cb@example.test"],
    ["=2C,=@example.test", "=3D2C=2C=3D@example.test"],
    ["jörg@example.test", "jörg@example.test"],
  ] as const) {
    test(`${user} stands in OAUTHBEARER as ${saslname} (RFC 5801), in XOAUTH2 as it is`, () => {
      const token = new Secret("token");
      assert.equal(
        oauthbearer(user, server, token).reveal(),
        `n,a=${saslname},\u0001host=mail.example.test\u0001port=993\u0001auth=Bearer token\u0001\u0001`,
      );
      assert.ok(xoauth2(user, token).reveal().startsWith(`user=${user}\u0001`));
    });
  }
});

describe("error challenges", () => {
  const encode = (text: string) => Buffer.from(text).toString("base64");
  for (const [challenge, words] of [
    [
      encode('{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'),
      "status 400, schemes Bearer, scope https://mail.google.com/",
    ],
    [
      encode('{"status":"invalid_token","openid-configuration":"https://a.example/"}'),
      "status invalid_token",
    ],
    [encode('{"status":"401","scope":""}'), "status 401"],
    [encode("{}"), ""],
    [encode("null"), ""],
    [encode('"text"'), ""],
    [encode("not JSON"), ""],
    ["%%%", ""],
    ["", ""],
  ] as const) {
    test(`${challenge || "nothing"} reads ${words || "nothing"}`, () => {
      assert.equal(decodeChallenge(challenge), words);
    });
  }
});

describe("what is shown", () => {
  const token = new Secret(
    `eyJhbGciOiJSUzI1NiJ9.${"payload0".repeat(40)}.c2lnbmF0dXJlLXNpZ25hdHVyZQ`,
  );
  const user = "a=b@example.test";
  const say = sayWithout(user, server, token);
  const whole = (["XOAUTH2", "OAUTHBEARER"] as const).map((mechanism) =>
    initialResponse(mechanism, user, server, token).reveal(),
  );

  for (const [what, text] of [
    ["the token", token.reveal()],
    ["XOAUTH2's response", whole[0] ?? ""],
    ["OAUTHBEARER's response", whole[1] ?? ""],
    ["a response that was cut off", (whole[0] ?? "").slice(0, 200)],
    ["the end of a response", (whole[1] ?? "").slice(-100)],
  ] as const) {
    test(`${what} is blacked out`, () => {
      assert.equal(say(`535 not taken: ${text}`), "535 not taken: [secret]");
    });
  }

  test("a token that was cut off is blacked out", () => {
    const shown = say(`535 not taken: ${token.reveal().slice(0, 100)}`);
    assert.doesNotMatch(shown, /eyJ|payload/);
  });

  test("what is no secret stays", () => {
    for (const words of [
      "535 5.7.3 Authentication unsuccessful [BEZP281CA0007.DEUP281.PROD.OUTLOOK.COM]",
      "250-AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER",
      "see https://support.example.test/mail/?p=BadCredentials 4fb4d7f45d1cf-6453a1b2c3d4",
    ]) {
      assert.equal(say(words), words);
    }
  });
});

describe("an exchange", () => {
  const response = new Secret("cmVzcG9uc2U=");
  const run = async (
    replies: readonly string[],
    mechanism: Mechanism = "XOAUTH2",
    more: { maxCommand?: number; isOnNextLine?: boolean } = {},
  ) => {
    const sent: string[] = [];
    const carrier: Carrier = {
      maxCommand: more.maxCommand ?? 512,
      send: async (line) => {
        sent.push(line);
        return replies[sent.length - 1] ?? "no reply is left";
      },
      challengeOf: (reply) => (reply.startsWith("+ ") ? reply.slice(2) : undefined),
    };
    return { reply: await exchange(carrier, mechanism, response, more.isOnNextLine), sent };
  };
  const challenge = `+ ${Buffer.from('{"status":"401"}').toString("base64")}`;

  test("one line, accepted", async () => {
    assert.deepEqual(await run(["OK"]), {
      reply: "OK",
      sent: ["AUTH XOAUTH2 cmVzcG9uc2U="],
    });
  });

  for (const [mechanism, reply] of [
    ["XOAUTH2", ""],
    ["OAUTHBEARER", "AQ=="],
  ] as const) {
    test(`${mechanism} answers the error challenge by ${reply || "an empty line"}`, async () => {
      assert.deepEqual(await run([challenge, "NO"], mechanism), {
        reply: "NO",
        sent: [`AUTH ${mechanism} cmVzcG9uc2U=`, reply],
      });
    });
  }

  test("two lines where the command would be too long, to the octet", async () => {
    const line = "AUTH XOAUTH2 cmVzcG9uc2U=\r\n";
    const short = await run(["OK"], "XOAUTH2", { maxCommand: line.length });
    assert.deepEqual(short.sent, [line.trim()]);
    const long = await run(["+ ", "OK"], "XOAUTH2", { maxCommand: line.length - 1 });
    assert.deepEqual(long.sent, ["AUTH XOAUTH2", "cmVzcG9uc2U="]);
  });

  test("two lines where the server wants them, refused", async () => {
    const { reply, sent } = await run(["+ ", challenge, "NO"], "OAUTHBEARER", {
      isOnNextLine: true,
    });
    assert.equal(reply, "NO");
    assert.deepEqual(sent, ["AUTH OAUTHBEARER", "cmVzcG9uc2U=", "AQ=="]);
  });

  test("a server that did not read the initial response gets it once more, and no more", async () => {
    const { sent, reply } = await run(["+ ", "+ ", "+ "]);
    assert.deepEqual(sent, ["AUTH XOAUTH2 cmVzcG9uc2U=", "cmVzcG9uc2U=", ""]);
    assert.equal(reply, "+ ");
  });

  test("a mechanism that is not taken without a response ends at once", async () => {
    const { sent, reply } = await run(["NO"], "XOAUTH2", { isOnNextLine: true });
    assert.deepEqual(sent, ["AUTH XOAUTH2"]);
    assert.equal(reply, "NO");
  });
});
