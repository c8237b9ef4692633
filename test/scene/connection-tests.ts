import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Interrupted } from "../../src/errors.ts";
import type { Finding, TlsStart } from "../../src/mail-server.ts";
import type { Mailbox } from "../../src/mailbox.ts";
import type { Secret } from "../../src/secret.ts";
import type { World } from "../../src/world/world.ts";
import { type Certificates, issueCertificates } from "./certificates.ts";
import type { LineServer } from "./line-session.ts";
import {
  assertNotAccepted,
  proxyAt,
  startHttpProxy,
  startMuteServer,
  startSocksProxy,
  type tracingWorld,
} from "./probing.ts";

type TracingWorld = ReturnType<typeof tracingWorld>;

/** A scripted server, as far as these tests tell it what to do. */
interface Peer extends LineServer {
  heard: (line: string) => unknown;
  readonly logins: readonly unknown[];
}

/** What the script of a server may be changed to. */
interface Changes {
  readonly login?: () => "mute";
  readonly greeting?: undefined;
  readonly startTls?: "mute";
}

/** What SMTP and POP have each in their own way. */
export interface Probing {
  readonly token: Secret;
  /** by which the client asks for TLS */
  readonly startTlsCommand: string;
  /** at which nobody is asked here: a proxy is in between */
  readonly closedPort: number;
  newWorld(): TracingWorld;
  directory(): string;
  startPeer(tls: TlsStart, changes?: Changes, own?: Certificates): Promise<Peer>;
  at(peer: { port: number }, tls?: TlsStart, more?: Partial<Mailbox>): Mailbox;
  probe(world: World, mailbox: Mailbox, token: Secret): Promise<Finding>;
  prove(mailbox: Mailbox, world?: TracingWorld): Promise<{ finding: Finding }>;
}

/** Certificates, time, interruption and proxies, which are the same for every protocol of lines. */
export function testConnections(of: Probing): void {
  const { token, startTlsCommand, closedPort, newWorld, directory, startPeer, at, probe, prove } =
    of;

  describe("the server's certificate", () => {
    for (const tls of ["implicit", "starttls"] as const) {
      for (const [what, wrong, reason] of [
        ["for another name", { name: "elsewhere.example" }, /issued for another name/],
        ["that has expired", { expired: true }, /it has expired/],
      ] as const) {
        test(`${tls}: a certificate ${what} gets no token`, async () => {
          const bad = await issueCertificates(directory(), wrong);
          const peer = await startPeer(tls, {}, bad);
          const { finding } = await prove(at(peer, tls, { ca: bad.ca }));
          assertNotAccepted(finding, "unreachable", reason);
          assert.equal(peer.logins.length, 0);
        });
      }

      test(`${tls}: an unknown authority gets no token, whatever the environment says`, async (t) => {
        const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
        process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
        t.after(() => {
          if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
          else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
        });
        const peer = await startPeer(tls);
        const { finding } = await prove(at(peer, tls, { ca: undefined }));
        assertNotAccepted(finding, "unreachable", /its issuer is not trusted here/);
        assert.match(finding.hint ?? "", /--ca-file/);
        assert.equal(peer.logins.length, 0);
      });
    }
  });

  const muteServers: readonly [what: string, Changes, TlsStart, last: string][] = [
    ["answers AUTH", { login: () => "mute" }, "implicit", "AUTH"],
    ["answers AUTH after STARTTLS", { login: () => "mute" }, "starttls", "AUTH"],
    ["greets", { greeting: undefined }, "implicit", ""],
    ["begins the handshake after STARTTLS", { startTls: "mute" }, "starttls", startTlsCommand],
  ];

  describe("time", () => {
    for (const [what, more, tls, last] of muteServers) {
      test(`a server that never ${what} is given up after 30 seconds`, async () => {
        const world = newWorld();
        const peer = await startPeer(tls, more);
        const heard = new Promise<void>((resolve) => {
          peer.heard = (line) => line.startsWith(last) && resolve();
          if (last === "") void peer.connected.then(resolve);
        });
        const proof = prove(at(peer, tls), world);
        await heard;
        world.expire(30_000);
        const { finding } = await proof;
        await peer.allClosed();
        assertNotAccepted(finding, "unreachable", /did not finish within 30 seconds$/);
      });
    }

    test("a port where nobody speaks is given up after 20 seconds", async () => {
      const mute = await startMuteServer();
      const world = newWorld();
      const proof = prove(at(mute), world);
      await mute.connected;
      world.expire(20_000);
      assertNotAccepted((await proof).finding, "unreachable", /nobody answered in time$/);
      await mute.close();
    });

    for (const tls of ["implicit", "starttls"] as const) {
      test(`${tls}: Ctrl-C ends it at once, and the connection with it`, async () => {
        const world = newWorld();
        const peer = await startPeer(tls, {
          login: () => {
            world.interrupt("SIGINT");
            return "mute";
          },
        });
        await assert.rejects(probe(world, at(peer, tls), token), Interrupted);
        await peer.allClosed();
        await assert.rejects(probe(world, at(peer, tls), token), Interrupted);
        assert.equal(peer.logins.length, 1);
      });
    }
  });

  describe("a proxy", () => {
    for (const tls of ["implicit", "starttls"] as const) {
      test(`${tls}: HTTP CONNECT is gone through, and its password is not shown`, async () => {
        const peer = await startPeer(tls);
        const proxy = await startHttpProxy();
        const world = newWorld();
        const { finding } = await prove(
          at(peer, tls, { proxy: proxyAt(`http://me:proxy-password@127.0.0.1:${proxy.port}`) }),
          world,
        );
        await proxy.close();
        assert.equal(finding.result, "accepted", JSON.stringify(finding));
        const credentials = Buffer.from("me:proxy-password").toString("base64");
        assert.deepEqual(proxy.asked, [`localhost:${peer.port} Basic ${credentials}`]);
        assert.doesNotMatch(world.traced.join("\n"), /proxy-password/);
      });

      test(`${tls}: SOCKS5 is gone through`, async () => {
        const peer = await startPeer(tls);
        const proxy = await startSocksProxy();
        const { finding } = await prove(
          at(peer, tls, { proxy: proxyAt(`socks5://127.0.0.1:${proxy.port}`) }),
        );
        await proxy.close();
        assert.equal(finding.result, "accepted", JSON.stringify(finding));
        assert.deepEqual(proxy.asked, ["localhost"]);
      });
    }

    test("one that refuses is named, without its password", async () => {
      const proxy = await startHttpProxy(true);
      const mailbox = at({ port: closedPort }, "implicit", {
        proxy: proxyAt(`http://me:proxy-password@127.0.0.1:${proxy.port}`),
      });
      const { finding } = await prove(mailbox);
      await proxy.close();
      assertNotAccepted(
        finding,
        "unreachable",
        /the proxy does not allow this connection \(403 Forbidden\)$/,
      );
      assert.ok(finding.reason.includes(`(through the proxy 127.0.0.1:${proxy.port})`));
      assert.doesNotMatch(finding.reason, /proxy-password/);
    });

    test("one that never answers is given up, or left at Ctrl-C", async () => {
      const proxy = await startMuteServer();
      const mailbox = at({ port: closedPort }, "implicit", {
        proxy: proxyAt(`http://127.0.0.1:${proxy.port}`),
      });
      const world = newWorld();
      const proof = prove(mailbox, world);
      await proxy.connected;
      world.expire(30_000);
      assertNotAccepted((await proof).finding, "unreachable", /did not finish within 30 seconds/);
      const other = newWorld();
      const interrupted = probe(other, mailbox, token);
      other.interrupt("SIGTERM");
      await assert.rejects(interrupted, Interrupted);
      await proxy.close();
    });
  });
}
