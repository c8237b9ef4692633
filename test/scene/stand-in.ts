import type { TestWorld } from "./world.ts";

/**
 * Lets a scripted token endpoint stand in for a provider's own: the request is the one that would
 * go there, with all that the provider's row says of it.
 */
export function standIn(world: TestWorld, tokenEndpoint: string, scripted: string): TestWorld {
  const send = world.http.bind(world);
  world.http = (request) => {
    const { url } = request;
    return send(url === tokenEndpoint ? { ...request, url: scripted } : request);
  };
  return world;
}
