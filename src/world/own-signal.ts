import type { World } from "./world.ts";

/**
 * Gives a piece of work a signal of its own, which the world's passes on to. What is combined with one
 * that lives for months (`AbortSignal.any`) is never given back by Node, neither by version 20 nor by
 * 24.
 */
export async function withOwnSignal<T>(
  world: World,
  work: (world: World) => Promise<T>,
): Promise<T> {
  const { interrupted } = world;
  const own = new AbortController();
  const pass = () => own.abort(interrupted.reason);
  interrupted.addEventListener("abort", pass);
  if (interrupted.aborted) pass();
  try {
    return await work(Object.create(world, { interrupted: { value: own.signal } }) as World);
  } finally {
    interrupted.removeEventListener("abort", pass);
  }
}
