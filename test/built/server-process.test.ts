import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryDirectory } from "../scene/certificates.ts";
import { freePort } from "../scene/loopback.ts";
import { runCommand } from "../scene/program.ts";
import { type ServerCommand, startServer } from "../scene/server-process.ts";

async function command(program: string, ...args: string[]): Promise<ServerCommand> {
  const stderrFile = join(temporaryDirectory(), "stderr");
  return { name: "The server", program, args, stderrFile, port: await freePort() };
}

describe("a server that does not start fails at once, with its own words", () => {
  test("it ends", async () => {
    const server = await command("sh", "-c", "echo 'no such setting' >&2; exit 89");
    await assert.rejects(
      startServer(server),
      /^Error: The server ended at once \(89\): no such setting$/m,
    );
  });

  test("it is killed", async () => {
    const server = await command("sh", "-c", "echo 'out of memory' >&2; kill -KILL $$");
    await assert.rejects(
      startServer(server),
      /The server ended at once \(SIGKILL\): out of memory/,
    );
  });

  test("it is not there", async () => {
    const server = await command("/nowhere/server");
    await assert.rejects(startServer(server), /The server cannot be started: .*ENOENT/);
  });

  for (const words of ["auth: Fatal: Unknown driver", "postfix/smtpd[7]: fatal: no SASL"]) {
    test(`it goes on, and says ${words}`, async () => {
      const server = await command("sh", "-c", `echo '${words}' >&2; exec sleep 1000`);
      await assert.rejects(startServer(server), (error: Error) => {
        assert.equal(error.message, `The server cannot go on: ${words}\n`);
        return true;
      });
    });
  }

  test("it says so in its log, and hangs up on everybody", async () => {
    const listener = createServer((socket) => socket.end());
    const server = { ...(await command("sleep", "1000")), greeting: "* OK" };
    await new Promise<void>((resolve) => listener.listen(server.port, "127.0.0.1", resolve));
    let visits = 0;
    listener.on("connection", () => {
      visits += 1;
    });
    const log = () => (visits < 3 ? undefined : "Panic: that is it");
    await assert.rejects(startServer({ ...server, log }), /cannot go on: Panic: that is it/);
    await new Promise((resolve) => listener.close(resolve));
  });
});

test("a test whose server does not start, after another that did, ends by itself", async () => {
  const directory = temporaryDirectory();
  const path = join(directory, "example.test.ts");
  const peer = (name: string) => JSON.stringify(import.meta.resolve(`../scene/${name}.ts`));
  writeFileSync(
    path,
    `import { after, before, describe, test } from "node:test";
     import { issueCertificates } from ${peer("certificates")};
     import { startImapPeer } from ${peer("imap-peer")};
     import { startServer } from ${peer("server-process")};
     describe("with two servers", () => {
       let imap, server;
       before(async () => {
         imap = await startImapPeer(await issueCertificates(${JSON.stringify(directory)}));
         server = await startServer({
           ...{ name: "The other", program: "sh", args: ["-c", "echo no >&2; exit 1"] },
           ...{ stderrFile: ${JSON.stringify(join(directory, "stderr"))}, port: 1 },
         });
       });
       after(async () => {
         await server?.close();
       });
       test("something", () => undefined);
     });`,
  );
  const tsx = import.meta.resolve("tsx");
  const run = runCommand(process.execPath, ["--import", tsx, "--test", path], { cwd: directory });
  assert.equal((await run.ended).status, 1);
  assert.match(run.written.stdout, /The other ended at once \(1\): no/);
  assert.match(run.written.stdout, /^# cancelled 1$/m);
});
