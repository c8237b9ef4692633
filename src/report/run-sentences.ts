import { basename } from "node:path";
import type { RunEvent } from "../keep/supervised-command.ts";
import { count } from "./finding.ts";

/** What an event of `mxtoken run` says, in lines for standard error. */
export function describeRunEvent(event: RunEvent): string[] {
  switch (event.is) {
    case "started": {
      const again = event.restarts === 0 ? "starting" : `starting again (${event.restarts})`;
      return [`mxtoken: ${again}: ${event.file}`];
    }
    case "ended":
      return [`mxtoken: ${ended(event)}, ${consequence(event)}`];
    case "endedWithoutToken":
      return [`mxtoken: ${ended(event)}, and ${event.label} had no new token: ${event.reason}`];
    case "notStartedAgain":
      return [`mxtoken: ${event.reason}; it is not started again`];
    case "waitingForToken":
      return ["mxtoken: waiting for a fresh token before the command is started again"];
    case "noFreshToken":
      return [
        `mxtoken: the command is not started again: ${event.label} needs somebody first`,
        ...event.commands.map((command) => `  ${command}`),
      ];
  }
}

function ended({ file, status }: { file: string; status: number }): string {
  return `${basename(file)} ended with status ${status}`;
}

function consequence({ decision, isTokenReplaced }: Extract<RunEvent, { is: "ended" }>): string {
  switch (decision) {
    case "restart":
      return "as it does when its token has died";
    case "notWanted":
      return isTokenReplaced
        ? "perhaps because its token had died: there is a fresh one now; start it again, or pass --restart"
        : "perhaps because its token had died: start it again when there is a fresh one, or pass --restart";
    case "noProgress":
      return `in less than ${count(1, "minute")}: it is not started again`;
    case "sameToken":
      return "and its token is the same as at the start: it is not started again";
    case "tooOften":
      return "and was started again often enough (--max-restarts)";
  }
}
