import { shutInspector } from "../world/own-process.ts";
import { systemWorld } from "../world/system.ts";
import { main } from "./main.ts";

shutInspector();
process.exitCode = await main(process.argv.slice(2), systemWorld({ ownsProcess: true }));
