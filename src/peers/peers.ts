/**
 * The face of this room: one node among its peers. It is the PeerNetwork of those who ask, calls a
 * ShardHost for those who are asked, and keeps the address book. What a peer says is checked here,
 * once; a peer that lies, stalls or floods costs a stream, never the node.
 *
 * Encryption is TLS 1.3 (Node's own) and not Noise. Two processes over loopback on two busy cores,
 * the best of four turns: TLS stores 242 and reads 345 MB/s of full shards and 17,100 small
 * ranges a second, for 7.4 processor seconds per GB of both ends; Noise 220, 300, 9,740 and 8.4;
 * a plain socket 1,730 MB/s. `scripts/bench/net.ts` measures it again.
 */
import type { BlockFetcher, KeyValue } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import type { DeviceHost, DeviceNetwork } from "../base/devices.ts";
import type { GuardHost, GuardNetwork } from "../base/guard.ts";
import type { PeerId } from "../base/ids.ts";
import type { LedgerHost, LedgerNetwork } from "../base/ledger.ts";
import type { Log } from "../base/log.ts";
import type { PeerNetwork, ShardHost } from "../base/network.ts";
import type { PlaceBook, RangeNetwork } from "../base/places.ts";
import type { Random } from "../base/random.ts";
import type { DeviceCertificate } from "../base/records.ts";
import type { ShareHost, ShareNetwork } from "../base/sharing.ts";
import type { Step } from "../base/step.ts";
import type { MadeUpWorld } from "./acquaintance/range.ts";
import type { Meter } from "./asking/pipe.ts";
import type { SearchOptions } from "./dht/dht.ts";
import type { DriveBlocks, Ipfs } from "./ipfs.ts";
import type { Pass } from "./wire/invite.ts";

export type { DriveBlocks, Ipfs } from "./ipfs.ts";
export type { MadeUpWorld } from "./acquaintance/range.ts";

export interface PeersNeeds {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The address book's own small store. */
  readonly books: KeyValue;
  readonly host: ShardHost;
  /** Answers for this node's books of who did what for whom. */
  readonly ledger?: LedgerHost;
  /** Answers fellow members of groups; without one nobody guards here. */
  readonly guardian?: GuardHost;
  /** Answers about shared folders; without one none is kept here. */
  readonly sharing?: ShareHost;
  /** Answers about the devices of drives; without one nobody does. */
  readonly devices?: DeviceHost;
  /** Whether whoever signed it shut the device out since; without it nobody did. */
  readonly isRemoved?: (certificate: DeviceCertificate) => boolean;
  /** For which drives and people this node may ask; read again at each greeting. */
  readonly certificates: () => readonly DeviceCertificate[];
  readonly blocks?: DriveBlocks;
  readonly fetcher?: BlockFetcher;
  /** Told of every address that is seen, and asked what that comes to. */
  readonly places?: PlaceBook;
  /** In tests and simulations alone. */
  readonly world?: MadeUpWorld | undefined;
}

export interface PeersOptions {
  readonly peerSeed: Uint8Array;
  /** Multiaddrs, for example /ip4/0.0.0.0/tcp/4001; port 0 takes any free one. */
  readonly listen: readonly string[];
  /** Multiaddrs with a /p2p/ part, dialled while this node is alone; a silent one is no fault. */
  readonly bootstrap: readonly string[];
  readonly household: string;
  readonly country: string | undefined;
  /** Of this Hive; none is told when absent. */
  readonly version?: string;
  readonly mdns: boolean;
  /** Whether it carries others' bytes when it is not on this machine alone; "auto" when absent. */
  readonly relay?: "on" | "off" | "auto";
  /** Asks the router for a port; not when absent. */
  readonly upnp?: boolean;
  /** 32 bytes: whoever has not the same is not heard. */
  readonly networkKey?: Uint8Array;
  readonly encryption?: "tls" | "noise";
}

export interface ConnectOptions {
  readonly signal?: AbortSignal;
  /** Of the invite by which we come. */
  readonly pass?: Pass;
  /** Its user is one of ours: see Book. */
  readonly friend?: boolean;
}

export interface Peers
  extends PeerNetwork, LedgerNetwork, GuardNetwork, ShareNetwork, DeviceNetwork, AsyncDisposable {
  /** Where others reach this node: multiaddrs with its peer id. */
  addresses(): readonly string[];
  /** Dials an address, greets, and hears of its peers. */
  connect(address: string, options?: ConnectOptions): Promise<PeerId>;
  /** For an invite to this node. */
  pass(expiresAtMs: number): Pass;
  /** Measures round trips that others can believe. */
  readonly ranging: RangeNetwork;
  /** Background work, for the loop that runs all steps. */
  readonly step: Step;
  /** Helia and UnixFS over this node, made when first asked for. */
  ipfs(): Promise<Ipfs>;
  /** Looks in the DHT for peers of a place; answers how many it had not known. */
  seek(options: SearchOptions): Promise<number>;
  onPeersChanged(listener: () => void): Disposable;
  /** Bytes of our own protocol since the start. */
  stats(): Readonly<Meter>;
}
