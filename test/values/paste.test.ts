import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MxtokenError } from "../../src/errors.ts";
import { readPaste } from "../../src/sign-in/paste.ts";

const state = "right-state-0123456789";
const expected = {
  state,
  issuer: undefined,
  authorizationEndpoint: "https://login.example.com/authorize",
};
const code = "0.AXoA-code_with.dots~and!marks";

function codeOf(text: string, overrides: Partial<typeof expected> | { issuer: string } = {}) {
  const verdict = readPaste([text], { ...expected, ...overrides });
  assert.equal(verdict.is, "code", verdict.is === "rubbish" ? verdict.reason : "");
  return verdict.is === "code" ? [verdict.code.reveal(), verdict.stateChecked] : [];
}

function reasonOf(text: string, overrides: { issuer?: string } = {}): string {
  const verdict = readPaste([text], { ...expected, ...overrides });
  assert.notEqual(verdict.is, "code");
  return verdict.is === "code" ? "" : verdict.reason;
}

const answers: [string, string][] = [
  ["the whole address", `https://localhost/?code=${code}&state=${state}`],
  ["an address without a slash", `https://localhost?code=${code}&state=${state}`],
  [
    "parameters in the other order, and others",
    `http://127.0.0.1:1234/?state=${state}&session_state=x&code=${code}&scope=a`,
  ],
  ["blanks and line breaks around it", `\r\n  https://localhost/?code=${code}&state=${state}\t\n`],
  ["a fragment at its end", `https://localhost/?code=${code}&state=${state}#_=_`],
  [
    "an address that the browser shows without its scheme",
    `localhost/?code=${code}&state=${state}`,
  ],
  ["an address in quotes", `"https://localhost/?code=${code}&state=${state}"`],
  ["an address in angle brackets", `<https://localhost/?code=${code}&state=${state}>`],
  ["the query string with its mark", `?code=${code}&state=${state}`],
  ["the query string without its mark", `code=${code}&state=${state}`],
  [
    "the issuer's right origin",
    `?code=${code}&state=${state}&iss=${encodeURIComponent("https://login.example.com/tenant/v2.0")}`,
  ],
];

for (const [what, text] of answers) {
  test(`takes ${what}`, () => assert.deepEqual(codeOf(text), [code, true]));
}

test("decodes the code of an address", () => {
  assert.deepEqual(codeOf(`https://localhost/?code=4%2F0Ab_c-d%3D&state=${state}`), [
    "4/0Ab_c-d=",
    true,
  ]);
});

test("takes a bare code and says that its state was not checked", () => {
  assert.deepEqual(codeOf(code), [code, false]);
  assert.deepEqual(codeOf("  4%2F0AeanS0Y_abc  "), ["4/0AeanS0Y_abc", false]);
});

test("takes an address of far over 4,095 characters", () => {
  const long = "x".repeat(6000);
  assert.deepEqual(codeOf(`https://localhost/?code=${long}&state=${state}`), [long, true]);
});

const rubbish: [string, string, RegExp][] = [
  ["nothing", "   ", /nothing/],
  ["a wrong state", `?code=${code}&state=other-state-0123456789`, /another sign-in/],
  [
    "an error with a wrong state",
    "?error=access_denied&state=other-state-0123456789",
    /another sign-in/,
  ],
  ["no state", `https://localhost/?code=${code}`, /no state/],
  ["no code", `https://localhost/?state=${state}`, /no code/],
  ["an empty code", `https://localhost/?code=&state=${state}`, /code is empty/],
  ["two codes", `?code=${code}&code=other&state=${state}`, /code stands in it twice/],
  ["an address without an answer", "https://localhost/", /no code/],
  [
    "the sign-in address itself",
    `https://login.example.com/authorize?client_id=x&code_challenge=y&state=${state}`,
    /sign-in address itself/,
  ],
  ["words", "I have signed in now", /neither an address/],
  ["a mailbox address", "foo@example.com", /mailbox address/],
  ["a broken percent sign", "4%2F0AeanS0Y%zz", /no code has/],
  ["a code with a line break in it", `?code=abcdefghij%0Aklm&state=${state}`, /no code has/],
  ["a bare code with a line break in it", "abcdefghij%0Aklm", /no code has/],
  [
    "another issuer",
    `?code=${code}&state=${state}&iss=https://evil.example`,
    /another authorization server/,
  ],
  [
    "an issuer that is no address",
    `?code=${code}&state=${state}&iss=nonsense`,
    /another authorization server/,
  ],
];

for (const [what, text, reason] of rubbish) {
  test(`refuses ${what} with the reason`, () => assert.match(reasonOf(text), reason));
}

test("compares a known issuer exactly", () => {
  const iss = encodeURIComponent("https://accounts.example.com");
  const issuer = "https://accounts.example.com";
  assert.deepEqual(codeOf(`?code=${code}&state=${state}&iss=${iss}`, { issuer }), [code, true]);
  assert.match(
    reasonOf(`?code=${code}&state=${state}&iss=${iss}%2F`, { issuer }),
    /another authorization server/,
  );
});

for (const [what, text] of [
  [
    "with the right state",
    `https://localhost/?error=access_denied&error_description=%1b%5b31mno%07&state=${state}`,
  ],
  ["without a state", "error=access_denied&error_description=%1b%5b31mno%07"],
] as const) {
  test(`an error ${what} ends the sign-in with the server's words, made harmless`, () => {
    assert.throws(
      () => readPaste([text], expected),
      (error) =>
        error instanceof MxtokenError &&
        error.code === "signInDeclined" &&
        error.exitStatus === 77 &&
        /access_denied: \[31mno$/.test(error.message),
    );
  });
}

test("whatever is pasted gives a code, a reason, or the server's refusal", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
    fc.string().map((value) => `?code=${value}&state=${state}`),
    fc
      .string()
      .map((value) => `https://localhost/?code=${encodeURIComponent(value)}&state=${state}`),
  );
  fc.assert(
    fc.property(text, (pasted) => {
      try {
        const verdict = readPaste([pasted], expected);
        if (verdict.is === "code") assert.match(verdict.code.reveal(), /^[\x20-\x7e]+$/);
        else assert.ok(verdict.reason.length > 0);
      } catch (error) {
        assert.ok(error instanceof MxtokenError && error.code === "signInDeclined");
      }
    }),
    { numRuns: 1000 },
  );
});

/** As people copy it, one line after the other; the last line makes it whole. */
const address = `https://localhost/?code=${code}&state=${state}&session_state=004c-9f`;
const encoded = encodeURIComponent(address);
const googleCode = "4/0AeanS0Y_a-bcDEF";
const google = `http://127.0.0.1:8080/?state=${state}&iss=https://login.example.com&code=4%2F0AeanS0Y_a-bcDEF&scope=https://mail.example.com/`;
const cutAt = (text: string, ...places: number[]) =>
  [0, ...places].map((place, index) => text.slice(place, places[index]));
const at76 = address.match(/.{1,30}/g) ?? [];

const copies: [what: string, lines: string | readonly string[], code?: string][] = [
  // behind # (RFC 6749 section 4.2.2 has answers there, and so have some servers' pages)
  ["a fragment", `https://localhost/#code=${code}&state=${state}`],
  ["a fragment with a path", `https://localhost/#/callback?code=${code}&state=${state}`],
  ["a fragment alone", `#code=${code}&state=${state}`],
  ["an empty query before a fragment", `https://localhost/?#code=${code}&state=${state}`],
  ["a query with an empty fragment", `${address}#`],
  // what a mail client makes of it
  ["quoted-printable", `https://localhost/?code=3D${code}&state=3D${state}`],
  [
    "quoted-printable, broken",
    `https://localhost/?code=3D${code.slice(0, 9)}=\n${code.slice(9)}&state=3D${state}`,
  ],
  ["HTML", `https://localhost/?code=${code}&amp;state=${state}&amp;session_state=1`],
  ["HTML with numbers", `https://localhost/?code&#61;${code}&#38;state&#x3d;${state}`],
  ["an HTML link", `<a href="https://localhost/?code=${code}&amp;state=${state}">here</a>`],
  ["a quoted mail", `> ${address}`],
  ["a mail quoted twice", `> > ${address}`],
  ["a mail's quote over lines", at76.map((line) => `> ${line}`)],
  ["lines with a margin", at76.map((line) => `    ${line}  `)],
  ["lines of one text", at76.join("\n")],
  ["lines of one text with CRLF", at76.join("\r\n")],
  ["lines of their own", at76],
  ["two lines", cutAt(address, 40)],
  ["two lines, cut in the state", cutAt(address, address.indexOf(state) + 5)],
  ["two lines, cut before the state's value", cutAt(address, address.indexOf(state))],
  ["two lines, cut behind the code", cutAt(address, address.indexOf("&state"))],
  ["a line for each parameter", ["https://localhost/?", `code=${code}`, `&state=${state}`]],
  ["lines whose ends became blanks", at76.join(" ")],
  ["format=flowed", at76.map((line) => `${line} `)],
  // filters' links around it
  [
    "Safe Links",
    `https://eur01.safelinks.protection.outlook.com/?url=${encoded}&data=05%7C02%7C&sdata=x%3D&reserved=0`,
  ],
  ["a search engine's link", `https://www.google.com/url?q=${encoded}&sa=D&source=editors&ust=17`],
  [
    "a search engine's link, half encoded",
    `https://www.google.com/url?q=https://localhost/?code%3D${code}%26state%3D${state}&sa=D`,
  ],
  [
    "URL Defense 2",
    `https://urldefense.proofpoint.com/v2/url?u=${encodeURIComponent(address)
      .replaceAll("-", "%2D")
      .replaceAll("_", "%5F")
      .replaceAll("%2F", "_")
      .replaceAll(/[!~]/g, (c) => `%${c.charCodeAt(0).toString(16)}`)
      .replaceAll("%", "-")}&d=DwMF&c=x&r=y&m=z`,
  ],
  [
    "URL Defense 3",
    `https://urldefense.com/v3/__https://localhost/?code=${code}&state=${state}__;!!Abc!xyz$`,
  ],
  ["LinkProtect", `https://linkprotect.cudasvc.com/url?a=${encoded}&c=E,1,abc&typo=1`],
  ["Facebook's link", `https://l.facebook.com/l.php?u=${encoded}&h=AT0`],
  ["an address that is encoded as a whole", encoded],
  ["an address that is encoded twice", encodeURIComponent(encoded)],
  ["Firefox's error page", `about:neterror?e=connectionFailure&u=${encoded}&c=UTF-8&d=x`],
  ["the source of a page", `view-source:${address}`],
  ["an archive's address", `https://web.archive.org/web/2026/${address}`],
  // chat programs and Markdown
  ["Markdown's angle brackets", `<${address}>`],
  ["a Markdown link", `[${address}](${address})`],
  ["a Markdown link with a text", `[the address](https://localhost/?code=${code}&state=${state})`],
  ["a code span", `\`${address}\``],
  ["a code block", ["```", address]],
  ["bold", `**https://localhost/?code=${code}&state=${state}**`],
  ["italics", `_https://localhost/?code=${code}&state=${state}_`],
  [
    "Slack's marks",
    `<https://localhost/?code=${code}&state=${state}|https://localhost/?code=${code}&amp;state=${state}>`,
  ],
  ["a table", `| https://localhost/?code=${code}&state=${state} |`],
  ["a full stop", `https://localhost/?code=${code}&state=${state}.`],
  ["a sentence", `Here it is: https://localhost/?code=${code}&state=${state}, thanks`],
  ["a full stop behind the code", `https://localhost/?state=${state}&code=${code}.`],
  ["parentheses", `(https://localhost/?code=${code}&state=${state})`],
  ["parentheses behind the code", `(https://localhost/?state=${state}&code=${code}).`],
  ["square brackets", `[https://localhost/?code=${code}&state=${state}]`],
  ["double quotation marks", `“https://localhost/?code=${code}&state=${state}”`],
  ["German quotation marks", `„https://localhost/?code=${code}&state=${state}“`],
  ["French quotation marks", `«https://localhost/?code=${code}&state=${state}»`],
  ["single quotation marks", `‘https://localhost/?code=${code}&state=${state}’`],
  ["a chat's name and time", `[10:42] Ann: https://localhost/?code=${code}&state=${state}`],
  // terminals and shells
  ["a shell's escapes", `https://localhost/\\?code\\=${code}\\&state\\=${state}`],
  ["curl", `curl 'https://localhost/?code=${code}&state=${state}' \\`],
  [
    "curl on Windows",
    `curl.exe "https://localhost/?code=${code}^&state=${state}"`.replace("^", ""),
  ],
  ["a line's continuation", [`https://localhost/?code=${code}\\`, `&state=${state}`]],
  ["a box", at76.map((line) => `│ ${line} │`)],
  ["a prompt", `$ open https://localhost/?code=${code}&state=${state}`],
  // logs, developer tools, programs
  ["a request line", `GET /?code=${code}&state=${state} HTTP/1.1`],
  [
    "an access log",
    `127.0.0.1 - - [01/Jan/2026] "GET /?code=${code}&state=${state} HTTP/1.1" 200 0`,
  ],
  ["a header", `location: https://localhost/?code=${code}&state=${state}`],
  ["developer tools", `Request URL: https://localhost/?code=${code}&state=${state}`],
  ["developer tools' table", [`code: ${code}`, `state: ${state}`]],
  ["developer tools' table as one text", `code: ${code}\nstate: ${state}`],
  ["JSON", JSON.stringify({ url: address })],
  ["JSON with escapes", `{"url":"https:\\/\\/localhost\\/?code=${code}\\u0026state=${state}"}`],
  ["JSON of the parameters", JSON.stringify({ code, state })],
  ["Python", `{'code': ['${code}'], 'state': ['${state}']}`.replaceAll(/[[\]]/g, "")],
  ["Ruby", `{"code"=>"${code}", "state"=>"${state}"}`],
  // phones and editors
  ["a zero-width blank in front", `\u200b${address}`],
  ["a zero-width blank within", `https://localhost/?code=\u200b${code}&state=${state}\u200b`],
  ["a byte-order mark", `\ufeff${address}`],
  ["marks of direction", `\u202a${address}\u202c`],
  ["soft hyphens", address.replace("code", "co\u00adde")],
  ["no-break spaces around it", `\u00a0${address}\u00a0`],
  ["a phone's capital", `Https://Localhost/?code=${code}&state=${state}`],
  ["a title before it", ["This site can’t be reached", address]],
  ["a title before it in one text", `This site can’t be reached\n${address}`],
  // twice
  ["a double paste", `${address}${address}`],
  [
    "a double paste with the state at its end",
    `https://localhost/?code=${code}&state=${state}`.repeat(2),
  ],
  ["a double paste with a blank", `${address} ${address}`],
  // others' orders and codes
  ["the code behind the state", google, googleCode],
  ["the code behind the state, over lines", google.match(/.{1,40}/g) ?? [], googleCode],
  ["the code behind the state, encoded as a whole", encodeURIComponent(google), googleCode],
  [
    "a code with signs of Microsoft's",
    `https://localhost/?code=M.C532_BAY.2.U.!a*b$$&state=${state}`,
    "M.C532_BAY.2.U.!a*b$$",
  ],
  ["a code of digits", `https://localhost/?code=1234567&state=${state}`, "1234567"],
  ["a code with an equals sign", `https://localhost/?code=YWJjZA==&state=${state}`, "YWJjZA=="],
  ["the whole one after a piece of it", [address.slice(0, 40), address]],
  ["the whole one after another address", ["https://localhost/", address]],
  ["the whole one after words", ["I have it", address]],
];

for (const [what, lines, expectedCode = code] of copies) {
  test(`understands ${what}`, () => {
    const all = typeof lines === "string" ? [lines] : lines;
    for (let count = 1; count < all.length; count += 1) {
      const early = readPaste(all.slice(0, count), expected, all.slice(count));
      if (early.is === "code")
        assert.deepEqual([early.code.reveal(), early.stateChecked], [expectedCode, true]);
    }
    const verdict = readPaste(all, expected);
    assert.equal(verdict.is, "code", verdict.is === "code" ? "" : verdict.reason);
    assert.deepEqual(verdict.is === "code" && [verdict.code.reveal(), verdict.stateChecked], [
      expectedCode,
      true,
    ]);
  });
}

const bare: [what: string, lines: string | readonly string[], code: string][] = [
  ["seven digits", "1234567", "1234567"],
  ["four letters", "wxyz", "wxyz"],
  ["an equals sign at its end", "YWJjZGVmZ2hpag==", "YWJjZGVmZ2hpag=="],
  ["a question mark", "abc?def", "abc?def"],
  ["quotes around it", '"0.AXoA-code"', "0.AXoA-code"],
  ["backticks around it", "`0.AXoA-code`", "0.AXoA-code"],
  ["a zero-width blank", "\u200b0.AXoA-code\u200b", "0.AXoA-code"],
  ["percent signs", "4%2F0AeanS0Y", "4/0AeanS0Y"],
  ["the cut address before it", [`https://localhost/?code=${code.slice(0, 12)}`, code], code],
  ["another address before it", ["https://localhost/", "0.AXoA-code"], "0.AXoA-code"],
];

for (const [what, lines, expectedCode] of bare) {
  test(`takes a bare code with ${what}`, () => {
    const verdict = readPaste(typeof lines === "string" ? [lines] : lines, expected);
    assert.equal(verdict.is, "code", verdict.is === "code" ? "" : verdict.reason);
    assert.deepEqual(verdict.is === "code" && [verdict.code.reveal(), verdict.stateChecked], [
      expectedCode,
      false,
    ]);
  });
}

const pieces: [what: string, lines: readonly string[]][] = [
  ["its beginning", [`https://localhost/?code=${code.slice(0, 9)}`]],
  ["its middle", [`https://localhost/?code=${code.slice(0, 9)}`, code.slice(9)]],
  ["its end", [`${code.slice(20)}&state=${state}`.slice(5)]],
  ["its end in the state", [`te=${state}&session_state=1`]],
  ["a piece of the state", [state.slice(3)]],
  ["a parameter", ["session_state=004c-9f"]],
  ["its beginning without a value", ["https://localhost/?code="]],
];

for (const [what, lines] of pieces) {
  test(`never takes a piece of an address for a code: ${what}`, () => {
    assert.notEqual(readPaste(lines, expected).is, "code");
  });
}

test("a good address that was damaged gives its code, or none", () => {
  const good = `https://localhost/?code=${code}&state=${state}`;
  const damage = fc.oneof(
    // cut at both ends
    fc
      .tuple(fc.nat(good.length), fc.nat(good.length))
      .map(([a, b]) => [good.slice(Math.min(a, b), Math.max(a, b))]),
    // broken into lines, each with a mark
    fc
      .tuple(fc.array(fc.nat(good.length), { maxLength: 6 }), fc.constantFrom("", "> ", "  ", "| "))
      .map(([places, mark]) =>
        cutAt(good, ...places.toSorted((a, b) => a - b)).map((line) => mark + line),
      ),
    // encoded so and so often
    fc.nat(3).map((times) => {
      let text = good;
      for (let time = 0; time < times; time += 1) text = encodeURIComponent(text);
      return [text];
    }),
    // with something around it
    fc
      .tuple(
        fc.constantFrom("", "<", "(", "[", "“", "`", "see "),
        fc.constantFrom("", ">", ")", "]", "”", "`", ".", ", or"),
      )
      .map(([before, behind]) => [before + good + behind]),
  );
  fc.assert(
    fc.property(damage, (lines) => {
      const verdict = readPaste(lines, expected);
      if (verdict.is === "code" && verdict.stateChecked) {
        assert.ok(code.startsWith(verdict.code.reveal()) || verdict.code.reveal() === code);
      } else if (verdict.is === "code") {
        // A piece that shows nothing of an address cannot be told from a code.
        assert.doesNotMatch(verdict.code.reveal(), /:\/\/|&|\/\?|state=|right-st|0123456789/);
      }
    }),
    { numRuns: 2000 },
  );
});

test("behind an address that was cut short, a code by itself is one", () => {
  const verdict = readPaste(["http://localhost/?code=abcd", "zzzzzzzz"], expected);
  assert.equal(verdict.is === "code" && verdict.code.reveal(), "zzzzzzzz");
});

test("a wrong state never yields a code", () => {
  fc.assert(
    fc.property(
      fc.string().filter((other) => other !== state),
      (other) => {
        const query = new URLSearchParams({ code, state: other });
        assert.notEqual(readPaste([`https://localhost/?${query}`], expected).is, "code");
      },
    ),
  );
});
