import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from "../scene/authorization-server.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { type Dovecot, startDovecot } from "../scene/dovecot.ts";
import { programPath, type Run, runCommand, runProgram } from "../scene/program.ts";
import {
  imapsyncScript,
  outcome,
  type RunScene,
  setRunScene,
  source,
  target,
} from "../scene/run-scene.ts";
import { runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { testWorld } from "../scene/world.ts";

// `mxtoken run --imapsync` with a stand-in for imapsync, which reads the token files and logs in.

let place: RunScene;
beforeEach(async () => {
  place = await setRunScene();
  place.script("imapsync", imapsyncScript());
});
afterEach(() => place?.close());

/** Prints its arguments, one a line. */
const printer = '#!/bin/sh\nprintf "%s\\n" "$@"\n';

/** The arguments that a command called imapsync gets. */
async function argumentsOf(
  words: readonly string[],
  given: readonly string[] = [],
  name = "bin/imapsync",
): Promise<string[]> {
  const file = place.script(name, printer);
  const { status, stdout, stderr } = await place.here([file, ...given], {
    words: [...words, "--imapsync"],
  });
  assert.equal(status, 0, stderr);
  return stdout.split("\n").slice(0, -1);
}

/** The value behind an option, each time that it is there. */
function valuesOf(args: readonly string[], option: string): (string | undefined)[] {
  return args.flatMap((word, index) => (word === option ? [args[index + 1]] : []));
}

describe("--imapsync", () => {
  test("without it, nothing is added", async () => {
    const file = place.script("bin/imapsync", printer);
    const { stdout } = await place.here([file, "--dry"]);
    assert.equal(stdout, "--dry\n");
  });

  test("the stand-in logs in to both sides with what is added, and nothing else", async () => {
    const { imap, certificates } = place.scene;
    const seen = () => imap.logins.length;
    const run = place.run(["./imapsync"], { more: ["--imapsync"] });
    const { status, stdout, stderr } = await outcome(run);
    assert.equal(status, 0, stderr);
    assert.equal(stdout, `localhost ${source}: 7 messages\nlocalhost ${target}: 7 messages\n`);
    assert.ok(seen() >= 4);
    const [first, second] = place.sides;
    assert.deepEqual(
      imap.logins.slice(-2).map(({ user: who, token }) => [who, token]),
      [
        [source, first.lines().accessToken],
        [target, second.lines().accessToken],
      ],
    );
    assert.ok(readFileSync(certificates.caFile, "utf8").includes("BEGIN CERTIFICATE"));
  });

  test("what is added comes behind what the person gave, and is each one argument", async () => {
    const args = await argumentsOf(place.both, ["--dry", "--folder", "a b"]);
    assert.deepEqual(args.slice(0, 3), ["--dry", "--folder", "a b"]);
    const { imap, certificates } = place.scene;
    const side = (number: 1 | 2) => [
      ...[`--host${number}`, "localhost", `--port${number}`, String(imap.port), `--ssl${number}`],
      ...[`--user${number}`, number === 1 ? source : target, `--password${number}`, "x"],
      ...[`--oauthaccesstoken${number}`, place.sides[number - 1]?.tokenFile],
      ...[`--sslargs${number}`, "SSL_verify_mode=1"],
      ...[`--sslargs${number}`, `SSL_ca_file=${certificates.caFile}`],
    ];
    assert.deepEqual(args.slice(3), [...side(1), ...side(2)]);
  });

  test("what the person gave stays as it is, and is not given twice", async () => {
    const given = [
      ...["--user1", "an.alias@example.test", "-PASSFILE1", "/secret", "--nossl2"],
      ...["--host2=127.0.0.1", "--oauthaccesstoken2", "{token-file:2}"],
    ];
    const args = await argumentsOf(place.both, given);
    const filled = given.map((word) => word.replace("{token-file:2}", place.sides[1].tokenFile));
    assert.deepEqual(args.slice(0, filled.length), filled);
    const added = args.slice(filled.length);
    for (const name of ["--user1", "--password1", "--ssl2", "--host2", "--oauthaccesstoken2"]) {
      assert.ok(!added.includes(name), name);
    }
    for (const name of ["--user2", "--host1", "--ssl1", "--oauthaccesstoken1", "--password2"]) {
      assert.ok(added.includes(name), name);
    }
  });

  test("no token stands in an argument", async () => {
    const args = await argumentsOf(place.both);
    const secrets = place.sides.flatMap(({ account }) => account.secrets);
    assert.ok(secrets.length > 4);
    for (const secret of secrets) assert.ok(!args.some((word) => word.includes(secret)));
  });

  test("one address is the first side, or the side that is not another's", async () => {
    const first = await argumentsOf(place.one);
    assert.deepEqual(valuesOf(first, "--user1"), [source]);
    assert.ok(!first.some((word) => /^--\w+2$/.test(word)));
    const words = [target, ...place.scene.options];
    const given = ["--host1", "old.test", "--user1", "me", "--password1", "secret"];
    const second = await argumentsOf(words, given);
    assert.deepEqual(valuesOf(second, "--user2"), [target]);
    assert.deepEqual(valuesOf(second, "--oauthaccesstoken2"), [place.sides[1].tokenFile]);
    assert.ok(!second.includes("--oauthaccesstoken1"));
  });

  test("a token never goes to the other side's server", async () => {
    const words = [target, ...place.scene.options];
    const given = [
      ...["--host1", "old.test", "--user1", "me", "--password1", "secret"],
      ...["--user2", target],
    ];
    const args = await argumentsOf(words, given);
    assert.ok(!args.includes("--oauthaccesstoken1"));
    assert.deepEqual(valuesOf(args, "--oauthaccesstoken2"), [place.sides[1].tokenFile]);
  });

  test("one side by password: the stand-in logs in to the other one", async () => {
    const words = [target, ...place.scene.options, "--imapsync"];
    const given = ["--host1", "old.test", "--user1", "me", "--password1", "secret"];
    const { stdout, stderr, status } = await place.here(["./imapsync", ...given], { words });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, `old.test me: by password\nlocalhost ${target}: 7 messages\n`);
  });
});

describe("the same address on both sides, at two providers", () => {
  let google: Scene;
  let office: Scene;
  before(async () => {
    google = await setScene();
    office = await setScene();
    google.write(tokenFileText("google-access", "refresh-0-initial-token", future()));
    office.account.current = "refresh-0-of-office";
    office.account.secrets.push(office.account.current);
  });
  after(async () => {
    await google?.close();
    await office?.close();
  });
  beforeEach(() => {
    google.write(tokenFileText("google-access", google.account.current, future()));
    google.endpoint.requests.length = 0;
    office.endpoint.requests.length = 0;
    google.imap.logins.length = 0;
    office.imap.logins.length = 0;
    writeFileSync(officeFile(), tokenFileText("office-access", office.account.current, ofOffice()));
  });

  const future = () => ({ Expires: new Date(Date.now() + 3_600_000).toISOString() });
  const ofOffice = () => ({
    ...future(),
    Provider: "office365",
    Client: "office-client",
    Tenant: "contoso.example",
    Scope: "office-mail offline_access",
  });
  const officeFile = () => join(google.directory, "tokens", `oauth2_tokens_${user}_office365.txt`);

  /** Every option for its own side, and the home for both. */
  const words = () => [
    ...[user, user, "--home", google.directory, "--authorize-uri", "https://localhost/authorize"],
    ...["--provider1", "google", "--client-id1", "test-client", "--scope1", "mail"],
    ...["--token-uri1", google.endpoint.uri, "--imap-server1", `localhost:${google.imap.port}`],
    ...["--ca-file1", google.certificates.caFile],
    ...["--provider2", "office365", "--client-id2", "office-client"],
    ...["--tenant2", "contoso.example", "--scope2", "office-mail offline_access"],
    ...["--token-uri2", office.endpoint.uri, "--imap-server2", `localhost:${office.imap.port}`],
    ...["--ca-file2", office.certificates.caFile],
  ];

  function start(more: readonly string[], command: readonly string[]): Run {
    const options = { cwd: google.directory };
    return runProgram(["run", ...words(), ...more, "--", ...command], options);
  }

  test("each side has its own server, client, authority and file", async () => {
    const text = 'echo "$MXTOKEN_TOKEN_FILE_1"; echo "$MXTOKEN_TOKEN_FILE_2"';
    const { status, stdout, stderr } = await outcome(start([], ["sh", "-c", text]));
    assert.equal(status, 0, stderr);
    assert.equal(stdout, `${google.tokenFile}\n${officeFile()}\n`);
    const asked = (scene: Scene) => scene.endpoint.requests.map((body) => body.get("client_id"));
    assert.deepEqual(asked(google), ["test-client"]);
    assert.deepEqual(asked(office), ["office-client"]);
    // Only its own tokens came to each of the servers.
    const tokens = (scene: Scene) => scene.imap.logins.map(({ token }) => token);
    const lineOf = (file: string) => readFileSync(file, "utf8").split("\n")[0];
    assert.deepEqual(tokens(google), ["google-access", lineOf(google.tokenFile)]);
    assert.deepEqual(tokens(office), ["office-access", lineOf(officeFile())]);
    assert.ok(google.account.isAlive && office.account.isAlive);
  });

  test("the stand-in logs in to both", async () => {
    writeFileSync(join(google.directory, "imapsync"), imapsyncScript(), { mode: 0o755 });
    const { status, stdout, stderr } = await outcome(start(["--imapsync"], ["./imapsync"]));
    assert.equal(status, 0, stderr);
    assert.equal(stdout, `localhost ${user}: 7 messages\nlocalhost ${user}: 7 messages\n`);
    assert.equal(google.imap.logins.length, 3);
    assert.equal(office.imap.logins.length, 3);
  });

  test("with token files of their own, side by side", async () => {
    const mine = join(google.directory, "first.txt");
    cpSync(google.tokenFile, mine);
    const text = 'echo "$MXTOKEN_TOKEN_FILE_1"; echo "$MXTOKEN_TOKEN_FILE_2"';
    const more = ["--token-file1", "first.txt", "--token-file2", officeFile()];
    const { status, stdout, stderr } = await outcome(start(more, ["sh", "-c", text]));
    assert.equal(status, 0, stderr);
    assert.equal(stdout, `${mine}\n${officeFile()}\n`);
  });

  test("the other person's --login, for its side alone", async () => {
    const [first, second] = ["one@example.test", "two@example.test"];
    const write = (file: string, token: string, notes: Record<string, string>) =>
      writeFileSync(file, tokenFileText("access", token, notes));
    write(google.tokenFile, google.account.current, { ...future(), Login: first });
    write(officeFile(), office.account.current, { ...ofOffice(), Login: second });
    const right = await outcome(start(["--login1", first, "--login2", second], ["true"]));
    assert.equal(right.status, 0, right.stderr);
    for (const [one, two] of [
      [second, second],
      [first, first],
    ] as const) {
      const wrong = await outcome(start(["--login1", one, "--login2", two], ["true"]));
      assert.equal(wrong.status, 78, wrong.stderr);
    }
  });

  for (const [option, value] of [
    ["client-id", "somebody-elses"],
    ["tenant", "elsewhere.example"],
  ] as const) {
    test(`another --${option}2 than its file was made with: 78, and the first side is fine`, async () => {
      const all = words();
      const at = all.indexOf(`--${option}2`);
      all.splice(at, 2, `--${option}2`, value);
      const run = runProgram(["run", ...all, "--", "true"], { cwd: google.directory });
      const { status, stderr } = await outcome(run);
      assert.equal(status, 78, stderr);
      assert.ok(stderr.includes(value), stderr);
      assert.equal(google.endpoint.requests.length, 1);
      assert.equal(office.endpoint.requests.length, 0);
    });
  }

  test("an option for both is overruled by the one of a side", async () => {
    const more = ["--provider", "fastmail", "--client-id", "nobody", "--ca-file", "/nowhere.pem"];
    const { status, stderr } = await outcome(start(more, ["true"]));
    assert.equal(status, 0, stderr);
  });

  test("and the environment's is overruled by both", async () => {
    const env = { MXTOKEN_PROVIDER: "fastmail", MXTOKEN_TOKEN_URI: "https://localhost:1/" };
    const run = runProgram(["run", ...words(), "--", "true"], { cwd: google.directory, env });
    const { status, stderr } = await outcome(run);
    assert.equal(status, 0, stderr);
  });
});

describe("an imapsync that knows --oauthrefreshcmd1", () => {
  const knowing = `#!/bin/sh
for word; do [ "$word" = --help ] && { echo "  --oauthrefreshcmd1 str  : ..."; exit 0; }; done
printf "%s\\0" "$@"
`;

  /** The command for a side, and whether imapsync was given any. */
  async function commandOf(
    side: 1 | 2,
    words: readonly string[] = place.both,
    command: readonly string[] = [place.script("bin/imapsync", knowing)],
    how: RunScene["here"] = place.here,
  ): Promise<string | undefined> {
    const { stdout, status, stderr } = await how(command, { words: [...words, "--imapsync"] });
    assert.equal(status, 0, stderr);
    return valuesOf(stdout.split("\0"), `--oauthrefreshcmd${side}`)[0];
  }

  /** What a shell prints for it, in another directory. */
  async function printed(command: string | undefined): Promise<string> {
    assert.ok(command !== undefined, "there is no command");
    const run = runCommand("sh", ["-c", command], { cwd: temporaryDirectory() });
    const { status, stdout, stderr } = await outcome(run);
    assert.equal(status, 0, stderr);
    return stdout;
  }

  for (const number of [1, 2] as const) {
    test(`side ${number}: a shell prints a fresh token by it`, async () => {
      const command = await commandOf(number);
      const side = place.sides[number - 1] ?? assert.fail();
      assert.equal(await printed(command), `${side.lines().accessToken}\n`);
      // And a new one when the stored one is about to end.
      const requests = place.scene.endpoint.requests.length;
      side.write({ Expires: new Date(Date.now() + 1000).toISOString() });
      const before = side.lines().accessToken;
      const token = await printed(command);
      assert.equal(place.scene.endpoint.requests.length, requests + 1);
      assert.equal(token, `${side.lines().accessToken}\n`);
      assert.notEqual(token, `${before}\n`);
    });
  }

  test("the stand-in logs in with the tokens that it prints", async () => {
    const file = place.script("imapsync", imapsyncScript("export IMAPSYNC_KNOWS_REFRESH=1"));
    const { status, stdout, stderr } = await place.here([file], { more: ["--imapsync"] });
    assert.equal(status, 0, stderr);
    assert.equal(stdout, `localhost ${source}: 7 messages\nlocalhost ${target}: 7 messages\n`);
  });

  test("it is asked by the words before its first option, and what it is given stays", async () => {
    const file = place.script("bin/imapsync", knowing);
    const command = await commandOf(1, place.both, ["env", "sh", file, "--dry"]);
    assert.ok(command?.includes(" show "), command);
    const mine = ["--oauthrefreshcmd1", "mine"];
    assert.equal(await commandOf(1, place.both, [file, ...mine]), "mine");
  });

  const notKnowing: [string, string][] = [
    ["does not know it", "echo usage: imapsync; exit 0"],
    ["says so only on standard error", "echo --oauthrefreshcmd1 >&2; exit 0"],
    ["fails", "exit 1"],
    ["dies", "kill -9 $$"],
    ["says nothing", "exit 0"],
    ["never stops saying something", "exec yes usage"],
  ];
  for (const [what, help] of notKnowing) {
    test(`one whose --help ${what} gets the token file alone`, async () => {
      const text = `#!/bin/sh
for word; do if [ "$word" = --help ]; then ${help}; fi; done
printf "%s\\0" "$@"
`;
      const command = [place.script("bin/imapsync", text)];
      assert.equal(await commandOf(1, place.both, command), undefined);
    });
  }

  test("one whose --help fails, and that says it all the same, gets it", async () => {
    const text = knowing.replace("exit 0", "exit 64");
    const command = await commandOf(1, place.both, [place.script("bin/imapsync", text)]);
    assert.ok(command !== undefined);
  });

  test("another program is never started with --help", async () => {
    const file = place.script("bin/copier", `#!/bin/sh\necho "$@" >> ${place.path("asked")}\n`);
    const run = place.run([file], { more: ["--imapsync"] });
    assert.equal((await outcome(run)).status, 0);
    assert.doesNotMatch(readFileSync(place.path("asked"), "utf8"), /--help/);
  });

  test("one whose --help hangs is not waited for any longer than 20 seconds, and is ended", async () => {
    const said = place.path("pid");
    const text = `#!/bin/sh
for word; do [ "$word" = --help ] && { echo $$ > ${said}.part; mv ${said}.part ${said}; exec sleep 1000; }; done
printf "%s\\n" "$@" > ${place.path("given")}
`;
    const file = place.script("bin/imapsync", text);
    const world = testWorld({ cwd: place.scene.directory, now: Date.now() });
    const running = runMain(["run", ...place.both, "--imapsync", "--", file], world);
    let pid = 0;
    while (pid === 0) {
      await new Promise((resolve) => setImmediate(resolve));
      try {
        pid = Number(readFileSync(said, "utf8"));
      } catch {
        // Not yet.
      }
    }
    world.expire(20_000);
    const { status, stderr } = await running;
    assert.equal(status, 0, stderr);
    assert.doesNotMatch(readFileSync(place.path("given"), "utf8"), /oauthrefreshcmd/);
    assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  });

  describe("with odd characters in its paths", () => {
    for (const name of ['ümläut o\'neil says "☃"', "$HOME `id` $(id) a;b&c|d*?~"]) {
      test(name, async () => {
        const home = place.path(name);
        const program = join(home, "dist", "cli.js");
        cpSync(dirname(programPath), dirname(program), { recursive: true });
        mkdirSync(join(home, "node_modules"));
        symlinkSync(
          join(dirname(dirname(programPath)), "node_modules", "fs-native-extensions"),
          join(home, "node_modules", "fs-native-extensions"),
        );
        const ca = join(home, "ca file.pem");
        cpSync(place.scene.certificates.caFile, ca);
        const [side] = place.sides;
        const tokenFile = join(home, "my tokens.txt");
        cpSync(side.tokenFile, tokenFile);
        const options = [...place.scene.options, "--token-file", `${name}/my tokens.txt`];
        options.splice(options.indexOf("--ca-file") + 1, 1, `${name}/ca file.pem`);
        const file = place.script("bin/imapsync", knowing);
        const args = [program, "run", source, ...options, "--imapsync", "--", file];
        const run = runCommand(process.execPath, args, { cwd: place.scene.directory });
        const { status, stdout, stderr } = await outcome(run);
        assert.equal(status, 0, stderr);
        const given = stdout.split("\0");
        const [command] = valuesOf(given, "--oauthrefreshcmd1");
        assert.deepEqual(valuesOf(given, "--oauthaccesstoken1"), [tokenFile]);
        const line = () => readFileSync(tokenFile, "utf8").split("\n")[0];
        assert.equal(await printed(command), `${line()}\n`);
        // Also when it has to ask for one.
        const { current } = side.account;
        const Expires = new Date(Date.now() + 1000).toISOString();
        writeFileSync(tokenFile, tokenFileText("dying", current, { Account: source, Expires }));
        const fresh = await printed(command);
        assert.notEqual(fresh, "dying\n");
        assert.equal(fresh, `${line()}\n`);
      });
    }
  });

  test("with relative paths of secrets, and a token that has to be got, from another directory", async () => {
    place.script("secret.txt", "the-secret\n");
    const words = [...place.one, "--client-secret-file", "secret.txt"];
    // It is this process's directory that they are relative to.
    const asProcess: RunScene["here"] = (...how) => outcome(place.run(...how));
    const command = await commandOf(1, words, undefined, asProcess);
    const [side] = place.sides;
    side.write({ Expires: new Date(Date.now() + 1000).toISOString() });
    assert.equal(await printed(command), `${side.lines().accessToken}\n`);
    assert.equal(place.scene.endpoint.requests.at(-1)?.get("client_secret"), "the-secret");
  });

  test("of the second of two providers, it prints the second one's", async () => {
    const other = await setScene();
    const file = join(place.scene.directory, "tokens", `oauth2_tokens_${source}_office365.txt`);
    const Expires = new Date(Date.now() + 3_600_000).toISOString();
    const notes = { Account: source, Provider: "office365", Client: "office-client", Expires };
    writeFileSync(file, tokenFileText("office-access", other.account.current, notes));
    const words = [
      ...[source, ...place.one],
      ...["--provider2", "office365", "--client-id2", "office-client"],
      ...["--token-uri2", other.endpoint.uri, "--imap-server2", `localhost:${other.imap.port}`],
      ...["--ca-file2", other.certificates.caFile],
    ];
    const command = await commandOf(2, words);
    const token = await printed(command);
    await other.close();
    assert.equal(token, `${readFileSync(file, "utf8").split("\n")[0]}\n`);
    assert.notEqual(token, `${place.sides[0].lines().accessToken}\n`);
  });
});

describe("against Dovecot and oidc-provider", () => {
  let directory: string;
  let certificates: Certificates;
  let server: AuthorizationServer;
  let dovecot: Dovecot;
  let options: string[];

  before(async () => {
    directory = temporaryDirectory();
    certificates = await issueCertificates(directory);
    server = await startAuthorizationServer(certificates);
    dovecot = await startDovecot(directory, certificates, server, [source, target]);
    options = [
      ...["--provider", "office365", "--client-id", server.clientId],
      ...["--scope", "mail offline_access", "--redirect-uri", "https://localhost"],
      ...["--authorize-uri", server.authorizeUri, "--token-uri", server.tokenUri],
      ...["--ca-file", certificates.caFile, "--home", join(directory, "home")],
    ];
    for (const address of [source, target]) await signIn(address);
  });
  after(async () => {
    await dovecot?.close();
    await server?.close();
  });

  async function signIn(address: string): Promise<void> {
    const world = testWorld({ cwd: directory, now: Date.now() });
    const { main } = await import("../../src/cli/main.ts");
    const more = ["--imap-server", `localhost:${dovecot.imaps}`, "--remotebrowser"];
    const signingIn = main([address, ...options, ...more], world);
    const url = /^https:\/\/\S+code_challenge\S+$/m;
    await world.shown(url);
    world.stdin.end(`${await server.signIn(url.exec(world.written.stderr)?.[0] ?? "")}\n`);
    assert.equal(await signingIn, 0, world.written.stderr);
  }

  for (const [what, endpoint] of [
    ["TLS at once", () => `localhost:${dovecot.imaps}`],
    ["STARTTLS", () => `starttls://localhost:${dovecot.imap}`],
  ] as const) {
    test(`the stand-in opens both mailboxes, by ${what}`, async () => {
      const file = join(directory, "imapsync");
      writeFileSync(file, imapsyncScript(), { mode: 0o755 });
      const words = [source, target, ...options, "--imap-server", endpoint(), "--imapsync"];
      const { status, stdout, stderr } = await outcome(
        runProgram(["run", ...words, "--", file], { cwd: directory }),
      );
      assert.equal(status, 0, stderr);
      assert.equal(stdout, `localhost ${source}: 2 messages\nlocalhost ${target}: 2 messages\n`);
    });
  }
});
