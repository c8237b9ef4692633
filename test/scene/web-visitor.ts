import { Agent, fetch } from "undici";
import type { Certificates } from "./certificates.ts";

/** One page, as a browser has it before it follows a redirect. */
export interface Page {
  readonly status: number;
  readonly url: URL;
  /** where it leads to, if it is a redirect */
  readonly location: URL | undefined;
  readonly text: string;
}

/** Goes from page to page as a browser does, with its cookies, and stops before every redirect. */
export class WebVisitor {
  readonly #dispatcher: Agent;
  readonly #cookies = new Map<string, string>();
  readonly #headers: Readonly<Record<string, string>>;

  /** @param headers sent with every request */
  constructor(certificates: Certificates, headers: Readonly<Record<string, string>> = {}) {
    this.#dispatcher = new Agent({ connect: { ca: certificates.ca } });
    this.#headers = headers;
  }

  /** @param form what is filled in; undefined: the page is only looked at */
  async open(url: URL, form?: Readonly<Record<string, string>>): Promise<Page> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, {
      redirect: "manual",
      dispatcher: this.#dispatcher,
      headers: { cookie, ...this.#headers },
      ...(form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) }),
    });
    const text = await response.text();
    for (const line of response.headers.getSetCookie()) {
      const [pair = ""] = line.split(";");
      this.#cookies.set(pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1));
    }
    const location = response.headers.get("location");
    return {
      status: response.status,
      url,
      location: location === null ? undefined : new URL(location, url),
      text,
    };
  }

  /** Follows redirects within the page's own site, to a page that is none or leads elsewhere. */
  async follow(first: Page): Promise<Page> {
    let page = first;
    for (let hops = 0; hops < 20; hops += 1) {
      if (page.location === undefined || page.location.origin !== first.url.origin) return page;
      page = await this.open(page.location);
    }
    throw new Error("the redirects never come to an end");
  }

  close(): Promise<void> {
    return this.#dispatcher.close();
  }
}
