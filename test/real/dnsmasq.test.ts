import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { getServers } from "node:dns";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { quoteForShell } from "../../src/programs/commands-to-copy.ts";
import { showEndpoint } from "../../src/settings/servers.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import { startDnsServer } from "../scene/dns-server.ts";
import {
  type Dnsmasq,
  dnsmasqOptions,
  dnsmasqZone,
  manyHosts,
  startDnsmasq,
} from "../scene/dnsmasq.ts";
import { programPath, runProgram } from "../scene/program.ts";
import { rootCommand } from "../scene/root.ts";

const directory = temporaryDirectory();

describe("the built program and a real resolver", () => {
  let resolver: Dnsmasq;
  before(async () => {
    resolver = await startDnsmasq();
  });
  after(() => resolver?.close());

  async function provider(text: string, server = resolver.address, ...more: string[]) {
    const args = ["provider", text, "--dns-server", server, ...more];
    const run = runProgram(args, { cwd: directory });
    return { ...(await run.ended), ...run.written };
  }

  test("finds the provider", async () => {
    const { status, stdout, stderr } = await provider("foo@contoso.test");
    assert.deepEqual([status, stderr], [0, "mxtoken: asking DNS for the MX of contoso.test\n"]);
    assert.match(stdout, /^provider\s+office365 /);
    assert.match(stdout, /^evidence\s+MX contoso-test\.mail\.protection\.outlook\.com$/m);
  });

  test("finds the provider of an internationalised domain", async () => {
    const { status, stdout } = await provider("foo@B\u00dcCHER.test");
    assert.equal(status, 0);
    assert.match(stdout, /^provider\s+google /);
  });

  test("fetches a long answer by TCP", async () => {
    const { status, stderr } = await provider("many.test", resolver.address, "--verbose");
    assert.equal(status, 0, stderr);
    assert.match(stderr, /: truncated$/m);
    const byTcp = /by TCP: (.*)$/m.exec(stderr)?.[1] ?? "";
    assert.equal(byTcp.split(" ").length, manyHosts);
  });

  for (const [domain, message] of [
    ["nowhere.test", /the domain nowhere\.test does not exist \(NXDOMAIN, says 127\.0\.0\.1:\d+\)/],
    ["web.test", /web\.test has no MX records/],
    ["null.test", /null\.test takes no mail/],
    ["moving.test", /more than one provider: google .* and office365/],
  ] as const) {
    test(`tells what is wrong with ${domain}`, async () => {
      const { status, stdout, stderr } = await provider(domain);
      assert.deepEqual([status, stdout], [68, ""]);
      assert.match(stderr, message);
    });
  }

  test("a resolver that says nothing is given up, and the process ends with nothing left open", async () => {
    const mute = await startDnsServer();
    mute.answer = ({ transport }) => (transport === "udp" ? [{ truncated: true }] : ["silence"]);
    const { status, stderr } = await provider("contoso.test", mute.address);
    assert.equal(status, 75);
    // On a slow machine the truncated answer may be what is left of the last attempt.
    assert.match(stderr, /no answer in 3 seconds|a truncated answer, and nothing better by TCP/);
    await mute.close();
  });

  test("Ctrl-C ends the wait for a resolver", async () => {
    const mute = await startDnsServer();
    const args = ["provider", "contoso.test", "--dns-server", mute.address];
    const run = runProgram(args, { cwd: directory });
    mute.answer = () => {
      run.child.kill("SIGINT");
      return ["silence"];
    };
    assert.deepEqual(await run.ended, { status: 130, signal: null });
    await mute.close();
  });
});

/**
 * Asks the resolvers of the system's configuration, in a network of its own where one of them is this machine.
 *
 * @param address by which dnsmasq is reached, perhaps with a zone
 * @param prepare makes the network, and what else is to be different
 * @param place where dnsmasq listens
 */
async function askBySystem(address: string, prepare: string, place: readonly string[]) {
  const command = (words: readonly string[]) => words.map(quoteForShell).join(" ");
  const connects = `require('net').connect(53, '${address}').on('connect', () => process.exit()).on('error', () => process.exit(1))`;
  const script = `
    PATH="$PATH:/usr/sbin:/sbin"
    ip link set lo up
    ${prepare}
    ${command(["dnsmasq", ...dnsmasqOptions, ...place, "--port=53", ...dnsmasqZone])} 2>/dev/null &
    until ${command([process.execPath, "-e", connects])}; do kill -0 $! || exit 1; done
    ${command([process.execPath, programPath, "provider", "contoso.test", "--verbose"])}
    echo "status $?"
    kill $!
    wait`;
  const [program, args] = rootCommand("unshare", "--net", "--mount", "sh", "-c", script);
  const child = spawn(program, args, { cwd: directory, stdio: ["ignore", "pipe", "pipe"] });
  const written = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].on("data", (chunk) => {
      written[name] += String(chunk);
    });
  }
  await new Promise((resolve) => child.once("close", resolve));
  assert.match(written.stdout, /^provider\s+office365 [\s\S]*^status 0$/m, written.stderr);
  const shown = `DNS ${showEndpoint({ host: address, port: 53 })}: contoso-test.mail.protection.outlook.com`;
  assert.ok(written.stderr.includes(shown), written.stderr);
  return written.stderr;
}

test("the resolvers of the system's configuration are asked", async () => {
  const [resolver = ""] = getServers();
  const prepare = `ip address add ${resolver} dev lo 2>/dev/null`;
  await askBySystem(resolver, prepare, [`--listen-address=${resolver}`]);
});

test("those of one link-local address on two interfaces are asked one after the other", async () => {
  const configuration = join(directory, "resolv.conf");
  writeFileSync(configuration, "nameserver fe80:0:0:0:0:0:0:53%mail1\nnameserver fe80::53%mail0\n");
  const interfaces = ["mail0", "mail1"].map(
    (name) => `ip link set ${name} up; ip address add fe80::53/64 dev ${name} nodad`,
  );
  const prepare = `
    ip link add mail0 type veth peer name mail1
    ${interfaces.join("\n")}
    mount --bind ${quoteForShell(configuration)} /etc/resolv.conf`;
  const place = ["--interface=mail0", "--except-interface=lo"];
  const told = await askBySystem("fe80::53%mail0", prepare, place);
  assert.ok(told.includes("DNS [fe80::53%mail1]:53: nobody listens there"), told);
});
