/** What a node is told, by whoever starts it. */
import { chmodSync, mkdirSync } from "node:fs";
import type { PolicyTexts } from "../base/views.ts";
import type { PeersOptions } from "../peers/peers.ts";

export interface NodeConfig extends Omit<PeersOptions, "encryption"> {
  /** Books and vault of this node; made 0700. */
  readonly directory: string;
  /** Absent on a node that only keeps shards for others. */
  readonly driveSeed: Uint8Array | undefined;
  readonly deviceName: string;
  readonly quotaBytes: number;
  /** Of the quota, for each drive whose user is no friend; 1 when not told. */
  readonly strangerShare?: number;
  /** GB kept for others, asked of strangers for each GB of files; the usual when not told. */
  readonly contributeRatio?: number;
  readonly deadAfterMs: number;
  readonly auditIntervalMs: number;
  /** The user's policies; without them the built-in one holds. */
  readonly policies?: PolicyTexts;
}

/** Of a user who wrote none. */
export const noTexts: PolicyTexts = { drive: undefined, named: {}, problem: null };

/** Only what crosses to another thread: no functions, and not the mount's options. */
export function plainConfig(config: NodeConfig): NodeConfig {
  const { directory, peerSeed, driveSeed, deviceName, listen, bootstrap, household } = config;
  const { country, mdns, relay, upnp, networkKey, quotaBytes, strangerShare = 1 } = config;
  const { deadAfterMs, auditIntervalMs, policies, contributeRatio } = config;
  const room = { quotaBytes, strangerShare };
  const who = { directory, peerSeed, driveSeed, deviceName, household, country };
  const how = { listen, bootstrap, mdns, ...room, deadAfterMs, auditIntervalMs };
  const told = Object.entries({ relay, upnp, networkKey, policies, contributeRatio })
    .filter(([, value]) => value !== undefined);
  return { ...who, ...how, ...Object.fromEntries(told) };
}

/** Made if need be, and nobody else's to look into. */
export function privateDirectory(directory: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  return directory;
}
