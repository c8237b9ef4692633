import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Place, TurnQueue } from "../../src/keep/turn-queue.ts";

/** A turn that ends when the test says so; it is named after its server. */
interface Begun extends Place {
  readonly one: string;
  leave(): void;
}

/** A queue with so many servers' turns in it, which begin when the test says so. */
class Queue {
  time = 0;
  readonly begun: Begun[] = [];
  readonly queue: TurnQueue;

  constructor(servers: readonly string[], concurrency = 8) {
    const clock = {
      now: () => this.time,
      random: () => 0.5,
      sleep: async () => undefined,
      after: () => () => undefined,
      deadline: () => new AbortController().signal,
    };
    this.queue = new TurnQueue(clock, concurrency);
    for (const server of servers) this.add(server);
  }

  add(one: string): void {
    this.queue.add(one, (place) => {
      return new Promise((leave) => this.begun.push({ one, ...place, leave }));
    });
  }

  /** Those that have begun since. */
  begin(): Begun[] {
    this.queue.fill();
    return this.begun.splice(0);
  }
}

const times = (count: number, server: string) => Array.from({ length: count }, () => server);
const serversOf = (begun: readonly Begun[]) => begun.map(({ one }) => one);
/** Resolves when whatever was let go before has had its turn. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("the queue of turns", () => {
  test("gives every server its turn, one account of each after the other", () => {
    const queue = new Queue(["a", "a", "b", "b", "c"]);
    assert.deepEqual(serversOf(queue.begin()), ["a", "b", "c", "a", "b"]);
  });

  test("has as many places at a server as are allowed, and they come back", async () => {
    const queue = new Queue(times(20, "a"), 3);
    const begun = queue.begin();
    assert.equal(begun.length, 3);
    assert.ok(begun.every(({ isCrowded }) => isCrowded));
    assert.equal(queue.begin().length, 0);
    begun[0]?.leave();
    await settled();
    assert.equal(queue.begin().length, 1);
  });

  test("makes no more than eight ready at once, however many places there are", () => {
    const queue = new Queue(times(100, "a"), 64);
    const begun = queue.begin();
    assert.equal(begun.length, 8);
    for (const each of begun) each.onReady();
    assert.equal(queue.begin().length, 8);
  });

  test("what is only being stored takes up no place of its server, but not without end", async () => {
    const queue = new Queue(times(20, "a"), 3);
    const begun = queue.begin();
    for (const each of begun.slice(1)) each.onLastAnswer();
    assert.equal(queue.begin().length, 2);
    begun[0]?.onLastAnswer();
    assert.equal(queue.begin().length, 0);
    begun[0]?.leave();
    await settled();
    assert.equal(queue.begin().length, 1);
  });

  test("a server that asked for patience waits, and the others do not", () => {
    const waiting = new Queue(["a", "b"]);
    const { queue } = waiting;
    queue.hold("a", 1000);
    assert.deepEqual(serversOf(waiting.begin()), ["b"]);
    waiting.time = 999;
    assert.deepEqual(waiting.begin(), []);
    assert.equal(queue.nextRelease(999), 1000);
    waiting.time = 1000;
    assert.deepEqual(serversOf(waiting.begin()), ["a"]);
    assert.equal(queue.nextRelease(1000), Number.POSITIVE_INFINITY);
  });

  test("servers that do not answer leave every other one a place, but not without end", () => {
    const queue = new Queue([], 2);
    const addTwo = (server: string) => {
      queue.add(server);
      queue.add(server);
    };
    for (let server = 0; server < 4; server += 1) addTwo(`dead-${server}`);
    assert.equal(queue.begin().length, 8);
    for (let server = 0; server < 100; server += 1) addTwo(`other-${server}`);
    const begun = serversOf(queue.begin());
    assert.equal(new Set(begun).size, begun.length);
    assert.equal(begun.length, 2 * 16 - 8);
  });

  test("fifty in a row leave whatever else waits its turn", async () => {
    const queue = new Queue(times(60, "a"), 60);
    const begun = queue.begin();
    for (let next: Begun[] = begun; next.length > 0; begun.push(...next)) {
      for (const each of next) each.onReady();
      next = queue.begin();
    }
    assert.equal(begun.length, 50);
    assert.equal(queue.queue.isPausing, true);
    await settled();
    assert.equal(queue.queue.isPausing, false);
    assert.equal(queue.begin().length, 8);
  });

  test("none begins once it is stopped, and those that have begun are waited for", async () => {
    const queue = new Queue(times(3, "a"), 2);
    const begun = queue.begin();
    let isOver = false;
    const stopped = queue.queue.stop().then(() => {
      isOver = true;
    });
    begun[0]?.leave();
    await settled();
    assert.deepEqual(queue.begin(), []);
    assert.equal(isOver, false);
    begun[1]?.leave();
    await stopped;
    assert.equal(queue.queue.isAtRest, true);
  });

  test("whatever happens in whatever order, every account has its turn, and no place is lost", async () => {
    const step = fc.record({
      which: fc.nat(),
      what: fc.constantFrom("onReady", "onLastAnswer", "leave"),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("a", "b", "c", "d", "e", "f"), { maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        fc.array(step, { maxLength: 200 }),
        async (servers, concurrency, steps) => {
          const queue = new Queue(servers, concurrency);
          const begun: Begun[] = [];
          const begin = async () => {
            await settled();
            begun.push(...queue.begin());
          };
          await begin();
          for (const { which, what } of steps) {
            if (begun.length > 0) begun[which % begun.length]?.[what as "leave"]();
            await begin();
          }
          for (let left = 0; left < begun.length; left += 1) {
            begun[left]?.leave();
            await begin();
          }
          assert.equal(begun.length, servers.length);
        },
      ),
    );
  });
});
