import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { startImapPeer } from "../scene/imap-peer.ts";
import { programPath, type RunOptions, runProgram } from "../scene/program.ts";
import { rootCommand } from "../scene/root.ts";
import { type Result, runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { testWorld } from "../scene/world.ts";

const directory = temporaryDirectory();

async function run(args: readonly string[], options: Partial<RunOptions> = {}) {
  const run = runProgram(args, { cwd: directory, ...options });
  const { status } = await run.ended;
  return { status, ...run.written };
}

/** The same in this process. */
function here(args: readonly string[], cwd = directory): Promise<Result> {
  const env = { PATH: process.env["PATH"] ?? "", HOME: cwd };
  return runMain(args, testWorld({ cwd, env }));
}

describe("what it cannot use", () => {
  const office = [user, "--provider", "office365"];
  const own = [
    "--authorize-uri",
    "https://a.example/a",
    "--token-uri",
    "https://a.example/t",
    "--scope",
    "s",
    "--client-id",
    "c",
    "--imap-server",
    "imap.example",
  ];
  // It asks at once for a token of its own.
  const application = [user, ...own, "--flow", "client-credentials"];
  const cases: [string, string[], number, RegExp][] = [
    ["no address", [], 64, /no mailbox address/],
    ["not an address", ["foo"], 64, /"foo" is not a mailbox address/],
    ["two addresses", [...office, "bar@example.test"], 64, /one address at a time/],
    ["an unknown option", [...office, "--frobnicate"], 64, /unknown option --frobnicate/],
    ["an unknown short option", [...office, "-z"], 64, /unknown option -z/],
    ["a bad number", [...office, "--timeout", "abc"], 64, /--timeout: "abc"/],
    ["a number below one", [...office, "--timeout", "0"], 64, /--timeout/],
    ["a negative number", [...office, "--timeout=-5"], 64, /--timeout/],
    ["an option without its value", [user, "--provider"], 64, /provider/],
    ["an empty value", [user, "--provider", ""], 64, /needs a value/],
    ["an option twice", [...office, "--provider", "google"], 64, /more than once/],
    ["a flag with a value", [...office, "--startover=no"], 64, /takes no value/],
    ["an unknown provider", [user, "--provider", "nobody"], 64, /"nobody" is not known/],
    [
      "a token endpoint without TLS",
      [...office, "--token-uri", "http://localhost/token"],
      64,
      /must begin with https/,
    ],
    [
      "a password in an endpoint",
      [...office, "--token-uri", "https://me:pass@a.example/t"],
      64,
      /no user and no password/,
    ],
    ["a number too large", [...office, "--timeout", "3000000"], 64, /--timeout/],
    [
      "a secret for an application that is not one's own",
      [...office, "--client-secret", "x"],
      78,
      /not an application of yours/,
    ],
    ["a login that is none", [...office, "--login", "me"], 64, /--login: "me" is not/],
    [
      "an authorization endpoint without TLS",
      [...office, "--authorize-uri", "http://localhost/a"],
      64,
      /must begin with https/,
    ],
    [
      "a redirect URI that is none",
      [...office, "--redirect-uri", "localhost"],
      64,
      /not a redirect URI/,
    ],
    [
      "an IMAP server that is none",
      [...office, "--imap-server", "imap.example:99999"],
      64,
      /HOST\[:PORT\]/,
    ],
    [
      "an IMAP server in clear",
      [...office, "--imap-server", "imap://imap.example"],
      64,
      /HOST\[:PORT\]/,
    ],
    ["a proxy that is none", [...office, "--proxy", "ftp://x:y@z"], 64, /--proxy must look like/],
    ["a tenant that is none", [...office, "--tenant", "a/b"], 64, /not a tenant/],
    ["one value missing", [user, ...own.slice(0, -2)], 78, /are needed too: --imap-server$/m],
    ["a mistyped command", ["chek", user], 64, /"chek" is neither a command nor an address$/m],
    ["quiet and verbose at once", [...office, "--quiet", "--debug"], 78, /contradict/],
    [
      "a directory that cannot be made",
      [...office, "--home", "/proc/x", "--timeout", "5"],
      73,
      /cannot write \/proc\/x/,
    ],
    ["oauth2_imap's single dash", [user, "-token_file=x", "-provider", "nobody"], 64, /"nobody"/],
    ["no provider with OAuth", ["foo@icloud.com"], 68, /iCloud Mail has no OAuth 2\.0 for IMAP/],
    [
      "an unknown application",
      [...office, "--app", "nobody"],
      78,
      /no application "nobody" is known at office365/,
    ],
    [
      "the application imapsync without its secret",
      [...office, "--app", "imapsync"],
      78,
      /its author's and not ours to ship/,
    ],
    [
      "contradicting applications",
      [...office, "--app", "imapsync", "--thunderbird"],
      78,
      /contradict/,
    ],
    [
      "a tenant where there is none",
      [user, "--provider", "google", "--tenant", "x"],
      78,
      /has no tenants/,
    ],
    [
      "a CA file that is not there",
      [...office, "--ca-file", "nowhere.pem"],
      78,
      /nowhere\.pem: it does not exist/,
    ],
    [
      "two sources of a secret",
      [...office, "--client-secret-file", "a", "--client-secret-command", "b"],
      78,
      /more than once/,
    ],
    [
      "a secret command that fails",
      [...application, "--client-secret-command", "exit 3"],
      78,
      /ended with status 3/,
    ],
    [
      "a secret command that prints nothing",
      [...application, "--client-secret-command", "true"],
      78,
      /is empty/,
    ],
    [
      "a secret file that is not there",
      [...application, "--client-secret-file", "nowhere"],
      78,
      /nowhere: it does not exist/,
    ],
    [
      "a check without a stored token",
      ["check", user, "--provider", "google"],
      77,
      /there is no access token in/,
    ],
    ["nobody there to sign in", office, 77, /nobody is there/],
    ["nobody there, all values given", [user, ...own], 77, /nobody is there/],
  ];
  for (const [what, args, status, words] of cases) {
    test(`${what}: ${status} and a sentence`, async () => {
      const result = await here(args);
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, words);
      assert.match(result.stderr, /^mxtoken: /);
      assert.equal(result.stdout, "");
    });
  }

  test("the built program says the same", async () => {
    for (const [, args] of cases.filter(([, , status], index) => index === 0 || status === 68)) {
      assert.deepEqual(await run(args), await here(args));
    }
  });

  for (const [args, hint] of [
    [["--frobnicate", ...office], "mxtoken --help"],
    [["check", user, "--frobnicate"], "mxtoken check --help"],
    [["--dns-server", "192.0.2.1", "provider", user, "--frobnicate"], "mxtoken provider --help"],
  ] as const) {
    test(`an unknown option leads to ${hint}`, async () => {
      const { stderr } = await here(args);
      assert.ok(stderr.endsWith(`mxtoken: hint: see ${hint}\n`), stderr);
    });
  }

  test("a CA file that holds none, and a token file that is none: 65", async () => {
    writeFileSync(
      join(directory, "not.pem"),
      "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n",
    );
    writeFileSync(join(directory, "not-a-token.txt"), '{"access_token": "x"}\n');
    for (const more of [
      ["--ca-file", "not.pem"],
      ["--token-file", "not-a-token.txt"],
    ]) {
      const result = await here([...office, ...more]);
      assert.equal(result.status, 65, result.stderr);
    }
    assert.equal(
      readFileSync(join(directory, "not-a-token.txt"), "utf8"),
      '{"access_token": "x"}\n',
    );
  });

  test("--json tells a failure as one document on standard output", async () => {
    const result = await run(["foo@icloud.com", "--json"]);
    assert.equal(result.status, 68);
    const { ok, error } = JSON.parse(result.stdout);
    assert.deepEqual([ok, error.code, error.exitStatus], [false, "noProvider", 68]);
    assert.ok(error.message.includes("iCloud") && error.hint.includes("app-specific password"));
  });

  test("--help and --version go to standard output", async () => {
    const help = await run(["--help"]);
    assert.equal(help.status, 0);
    assert.match(help.stdout, /--token-file/);
    const version = await run(["--version"]);
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
    assert.equal(help.stderr + version.stderr, "");
  });

  test("the language of the system changes nothing", async () => {
    const result = await run([user, "--frob"], {
      env: { LC_ALL: "de_DE.UTF-8", LANG: "de_DE.UTF-8" },
    });
    assert.match(result.stderr, /unknown option --frob/);
  });
});

describe("the built program at work", () => {
  let scene: Scene;
  before(async () => {
    scene = await setScene();
  });
  after(() => scene?.close());
  const store = () => {
    const Expires = new Date(Date.now() + 3_600_000).toISOString();
    scene.write(tokenFileText("old-access-token", scene.account.current, { Expires }));
  };

  test("as oauth2_imap, with oauth2_imap's option names", async () => {
    const manifest = JSON.parse(
      readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
    );
    assert.deepEqual(Object.keys(manifest.bin), ["mxtoken", "oauth2_imap"]);
    writeFileSync(
      join(scene.directory, "x.txt"),
      tokenFileText("a", scene.account.current, { Provider: "gmail" }),
    );
    const result = await run(
      [
        ...[
          "--provider",
          "gmail",
          "--token_file",
          "x.txt",
          "--application",
          "thunderbird",
          "--debug",
        ],
        ...["--authorize_uri", "https://localhost/authorize", "--token_uri", scene.endpoint.uri],
        ...[
          "--client_id",
          "test-client",
          "--client_secret",
          "own-client-secret",
          "--scope_string",
          "mail",
        ],
        ...["--redirect_uri", "https://localhost", "--imap_server", `localhost:${scene.imap.port}`],
        ...["--ca_file", scene.certificates.caFile, "--remotebrowser", user],
      ],
      { cwd: scene.directory },
    );
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stdout, `${join(scene.directory, "x.txt")}\n`);
    assert.match(result.stderr, /warning: --client-secret can be read by everybody/);
    assert.equal(scene.endpoint.requests.at(-1)?.get("client_secret"), "own-client-secret");
    assert.ok(!result.stderr.includes("own-client-secret"));
    assert.match(result.stderr, /IMAP > /);
  });

  test("--quiet says nothing when all is well, and only the error when it is not", async () => {
    store();
    const good = await run([user, ...scene.options, "--quiet"]);
    assert.deepEqual([good.status, good.stderr, good.stdout], [0, "", `${scene.tokenFile}\n`]);
    const bad = await run(["foo@icloud.com", "--quiet"]);
    assert.equal(bad.status, 68);
    assert.match(bad.stderr, /^mxtoken: iCloud.*\nmxtoken: hint: .*\n$/);
  });

  test("--json is one document, and nothing else is on standard output", async () => {
    store();
    const result = await run([user, ...scene.options, "--json"]);
    assert.equal(result.status, 0, result.stderr);
    const document = JSON.parse(result.stdout);
    assert.deepEqual(
      [document.ok, document.account, document.provider, document.tokenFile, document.client],
      [true, user, "google", scene.tokenFile, "test-client"],
    );
    assert.equal(document.findings[0].result, "accepted");
    assert.match(document.expires, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  });

  test("a secret from the environment, a file or a command is sent and never seen", async () => {
    const file = join(scene.directory, "secret.txt");
    writeFileSync(file, "\uFEFFthe-client-secret\r\nsecond line\n");
    const ways: [string[], Record<string, string>][] = [
      [[], { MXTOKEN_CLIENT_SECRET: "the-client-secret" }],
      [["--client-secret-file", file], { MXTOKEN_CLIENT_SECRET: "another-one" }],
      [["--client-secret-command", `cat '${file}'`], {}],
      [[], { MXTOKEN_CLIENT_SECRET_FILE: file }],
    ];
    for (const [more, env] of ways) {
      store();
      let commandLine = "";
      let pid = 0;
      scene.endpoint.answer = (request) => {
        commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        return scene.account.answer(request);
      };
      const started = runProgram([user, ...scene.options, "--verbose", ...more], {
        cwd: scene.directory,
        env,
      });
      pid = started.child.pid ?? 0;
      const { status } = await started.ended;
      assert.equal(status, 0, started.written.stderr);
      assert.equal(scene.endpoint.requests.at(-1)?.get("client_secret"), "the-client-secret");
      const shown = started.written.stdout + started.written.stderr + commandLine;
      assert.ok(commandLine.includes(user));
      for (const secret of ["the-client-secret", "old-access-token", ...scene.account.secrets]) {
        assert.ok(!shown.includes(secret), secret);
      }
    }
    scene.endpoint.answer = scene.account.answer;
  });

  test("what a server quotes back is blacked out", async () => {
    store();
    scene.endpoint.answer = (request) => ({
      status: 400,
      body: {
        error: "invalid_request",
        error_description: `bad token ${request.get("refresh_token")}`,
      },
    });
    const result = await run([user, ...scene.options, "--verbose", "--json"]);
    scene.endpoint.answer = scene.account.answer;
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /bad token \[secret\]/);
    assert.ok(!(result.stdout + result.stderr).includes(scene.account.current));
  });

  test("options come before the environment", async () => {
    store();
    const result = await run([user, ...scene.options], {
      env: {
        MXTOKEN_PROVIDER: "office365",
        MXTOKEN_CLIENT_ID: "another",
        MXTOKEN_HOME: "/nowhere",
      },
    });
    assert.equal(result.status, 0, result.stderr);
  });

  test("the environment comes before the catalogue", async () => {
    store();
    const env = {
      MXTOKEN_PROVIDER: "google",
      MXTOKEN_CLIENT_ID: "test-client",
      MXTOKEN_TOKEN_URI: scene.endpoint.uri,
      MXTOKEN_IMAP_SERVER: `localhost:${scene.imap.port}`,
      MXTOKEN_CA_FILE: scene.certificates.caFile,
      MXTOKEN_HOME: scene.directory,
    };
    assert.equal((await run([user], { env })).status, 0);
  });

  test("HTTPS_PROXY is followed for the token request", async () => {
    store();
    const env = { HTTPS_PROXY: "http://127.0.0.1:9", NO_PROXY: "" };
    assert.equal((await run([user, ...scene.options], { env })).status, 75);
    const without = { ...env, NO_PROXY: "localhost" };
    assert.equal((await run([user, ...scene.options], { env: without })).status, 0);
  });

  test("HTTPS_PROXY without a scheme is understood, and nonsense is refused before anything", async () => {
    for (const [value, status, words] of [
      [
        "127.0.0.1:9",
        75,
        /cannot reach the proxy 127\.0\.0\.1:9 \(HTTPS_PROXY\): the connection was ref/,
      ],
      ["socks5://me:proxy-password@127.0.0.1:9", 75, /the proxy 127\.0\.0\.1:9 \(HTTPS_PROXY\)/],
      ["http://me:proxy#password@127.0.0.1:9", 78, /HTTPS_PROXY must look like .*%23/s],
      ["http://", 78, /HTTPS_PROXY must look like/],
    ] as const) {
      store();
      const result = await run([user, ...scene.options], { env: { HTTPS_PROXY: value } });
      assert.equal(result.status, status, result.stderr);
      assert.match(result.stderr, words);
      assert.doesNotMatch(result.stderr, /proxy.password|Warning/);
    }
  });

  test("a file that everybody can read brings a warning, and is closed by the refresh", async () => {
    store();
    chmodSync(scene.tokenFile, 0o644);
    const result = await run([user, ...scene.options]);
    assert.match(result.stderr, /warning: .* can be read by everybody/);
    assert.equal(statSync(scene.tokenFile).mode & 0o777, 0o600);
  });

  test("where a system has no file modes, as Windows, they bring no warning", async () => {
    store();
    chmodSync(scene.tokenFile, 0o644);
    const result = await scene.run(undefined, { ...scene.world(), user: undefined });
    assert.equal(result.status, 0, result.stderr);
    assert.doesNotMatch(result.stderr, /warning/);
  });

  test("--ca-file adds to the authorities that are trusted already", async () => {
    store();
    // Two authorities: the IMAP server's comes by the option, the token endpoint's by Node's way.
    const others = await issueCertificates(temporaryDirectory());
    const imap = await startImapPeer(others);
    const options = [...scene.options];
    options[options.indexOf("--imap-server") + 1] = `localhost:${imap.port}`;
    options[options.indexOf("--ca-file") + 1] = others.caFile;
    const result = await run([user, ...options], {
      env: { NODE_EXTRA_CA_CERTS: scene.certificates.caFile },
    });
    await imap.close();
    assert.equal(result.status, 0, result.stderr);
  });

  test("TLS is verified even where the environment switches that off", async () => {
    const env = { NODE_TLS_REJECT_UNAUTHORIZED: "0" };
    const position = scene.options.indexOf("--ca-file");
    const without = scene.options.filter(
      (_, index) => index !== position && index !== position + 1,
    );
    store();
    const before = [scene.endpoint.requests.length, scene.imap.logins.length];
    const result = await run([user, ...without], { env });
    assert.equal(result.status, 75, result.stderr);
    assert.match(result.stderr, /cannot be trusted/);
    assert.deepEqual([scene.endpoint.requests.length, scene.imap.logins.length], before);
  });

  test("check knows the options of every mailbox command, and minds them", async () => {
    store();
    const args = ["check", user, ...scene.options];
    assert.equal((await run(args)).status, 0);
    const other = await run([...args.slice(0, -2), "--home", scene.directory, "--tenant", "x"]);
    assert.equal(other.status, 0, "a tenant that the file does not name");
    const wrong = args.map((word) => (word === "test-client" ? "another-client" : word));
    assert.equal((await run(wrong)).status, 78);
  });

  test("a reader that has gone away does not end the program in the middle", async () => {
    store();
    const child = spawn(process.execPath, [programPath, user, ...scene.options], {
      cwd: scene.directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stderr.destroy();
    child.stdout.destroy();
    const status = await new Promise((resolve) => child.once("exit", resolve));
    assert.equal(scene.lines().refreshToken, scene.account.current);
    assert.equal(status, 73);
  });

  test("a standard output that nobody reads: 73, in words", async () => {
    const child = spawn(process.execPath, [programPath, "provider", "gmail.com"], {
      cwd: scene.directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.destroy();
    let words = "";
    child.stderr.on("data", (chunk) => {
      words += String(chunk);
    });
    assert.equal(await new Promise((resolve) => child.once("close", resolve)), 73);
    assert.equal(words, "mxtoken: cannot write to standard output: nobody reads it any more\n");
  });

  test("a standard output that is full: 73, and the tokens are saved", async () => {
    store();
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [programPath, user, ...scene.options], {
      cwd: scene.directory,
      stdio: ["ignore", full, "ignore"],
    });
    closeSync(full);
    assert.equal(await new Promise((resolve) => child.once("exit", resolve)), 73);
    assert.equal(scene.lines().refreshToken, scene.account.current);
  });
});

describe("where the token file is", () => {
  const options = ["--provider", "google"];
  const fileIn = (stderr: string) => /token file (.*)/.exec(stderr)?.[1];
  const fileOf = async (cwd: string, args: string[], env = {}) =>
    fileIn((await run(args, { cwd, env })).stderr);
  const fileHere = async (cwd: string, args: string[]) => fileIn((await here(args, cwd)).stderr);

  test("in a tokens/ of the current directory that is the user's own", async () => {
    const cwd = join(directory, "with-tokens");
    mkdirSync(join(cwd, "tokens"), { recursive: true });
    const name = `oauth2_tokens_${user}.txt`;
    assert.equal(await fileOf(cwd, [user, ...options]), join(cwd, "tokens", name));
    chmodSync(join(cwd, "tokens"), 0o777);
    assert.equal(
      await fileOf(cwd, [user, ...options]),
      join(cwd, ".local/share/mxtoken/tokens", name),
    );
    const home = ["--home", "here"];
    assert.equal(await fileOf(cwd, [user, ...options, ...home]), join(cwd, "here/tokens", name));
    const env = { MXTOKEN_HOME: "there" };
    assert.equal(await fileOf(cwd, [user, ...options], env), join(cwd, "there/tokens", name));
    const xdg = { XDG_DATA_HOME: join(cwd, "xdg") };
    assert.equal(await fileOf(cwd, [user, ...options], xdg), join(cwd, "xdg/mxtoken/tokens", name));
  });

  test("nowhere where no home is known, as for a bare user id in a container", () => {
    const place = mkdtempSync(join(directory, "bare-"));
    cpSync(dirname(programPath), join(place, "dist"), { recursive: true });
    for (const each of [directory, place]) chmodSync(each, 0o755);
    const ask = (...args: string[]) => {
      const as = ["--reuid", "54321", "--regid", "54321", "--clear-groups"];
      const name = basename(programPath);
      const command = [process.execPath, join(place, "dist", name), "show", user, ...args];
      const [file, words] = rootCommand("setpriv", ...as, "env", "-i", ...command);
      return spawnSync(file, words, { cwd: place, encoding: "utf8" });
    };
    const { status, stderr } = ask();
    assert.equal(status, 78, stderr);
    assert.match(stderr, /no home directory is known[\s\S]*--home DIRECTORY, or HOME/);
    assert.equal(ask("--home", place).status, 77);
    assert.deepEqual(readdirSync(place), ["dist"]);
  });

  test("an address cannot lead out of the directory, and the case of its letters does not matter", async () => {
    const cases = {
      "../../x@example.com": "oauth2_tokens_..%2f..%2fx@example.com.txt",
      "a*b?c|d@example.com": "oauth2_tokens_a%2ab%3fc%7cd@example.com.txt",
      "Foo@Example.COM": "oauth2_tokens_foo@example.com.txt",
      "foo@München.example": "oauth2_tokens_foo@xn--mnchen-3ya.example.txt",
    };
    for (const [address, name] of Object.entries(cases)) {
      assert.equal(
        await fileHere(directory, [address, ...options, "--home", "h"]),
        join(directory, "h/tokens", name),
      );
    }
    const long = `${"x".repeat(64)}@${"abcdefghi.".repeat(18)}example`;
    const path = (await fileHere(directory, [long, ...options, "--home", "h"])) ?? "";
    assert.match(path, /oauth2_tokens_[0-9a-f]{32}\.txt$/);
  });

  test("a file that oauth2_imap named by capital letters is taken over", async () => {
    const cwd = join(directory, "capitals");
    mkdirSync(join(cwd, "tokens"), { recursive: true });
    const path = join(cwd, "tokens", "oauth2_tokens_Foo@Example.com.txt");
    writeFileSync(path, "access\n\n");
    assert.equal(await fileHere(cwd, ["Foo@Example.com", ...options]), path);
    assert.ok(existsSync(path));
  });
});
