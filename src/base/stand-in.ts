/**
 * A root that stands in for the newest one while some of its blocks wait for their policy: whatever
 * they belong to is in it as a head told of it last, and all else is as new as it can be. Whoever
 * has the tree makes it; whoever publishes asks for it.
 */
import type { BlockInfo, PolicySlot } from "./blocks.ts";
import type { Cid } from "./ids.ts";

export interface StandInQuestion {
  /** The newest root, as committed. */
  readonly root: Uint8Array;
  /** What the last head told, all of whose blocks peers have; undefined before the first. */
  readonly before: Uint8Array | undefined;
  /** The policies that blocks wait for. */
  readonly slots: readonly PolicySlot[];
  /** A CidFilter's bits: every block that waits. */
  readonly waiting: Uint8Array;
  /** Pages that were made for what the last head told, or for others that stood in before it. */
  readonly made: readonly Cid[];
}

export interface StandIn {
  readonly root: Uint8Array;
  /** Pages that it has and no other root: they are in no store. */
  readonly blocks: readonly (BlockInfo & { readonly bytes: Uint8Array })[];
  /** Of those that were made before, the ones that it has as well. */
  readonly still: readonly Cid[];
  readonly held: readonly HeldPlace[];
}

/** A folder or file that is not as new as the rest. */
export interface HeldPlace {
  /** As people write it, from the drive's root on. */
  readonly path: string;
  /** It stands as it was; else it was never told of, and is empty or not there. */
  readonly isOlder: boolean;
}

/** Of what a head does not tell as new as the rest. */
export interface HeldBack {
  readonly held: readonly HeldPlace[];
  /** Places besides, for which there was no room. */
  readonly more: number;
}

export interface StandInMaker {
  /** Undefined when none can be told now: what waits is tangled up with what does not. */
  standIn(asked: StandInQuestion): Promise<StandIn | undefined>;
}
