/**
 * Chunks that are in the store before anything links them, as those of a file that is sealed anew.
 * Whoever looks for garbage meanwhile would find no use for them, and give them up: so they are
 * named in the state until they are linked, and looked at once more in that moment.
 */
import { Wanted, attempt } from "../attempt.ts";
import type { HandedChunk } from "../state/blocks.ts";
import type { State } from "../state/state.ts";

/** Resolves when they are durable and linked; `link` may find that it has nothing to link. */
export async function handThenLink<T>(
  state: State,
  hand: () => Promise<readonly HandedChunk[]> | readonly HandedChunk[],
  link: (handed: readonly HandedChunk[]) => T,
): Promise<T> {
  let handed: readonly HandedChunk[] = [];
  const bring = async (): Promise<void> => {
    state.unlinked.delete(handed);
    handed = await hand();
    state.unlinked.add(handed);
    for (const { arrival } of handed) await arrival;
    await state.needs.store.sync();
  };
  try {
    await bring();
    return await attempt(() => {
      // They may have gone between the store and the state.
      if (!handed.every(({ link: { cid } }) => state.blocks.has(cid))) throw new Wanted(bring);
      return link(handed);
    });
  } finally {
    state.unlinked.delete(handed);
  }
}
