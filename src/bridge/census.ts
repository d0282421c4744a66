/**
 * What the drive refers to, told by the tree on the kernel's thread to the node on its own. The
 * node is there first: until the tree is open, nobody can tell.
 */
import type { Census, CensusTaker } from "../base/blocks.ts";
import type { Channel, Handlers } from "./channel.ts";

export class LateCensus implements CensusTaker {
  #tree: CensusTaker | undefined;

  begin(tree: CensusTaker): void {
    this.#tree = tree;
  }

  async census(blocks: number): Promise<Census | undefined> {
    return this.#tree?.census(blocks);
  }
}

export function serveCensus(taker: CensusTaker): Handlers {
  return { census: (blocks) => taker.census(blocks as number) };
}

export function remoteCensus(channel: Channel): CensusTaker {
  return {
    census: async (blocks) => (await channel.call("census", blocks)) as Census | undefined,
  };
}
