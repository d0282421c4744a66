/**
 * The port between the tree, which knows what lies below a pinned folder, and the store, which
 * keeps it: what is pinned stays on this machine though peers have it, too. Pins are this machine's
 * own affair: nothing of them is in the drive, and no peer hears of them.
 */
import type { Cid } from "./ids.ts";

export interface PinStore {
  /** The sealed list of pins, as it was saved last; undefined when there are none. */
  list(): Uint8Array | undefined;
  /** Durable when it resolves; undefined when nothing is pinned any more. */
  save(list: Uint8Array | undefined): Promise<void>;
  /**
   * Begins to tell what is pinned from what is not; there is one at a time. Until the first one
   * ends all that was here counts as pinned, and what is put until the next one ends does too.
   */
  judge(): PinJudgement;
  /** Fetches a block if it is not here, and keeps it; NoSpace when pins may take no more room. */
  bring(cid: Cid, options: { readonly signal: AbortSignal }): Promise<void>;
  room(): PinRoom;
}

export interface PinJudgement {
  /** This block is pinned. */
  keep(cid: Cid): void;
  /** Whatever was not named may leave, if it was here when the commit before this began. */
  finish(): Promise<void>;
}

export interface PinRoom {
  readonly pinnedBytes: number;
  /** Of the store's limit: the rest is for what is written and read. */
  readonly pinnedBytesMax: number;
}
