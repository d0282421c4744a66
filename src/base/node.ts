/**
 * The port of a node: what the daemon, the command line and the dashboard may ask of it. In a
 * drive's daemon it runs on a thread of its own; bridge/node.ts stretches this port between them.
 */
import type { BlockFetcher } from "./blocks.ts";
import type { AddedView, EpochView, BlockLender, RemovedView } from "./devices.ts";
import type { Cid, SegmentId } from "./ids.ts";
import type { SharingDuties } from "./sharing.ts";
import type { TrafficOrders } from "./traffic.ts";
import type { NodeStatus, ReclaimReport, VerifyReport } from "./views/drive.ts";
import type { DeviceRow, InviteView, LeaveOrder, LeaveView, LedgerView } from "./views/peers.ts";
import type { PeerRow, Vouch } from "./views/peers.ts";
import type { PolicyQuestion, PolicyReport, PolicyTexts } from "./views/policies.ts";

export interface VerifyOptions {
  /** Many leaves of each shard are asked for, and not one. */
  readonly deep: boolean;
  /** All that there are if not told. */
  readonly segments?: readonly SegmentId[] | undefined;
}

/** What the store tells the books beside it. */
export interface StoreView {
  /** Of the last start; 0 where there is none. */
  readonly life: number;
  /** Peers were told of a root of it, for all it knows. */
  readonly isPublished: boolean;
}

export interface HeadRoot {
  readonly root: Uint8Array;
  /** False while it is another device's: this one went on from it, and told none of its own. */
  readonly isOwn: boolean;
}

/** How the books beside a store compare with it. */
export interface StoreLife {
  /** Of this start; both keep it. */
  readonly number: number;
  /** An older copy stands in its place. */
  readonly isStoreOld: boolean;
  /** They are gone, or an older copy; they are learned again from peers. */
  readonly areBooksOld: boolean;
}

export interface NodeDuties extends BlockFetcher, BlockLender {
  /** People and shared folders; each refuses on a node without a drive. */
  readonly sharing: SharingDuties;
  /** One sealed block, as any IPFS program asks for it: through Helia's blockstore. */
  ipfsBlock(cid: Cid): Promise<Uint8Array>;
  status(): Promise<NodeStatus>;
  peers(): Promise<readonly PeerRow[]>;
  /** Who owes whom. */
  ledger(): Promise<LedgerView>;
  /** Until all that is committed is on peers and published; TimedOut otherwise. */
  flush(timeoutMs: number): Promise<void>;
  /** Has peers drop what the published drive refers to no more; TimedOut when it is late. */
  reclaim(timeoutMs: number): Promise<ReclaimReport>;
  /** Asks all holders for proofs, or those of some of the drive's segments. */
  verify(options: VerifyOptions): Promise<VerifyReport>;
  /** In which segment each block lies; undefined for one that no peer is known to have. */
  segmentsOf(cids: readonly Cid[]): Promise<readonly (SegmentId | undefined)[]>;
  /** The newest state that peers have of the drive; undefined when none tells of one now. */
  newestRoot(): Promise<Uint8Array | undefined>;
  /** That of the newest head, by the books of this machine. */
  toldRoot(): Promise<HeadRoot | undefined>;
  /** How the books compared with the store as this start began. */
  life(): Promise<StoreLife>;
  /** The store is about to have that number, or the other; and then has it. */
  keepLife(life: { readonly number: number; readonly other: number }): Promise<void>;
  /** What a policy makes of the peers that are known now; Invalid when it is none. */
  explainPolicy(asked: PolicyQuestion): Promise<PolicyReport>;
  /** From now on these policies are in force; Invalid when one is none, and nothing changes. */
  govern(texts: PolicyTexts): Promise<void>;
  /** From now on this much may go over the line, and this is paused. */
  limit(orders: TrafficOrders): Promise<void>;
  /** Whether every policy in force lets this machine keep what peers have, too. */
  mayCache(): Promise<boolean>;
  /** Takes the user's word for where a peer is, or takes it back; kept over a restart. */
  vouch(asked: Vouch): Promise<void>;
  /** An invite to this node; with the network's key, which is a secret, only if asked. */
  invite(options: { readonly networkKey: boolean }): Promise<InviteView>;
  /** Connects to the maker of an invite; answers the address that worked. */
  join(invite: string): Promise<string>;
  /** The drive's devices that are known here, this one first. */
  devices(): Promise<readonly DeviceRow[]>;
  /** Another device is gone for good, by the beginning of its id; answers the whole id. */
  forgetDevice(beginning: string): Promise<string>;
  /** Lets whoever shows this code have the drive: it looks for a minute at most. */
  confirmDevice(code: string): Promise<AddedView>;
  /** Shuts a device out, by its name or the beginning of its id. */
  removeDevice(named: string): Promise<RemovedView>;
  /** The epoch that the drive is in. */
  epoch(): Promise<EpochView>;
  /** Nothing is written under secrets of an earlier epoch any more. */
  renewed(epoch: number): Promise<void>;
  /** Gives up what is kept for others, or does so no more; answers at once how far it is. */
  leave(order: LeaveOrder): Promise<LeaveView>;
  /** From now on it keeps so much for others at most; what is beyond goes elsewhere. */
  setQuota(bytes: number): Promise<void>;
  /** There may be something to upload. */
  wake(): Promise<void>;
  close(): Promise<void>;
}
