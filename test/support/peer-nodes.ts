/** Real nodes over loopback with memory hosts, a made-up drive, and the records they exchange. */
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { type PeerId, type ShardId, parseGroupId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import type { ShardHost } from "../../src/base/network.ts";
import { type Random, seededRandom, systemRandom } from "../../src/base/random.ts";
import { type DeviceCertificate, erasureClasses } from "../../src/base/records.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { type DriveKeys, driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { signDeviceCertificate, signManifest, signSegmentRecord }
  from "../../src/crypt/records/records.ts";
import { openPeers } from "../../src/peers/open.ts";
import type { Peers, PeersNeeds, PeersOptions } from "../../src/peers/peers.ts";
import { MemoryHost, MemoryKeyValue } from "./memory-host.ts";

export interface TestNode extends AsyncDisposable {
  readonly keys: PeerKeys;
  readonly peers: Peers;
  readonly host: MemoryHost;
  readonly books: MemoryKeyValue;
  readonly address: string;
}

export interface TestNodeOptions {
  readonly seed?: Uint8Array;
  readonly host?: (keys: PeerKeys) => ShardHost;
  readonly books?: MemoryKeyValue;
  readonly certificates?: (keys: PeerKeys) => readonly DeviceCertificate[];
  readonly bootstrap?: readonly string[];
  readonly listen?: readonly string[];
  readonly encryption?: "tls" | "noise";
  readonly mdns?: boolean;
  readonly household?: string;
  readonly country?: string;
  readonly relay?: "on" | "off" | "auto";
  readonly networkKey?: Uint8Array;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly more?: Partial<PeersNeeds>;
}

export async function openTestNode(options: TestNodeOptions = {}): Promise<TestNode> {
  const seed = options.seed ?? systemRandom.bytes(32);
  const keys = peerKeysOf(seed);
  const host = new MemoryHost(keys);
  const books = options.books ?? new MemoryKeyValue();
  const certificates = options.certificates?.(keys) ?? [];
  const settings: PeersOptions = {
    peerSeed: seed,
    listen: options.listen ?? ["/ip4/127.0.0.1/tcp/0"],
    bootstrap: options.bootstrap ?? [],
    household: options.household ?? `home of ${keys.peer.slice(-6)}`,
    country: options.country ?? "CH",
    mdns: options.mdns ?? false,
    ...(options.networkKey === undefined ? {} : { networkKey: options.networkKey }),
    ...(options.relay === undefined ? {} : { relay: options.relay }),
    ...(options.encryption === undefined ? {} : { encryption: options.encryption }),
  };
  const peers = await openPeers({
    clock: options.clock ?? systemClock,
    random: seededRandom(keys.peer),
    log: options.log ?? silentLog,
    books,
    host: options.host?.(keys) ?? host,
    certificates: () => certificates,
    ...options.more,
  }, settings);
  const address = peers.addresses()[0] as string;
  const close = () => peers[Symbol.asyncDispose]();
  return { keys, peers, host, books, address, [Symbol.asyncDispose]: close };
}

/** One segment of a made-up drive, its shards and the manifest of its group. */
export class TestDrive {
  readonly keys: DriveKeys;
  readonly random: Random;

  constructor(seed: number | string) {
    this.random = seededRandom(`drive/${seed}`);
    this.keys = driveKeysOf(this.random.bytes(32));
  }

  certificate(peer: PeerId, options: { expiresAtMs?: number } = {}): DeviceCertificate {
    const nowMs = systemClock.now();
    return signDeviceCertificate(this.keys, {
      peer,
      name: "laptop",
      issuedAtMs: nowMs - 60_000,
      expiresAtMs: options.expiresAtMs ?? nowMs + 3600_000,
    });
  }

  /** A group of class mirror: the given peers, and made-up ones to fill it. */
  manifest(members: readonly PeerId[], options: { epoch?: number } = {}) {
    const mirror = erasureClasses[0] as (typeof erasureClasses)[number];
    const peers = [...members];
    while (peers.length < mirror.n) peers.push(peerKeysOf(this.random.bytes(32)).peer);
    return signManifest(this.keys, {
      group: parseGroupId("ab".repeat(16)),
      epoch: options.epoch ?? 1,
      class: mirror,
      policyHash: "0".repeat(64),
      peers,
    });
  }

  segment(options: { shardBytes?: number } = {}) {
    const shardBytes = options.shardBytes ?? limits.segment.shardBytes[0];
    const shards = [0, 1, 2].map(() => this.random.bytes(64));
    const whole = shards.map((seed) => Buffer.alloc(shardBytes, seed));
    const roots: ShardId[] = whole.map(shardIdOf);
    const record = signSegmentRecord(this.keys, {
      group: parseGroupId("ab".repeat(16)),
      k: 1,
      n: 3,
      shardBytes,
      rotation: 0,
      roots,
      createdAtMs: systemClock.now(),
    });
    return { record, shards: whole };
  }
}
