import assert from "node:assert/strict";
import { test } from "node:test";
import { Interrupted } from "../../src/errors.ts";
import { ShortSignals } from "../../src/world/short-signals.ts";
import { within } from "../../src/world/waiting.ts";
import { withWorld } from "../../src/world/world.ts";
import { noon, testWorld } from "../scene/world.ts";

const world = () => testWorld({ cwd: "/" });

/** Work that only ends when it is stopped. */
const endless = (stop: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    stop.addEventListener("abort", () => reject(stop.reason), { once: true });
  });

test("work that ends in time is what comes of it, and its deadline is forgotten", async () => {
  const here = world();
  assert.equal(await within(here, 1000, async () => "done", assert.fail), "done");
  assert.equal(here.deadlines, 0);
});

test("work that is too slow is ended, and what comes of it is said by whoever waits", async () => {
  const here = world();
  const late = within(here, 1000, endless, () => "late");
  here.pass(1000);
  assert.equal(await late, "late");
});

test("what work throws by itself is no lateness", async () => {
  const error = new Error("refused");
  await assert.rejects(
    within(world(), 1000, () => Promise.reject(error), assert.fail),
    error,
  );
});

test("whoever asks the process to end is told from a deadline", async () => {
  const here = world();
  const work = within(here, 1000, endless, assert.fail);
  here.signal("SIGTERM");
  await assert.rejects(work, Interrupted);
  await assert.rejects(
    within(here, 1000, async () => assert.fail(), assert.fail),
    Interrupted,
  );
});

test("a world with other members has the rest of the first, also what becomes of it later", async () => {
  const here = world();
  const lines: string[] = [];
  const traced = withWorld(here, { trace: (line) => lines.push(line) });
  traced.trace("a line");
  here.advance(1000);
  assert.deepEqual([lines, traced.now()], [["a line"], noon + 1000]);
});

test("a signal that soon is over hears of the world's", async () => {
  const here = world();
  const work = new ShortSignals(here).with(({ interrupted }) => {
    assert.notEqual(interrupted, here.interrupted);
    return endless(interrupted);
  });
  here.signal("SIGINT");
  await assert.rejects(work, Interrupted);
});

test("a signal is shared by a few at once, and by none for long", async () => {
  const here = world();
  const signals = new ShortSignals(here);
  const seen = new Set<AbortSignal>();
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const work = async ({ interrupted }: Pick<typeof here, "interrupted">) => {
    seen.add(interrupted);
    await ended;
  };
  const all = Array.from({ length: 100 }, () => signals.with(work));
  assert.ok(seen.size > 1 && seen.size < 20, `${seen.size} signals`);
  end();
  await Promise.all(all);
  const former = [...seen];
  await signals.with(work);
  assert.equal(seen.size, former.length + 1, "whoever comes later has another one");
});
