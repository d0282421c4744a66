/** A small honest ShardHost and a KeyValue, both in memory: what `vault` and `cache` are on disk. */
import type { KeyChange, KeyValue } from "../../src/base/blocks.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { ByteRange } from "../../src/base/filesystem.ts";
import type { OwnerId, SegmentId, ShardId } from "../../src/base/ids.ts";
import type { Challenge, Requester, ShardHost, StoreRequest } from "../../src/base/network.ts";
import type { Head, Manifest, SegmentRecord } from "../../src/base/records.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { signDeletion } from "../../src/crypt/records/deletions.ts";
import { parseHead, parseManifest, parseRelease } from "../../src/crypt/records/records.ts";
import { parseSegmentRecord, signReceipt } from "../../src/crypt/records/records.ts";
import { answerChallenge, leavesOf } from "../../src/proofs/answer.ts";

interface Kept {
  readonly record: SegmentRecord;
  readonly manifest: Manifest;
  readonly bytes: Uint8Array;
}

export class MemoryHost implements ShardHost {
  readonly shards = new Map<ShardId, Kept>();
  readonly heads = new Map<OwnerId, Head>();
  readonly manifests = new Map<string, Manifest>();
  readonly #keys: PeerKeys;
  readonly #quotaBytes: number;

  constructor(keys: PeerKeys, options: { quotaBytes?: number } = {}) {
    this.#keys = keys;
    this.#quotaBytes = options.quotaBytes ?? 2 ** 30;
  }

  async store(from: Requester, request: StoreRequest, shard: Uint8Array): Promise<Uint8Array> {
    const record = parseSegmentRecord(request.record);
    const manifest = parseManifest(request.manifest);
    const root = record.roots[request.index];
    this.#mayUse(from, record.owner, manifest);
    if (root === undefined || shardIdOf(shard) !== root) throw fault("Invalid", "store");
    if (shard.length > this.space().freeBytes) throw fault("Quota", "store");
    this.shards.set(root, { record, manifest, bytes: Buffer.from(shard) });
    this.manifests.set(`${manifest.owner}/${manifest.group}`, manifest);
    return signReceipt(this.#keys, {
      owner: record.owner,
      segment: record.segment,
      index: request.index,
      shard: root,
      atMs: record.createdAtMs,
    }).bytes;
  }

  async read(from: Requester, shard: ShardId, range: ByteRange): Promise<Uint8Array> {
    const kept = this.#kept(from, shard);
    const end = range.offsetBytes + range.lengthBytes;
    if (end > kept.bytes.length) throw fault("Invalid", "read");
    return kept.bytes.subarray(range.offsetBytes, end);
  }

  async prove(from: Requester, challenge: Challenge): Promise<Uint8Array> {
    const kept = this.#kept(from, challenge.shard);
    return answerChallenge(challenge, this.#keys.peer, leavesOf(kept.bytes));
  }

  async release(from: Requester, bytes: Uint8Array): Promise<Uint8Array> {
    const { owner, segment, releasedAtMs } = parseRelease(bytes);
    if (!from.owners.includes(owner)) throw fault("Denied", "release");
    for (const [shard, { record }] of this.shards) {
      if (record.segment === segment) this.shards.delete(shard);
    }
    return signDeletion(this.#keys, { owner, segment, releasedAtMs, atMs: releasedAtMs }).bytes;
  }

  async putRecord(_from: Requester, kind: "head" | "manifest", bytes: Uint8Array): Promise<void> {
    if (kind === "head") {
      const head = parseHead(bytes);
      if ((this.heads.get(head.owner)?.sequence ?? -1) >= head.sequence) throw fault("Stale", kind);
      this.heads.set(head.owner, head);
    } else {
      const manifest = parseManifest(bytes);
      this.manifests.set(`${manifest.owner}/${manifest.group}`, manifest);
    }
  }

  async records(from: Requester, owner: OwnerId) {
    if (!from.owners.includes(owner)) throw fault("Denied", "records");
    const manifests = [...this.manifests.values()].filter((one) => one.owner === owner);
    return {
      head: this.heads.get(owner)?.bytes,
      manifests: manifests.map((manifest) => manifest.bytes),
    };
  }

  async segments(
    from: Requester,
    owner: OwnerId,
    options: { readonly after: SegmentId | undefined; readonly limit: number },
  ): Promise<readonly Uint8Array[]> {
    if (!from.owners.includes(owner)) throw fault("Denied", "segments");
    const records = [...this.shards.values()].map((kept) => kept.record);
    const own = new Map(records.filter((record) => record.owner === owner)
      .map((record) => [record.segment, record.bytes]));
    const after = [...own.keys()].sort().filter((segment) => segment > (options.after ?? ""));
    return after.slice(0, options.limit).map((segment) => own.get(segment) as Uint8Array);
  }

  space() {
    let usedBytes = 0;
    for (const { bytes } of this.shards.values()) usedBytes += bytes.length;
    return { quotaBytes: this.#quotaBytes, freeBytes: this.#quotaBytes - usedBytes };
  }

  #kept(from: Requester, shard: ShardId): Kept {
    const kept = this.shards.get(shard);
    if (kept === undefined) throw fault("NotFound", shard);
    this.#mayUse(from, kept.record.owner, kept.manifest);
    return kept;
  }

  #mayUse(from: Requester, owner: OwnerId, manifest: Manifest): void {
    if (from.owners.includes(owner) || manifest.peers.includes(from.peer)) return;
    throw fault("Denied", "owner");
  }
}

export class MemoryKeyValue implements KeyValue {
  readonly #values = new Map<string, Uint8Array>();

  async get(key: string): Promise<Uint8Array | undefined> {
    return this.#values.get(key);
  }

  async put(key: string, value: Uint8Array): Promise<void> {
    this.#values.set(key, Uint8Array.from(value));
  }

  async delete(key: string): Promise<void> {
    this.#values.delete(key);
  }

  async batch(changes: readonly KeyChange[]): Promise<void> {
    for (const change of changes) {
      if (change.type === "put") await this.put(change.key, change.value);
      else await this.delete(change.key);
    }
  }

  async *list(
    prefix: string, { after = "" }: { readonly after?: string } = {},
  ): AsyncIterable<readonly [string, Uint8Array]> {
    const found = [...this.#values].filter(([key]) => key.startsWith(prefix) && key > after);
    yield* found.sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

function fault(kind: "Denied" | "NotFound" | "Quota" | "Invalid" | "Stale", subject: string) {
  return new HiveError(kind, "memory.host", subject);
}
