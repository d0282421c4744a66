/**
 * Peers in one process: a PeerNetwork that calls real ShardHosts, with a switch on each peer to
 * make it dead, silent, slow or lying. It keeps to the port's contract: what it gives out is
 * checked where the port says so, refusals are HiveErrors, and a silent peer is late in the end.
 */
import type { Clock } from "../../src/base/clock.ts";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { OwnerId, PeerId } from "../../src/base/ids.ts";
import type { CallOptions, KnownPeer, PeerNetwork, RecordOptions } from "../../src/base/network.ts";
import type { Requester, ShardHost } from "../../src/base/network.ts";
import type { Head, Manifest, Offer } from "../../src/base/records.ts";
import { type PeerKeys, peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { sha256 } from "../../src/crypt/ciphers/sha256.ts";
import { parseHead, parseManifest, parseReceipt, signOffer } from "../../src/crypt/records/records.ts";
import { parseSegmentRecord } from "../../src/crypt/records/records.ts";

export type Mood =
  | { readonly is: "honest" }
  /** Cannot be reached. */
  | { readonly is: "dead" }
  /** Takes calls and never answers. */
  | { readonly is: "silent" }
  | { readonly is: "slow"; readonly delayMs: number }
  /** Answers reads with wrong bytes and challenges with wrong proofs. */
  | { readonly is: "lying" };

export interface LoopbackPeer {
  readonly keys: PeerKeys;
  readonly host: ShardHost;
  readonly offer: Offer;
  mood: Mood;
  /** Reached by who knows its id; nobody is told of it. */
  isUnheard?: boolean;
}

const ownerPeer = peerKeysOf(sha256(Buffer.from("loopback owner")));

/** The identity of the peer with this name. */
export function loopbackKeys(name: string): PeerKeys {
  return peerKeysOf(sha256(Buffer.from(`loopback peer ${name}`)));
}

export class LoopbackNetwork implements PeerNetwork {
  readonly self: PeerId = ownerPeer.peer;
  readonly members = new Map<PeerId, LoopbackPeer>();
  readonly calls = { store: 0, read: 0, readBytes: 0, prove: 0 };
  callTimeoutMs = 2_000;
  readonly #clock: Clock;
  readonly #owners: readonly OwnerId[];
  readonly #heads = new Map<OwnerId, Head>();
  readonly #manifests = new Map<string, Manifest>();
  dhtWorks = true;
  /** Of the machine that everybody is seen from. */
  ownCountry: string | undefined = "DE";

  constructor(owners: readonly OwnerId[], clock: Clock = systemClock) {
    this.#owners = owners;
    this.#clock = clock;
  }

  /** The same peers, asked by somebody who acts for these. */
  actingFor(owners: readonly OwnerId[]): LoopbackNetwork {
    const network = new LoopbackNetwork(owners);
    for (const [peer, member] of this.members) network.members.set(peer, member);
    return network;
  }

  /** The same peers and DHT as another device of the same or of another drive sees them. */
  seenBy(owners: readonly OwnerId[]): LoopbackNetwork {
    const other = new LoopbackNetwork(owners, this.#clock);
    for (const [peer, member] of this.members) other.members.set(peer, member);
    for (const [owner, head] of this.#heads) other.#heads.set(owner, head);
    for (const [group, manifest] of this.#manifests) other.#manifests.set(group, manifest);
    return other;
  }

  add(
    name: string, hostOf: (keys: PeerKeys) => ShardHost, household: string = name,
  ): LoopbackPeer {
    const keys = loopbackKeys(name);
    const host = hostOf(keys);
    const offer = signOffer(keys, {
      atMs: this.#clock.now(), household, country: "DE", addresses: [], ...host.space(),
    });
    const member: LoopbackPeer = { keys, host, offer, mood: { is: "honest" } };
    this.members.set(keys.peer, member);
    return member;
  }

  offer(): Offer {
    const [household, country] = ["the owner's", this.ownCountry];
    const space = { quotaBytes: 0, freeBytes: 0 };
    return signOffer(ownerPeer, {
      atMs: this.#clock.now(), household, country, addresses: [], ...space,
    });
  }

  peers(): readonly KnownPeer[] {
    const heard = [...this.members.values()].filter(({ isUnheard }) => isUnheard !== true);
    return heard.map(({ offer, mood }) => ({
      offer, online: mood.is !== "dead", roundTripMs: 2, lastSeenMs: this.#clock.now(),
    }));
  }

  async store(
    ...[to, request, shard, options]: Parameters<PeerNetwork["store"]>
  ): ReturnType<PeerNetwork["store"]> {
    this.calls.store++;
    const { record, manifest, index, policy } = request;
    const told = { record: record.bytes, manifest: manifest.bytes, index };
    const wire = policy === undefined ? told : { ...told, policy };
    const bytes = await this.#call(to, options, (host, from) => host.store(from, wire, shard));
    return parseReceipt(bytes);
  }

  async read(
    ...[to, shard, range, options]: Parameters<PeerNetwork["read"]>
  ): ReturnType<PeerNetwork["read"]> {
    this.calls.read++;
    options?.begun?.();
    const bytes = await this.#call(to, options, (host, from) => host.read(from, shard, range));
    this.calls.readBytes += bytes.length;
    return this.#isLying(to) ? corrupted(bytes) : bytes;
  }

  async prove(
    ...[to, challenge, options]: Parameters<PeerNetwork["prove"]>
  ): ReturnType<PeerNetwork["prove"]> {
    this.calls.prove++;
    const bytes = await this.#call(to, options, (host, from) => host.prove(from, challenge));
    return this.#isLying(to) ? corrupted(bytes) : bytes;
  }

  release(to: PeerId, release: Uint8Array, options?: CallOptions): Promise<Uint8Array> {
    return this.#call(to, options, (host, from) => host.release(from, release));
  }

  putRecord(to: PeerId, record: Head | Manifest, options?: RecordOptions): Promise<void> {
    const kind = "sealed" in record ? "head" : "manifest";
    return this.#call(to, options, (host, from) => {
      return host.putRecord(from, kind, record.bytes, options?.policy);
    });
  }

  async records(
    ...[to, owner, options]: Parameters<PeerNetwork["records"]>
  ): ReturnType<PeerNetwork["records"]> {
    const { head, manifests } = await this.#call(to, options, (host, from) => {
      return host.records(from, owner);
    });
    return {
      head: head === undefined ? undefined : ownedBy(owner, parseHead(head)),
      manifests: manifests.map((bytes) => ownedBy(owner, parseManifest(bytes))),
    };
  }

  async segments(
    ...[to, owner, after, options]: Parameters<PeerNetwork["segments"]>
  ): ReturnType<PeerNetwork["segments"]> {
    const page = await this.#call(to, options, (host, from) => {
      return host.segments(from, owner, { after, limit: 256 });
    });
    return page.map((bytes) => ownedBy(owner, parseSegmentRecord(bytes)));
  }

  async publish(record: Head | Manifest): Promise<void> {
    if (!this.dhtWorks) throw new HiveError("Unavailable", "loopback.publish", "no DHT");
    if ("sealed" in record) this.#heads.set(record.owner, record);
    else this.#manifests.set(record.group, record);
  }

  async resolveHead(owner: OwnerId): Promise<Head | undefined> {
    return this.dhtWorks ? this.#heads.get(owner) : undefined;
  }

  async resolveManifest(_owner: OwnerId, group: string): Promise<Manifest | undefined> {
    return this.dhtWorks ? this.#manifests.get(group) : undefined;
  }

  async #call<T>(
    to: PeerId, options: CallOptions | undefined,
    ask: (host: ShardHost, from: Requester) => Promise<T>,
  ): Promise<T> {
    options?.signal?.throwIfAborted();
    const member = this.members.get(to);
    const mood = member?.mood ?? { is: "dead" };
    if (member === undefined || mood.is === "dead") throw fault("Unavailable", to);
    if (mood.is === "slow") await this.#clock.delay(mood.delayMs, options?.signal);
    if (mood.is === "silent") {
      await this.#clock.delay(this.callTimeoutMs, options?.signal);
      throw fault("TimedOut", to);
    }
    const from = { peer: this.self, owners: this.#owners };
    const answer = await ask(member.host, from);
    options?.signal?.throwIfAborted();
    return answer;
  }

  #isLying(peer: PeerId): boolean {
    return this.members.get(peer)?.mood.is === "lying";
  }
}

function ownedBy<T extends { readonly owner: OwnerId }>(owner: OwnerId, record: T): T {
  if (record.owner === owner) return record;
  throw fault("Corrupt", "another owner's record");
}

function corrupted(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.from(bytes);
  const last = copy.length - 1;
  copy.writeUInt8((copy[last] ?? 0) ^ 1, last);
  return copy;
}

function fault(kind: "Unavailable" | "TimedOut" | "Corrupt", subject: string): HiveError {
  return new HiveError(kind, "loopback", subject);
}
