import { join } from "node:path";
import { temporaryDirectory } from "./certificates.ts";
import { freePort } from "./loopback.ts";
import { startServer } from "./server-process.ts";

/** A real resolver that knows the domains of the tests, and no others. */
export interface Dnsmasq {
  readonly address: string;
  close(): Promise<void>;
}

/** How many MX hosts `many.test` has: too many for an answer by UDP. */
export const manyHosts = 40;

/** What it knows, as its command line says it. */
export const dnsmasqZone: readonly string[] = [
  "--local=/test/",
  "--mx-host=contoso.test,contoso-test.mail.protection.outlook.com,10",
  "--mx-host=xn--bcher-kva.test,aspmx.l.google.com,1",
  "--mx-host=moving.test,aspmx.l.google.com,1",
  "--mx-host=moving.test,moving-test.mail.protection.outlook.com,20",
  "--mx-host=null.test,.,0",
  "--host-record=web.test,192.0.2.1",
  ...Array.from(
    { length: manyHosts },
    (_, index) => `--mx-host=many.test,alt${index}.aspmx.l.google.com,${index}`,
  ),
];

/** Without a configuration file, other resolvers, a cache of others, or the rights of another user. */
export const dnsmasqOptions: readonly string[] = [
  ...["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-poll"],
  ...["--pid-file=", "--bind-interfaces", "--user=", "--log-facility=-"],
];

export async function startDnsmasq(): Promise<Dnsmasq> {
  const port = await freePort();
  const place = ["--listen-address=127.0.0.1", `--port=${port}`];
  return {
    address: `127.0.0.1:${port}`,
    ...(await startServer({
      name: "dnsmasq",
      program: "dnsmasq",
      args: [...dnsmasqOptions, ...place, ...dnsmasqZone],
      env: { PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
      stderrFile: join(temporaryDirectory(), "stderr"),
      // It listens by TCP as well.
      port,
    })),
  };
}
