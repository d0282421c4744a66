/** What a node is given and told, by whoever starts it. */
import { chmodSync } from "node:fs";
import type { CensusTaker, RootMerger, UploadSource } from "../base/blocks.ts";
import type { DeviceHost } from "../base/devices.ts";
import type { OwnerId } from "../base/ids.ts";
import type { Log } from "../base/log.ts";
import { makeDirectories } from "../base/machine/directories.ts";
import type { StoreView } from "../base/node.ts";
import type { SharedRoots } from "../base/sharing.ts";
import type { TrafficOrders } from "../base/traffic.ts";
import type { PolicyTexts } from "../base/views/policies.ts";
import type { RemoteBlocks } from "../bridge/source.ts";
import type { AskedTree } from "../bridge/tree.ts";
import type { MadeUpWorld, PeersOptions } from "../peers/peers.ts";

export interface NodeNeeds {
  readonly log: Log;
  /** The drive's cache, for uploads and for IPFS; a node without a drive has none. */
  readonly source?: UploadSource;
  readonly blocks?: RemoteBlocks;
  /** Tells what the drive refers to, and makes a root that stands in for the newest one. */
  readonly tree?: AskedTree;
  /** Is told what the folders of others are now, where there is somebody to show them to. */
  readonly roots?: SharedRoots;
  readonly merger?: RootMerger;
  /** Is told that the drive is in a new epoch (crypt/drive/epochs.ts). */
  readonly onEpoch?: () => Promise<void>;
  /** Looks which blocks of the store the books know, once they know again all that they can. */
  readonly recount?: () => Promise<void>;
  /** Shows a code, and waits to be added to a drive. */
  readonly newcomer?: DeviceHost;
  /** Of what is written in a folder of somebody else's, by the key of the right to. */
  readonly guest?: (writer: OwnerId) => {
    readonly source: UploadSource; readonly census: CensusTaker;
  };
  /** In tests and drills alone. */
  readonly world?: MadeUpWorld;
}

export interface NodeConfig extends Omit<PeersOptions, "encryption"> {
  /** Books and vault of this node; made 0700. */
  readonly directory: string;
  /** Absent on a node that only keeps shards for others, and on a device that was added. */
  readonly driveSeed: Uint8Array | undefined;
  /** What a device was given that was added to a drive (crypt/devices/added-device.ts). */
  readonly device?: Uint8Array;
  readonly deviceName: string;
  readonly quotaBytes: number;
  /** Of the quota, for each drive whose user is no friend; 1 when not told. */
  readonly strangerShare?: number;
  /** GB kept for others, asked of strangers for each GB of files; the usual when not told. */
  readonly contributeRatio?: number;
  readonly deadAfterMs: number;
  readonly auditIntervalMs: number;
  /** How long one member leads a group; all members must have the same. */
  readonly guardLeaseMs?: number;
  /** The user's policies; without them the built-in one holds. */
  readonly policies?: PolicyTexts;
  /** Of the drive's store (transfer/life.ts); absent where there is none. */
  readonly storeView?: StoreView;
  /** What may go over the line, and when; anything without them. */
  readonly traffic?: TrafficOrders;
}

/** Of a user who wrote none. */
export const noTexts: PolicyTexts = { drive: undefined, named: {}, problem: null };

/** Only what crosses to another thread: no functions, and not the mount's options. */
export function plainConfig(config: NodeConfig): NodeConfig {
  const { directory, peerSeed, driveSeed, deviceName, listen, bootstrap, household } = config;
  const { country, mdns, relay, upnp, networkKey, quotaBytes, strangerShare = 1 } = config;
  const { deadAfterMs, auditIntervalMs, guardLeaseMs, policies, contributeRatio } = config;
  const { traffic, device, version, storeView } = config;
  const room = { quotaBytes, strangerShare };
  const who = { directory, peerSeed, driveSeed, deviceName, household, country };
  const how = { listen, bootstrap, mdns, ...room, deadAfterMs, auditIntervalMs };
  const rules = { policies, contributeRatio, guardLeaseMs, traffic };
  const chosen = { relay, upnp, networkKey, device, version, storeView, ...rules };
  const told = Object.entries(chosen)
    .filter(([, value]) => value !== undefined);
  return { ...who, ...how, ...Object.fromEntries(told) };
}

/** Made if need be, and nobody else's to look into. */
export function privateDirectory(directory: string): string {
  makeDirectories(directory, 0o700);
  chmodSync(directory, 0o700);
  return directory;
}
