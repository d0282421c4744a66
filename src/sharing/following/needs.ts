/** What whoever follows what another wrote needs, be it a folder that was given or a guest's. */
import type { KeyValue } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { ShareNetwork } from "../../base/sharing.ts";
import type { PersonKeys } from "../../crypt/records/grants.ts";
import type { Coder } from "../../erasure/erasure.ts";
import type { ReadBlock } from "../records/folder-root.ts";

export interface FollowingNeeds {
  readonly books: KeyValue;
  readonly person: PersonKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly network: PeerNetwork & ShareNetwork;
  readonly coder: Coder;
  readonly read: ReadBlock;
  readonly mayReadAhead: (bytes: number) => boolean;
  readonly holdsReads?: () => boolean;
}
