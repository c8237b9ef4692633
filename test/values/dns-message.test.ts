import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import fc from "fast-check";
import { judgeMx, type MxQuestion, mxQuestion } from "../../src/discover/mx.ts";

const domain = "example.test";

/** Bytes of a message, one after the other (RFC 1035 section 4.1). */
const number16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);
const label = (text: string) => Buffer.from(`${String.fromCharCode(text.length)}${text}`, "latin1");
const labels = (...texts: readonly string[]) =>
  Buffer.concat([...texts.map(label), Buffer.from([0])]);
const pointer = (offset: number) => number16(0xc000 | offset);
/** the name of the question, which stands behind the header */
const domainAgain = pointer(12);

interface RecordParts {
  owner?: Buffer;
  type?: number;
  class?: number;
  data: Buffer;
  /** instead of the data's */
  length?: number;
}

function record(parts: RecordParts): Buffer {
  const { owner = domainAgain, type = 15, data, length = data.length } = parts;
  const head = [owner, number16(type), number16(parts.class ?? 1), Buffer.alloc(4)];
  return Buffer.concat([...head, number16(length), data]);
}

const mxData = (preference: number, host: Buffer) => Buffer.concat([number16(preference), host]);
const mx = (preference: number, ...host: readonly string[]) =>
  record({ data: mxData(preference, labels(...host)) });
const alias = (owner: Buffer, target: Buffer) => record({ owner, type: 5, data: target });

let question: MxQuestion;
beforeEach(async () => {
  question = await mxQuestion(domain);
});

interface AnswerParts {
  flags?: number;
  name?: Buffer;
  type?: number;
  class?: number;
  records?: readonly Buffer[];
  /** instead of the number of records */
  count?: number;
}

/** A recursive resolver's answer to the question. */
function answer(parts: AnswerParts = {}): Buffer {
  const { flags = 0x8180, name = labels("example", "test"), type = 15, records = [] } = parts;
  const counts = [1, parts.count ?? records.length, 0, 0].map(number16);
  return Buffer.concat([
    ...[question.message.subarray(0, 2), number16(flags), ...counts],
    ...[name, number16(type), number16(parts.class ?? 1), ...records],
  ]);
}

/** Names and preferences; undefined for whatever is no answer. */
function read(message: Buffer) {
  const reply = question.read(message);
  if (reply?.is !== "hosts") return reply?.is;
  return reply.hosts.map(({ name, preference }) => `${preference} ${name}`);
}

test("an answer is read, with preferences, and names that are compressed", () => {
  const google = answer({ records: [mx(20, "aspmx", "l", "google", "com")] });
  assert.deepEqual(read(google), ["20 aspmx.l.google.com"]);
  // the host of the first record, behind "aspmx"
  const parent = pointer(google.length - labels("l", "google", "com").length);
  const alt1 = record({ data: mxData(5, Buffer.concat([label("ALT1"), parent])) });
  const both = answer({ records: [mx(20, "aspmx", "l", "google", "com"), alt1] });
  assert.deepEqual(read(both), ["5 alt1.l.google.com", "20 aspmx.l.google.com"]);
});

describe("no answer to this question is", () => {
  for (const [what, parts] of [
    ["another operation", { flags: 0x8980 }],
    ["an answer about another class of network", { class: 3 }],
    ["an answer about another type", { type: 1 }],
    ["an answer about a name that begins alike", { name: labels("example", "test", "evil") }],
    ["an answer about one label instead of two", { name: labels("example.test") }],
  ] as const) {
    test(what, () => {
      const records = [mx(1, "mx", "evil", "example")];
      assert.equal(read(answer({ ...parts, records })), undefined);
    });
  }
});

test("records of another class of network do not count", () => {
  const chaos = record({ class: 3, data: mxData(1, labels("mx", "evil", "example")) });
  assert.deepEqual(read(answer({ records: [chaos, mx(2, "right", "example")] })), [
    "2 right.example",
  ]);
});

test("aliases are followed, and a circle of them comes to an end", () => {
  const [one, other] = [labels("one", "example"), labels("other", "example")];
  const host = record({ owner: other, data: mxData(7, labels("mx", "example")) });
  const chain = [host, alias(one, other), alias(domainAgain, one)];
  assert.deepEqual(read(answer({ records: chain })), ["7 mx.example"]);
  const circle = [alias(domainAgain, one), alias(one, other), alias(other, one)];
  assert.deepEqual(read(answer({ records: circle })), []);
});

test("a label with a dot in it is one label, and matches no provider's pattern", () => {
  for (const host of [
    ["evil.l", "google.com"],
    ["aspmx.l.google.com"],
    ["evil.example-mail", "protection.outlook", "com"],
    ["mx", "yandex.net"],
  ]) {
    const reply = question.read(answer({ records: [mx(1, ...host)] }));
    assert.ok(reply?.is === "hosts");
    const names = reply.hosts.map(({ name }) => name);
    assert.deepEqual(names, [host.map((text) => text.replaceAll(".", "\\046")).join(".")]);
    assert.deepEqual(judgeMx(names), { is: "unknown" });
  }
});

test("names are shown on terminals, so no byte of theirs may be more than a letter", () => {
  const host = ["\x1b]0;title\x07", "\x80\\ü", "evil-_0", "example"];
  const [shown] = read(answer({ records: [mx(1, ...host)] })) ?? [];
  assert.match(shown ?? "", /^1 \\027\\0930\\059title\\007\.\\128\\092\\252\.evil-_0\.example$/);
});

describe("a hostile answer is no answer", () => {
  const end = 12 + labels("example", "test").length + 4;
  for (const [what, parts] of [
    ["it announces 65535 records and has one", { count: 0xffff, records: [mx(1, "a", "example")] }],
    ["it has more records than are honest", { records: Array(1001).fill(mx(1, "a")) }],
    [
      "a pointer leads to itself",
      { records: [record({ owner: pointer(end), data: labels("a") })] },
    ],
    [
      "two pointers lead to each other",
      { records: [record({ owner: pointer(end + 12), data: pointer(end), type: 5 })] },
    ],
    [
      "a name comes back to itself behind a label",
      {
        records: [
          record({
            owner: Buffer.concat([label("a"), pointer(end)]),
            data: mxData(1, labels("b")),
          }),
        ],
      },
    ],
    ["a pointer leads out of the message", { records: [alias(domainAgain, pointer(0x3fff))] }],
    [
      "a label begins with bits that mean nothing",
      { records: [alias(domainAgain, labels("a".repeat(0x41)))] },
    ],
    ["a name is longer than 255 bytes", { records: [mx(1, ...Array(5).fill("a".repeat(60)))] }],
    [
      "a record is longer than it says",
      { records: [record({ data: mxData(1, labels("a", "example")), length: 4 })] },
    ],
    [
      "a record is shorter than it says",
      { records: [record({ data: Buffer.concat([mxData(1, labels("a")), Buffer.alloc(9)]) })] },
    ],
    [
      "a record goes on behind the end",
      { records: [record({ type: 1, data: labels("a"), length: 99 })] },
    ],
  ] as const) {
    test(what, () => assert.equal(read(answer(parts)), undefined));
  }

  /** As many pointers, each to the one before, and records whose names lead along all of them. */
  function chained(pointers: number, aliases: number): Buffer {
    const start = end + 11;
    const chain = [...Array(pointers).keys()].map((index) =>
      pointer(index === 0 ? start : start + 1 + 2 * index),
    );
    const data = Buffer.concat([labels("a"), ...chain]);
    const last = pointer(start + data.length - 2);
    const first = record({ owner: labels(), type: 16, data });
    return answer({ records: [first, ...Array(aliases).fill(alias(last, last))] });
  }

  test("a chain of pointers is endless, in each of a thousand records", () => {
    assert.deepEqual(read(chained(100, 900)), []);
    assert.equal(read(chained(7000, 900)), undefined);
  });

  test("64 KiB by TCP", () => {
    const long = mx(1, ...Array(3).fill("a".repeat(60)));
    const many = Array(Math.floor(0xff00 / long.length)).fill(long);
    assert.equal((read(answer({ records: many })) ?? []).length, many.length);
    const room = record({ type: 16, data: Buffer.alloc(0xff00) });
    assert.deepEqual(read(answer({ records: [room] })), []);
    assert.equal(read(answer({ count: 0xffff, records: many })), undefined);
  });
});

describe("the bounds are where RFC 1035 has them", () => {
  const long = "a".repeat(63);

  test("a label of 63 octets", () => {
    assert.deepEqual(read(answer({ records: [mx(1, long, "example")] })), [`1 ${long}.example`]);
  });

  test("a name of 255 octets, its length bytes and the root among them", () => {
    // 3 × 64, 62 and the root
    const last = "b".repeat(61);
    const name = [long, long, long, last].join(".");
    assert.deepEqual(read(answer({ records: [mx(1, long, long, long, last)] })), [`1 ${name}`]);
    assert.equal(read(answer({ records: [mx(1, long, long, long, `${last}b`)] })), undefined);
  });

  test("a pointer to what stands behind 4 KiB", () => {
    const room = record({ type: 16, data: Buffer.alloc(5000) });
    const first = answer({ records: [room, mx(1, "far", "example")] });
    const far = first.length - labels("far", "example").length;
    const again = record({ data: mxData(2, Buffer.concat([label("very"), pointer(far)])) });
    const records = [room, mx(1, "far", "example"), again];
    assert.deepEqual(read(answer({ records })), ["1 far.example", "2 very.far.example"]);
  });

  test("one question, and not two", () => {
    const once = answer({ records: [mx(1, "a", "example")] });
    const head = 12 + labels("example", "test").length + 4;
    const twice = Buffer.concat([
      once.subarray(0, head),
      once.subarray(12, head),
      once.subarray(head),
    ]);
    twice.writeUInt16BE(2, 4);
    assert.equal(read(twice), undefined);
  });
});

test("a truncated answer may end in the middle of a record", () => {
  const whole = answer({ flags: 0x8380, count: 2, records: [mx(1, "a", "example")] });
  assert.equal(read(whole.subarray(0, -3)), "truncated");
});

/** A name as it is written here: nothing that a terminal or a pattern could take for more. */
const wellFormed = /^([a-z0-9_-]|\\\d{3})+(\.([a-z0-9_-]|\\\d{3})+)*$|^$/;

test("an answer with damaged bytes is a whole answer, or none", () => {
  const records = [
    alias(domainAgain, labels("mail", "example", "test")),
    record({ owner: labels("mail", "example", "test"), data: mxData(5, labels("a", "example")) }),
    record({ owner: labels("mail", "example", "test"), data: mxData(9, domainAgain) }),
  ];
  const damage = fc.record({
    flips: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 4 }),
    cut: fc.option(fc.nat()),
  });
  const seen = new Set<string | undefined>();
  fc.assert(
    fc.property(damage, ({ flips, cut }) => {
      const bytes = answer({ records });
      // The id and the flags stay as they are: else little would come to be read.
      for (const [at, bits] of flips) {
        const index = 4 + (at % (bytes.length - 4));
        bytes[index] = (bytes[index] ?? 0) ^ bits;
      }
      const message = cut === null ? bytes : bytes.subarray(0, cut % (bytes.length + 1));
      const reply = question.read(message);
      seen.add(reply?.is);
      if (reply?.is !== "hosts") return;
      for (const { name, preference } of reply.hosts) {
        assert.match(name, wellFormed);
        assert.ok(preference >= 0 && preference <= 0xffff);
      }
    }),
    { numRuns: 2000 },
  );
  assert.deepEqual(seen, new Set(["hosts", undefined]));
});

test("an answer that is cut off anywhere is none", () => {
  const whole = answer({ records: [mx(1, "a", "example"), mx(2, "b", "example")] });
  assert.deepEqual(read(whole), ["1 a.example", "2 b.example"]);
  for (let length = 0; length < whole.length; length += 1) {
    assert.equal(read(whole.subarray(0, length)), undefined, `cut after ${length} bytes`);
  }
});
