/** A holder that keeps a segment of a drive for its owner, who shares by hand. */
import type { Requester } from "../../src/base/network.ts";
import type { Random } from "../../src/base/random.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { type Piece, World } from "../contract/host.ts";
import { ShareMaker } from "./share-maker.ts";
import { type HouseOptions, openHouse } from "./vault-house.ts";

export interface Holder extends AsyncDisposable {
  readonly world: World;
  readonly vault: Vault;
  /** The one that it keeps. */
  readonly piece: Piece;
  /** Who shares folders of the drive. */
  readonly maker: ShareMaker;
  /** A peer that is no member, and acts for these. */
  as(...owners: Requester["owners"]): Requester;
}

export async function openHolder(
  random: Random, options: Pick<HouseOptions, "clock"> = {},
): Promise<Holder> {
  const world = new World(random);
  const house = await openHouse(world.holder, options);
  const piece = world.segment();
  await world.store(house.vault, piece);
  return {
    world, piece,
    vault: house.vault,
    maker: new ShareMaker(random, { drive: world.drive }),
    as: (...owners) => ({ peer: world.stranger.peer, owners }),
    [Symbol.asyncDispose]: () => house[Symbol.asyncDispose](),
  };
}
