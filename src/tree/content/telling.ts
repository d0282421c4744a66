/**
 * Telling the journal all that a file is now: links of what is sealed, bytes of what is not. A
 * record had better name only chunks that are kept, so this waits for a moment in which all are;
 * but a commit never waits for room, since nothing else makes any.
 */
import type { AppendOptions } from "../../base/blocks.ts";
import { limits } from "../../base/limits.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import type { Live, Node } from "../state/nodes.ts";
import { isFilling } from "../state/room.ts";
import type { State } from "../state/state.ts";
import { pendingLinks } from "./captures.ts";
import { hasNews, publishNow } from "./publishing.ts";

/** How whoever tells stands to chunks that the store has no room for. */
export interface Patience {
  /** It leaves them out. Who does not withholds nothing, and waits. */
  readonly withholds: boolean;
}

/** What is not sealed waits in the journal: it rests, or what lies below is not to be had now. */
export async function tellRest(
  state: State, node: Node, live: Live, patience: Patience,
): Promise<"told" | "no room"> {
  return await whenKept(state, live, patience, (options) => {
    if (node.live === live && hasNews(node, live)) publishNow(state, node, live, options);
  });
}

/** Before a commit cuts the journal: what it promised and no page will hold is told again. */
export async function promiseAgain(state: State): Promise<void> {
  let told = false;
  for (const node of [...state.liveFiles]) {
    const { live } = node;
    if (live?.promised !== true) continue;
    const tell = (options: AppendOptions, homeless?: ReadonlyMap<number, ChunkLink>): void => {
      if (node.live !== live || !live.promised) return;
      const isAgain = !hasNews(node, live);
      const { changes } = state;
      for (const chunk of live.dirty.values()) {
        chunk.forgetPromises();
        live.news.add(chunk);
      }
      publishNow(state, node, live, { ...options, isAgain }, homeless);
      if (isAgain) state.changes = changes;
      told = true;
    };
    const ended = await whenKept(state, live, { withholds: true }, tell);
    if (ended === "no room") tell({ namesDurableOnly: false }, pendingLinks(state, live));
  }
  if (told) await state.needs.store.sync();
}

/**
 * Acts in a moment in which every chunk of the file that is sealed is on stable storage; or, where
 * its writers are quicker than the store, tells the act that some are not. One that withholds does
 * not wait for room, and has not acted where there is none.
 */
async function whenKept(
  state: State, live: Live, { withholds }: Patience, act: (options: AppendOptions) => void,
): Promise<"told" | "no room"> {
  const lacksRoom = (): boolean => {
    return withholds && isFilling(state) && pendingLinks(state, live).size > 0;
  };
  for (let round = 0; round < limits.tree.settleRoundsMax; round++) {
    if (lacksRoom()) return "no room";
    const cids = new Set([...live.links.values()].map(({ cid }) => cid));
    await state.blocks.arrive(cids);
    if (cids.size > 0) await state.needs.store.sync();
    // A writer may have sealed more meanwhile.
    const areKept = [...live.links.values()].every(({ cid }) => cids.has(cid));
    if (!areKept) continue;
    act({ namesDurableOnly: true });
    return "told";
  }
  if (lacksRoom()) return "no room";
  // What they add is told now, and waited for.
  const cids = [...live.links.values()].map(({ cid }) => cid);
  act({ namesDurableOnly: false });
  await state.blocks.arrive(cids);
  return "told";
}
