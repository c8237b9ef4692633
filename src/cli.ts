import { main } from "./main.ts";
import { systemWorld } from "./world/system.ts";

process.exitCode = await main(process.argv.slice(2), systemWorld());
