/**
 * A root that stands in for the newest one, made by the tree on the kernel's thread for the node on
 * its own. The node is there first: until the tree is open, none can be made.
 */
import type { StandIn, StandInMaker, StandInQuestion } from "../base/stand-in.ts";
import type { Channel, Handlers } from "./channel.ts";

export class LateStandIns implements StandInMaker {
  #tree: StandInMaker | undefined;

  begin(tree: StandInMaker): void {
    this.#tree = tree;
  }

  async standIn(asked: StandInQuestion): Promise<StandIn | undefined> {
    return this.#tree?.standIn(asked);
  }
}

export function serveStandIns(maker: StandInMaker): Handlers {
  return { standIn: (asked) => maker.standIn(asked as StandInQuestion) };
}

export function remoteStandIns(channel: Channel): StandInMaker {
  return {
    standIn: async (asked) => (await channel.call("standIn", asked)) as StandIn | undefined,
  };
}
