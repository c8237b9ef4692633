// Runs inside a page of the browser, which is why it is not TypeScript: nothing may be added to it.

/** All that a page of another origin can try without knowing the state. */
export async function feedCode(target) {
  const read = await fetch(target).then(
    (response) => response.text(),
    () => "refused",
  );
  const opaque = await fetch(target, { mode: "no-cors" }).then(
    (response) => response.type,
    () => "refused",
  );
  const image = await new Promise((resolve) => {
    const element = document.createElement("img");
    element.onload = () => resolve("loaded");
    element.onerror = () => resolve("error");
    element.src = target;
  });
  const frame = await new Promise((resolve) => {
    const element = document.createElement("iframe");
    element.onload = () => {
      try {
        resolve(element.contentDocument?.body.textContent ?? "");
      } catch {
        resolve("");
      }
    };
    element.src = target;
    document.body.append(element);
  });
  return { read, opaque, frame, image };
}

/** What a person sees of a page, in numbers. */
export function readLook() {
  const [paper] = [...document.querySelectorAll("main")].map(
    (element) => getComputedStyle(element).backgroundColor,
  );
  return {
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    language: document.documentElement.lang,
    paper,
    colors: [...document.querySelectorAll("h1, p")].map(
      (element) => getComputedStyle(element).color,
    ),
  };
}
