import { MxtokenError } from "../errors.ts";
import { homeOption, reportOptions, textOption } from "../settings/options.ts";
import { listenerCertificate } from "../sign-in/certificate.ts";
import { certificateDirectory } from "../store/certificate-directory.ts";
import type { Command } from "./command.ts";

export const certCommand: Command = {
  usage: "cert",
  words: 1,
  about: "show the listener's certificate and how to make a browser trust it",
  options: {
    renew: { type: "boolean", describe: "make a new one" },
    ...homeOption,
    ...reportOptions,
  },
  async run(world, args, report) {
    const [unexpected] = Array.isArray(args["_"]) ? args["_"] : [];
    if (unexpected !== undefined) {
      throw new MxtokenError("usage", `cert takes no ${JSON.stringify(String(unexpected))}`);
    }
    const directory = certificateDirectory(world, textOption(args, world, "home"));
    const renew = args["renew"] === true;
    await report.certificate(await listenerCertificate(world, directory, renew));
  },
};
