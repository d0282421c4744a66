/**
 * What the node on its thread asks of the tree on the kernel's: what the drive refers to, and a
 * root that stands in for the newest one. The node is there first: until the tree is open, it is
 * told neither.
 */
import type { Census, CensusTaker } from "../base/blocks.ts";
import type { StandIn, StandInMaker, StandInQuestion } from "../base/stand-in.ts";
import type { Channel, Handlers } from "./channel.ts";

export type AskedTree = CensusTaker & StandInMaker;

export class LateTree implements AskedTree {
  #tree: AskedTree | undefined;

  begin(tree: AskedTree): void {
    this.#tree = tree;
  }

  async census(blocks: number): Promise<Census | undefined> {
    return this.#tree?.census(blocks);
  }

  async standIn(asked: StandInQuestion): Promise<StandIn | undefined> {
    return this.#tree?.standIn(asked);
  }
}

export function serveTree(tree: AskedTree): Handlers {
  return {
    census: (blocks) => tree.census(blocks as number),
    standIn: (asked) => tree.standIn(asked as StandInQuestion),
  };
}

export function remoteTree(channel: Channel): AskedTree {
  return {
    census: async (blocks) => (await channel.call("census", blocks)) as Census | undefined,
    standIn: async (asked) => (await channel.call("standIn", asked)) as StandIn | undefined,
  };
}
