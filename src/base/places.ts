/**
 * The ports between the network and the room that knows where peers are. `peers` tells a PlaceBook
 * what it saw, and is the RangeNetwork that measures; `places` is the PlaceBook.
 */
import type { PeerId } from "./ids.ts";
import type { CallOptions, KnownPeer } from "./network.ts";
import type { RangeStatement } from "./records.ts";

export interface PlaceBook {
  /** A connection whose key was proved, and the IP address at its other end; never a relay's. */
  saw(peer: PeerId, address: string): void;
  /** The same peers, with what is observed of each. */
  observe(known: readonly KnownPeer[]): readonly KnownPeer[];
  /** What this node itself measured of these peers. */
  statementsAbout(targets: readonly PeerId[]): readonly RangeStatement[];
}

export interface RangeNetwork {
  /** Measures over an open, direct connection; Unavailable when there is none. */
  range(to: PeerId, options?: CallOptions): Promise<RangeStatement>;
  /** What the peer itself measured of these: its own statements, checked, at most one of each. */
  statements(
    from: PeerId, targets: readonly PeerId[], options?: CallOptions,
  ): Promise<readonly RangeStatement[]>;
}
