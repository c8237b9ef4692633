import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { rename } from "node:fs/promises";
import { afterEach, beforeEach, describe, test } from "node:test";
import { quoteForShell } from "../../src/programs/commands-to-copy.ts";
import { programPath, type Run, runCommand } from "../scene/program.ts";
import {
  outcome,
  type RunScene,
  type Side,
  setRunScene,
  source,
  target,
} from "../scene/run-scene.ts";

// `mxtoken run`: the built program and real children, by the real clock.

let place: RunScene;
beforeEach(async () => {
  place = await setRunScene();
});
afterEach(() => place?.close());

/** A shell command, as the command. */
function sh(text: string): string[] {
  return ["sh", "-c", text];
}

/** As {@link RunScene.here}, but the built program. */
const asProcess: typeof place.here = (...how) => outcome(place.run(...how));

describe("before the command", () => {
  test("both tokens are got, and both are in their files when it starts", async () => {
    const [first, second] = place.sides;
    const run = place.run(
      sh('head -n 1 "$MXTOKEN_TOKEN_FILE_1"; head -n 1 "$MXTOKEN_TOKEN_FILE_2"'),
    );
    const { status, stdout, stderr } = await outcome(run);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, `${first.lines().accessToken}\n${second.lines().accessToken}\n`);
    for (const { account, lines } of place.sides) {
      assert.ok(account.secrets.includes(lines().accessToken));
      assert.equal(lines().refreshToken, account.current);
    }
    assert.equal(place.scene.endpoint.requests.length, 2);
    // Both, by logins of their own.
    const proven = place.scene.imap.logins.map(({ user, token }) => [user, token]);
    assert.deepEqual(
      proven.filter(([, token]) => !token?.startsWith("stored-")),
      [
        [source, first.lines().accessToken],
        [target, second.lines().accessToken],
      ],
    );
  });

  const marker = "the-command-was-here";

  const failures: [string, number, (side: Side) => void | Promise<void>, RegExp][] = [
    [
      "there are no tokens of one",
      77,
      async (side) => rename(side.tokenFile, `${side.tokenFile}.gone`),
      /there are no tokens yet.*\n.*somebody must sign in.*\n {2}mxtoken /,
    ],
    [
      "one is refused",
      77,
      (side) => {
        side.account.isAlive = false;
      },
      /token was reused\n/,
    ],
    [
      "the mailbox refuses the new token of one",
      77,
      (side) => {
        place.scene.imap.login = (token) =>
          side.account.secrets.includes(token) ? "refuse" : "accept";
      },
      /refused the token/,
    ],
    [
      "nobody answers about one",
      75,
      (side) => {
        side.answer = () => "drop";
      },
      /the connection was dropped/,
    ],
    [
      "one is answered with HTML",
      76,
      (side) => {
        side.answer = () => ({ status: 200, body: "<html>" });
      },
      /did not answer as a token endpoint does/,
    ],
    [
      "one's file is a symbolic link",
      73,
      async (side) => {
        await rename(side.tokenFile, `${side.tokenFile}.real`);
        symlinkSync(`${side.tokenFile}.real`, side.tokenFile);
      },
      /is a symbolic link/,
    ],
    [
      "one's file is of another client",
      78,
      (side) => side.write({ Client: "another-client" }),
      /another-client/,
    ],
    [
      "one's file is none",
      65,
      (side) => writeFileSync(side.tokenFile, "this is no token file\n"),
      /line 1 has more than one word/,
    ],
  ];
  for (const [what, status, breakIt, message] of failures) {
    for (const number of [1, 2] as const) {
      test(`${what} (the ${number === 1 ? "first" : "second"}): ${status}, and it is not started`, async () => {
        const side = place.sides[number - 1] as Side;
        await breakIt(side);
        const result = await place.here(["touch", place.path(marker)]);
        assert.equal(result.status, status, result.stderr);
        assert.match(result.stderr, message);
        assert.equal(result.stdout, "");
        assert.ok(!existsSync(place.path(marker)));
        for (const secret of place.sides.flatMap(({ account }) => account.secrets)) {
          assert.ok(!result.stderr.includes(secret));
        }
      });
    }
  }

  test("the mailbox that needs somebody is named, with the command that signs in", async () => {
    const [, second] = place.sides;
    second.account.isAlive = false;
    const { stderr } = await place.here(sh("exit 0"));
    assert.match(stderr, /^mxtoken: new@example\.test: a person must sign in: /m);
    const command = /^ {2}(mxtoken .*)$/m.exec(stderr)?.[1] ?? "";
    assert.match(command, /^mxtoken new@example\.test /);
    for (const option of ["--token-uri", "--home", "--ca-file", "--imap-server", "--client-id"]) {
      assert.ok(command.includes(` ${option} `), command);
    }
  });
});

describe("the command line", () => {
  const refused: [string, string[], string[] | undefined, RegExp][] = [
    ["no command", [source], [], /no command was given behind --/],
    ["nothing behind --", [source, "--"], [], /no command was given behind --/],
    ["no address", [], ["true"], /no mailbox address was given/],
    ["what is no address", ["nonsense"], ["true"], /nonsense/],
    ["an unknown option", [source, "--frobnicate"], ["true"], /unknown option --frobnicate/],
    [
      "the account that is not there",
      [source],
      ["echo", "{user:2}"],
      /\{user:2\}: there is one address/,
    ],
    ["the zeroth account", [source], ["echo", "{token-file:0}"], /there is one address/],
    ["a token", [source], ["echo", "{token:1}"], /a token never stands in an argument/],
    ["--json", [source, "--json"], ["true"], /run takes no --json/],
    [
      "the same address twice",
      [source, source],
      ["true"],
      /there twice[\s\S]*--provider1 and --provider2/,
    ],
    [
      "a side that is not there",
      [source, "--provider2", "google"],
      ["true"],
      /--provider2 is for an address that is not there/,
    ],
    [
      "another side that is not there",
      [source, "--login2=x@example.test"],
      ["true"],
      /--login2 is for/,
    ],
    [
      "a third side",
      [source, target, "--provider3", "google"],
      ["true"],
      /unknown option --provider3/,
    ],
    [
      "a flag of a side that is not there",
      [source, "--thunderbird2"],
      ["true"],
      /--thunderbird2 is for/,
    ],
    [
      "one token file for two",
      [source, target, "--token-file", "x.txt"],
      ["true"],
      /--token-file1/,
    ],
    [
      "the same token file twice",
      [source, target, "--token-file1", "x", "--token-file2", "./x"],
      ["true"],
      /token file/,
    ],
    [
      "a bad --restart-status",
      [source, "--restart-status", "115,oops"],
      ["true"],
      /no exit statuses/,
    ],
    [
      "a --restart-status that is none",
      [source, "--restart-status", "0"],
      ["true"],
      /no exit statuses/,
    ],
    ["a bad --max-restarts", [source, "--max-restarts", "-1"], ["true"], /--max-restarts/],
    ["a bad --refresh-at", [source, "--refresh-at", "120%"], ["true"], /--refresh-at/],
    ["a value of a flag", [source, "--restart=yes"], ["true"], /--restart takes no value/],
    [
      "three for imapsync",
      [source, target, "third@example.test", "--imapsync"],
      ["imapsync"],
      /one address or two/,
    ],
  ];
  for (const [what, words, command, message] of refused) {
    test(`${what}: 64, and nobody is asked for a token`, async () => {
      const { options } = place.scene;
      const all = words.at(-1) === "--" ? words : [...words, ...options];
      const result = await place.here(command ?? [], { words: all });
      assert.match(result.stderr, message);
      assert.equal(result.status, 64, result.stderr);
      assert.equal(
        words.includes("--json") ? JSON.parse(result.stdout).ok : result.stdout,
        words.includes("--json") ? false : "",
      );
      assert.deepEqual(place.scene.endpoint.requests, []);
    });
  }

  test("--help says how, and starts nothing", async () => {
    const { status, stdout } = await place.here(["touch", "x"], { words: ["--help"] });
    assert.equal(status, 0);
    assert.match(stdout, /--imapsync[\s\S]*--restart/);
    assert.doesNotMatch(stdout, /--client-id2/);
  });

  const program = "process.stdout.write(JSON.stringify(process.argv.slice(2)))";
  const arrives = async (args: readonly string[], how: RunScene["here"] = place.here) => {
    const file = place.script("args.cjs", program);
    const { stdout, stderr, status } = await how([process.execPath, file, ...args], {
      words: place.one,
    });
    assert.equal(status, 0, stderr);
    return JSON.parse(stdout) as string[];
  };

  const untouched = [
    [
      "--token_file",
      "--restart_status=1",
      "-token_file",
      "-x",
      "--no-browser",
      "--help",
      "--version",
    ],
    ["--quiet", "--json", "--verbose", "--debug", "--provider2", "x", "--imapsync"],
    ["--", "a", "--", "--", "-"],
    ["", " ", "\t", "a b", "  a  ", "\n", "line\nbreak", ""],
    ["1", "01", "1e3", "0x10", "-1", "1.50", "true", "false", "null", "NaN"],
    ["ümläut", "привет", "日本語", "🙂", "e\u0301", "\u202e"],
    ["$HOME", "`id`", "$(id)", "*", "~", "'", '"', "\\", "a;b|c&d", "%PATH%", "!x", "#"],
    ["{}", "{user}", "{other:1}", "{token-file}", "a{1,3}", "s/{x:1}/$1/"],
    ["show", "run", "foo@example.test", "--host1=h", "--a.b", "--camelCase", "--__proto__=x"],
  ];
  test("what stands behind -- arrives as it was written", async () => {
    const all = untouched.flat();
    assert.deepEqual(await arrives(all), all);
    assert.deepEqual(await arrives(all, asProcess), all);
  });
  test("and so does each that stands first", async () => {
    for (const words of [untouched[0], untouched[1], untouched[2], untouched[3]]) {
      assert.deepEqual(await arrives(words ?? []), words);
    }
  });

  test("placeholders are filled wherever they stand", async () => {
    const [{ tokenFile }] = place.sides;
    const { imap } = place.scene;
    assert.deepEqual(
      await arrives([
        "{token-file:1}",
        "--user={user:1}",
        "{host:1}:{port:1}",
        "x{user:1}{user:1}",
      ]),
      [tokenFile, `--user=${source}`, `localhost:${imap.port}`, `x${source}${source}`],
    );
  });

  test("options may stand before the addresses, and in oauth2_imap's spelling", async () => {
    const words = [
      ...place.scene.options,
      "--token_file1",
      place.sides[0].tokenFile,
      source,
      target,
    ];
    const { status, stderr } = await place.here(["true"], { words });
    assert.equal(status, 0, stderr);
  });
});

describe("how it ends", () => {
  for (const status of [0, 1, 2, 7, 64, 77, 115, 128, 143, 255]) {
    test(`with the command's own status ${status}`, async () => {
      const result = await place.here(sh(`exit ${status}`), { words: place.one });
      assert.deepEqual([result.status, result.signal], [status, null], result.stderr);
      // sh is not imapsync: its 115 means something else.
      assert.doesNotMatch(result.stderr, /token had died/);
    });
  }

  for (const [signal, status] of [
    ["KILL", 137],
    ["TERM", 143],
    ["SEGV", 139],
    ["ABRT", 134],
    ["HUP", 129],
    ["USR1", 138],
  ] as const) {
    test(`with ${status} when SIG${signal} has killed it`, async () => {
      const result = await place.here(sh(`kill -${signal} $$`), { words: place.one });
      assert.deepEqual([result.status, result.signal], [status, null], result.stderr);
    });
  }

  test("as a process of its own too", async () => {
    for (const [text, status] of [
      ["exit 7", 7],
      ["exit 255", 255],
      ["kill -KILL $$", 137],
    ] as const) {
      const result = await asProcess(sh(text), { words: place.one });
      assert.deepEqual([result.status, result.signal], [status, null], result.stderr);
    }
    const result = await asProcess(["no-such-command-here"], { words: place.one });
    assert.equal(result.status, 64, result.stderr);
  });

  for (const command of ["no-such-command-here", "./no-such-command-here", "/no/such/command"]) {
    test(`${command}: 64 before anything is asked, and says so`, async () => {
      const result = await place.here([command], { words: place.one });
      assert.equal(result.status, 64);
      assert.ok(result.stderr.includes(`cannot start ${command}: it is not found`), result.stderr);
      assert.equal(place.scene.endpoint.requests.length, 0);
    });
  }

  test("a command that may not be run: 64, and says so", async () => {
    writeFileSync(place.path("not-executable"), "#!/bin/sh\n", { mode: 0o644 });
    const result = await place.here(["./not-executable"], { words: place.one });
    assert.equal(result.status, 64);
    assert.match(result.stderr, /cannot start \.\/not-executable: permission denied/);
  });

  test("an empty command: 64, and says so", async () => {
    const result = await place.here([""], { words: place.one });
    assert.equal(result.status, 64, result.stderr);
    assert.doesNotMatch(result.stderr, /defect/);
  });

  test("what the command leaves running in the background is not waited for", async () => {
    const text = "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!";
    const result = await place.here(sh(text), { words: place.one });
    process.kill(Number(result.stdout));
    assert.equal(result.status, 0);
  });
});

describe("the environment", () => {
  const show = 'env | grep -a "^MXTOKEN_" | sort';

  test("says where the token files are, absolutely", async () => {
    const { stdout } = await place.here(sh(show));
    const [first, second] = place.sides;
    assert.equal(
      stdout,
      `MXTOKEN_TOKEN_FILE_1=${first.tokenFile}\nMXTOKEN_TOKEN_FILE_2=${second.tokenFile}\n`,
    );
  });

  test("of one address, only the first", async () => {
    const { stdout } = await place.here(sh(show), { words: place.one });
    assert.equal(stdout, `MXTOKEN_TOKEN_FILE_1=${place.sides[0].tokenFile}\n`);
  });

  test("is otherwise as it was, and holds no token", async () => {
    const env = { GREETING: "hello  wörld\n", EMPTY: "" };
    const program = place.script("env.cjs", "process.stdout.write(JSON.stringify(process.env))");
    const { stdout } = await asProcess([process.execPath, program], { env });
    const { GREETING, EMPTY, HOME } = JSON.parse(stdout) as Record<string, string>;
    assert.deepEqual([GREETING, EMPTY, HOME], [env.GREETING, "", place.scene.directory]);
    for (const { account, lines } of place.sides) {
      for (const secret of [...account.secrets, lines().accessToken]) {
        assert.ok(!stdout.includes(secret));
      }
    }
  });

  test("the current directory is the same, and relative token files become absolute", async () => {
    const words = [...place.one, "--token-file", "tokens/../tokens/mine.txt"];
    await rename(place.sides[0].tokenFile, place.path("tokens/mine.txt"));
    const text = 'pwd -P; echo "$MXTOKEN_TOKEN_FILE_1"';
    const { stdout, stderr } = await place.here(sh(text), { words });
    assert.equal(stdout, `${place.scene.directory}\n${place.path("tokens/mine.txt")}\n`, stderr);
  });
});

describe("the streams", () => {
  const megabytes = randomBytes(5_000_000);
  const digest = createHash("sha256").update(megabytes).digest("hex");
  /** Reads all of standard input in small pieces, and prints its digest. */
  const hash = `
const hash = require("node:crypto").createHash("sha256");
process.stdin.on("data", (chunk) => hash.update(chunk));
process.stdin.on("end", () => console.log(hash.digest("hex")));`;

  function start(
    command: readonly string[],
    stdin: "pipe" | "ignore" | number,
    more: readonly string[] = [],
  ) {
    const args = [programPath, "run", ...place.one, ...more, "--", ...command];
    return spawn(process.execPath, args, {
      cwd: place.scene.directory,
      env: { PATH: process.env["PATH"], HOME: place.scene.directory },
      stdio: [stdin, "pipe", "pipe"],
    });
  }

  async function collect(child: ReturnType<typeof start>) {
    const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    for (const name of ["stdout", "stderr"] as const) {
      child[name]?.on("data", (chunk: Buffer) => chunks[name].push(chunk));
    }
    const status = await new Promise((resolve) => child.once("close", resolve));
    return {
      status,
      stdout: Buffer.concat(chunks.stdout),
      stderr: Buffer.concat(chunks.stderr).toString(),
    };
  }

  for (const command of [["sha256sum"], ["node", "hash.cjs"], ["sh", "-c", "cat | sha256sum"]]) {
    test(`5 MB on a pipe reach ${command.join(" ")} byte for byte`, async () => {
      place.script("hash.cjs", hash);
      const child = start(command, "pipe");
      child.stdin?.end(megabytes);
      const { status, stdout, stderr } = await collect(child);
      assert.equal(status, 0, stderr);
      assert.equal(stdout.toString().slice(0, 64), digest);
    });
  }

  test("a file is read by the command from where it begins", async () => {
    writeFileSync(place.path("input"), megabytes);
    const input = openSync(place.path("input"), "r");
    const { stdout } = await collect(start(["sha256sum"], input));
    closeSync(input);
    assert.equal(stdout.toString().slice(0, 64), digest);
  });

  test("nothing of a pipe is read before the command reads it, also when a token must be got", async () => {
    // A line that could be pasted stands there while the token is asked for.
    const child = start(["cat"], "pipe");
    child.stdin?.write("first\n");
    const [first] = place.sides;
    const collected = collect(child);
    child.stdin?.end("second\n");
    const { stdout } = await collected;
    assert.equal(stdout.toString(), "first\nsecond\n");
    assert.ok(first.account.secrets.includes(first.lines().accessToken));
  });

  test("what stands on a pipe is never taken for a sign-in: 77", async () => {
    place.sides[0].account.isAlive = false;
    const child = start(["cat"], "pipe");
    child.stdin?.on("error", () => undefined);
    // The pipe stays open: it is not waited for its end.
    child.stdin?.write("a-code-that-could-be-pasted\n");
    const { status, stderr } = await collect(child);
    child.stdin?.destroy();
    assert.equal(status, 77, stderr);
    assert.doesNotMatch(stderr, /paste/);
  });

  test("5 MB on its standard output, to a reader that takes its time", async () => {
    writeFileSync(place.path("output"), megabytes);
    const child = start(["cat", "output"], "ignore");
    const hashed = createHash("sha256");
    for await (const chunk of child.stdout ?? []) {
      hashed.update(chunk);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(hashed.digest("hex"), digest);
  });

  test("its output and its complaints are as they are, and nothing of ours is among its output", async () => {
    const program = place.script(
      "both.cjs",
      `process.stdout.write(Buffer.from("00ff0d0a1b5b33316d", "hex")); process.stderr.write("\\u001b[31mred\\r\\n");`,
    );
    const child = start([process.execPath, program], "ignore", ["--quiet"]);
    const { stdout, stderr, status } = await collect(child);
    assert.equal(status, 0);
    assert.equal(stdout.toString("hex"), "00ff0d0a1b5b33316d");
    assert.equal(stderr, "\u001b[31mred\r\n");
  });

  for (const more of [[], ["--quiet"]]) {
    test(`pipes in which mxtoken speaks too never make the command wait or lose anything ${more}`, async () => {
      // What mxtoken says for the first time, or once more, is said while the command lives.
      const [first] = place.sides;
      const { answer } = first;
      let count = 0;
      first.life = 2;
      first.answer = (request) => {
        count += 1;
        return count === 1 ? answer(request) : { status: 400, body: { error: "invalid_grant" } };
      };
      // A write into a pipe that is full would fail at once with O_NONBLOCK (04000), and be lost.
      const text = `until [ -e said ]; do sleep 0.05; done
for fd in 0 1 2; do sed -n "s/^flags:\\t*0*/$fd: /p" /proc/self/fdinfo/$fd; done`;
      const child = start(sh(text), "pipe", more);
      child.stderr?.on("data", (chunk) => {
        if (/sign in/.test(String(chunk))) writeFileSync(place.path("said"), "");
      });
      const { stdout, stderr, status } = await collect(child);
      child.stdin?.destroy();
      assert.equal(status, 0, stderr);
      const flags = [...stdout.toString().matchAll(/^\d: (\d+)$/gm)].map(([, word]) => word ?? "");
      assert.equal(flags.length, 3, stdout.toString());
      for (const word of flags) assert.equal(Number.parseInt(word, 8) & 0o4000, 0, word);
    });
  }

  describe("in a terminal", () => {
    /** Runs a command line on a pseudo-terminal of util-linux's script(1). */
    function inTerminal(command: string): Run {
      return runCommand("script", ["-qefc", command, "/dev/null"], {
        cwd: place.scene.directory,
        env: { TERM: "xterm" },
        keepOpen: true,
      });
    }
    const words = (command: readonly string[], more: readonly string[] = []) =>
      [process.execPath, programPath, "run", ...place.one, ...more, "--", ...command]
        .map(quoteForShell)
        .join(" ");

    test("5 MB on a pipe, while standard error is the terminal", async () => {
      writeFileSync(place.path("input"), megabytes);
      const run = inTerminal(`cat input | ${words(["sha256sum"])}`);
      assert.equal((await run.ended).status, 0, run.written.stdout);
      run.child.stdin?.destroy();
      assert.match(run.written.stdout, new RegExp(`^${digest}`, "m"));
    });

    test("the command has the terminal: all three streams, and its lines", async () => {
      const program = place.script(
        "talk.sh",
        'for fd in 0 1 2; do [ -t $fd ] && echo "fd $fd is a terminal"; done; printf "name? "; read -r name; echo "hello $name"; stty -a | grep -o " icanon"',
      );
      const run = inTerminal(words(["sh", program]));
      await new Promise<void>((resolve) => {
        run.child.stdout?.on("data", () => {
          if (run.written.stdout.includes("name? ")) resolve();
        });
      });
      run.child.stdin?.write("somebody else\r");
      assert.equal((await run.ended).status, 0, run.written.stdout);
      run.child.stdin?.destroy();
      for (const fd of [0, 1, 2]) assert.match(run.written.stdout, new RegExp(`fd ${fd} is`));
      assert.match(run.written.stdout, /hello somebody else\r\n icanon/);
    });
  });
});

test("the refreshing stops when the command ends, and nothing is left behind", async () => {
  const result = await place.here(sh("exit 3"));
  assert.equal(result.status, 3);
  const requests = place.scene.endpoint.requests.length;
  assert.equal(requests, 2);
  const { readdirSync } = await import("node:fs");
  const names = readdirSync(place.path("tokens")).sort();
  assert.deepEqual(
    names,
    place.sides
      .flatMap(({ address }) => [
        `.oauth2_tokens_${address}.txt.lock`,
        `oauth2_tokens_${address}.txt`,
      ])
      .sort(),
  );
  assert.equal(
    readFileSync(place.sides[0].tokenFile, "utf8").split("\n")[0],
    place.sides[0].lines().accessToken,
  );
});
