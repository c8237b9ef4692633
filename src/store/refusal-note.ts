import type { Facts } from "../causes/cause.ts";
import { harmless } from "../secret.ts";
import { isoSeconds, type RefusedGrant } from "../token.ts";
import { jsonObject } from "../world/http-answers.ts";
import { readComment } from "./token-file-kind.ts";

// A refusal is remembered in a comment of the token file, `# Refused: TIME DIGEST {"host":…}`: whatever
// reads the two lines passes it over, and whatever writes new ones leaves it out.

const title = "Refused";

/** Of a server's words. */
const wordLimit = 600;

/** What is remembered of the facts. */
const texts = ["host", "endpoint", "oauthError", "said"] as const;

/** The comment that says it. */
function formatRefusal({ at, request, facts }: RefusedGrant): string {
  const { host, endpoint, status, oauthError, said } = facts;
  const known = JSON.stringify({ host, endpoint, status, oauthError, said });
  return `# ${title}: ${isoSeconds(at)} ${request} ${known}`;
}

/**
 * The refusal that the comments of a token file remember.
 *
 * @returns undefined where there is none that can be understood
 */
export function refusalIn(lines: readonly string[]): RefusedGrant | undefined {
  const comment = lines.map(readComment).findLast((each) => each?.title === title);
  const [, time = "", request = "", known = ""] =
    /^(\S+) ([\da-f]{16}) (\{.*\})$/.exec(comment?.value ?? "") ?? [];
  const at = Date.parse(time);
  const members = jsonObject(known);
  if (Number.isNaN(at) || members === undefined) return undefined;
  const said = texts.flatMap((name) => {
    const text = members[name];
    return typeof text === "string" ? [[name, harmless(text, wordLimit)] as const] : [];
  });
  const { status } = members;
  const facts: Facts = {
    ...Object.fromEntries(said),
    status: typeof status === "number" ? status : undefined,
  };
  return facts.host === undefined ? undefined : { at, request, facts };
}

/** The text of a token file, everything in it as it stands, with this refusal instead of another. */
export function withRefusal(text: string, refusal: RefusedGrant): string {
  const lines = text.split("\n").filter((line) => readComment(line)?.title !== title);
  while (lines.at(-1)?.trim() === "" && lines.length > 2) lines.pop();
  return `${[...lines, formatRefusal(refusal)].join("\n")}\n`;
}
