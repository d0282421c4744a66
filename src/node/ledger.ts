/**
 * A node's ledger, introduced to rooms that are opened after it: it judges by what the vault keeps,
 * speaks through the peers, and has the agent ask for shards that others say they let go of.
 */
import type { Agent } from "../agent/agent.ts";
import type { KeyValue } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import type { PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { Random } from "../base/random.ts";
import type { PeerKeys } from "../crypt/ciphers/peer-key.ts";
import { type Ledger, openLedger } from "../ledger/ledger.ts";
import type { GoneShard } from "../ledger/message.ts";
import type { Peers } from "../peers/peers.ts";
import type { Transfer } from "../transfer/transfer.ts";
import type { Vault } from "../vault/vault.ts";
import type { NodeConfig } from "./config.ts";

/** Those whom it meets, as they come. */
export interface Met {
  peers?: Peers;
  vault?: Vault;
  transfer?: Transfer | undefined;
  agent?: Agent;
}

export function openNodeLedger(
  needs: {
    readonly books: KeyValue; readonly keys: PeerKeys; readonly clock: Clock;
    readonly random: Random; readonly log: Log; readonly met: Met;
  },
  { driveSeed, device, contributeRatio, quotaBytes, auditIntervalMs }: NodeConfig,
): Promise<Ledger> {
  const { met } = needs;
  const dealings = {
    lodgers: () => met.vault?.lodgers() ?? new Map(),
    network: () => met.peers,
    onGone: async (holder: PeerId, { segment }: GoneShard) =>
      met.agent?.heardGone(holder, segment),
  };
  // What a node without a drive gives is a gift: nobody owes it anything, so nobody could earn.
  const isGift = driveSeed === undefined && device === undefined;
  const ratio = isGift ? 0 : contributeRatio ?? limits.ledger.ratio;
  const settleEveryMs = Math.min(limits.ledger.settleEveryMs, auditIntervalMs);
  return openLedger({ ...needs, ...dealings }, { ratio, quotaBytes, settleEveryMs });
}
