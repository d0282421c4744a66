/**
 * Requests that come in kinds (`guard`, `share`, `device`), each kind with acts of its own. The
 * network carries an act and a payload and reads neither: whoever answers parses the payload, and
 * the truth of the answer is the asker's to check.
 */
import type { PeerId } from "./ids.ts";
import type { CallOptions, Requester } from "./network.ts";

/** Answers what others ask; refusals are HiveErrors, as a ShardHost's are. */
export type ActHost<Kind extends string, Act extends string> = {
  readonly [kind in Kind]: (
    from: Requester, act: Act, payload: Uint8Array,
  ) => Promise<Uint8Array>;
};

/** Asks others. */
export type ActNetwork<Kind extends string, Act extends string> = {
  readonly [kind in Kind]: (
    to: PeerId, act: Act, payload: Uint8Array, options?: CallOptions,
  ) => Promise<Uint8Array>;
};
