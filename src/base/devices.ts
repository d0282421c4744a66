/**
 * What devices tell each other, and holders, about which devices a drive has: the ports over which
 * it goes. `crypt/pairing.ts` says how a new one and an old one know each other.
 */
import type { PeerId } from "./ids.ts";
import type { CallOptions, Requester } from "./network.ts";

/** pair: between a device that shows a code and the one where the code is typed. */
export const deviceActs = ["pair"] as const;
export type DeviceAct = (typeof deviceActs)[number];

/** Answers what is asked about devices; refusals are HiveErrors, as a ShardHost's are. */
export interface DeviceHost {
  device(from: Requester, act: DeviceAct, payload: Uint8Array): Promise<Uint8Array>;
}

/** Asks others; the truth of an answer is the caller's to check. */
export interface DeviceNetwork {
  device(
    to: PeerId, act: DeviceAct, payload: Uint8Array, options?: CallOptions,
  ): Promise<Uint8Array>;
}

/** A device that was let in. */
export interface AddedView {
  readonly peer: PeerId;
  /** What it calls itself. */
  readonly name: string;
}
