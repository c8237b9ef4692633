import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { lookUpMx } from "../../src/discover/look-up-mx.ts";
import { Interrupted, MxtokenError } from "../../src/errors.ts";
import { withZones } from "../../src/world/builtins.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import {
  type DnsAnswer,
  type DnsQuery,
  type DnsServer,
  startDnsServer,
} from "../scene/dns-server.ts";
import { freePort, loopbackAddresses } from "../scene/loopback.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

const domain = "example.test";
const google = { mx: [[10, "aspmx.l.google.com"]] } as const;

let world: TestWorld;
let server: DnsServer;
const servers: DnsServer[] = [];

beforeEach(async () => {
  world = testWorld({ cwd: temporaryDirectory() });
  server = await start();
});
afterEach(async () => {
  for (const one of servers.splice(0)) await one.close();
});

async function start(host?: string): Promise<DnsServer> {
  const started = await startDnsServer(host);
  servers.push(started);
  return started;
}

/** One list of answers for each question, in order. */
function inTurn(...answers: readonly (readonly DnsAnswer[])[]) {
  let count = 0;
  return () => answers[count++] ?? [];
}

function lookUp(...hosts: readonly DnsServer[]) {
  const resolvers = hosts.map(({ port, address }) => ({
    host: address.startsWith("[") ? "::1" : "127.0.0.1",
    port,
  }));
  return lookUpMx(world, domain, resolvers);
}

const hosts = (...names: string[]) => ({ is: "hosts", hosts: names });

/** The answer without the resolver that gave it. */
async function answerOf(...asked: readonly DnsServer[]) {
  const { resolver, ...answer } = await lookUp(...asked);
  assert.equal(resolver.port, asked.at(-1)?.port);
  return answer.is === "hosts" ? hosts(...answer.hosts.map(({ name }) => name)) : answer;
}

/** Lets the resolver's 3 seconds pass as soon as it was asked. */
function silent(one: DnsServer): void {
  one.answer = () => {
    setImmediate(() => world.pass(3000));
    return ["silence"];
  };
}

function isUnreachable(...parts: readonly RegExp[]) {
  return (error: unknown) => {
    assert.ok(error instanceof MxtokenError);
    assert.equal(error.exitStatus, 75);
    for (const part of parts) assert.match(error.message, part);
    assert.match(error.hint ?? "", /--dns-server IP, or pass --provider/);
    return true;
  };
}

test("the hosts come by preference, in lower case, by UDP", async () => {
  server.answer = () => [
    {
      mx: [
        [20, "ALT1.aspmx.l.google.com"],
        [5, "b.example"],
        [10, "aspmx.L.google.com"],
      ],
    },
  ];
  const found = await answerOf(server);
  assert.deepEqual(found, hosts("b.example", "aspmx.l.google.com", "alt1.aspmx.l.google.com"));
  assert.deepEqual(server.queries, [{ name: domain, type: 15, transport: "udp" }]);
  assert.equal(world.deadlines, 0, "no deadline is left behind");
});

for (const [what, answer, expected] of [
  ["no such domain", { rcode: 3 }, { is: "noSuchDomain" }],
  ["no MX", {}, hosts()],
  ["a null MX", { mx: [[0, ""]] }, hosts("")],
  ["an alias first", { alias: "mail.example.test", ...google }, hosts("aspmx.l.google.com")],
  ["an alias of nothing", { alias: "mail.example.test" }, hosts()],
  ["the name in other letters", { name: "eXample.TEST", ...google }, hosts("aspmx.l.google.com")],
] as const) {
  test(`understood: ${what}`, async () => {
    server.answer = () => [answer];
    assert.deepEqual(await answerOf(server), expected);
    assert.equal(server.queries.length, 1);
  });
}

for (const [what, ...wrong] of [
  ["another id", { ...google, id: (id: number) => id ^ 1 }],
  ["an answer to another question", { name: "other.test", mx: [[10, "mx.evil.example"]] }],
  ["an answer about another type", { type: 1, ...google }],
  ["a question instead of an answer", { ...google, isQuestion: true }],
  ["garbage", Buffer.from("not a message of the domain name system")],
  ["an empty datagram", Buffer.alloc(0)],
  ["all of them", Buffer.alloc(12, 0xff), { name: "other.test" }, { id: () => 0, rcode: 3 }],
] as const) {
  test(`passed over, and the right answer still waited for: ${what}`, async () => {
    server.answer = () => [...(wrong as readonly DnsAnswer[]), { mx: [[1, "right.example"]] }];
    assert.deepEqual(await answerOf(server), hosts("right.example"));
    assert.equal(server.queries.length, 1);
  });
}

test("records that belong to another name than the one asked for do not count", async () => {
  server.answer = () => [{ owner: "other.test", mx: [[10, "mx.evil.example"]] }];
  assert.deepEqual(await answerOf(server), hosts());
});

test("an answer that comes after 1.5 seconds is in time", async () => {
  server.answer = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    world.pass(1500);
    return [google];
  };
  assert.deepEqual(await answerOf(server), hosts("aspmx.l.google.com"));
  assert.equal(server.queries.length, 1);
});

test("too long for UDP: the whole answer is fetched by TCP", async () => {
  const many = Array.from(
    { length: 40 },
    (_, index) => [index, `mx${index}.l.google.com`] as const,
  );
  server.answer = ({ transport }) =>
    transport === "udp" ? [{ truncated: true, mx: many.slice(0, 2) }] : [{ mx: many }];
  const found = await lookUp(server);
  assert.ok(found.is === "hosts" && found.hosts.length === 40);
  assert.deepEqual(
    server.queries.map(({ transport }) => transport),
    ["udp", "tcp"],
  );
});

describe("a resolver that is no help is asked twice in all, and then it is unreachable", () => {
  for (const [what, answer, reason] of [
    ["SERVFAIL", { rcode: 2 }, /SERVFAIL/],
    ["REFUSED", { rcode: 5 }, /REFUSED/],
    ["FORMERR", { rcode: 1 }, /FORMERR/],
    ["an unheard-of code", { rcode: 9 }, /rcode 9/],
    ["one that resolves nothing for others", { isLame: true }, /it resolves nothing for others/],
    ["an error without the question", { rcode: 1, isBare: true }, /FORMERR/],
  ] as const) {
    test(what, async () => {
      server.answer = () => [answer];
      await assert.rejects(lookUp(server), isUnreachable(reason));
      assert.equal(server.queries.length, 2);
    });
  }

  test("silence, for 3 seconds each time", async () => {
    silent(server);
    const before = world.now();
    await assert.rejects(lookUp(server), isUnreachable(/no answer in 3 seconds/));
    assert.equal(server.queries.length, 2);
    assert.equal(world.now() - before, 6000);
  });

  test("truncated, and mute by TCP", async () => {
    server.answer = ({ transport }) => {
      if (transport === "udp") return [{ truncated: true }];
      setImmediate(() => world.pass(3000));
      return ["silence"];
    };
    await assert.rejects(lookUp(server), isUnreachable(/no answer in 3 seconds/));
    assert.equal(server.queries.filter(({ transport }) => transport === "tcp").length, 2);
    assert.equal(world.deadlines, 0);
  });

  for (const [what, answer] of [
    ["truncated by TCP as well", { truncated: true }],
    ["another question's answer by TCP", { name: "other.test", ...google }],
    ["another id by TCP", { ...google, id: (id: number) => id ^ 1 }],
    ["garbage by TCP", Buffer.from("nonsense")],
  ] as const) {
    test(what, async () => {
      server.answer = ({ transport }) => (transport === "udp" ? [{ truncated: true }] : [answer]);
      await assert.rejects(lookUp(server), isUnreachable(/nothing better by TCP/));
    });
  }

  test("nobody listens there, which is known at once", async () => {
    const port = await freePort();
    await assert.rejects(
      lookUpMx(world, domain, [{ host: "127.0.0.1", port }]),
      isUnreachable(/127\.0\.0\.1:\d+ \(nobody listens there\)/),
    );
    assert.equal(world.now(), testWorld({ cwd: "/" }).now());
  });

  test("an IPv6 address, where its last part may have been meant as a port", async () => {
    const nobody = { host: "127.0.0.1", port: await freePort() };
    await assert.rejects(
      lookUpMx(world, domain, [{ ...nobody, perhapsMeant: "[::1]:5316" }]),
      (error: MxtokenError) => {
        assert.match(
          error.hint ?? "",
          /^where a port was meant, pass --dns-server '\[::1\]:5316'; /,
        );
        return isUnreachable()(error);
      },
    );
  });

  test("none is configured", async () => {
    await assert.rejects(lookUpMx(world, domain, []), isUnreachable(/no resolver is configured/));
  });
});

test("all resolvers in turn: a dead one is passed over", async () => {
  const dead = await start();
  silent(dead);
  server.answer = () => [google];
  assert.deepEqual(await answerOf(dead, server), hosts("aspmx.l.google.com"));
  assert.deepEqual([dead.queries.length, server.queries.length], [1, 1]);
});

test("all resolvers once, and then all once more; every one's reason is told", async () => {
  const other = await start();
  silent(server);
  other.answer = () => [{ rcode: 2 }];
  await assert.rejects(
    lookUp(server, other),
    isUnreachable(/: 127\.0\.0\.1:\d+ \(no answer in 3 seconds\), 127\.0\.0\.1:\d+ \(SERVFAIL\)$/),
  );
  assert.deepEqual([server.queries.length, other.queries.length], [2, 2]);
});

test("what fails once may work at the second attempt", async () => {
  server.answer = inTurn([{ rcode: 2 }], [google]);
  assert.deepEqual(await answerOf(server), hosts("aspmx.l.google.com"));
});

test("a resolver that says there is no such domain is believed, and no other is asked", async () => {
  const other = await start();
  server.answer = () => [{ rcode: 3 }];
  const answer = await lookUp(server, other);
  assert.deepEqual([answer.is, answer.resolver.port], ["noSuchDomain", server.port]);
  assert.equal(other.queries.length, 0);
});

test("an IPv6 resolver, by UDP and by TCP", async () => {
  assert.ok(loopbackAddresses.includes("::1"), "this machine has no IPv6 on loopback");
  const six = await start("::1");
  six.answer = ({ transport }: DnsQuery) =>
    transport === "udp" ? [{ truncated: true }] : [google];
  assert.deepEqual(await answerOf(six), hosts("aspmx.l.google.com"));
  assert.deepEqual(
    six.queries.map(({ transport }) => transport),
    ["udp", "tcp"],
  );
});

test("Ctrl-C ends the wait at once", async () => {
  server.answer = () => {
    setImmediate(() => world.interrupt("SIGINT"));
    return ["silence"];
  };
  await assert.rejects(lookUp(server), Interrupted);
  assert.equal(server.queries.length, 1);
  assert.equal(world.deadlines, 0);
});

describe("the zone of a link-local resolver, which Node leaves out, is read from resolv.conf:", () => {
  for (const [what, servers, lines, expected] of [
    [
      "with what Node names as it is",
      ["fe80::1", "192.0.2.53", "2001:db8::1"],
      ["# comment", "FE80::1%eth0", "192.0.2.53", "2001:db8::1"],
      ["fe80::1%eth0", "192.0.2.53", "2001:db8::1"],
    ],
    ["written in full", ["fe80::53"], ["fe80:0:0:0:0:0:0:53%eth0"], ["fe80::53%eth0"]],
    [
      "one address on two interfaces, in order",
      ["fe80::53", "192.0.2.1"],
      ["fe80::53%eth0", "192.0.2.1", "fe80:0::53%eth1", "fe80::53%eth0"],
      ["fe80::53%eth0", "192.0.2.1", "fe80::53%eth1"],
    ],
    [
      "with a port, as c-ares reads it",
      ["[fe80::53]:5353", "192.0.2.7:5353"],
      ["[fe80::53%eth0]:5353", "[fe80::53]:5353%2", "fe80::53%eth1", "192.0.2.7:5353"],
      ["[fe80::53%eth0]:5353", "[fe80::53%2]:5353", "192.0.2.7:5353"],
    ],
    [
      "several in a line, and comments",
      ["fe80::1", "fe80::2"],
      ["fe80::1%a, fe80::2%b # fe80::2%c", "fe80::1%d;fe80::2%e", "fe80::3%f"],
      ["fe80::1%a", "fe80::2%b", "fe80::1%d"],
    ],
    [
      "where the system has others first",
      ["10.0.0.1", "fe80::1"],
      ["fe80::1%en0"],
      ["10.0.0.1", "fe80::1%en0"],
    ],
    ["where there is none", ["127.0.0.1", "fe80::1"], [], ["127.0.0.1", "fe80::1"]],
  ] as const) {
    test(what, () => {
      const configuration = lines.map((line) => ` nameserver\t${line}\n`).join("");
      assert.deepEqual(withZones(servers, `search x\n${configuration}`), expected);
    });
  }
});
