import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { connectTo, type LookUp } from "../../src/world/connecting.ts";
import { closedInTheEnd } from "../scene/closing.ts";
import { freePort } from "../scene/loopback.ts";

const never = new AbortController().signal;

/** Listens, and accepts nothing until it is woken. */
const sleeper = `
const { parentPort, workerData } = require("node:worker_threads");
const server = require("node:net").createServer((socket) => socket.end());
server.listen({ host: "127.0.0.2", port: 0, backlog: 1 }, () => {
  parentPort.postMessage(server.address().port);
  Atomics.wait(workerData, 0, 0);
});
`;

/**
 * A server that answers no SYN, as a network that drops them: as many connections wait for it as it lets
 * wait. After it was woken, it answers the SYN that is sent again, a second after the first.
 */
async function startSleeper() {
  const state = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(sleeper, { eval: true, workerData: state });
  const [port]: [number] = await once(worker, "message").then(([found]) => [Number(found)]);
  const waiting: Socket[] = [];
  for (let count = 0; count < 2; count += 1) {
    const socket = connect({ host: "127.0.0.2", port });
    waiting.push(socket.on("error", () => undefined));
    await once(socket, "connect");
  }
  const close = closedInTheEnd(async () => {
    for (const socket of waiting) socket.destroy();
    await worker.terminate();
  });
  const wake = () => {
    Atomics.store(state, 0, 1);
    Atomics.notify(state, 0);
  };
  return { port, wake, close };
}

function namesOf(...addresses: readonly string[]): LookUp {
  return async () =>
    addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
}

test("an address that drops everything is not in the way of another", async () => {
  const hole = await startSleeper();
  const server = createServer((socket) => socket.end());
  server.listen({ host: "::1", port: hole.port });
  await once(server, "listening");
  const names = namesOf("127.0.0.2", "127.0.0.2", "::1");
  const socket = await connectTo({ host: "two.example", port: hole.port }, never, names);
  assert.equal(socket.remoteAddress, "::1");
  socket.destroy();
  server.close();
  await hole.close();
});

test("an address that answers late is not given up for another one that refuses", async () => {
  const late = await startSleeper();
  const names = namesOf("127.0.0.2", "::1");
  const connecting = connectTo({ host: "two.example", port: late.port }, never, names);
  const refused = connect({ host: "::1", port: late.port });
  await assert.rejects(once(refused, "connect"), { code: "ECONNREFUSED" });
  late.wake();
  const socket = await connecting;
  assert.equal(socket.remoteAddress, "127.0.0.2");
  socket.destroy();
  await late.close();
});

test("where all drop everything it lasts until it is ended, and leaves nothing open", async () => {
  const hole = await startSleeper();
  const stop = new AbortController();
  const names = namesOf("127.0.0.2", "127.0.0.2");
  const connecting = connectTo({ host: "two.example", port: hole.port }, stop.signal, names);
  setImmediate(() => stop.abort());
  await assert.rejects(connecting, { code: "CONNECT_TIMEOUT" });
  await hole.close();
});

test("the name that nobody answers is not waited for", async () => {
  const stop = new AbortController();
  const silent: LookUp = () => new Promise(() => undefined);
  const connecting = connectTo({ host: "silent.example", port: 1 }, stop.signal, silent);
  stop.abort();
  await assert.rejects(connecting, { code: "CONNECT_TIMEOUT" });
  const nothing = connectTo({ host: "empty.example", port: 1 }, never, async () => []);
  await assert.rejects(nothing, { code: "ENOTFOUND" });
});

test("what is told is what says most, and the families take turns", async () => {
  const port = await freePort();
  // Nobody has a way there: RFC 1122 section 3.2.1.3, RFC 4291 section 2.7.
  const names = namesOf("224.0.0.1", "127.0.0.3", "ff02::1", "::1");
  const connecting = connectTo({ host: "many.example", port }, never, names);
  await assert.rejects(connecting, { code: "ECONNREFUSED", address: "127.0.0.3" });
  const turns = namesOf("127.0.0.4", "127.0.0.5", "::1");
  const server = createServer((socket) => socket.end());
  server.listen(0, "::1");
  await once(server, "listening");
  const { port: there } = server.address() as AddressInfo;
  const socket = await connectTo({ host: "many.example", port: there }, never, turns);
  assert.equal(socket.remoteAddress, "::1");
  socket.destroy();
  server.close();
});

test("an address is not looked up", async () => {
  const port = await freePort();
  const unasked: LookUp = () => assert.fail("it was");
  const connecting = connectTo({ host: "127.0.0.1", port }, never, unasked);
  await assert.rejects(connecting, { code: "ECONNREFUSED" });
});
