import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Begun, TurnQueue } from "../../src/keep/turn-queue.ts";

/** What waits for its turn is named after its server. */
function queueOf(servers: readonly string[], concurrency = 8): TurnQueue<string> {
  const queue = new TurnQueue<string>(concurrency);
  for (const server of servers) queue.add(server, server);
  return queue;
}

const times = (count: number, server: string) => Array.from({ length: count }, () => server);
const serversOf = (begun: readonly Begun<string>[]) => begun.map(({ one }) => one);

describe("the queue of turns", () => {
  test("gives every server its turn, one account of each after the other", () => {
    const queue = queueOf(["a", "a", "b", "b", "c"]);
    assert.deepEqual(serversOf([...queue.begin(0)]), ["a", "b", "c", "a", "b"]);
  });

  test("has as many places at a server as are allowed, and they come back", () => {
    const queue = queueOf(times(20, "a"), 3);
    const begun = [...queue.begin(0)];
    assert.equal(begun.length, 3);
    assert.ok(begun.every(({ isCrowded }) => isCrowded));
    assert.equal([...queue.begin(0)].length, 0);
    begun[0]?.leave();
    begun[0]?.leave();
    assert.equal([...queue.begin(0)].length, 1);
  });

  test("makes no more than eight ready at once, however many places there are", () => {
    const queue = queueOf(times(100, "a"), 64);
    const begun = [...queue.begin(0)];
    assert.equal(begun.length, 8);
    for (const each of begun) each.onReady();
    assert.equal([...queue.begin(0)].length, 8);
  });

  test("what is only being stored takes up no place of its server, but not without end", () => {
    const queue = queueOf(times(20, "a"), 3);
    const begun = [...queue.begin(0)];
    for (const each of begun.slice(1)) each.onLastAnswer();
    assert.equal([...queue.begin(0)].length, 2);
    begun[0]?.onLastAnswer();
    assert.equal([...queue.begin(0)].length, 0);
    begun[0]?.leave();
    assert.equal([...queue.begin(0)].length, 1);
  });

  test("a server that asked for patience waits, and the others do not", () => {
    const queue = queueOf(["a", "b"]);
    queue.hold("a", 1000);
    assert.deepEqual(serversOf([...queue.begin(999)]), ["b"]);
    assert.equal(queue.nextRelease(999), 1000);
    assert.deepEqual(serversOf([...queue.begin(1000)]), ["a"]);
    assert.equal(queue.nextRelease(1000), Number.POSITIVE_INFINITY);
  });

  test("servers that do not answer leave every other one a place, but not without end", () => {
    const queue = new TurnQueue<string>(2);
    const addTwo = (server: string) => {
      queue.add(server, server);
      queue.add(server, server);
    };
    for (let server = 0; server < 4; server += 1) addTwo(`dead-${server}`);
    assert.equal([...queue.begin(0)].length, 8);
    for (let server = 0; server < 100; server += 1) addTwo(`other-${server}`);
    const begun = serversOf([...queue.begin(0)]);
    assert.equal(new Set(begun).size, begun.length);
    assert.equal(begun.length, 2 * 16 - 8);
  });

  test("whatever happens in whatever order, every account has its turn, and no place is lost", () => {
    const step = fc.record({
      which: fc.nat(),
      what: fc.constantFrom("onReady", "onLastAnswer", "leave"),
    });
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f"), { maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        fc.array(step, { maxLength: 200 }),
        (servers, concurrency, steps) => {
          const queue = queueOf(servers, concurrency);
          const begun: Begun<string>[] = [];
          const begin = () => begun.push(...queue.begin(0));
          begin();
          for (const { which, what } of steps) {
            if (begun.length > 0) begun[which % begun.length]?.[what as "leave"]();
            begin();
          }
          for (let left = 0; left < begun.length; left += 1) {
            begun[left]?.leave();
            begin();
          }
          assert.equal(begun.length, servers.length);
        },
      ),
    );
  });
});
