import assert from "node:assert/strict";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { putCrowd } from "../scene/crowd.ts";
import { accounts } from "../scene/keeping.ts";
import { type Run, runCommand, runProgram } from "../scene/program.ts";
import { type Scene, setScene } from "../scene/scene.ts";
import { steppedWorld } from "../scene/stepped-world.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
});
afterEach(() => scene?.close());

/**
 * As systemd does, it takes no file descriptor that comes with a message, which `systemd-notify` waits
 * for: socat keeps them, and makes each message last 5 seconds.
 */
const receiver = `
  socket(S, PF_UNIX, SOCK_DGRAM, 0) && bind(S, sockaddr_un($ARGV[0])) or die;
  $| = 1;
  print "listening\\n";
  print "$message\\n" while defined recv(S, $message, 65536, 0);
`;

/** What systemd listens on, and what came there, one message a line. */
class NotifySocket {
  readonly path = join(scene.directory, "notify");
  readonly #perl: Run;

  constructor() {
    const args = ["-MSocket", "-e", receiver, this.path];
    this.#perl = runCommand("perl", args, { cwd: scene.directory });
  }

  get heard(): string {
    return this.#perl.written.stdout;
  }

  /** Resolves when the line has come so many times. */
  async hears(line: string, times = 1): Promise<void> {
    while (this.heard.split("\n").filter((each) => each === line).length < times) {
      await new Promise((resolve) => this.#perl.child.stdout?.once("data", resolve));
    }
  }

  async close(): Promise<void> {
    this.#perl.child.kill();
    await this.#perl.ended;
  }
}

describe("under systemd", () => {
  let socket: NotifySocket;
  beforeEach(async () => {
    socket = new NotifySocket();
    await socket.hears("listening");
  });
  afterEach(() => socket?.close());

  function keep(env: Record<string, string> = {}, count = 2): Run {
    const { list } = putCrowd(scene, accounts(count), Date.now);
    return runProgram(["keep", "--list", list, ...scene.options], {
      cwd: scene.directory,
      env: { NOTIFY_SOCKET: socket.path, ...env },
    });
  }

  test("it is told that the service is ready, what it does, and that it stops, in this order", async () => {
    const run = keep();
    await socket.hears("READY=1");
    await socket.hears("STATUS=2 fresh");
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143, run.written.stderr);
    const { heard } = socket;
    const messages = heard.split("\n");
    const places = ["READY=1", "STATUS=2 fresh", "STOPPING=1"].map((text) =>
      messages.indexOf(text),
    );
    assert.ok(!places.includes(-1), heard);
    assert.deepEqual(
      places,
      places.toSorted((one, other) => one - other),
    );
    assert.doesNotMatch(heard, /WATCHDOG/);
  });

  test("a status is told when it is another one, and holds no secret", async () => {
    const { list, members, secrets } = putCrowd(scene, accounts(3), Date.now);
    const [one] = members;
    assert.ok(one !== undefined);
    scene.imap.login = () => "unavailable";
    const run = runProgram(["keep", "--list", list, ...scene.options], {
      cwd: scene.directory,
      env: { NOTIFY_SOCKET: socket.path },
    });
    await socket.hears("STATUS=3 fresh");
    run.child.kill("SIGTERM");
    await run.ended;
    assert.equal(socket.heard.split("STATUS=3 fresh").length, 2, socket.heard);
    for (const secret of secrets()) assert.ok(!socket.heard.includes(secret));
  });

  test("that watches it hears again and again that it is alive", async () => {
    const run = keep({ WATCHDOG_USEC: "400000" });
    await socket.hears("WATCHDOG=1", 3);
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143, run.written.stderr);
  });

  test("it is told that the service stops also when nothing is left alive", async () => {
    const { list, members } = putCrowd(scene, accounts(1, 1), Date.now);
    for (const { account } of members) account.isAlive = false;
    scene.imap.login = () => "refuse";
    const run = runProgram(["keep", "--list", list, ...scene.options], {
      cwd: scene.directory,
      env: { NOTIFY_SOCKET: socket.path },
    });
    assert.equal((await run.ended).status, 77, run.written.stderr);
    await socket.hears("STOPPING=1");
    assert.match(socket.heard, /STATUS=0 fresh, 1 refused/);
  });
});

test("a socket that nobody listens on, and no systemd-notify, keep nothing from being done", async () => {
  const { list } = putCrowd(scene, accounts(1), Date.now);
  for (const env of [{}, { PATH: "/nowhere" }]) {
    const run = runProgram(["keep", "--list", list, ...scene.options, "--verbose"], {
      cwd: scene.directory,
      env: { NOTIFY_SOCKET: join(scene.directory, "nobody"), WATCHDOG_USEC: "400000", ...env },
    });
    await run.shown("the stored token is good until");
    run.child.kill("SIGTERM");
    assert.equal((await run.ended).status, 143, run.written.stderr);
    assert.doesNotMatch(run.written.stderr, /defect/);
  }
});

test("elsewhere, no program is run", async () => {
  const { list } = putCrowd(scene, accounts(1), Date.now);
  const env = { WATCHDOG_USEC: "400000" };
  const world = steppedWorld({ cwd: scene.directory, env });
  const programs: unknown[] = [];
  world.run = async (program) => {
    programs.push(program);
    return { status: 0, stdout: "" };
  };
  const run = world.begin(["keep", "--list", list, ...scene.options]);
  await world.step(3_600_000);
  world.signal("SIGTERM");
  assert.equal((await run.ended).status, 143);
  assert.deepEqual(programs, []);
});
