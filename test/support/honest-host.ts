/** An honest holder in memory: the smallest ShardHost that keeps to the port's contract. */
import { HiveError } from "../../src/base/errors.ts";
import type { ByteRange } from "../../src/base/filesystem.ts";
import type { OwnerId, PeerId, SegmentId, ShardId } from "../../src/base/ids.ts";
import type { Challenge, OwnerRecords, Requester } from "../../src/base/network.ts";
import type { ShardHost, StoreRequest } from "../../src/base/network.ts";
import type { Head, Manifest, SegmentRecord } from "../../src/base/records.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { parseHead, parseManifest, parseRelease } from "../../src/crypt/records/records.ts";
import { parseSegmentRecord, signReceipt } from "../../src/crypt/records/records.ts";
import { memberOfShard } from "../../src/placement/draws/seats.ts";
import { answerChallenge, leavesOf } from "../../src/proofs/answer.ts";
import { isRace, runRace } from "../../src/proofs/race.ts";

const segmentsPerPage = 7;

export class HonestHost implements ShardHost {
  readonly shards = new Map<ShardId, Buffer>();
  readonly #keys: PeerKeys;
  readonly #records = new Map<SegmentId, SegmentRecord>();
  readonly #manifests = new Map<string, Manifest>();
  readonly #heads = new Map<OwnerId, Head>();

  constructor(keys: PeerKeys) {
    this.#keys = keys;
  }

  async store(_from: Requester, request: StoreRequest, shard: Uint8Array): Promise<Uint8Array> {
    const record = parseSegmentRecord(request.record);
    const manifest = parseManifest(request.manifest);
    const { index } = request;
    if (memberOfShard(record, index, manifest) !== this.#keys.peer) throw refuse("Denied");
    const id = shardIdOf(shard);
    if (id !== record.roots[index]) throw refuse("Corrupt");
    this.#records.set(record.segment, record);
    this.#keepManifest(manifest);
    this.shards.set(id, Buffer.from(shard));
    const { owner, segment } = record;
    return signReceipt(this.#keys, { owner, segment, index, shard: id, atMs: 1 }).bytes;
  }

  async read(_from: Requester, shard: ShardId, range: ByteRange): Promise<Uint8Array> {
    const bytes = this.#shard(shard);
    const end = range.offsetBytes + range.lengthBytes;
    if (end > bytes.length) throw refuse("Invalid");
    return Buffer.from(bytes.subarray(range.offsetBytes, end));
  }

  async prove(_from: Requester, challenge: Challenge): Promise<Uint8Array> {
    const shard = this.#shard(challenge.shard);
    if (isRace(challenge)) return runRace(challenge, this.peer, shard);
    return answerChallenge(challenge, this.peer, leavesOf(shard));
  }

  /** As one that signs no word of what is gone. */
  async release(_from: Requester, bytes: Uint8Array): Promise<Uint8Array> {
    const { segment } = parseRelease(bytes);
    for (const root of this.#records.get(segment)?.roots ?? []) this.shards.delete(root);
    this.#records.delete(segment);
    return Buffer.alloc(0);
  }

  async putRecord(_from: Requester, kind: "head" | "manifest", record: Uint8Array): Promise<void> {
    if (kind === "manifest") return this.#keepManifest(parseManifest(record));
    const head = parseHead(record);
    const known = this.#heads.get(head.owner);
    if (known === undefined || known.sequence < head.sequence) this.#heads.set(head.owner, head);
  }

  async records(_from: Requester, owner: OwnerId): Promise<OwnerRecords> {
    const manifests = [...this.#manifests.values()].filter((each) => each.owner === owner);
    return {
      head: this.#heads.get(owner)?.bytes, manifests: manifests.map(({ bytes }) => bytes),
    };
  }

  async segments(
    _from: Requester,
    owner: OwnerId,
    options: { readonly after: SegmentId | undefined; readonly limit: number },
  ): Promise<readonly Uint8Array[]> {
    const { after } = options;
    const ours = [...this.#records.values()].filter((record) => record.owner === owner);
    const later = ours.filter(({ segment }) => after === undefined || segment > after);
    later.sort((a, b) => (a.segment < b.segment ? -1 : 1));
    return later.slice(0, Math.min(options.limit, segmentsPerPage)).map(({ bytes }) => bytes);
  }

  space(): { quotaBytes: number; freeBytes: number } {
    return { quotaBytes: 2 ** 40, freeBytes: 2 ** 39 };
  }

  get peer(): PeerId {
    return this.#keys.peer;
  }

  #shard(id: ShardId): Buffer {
    const bytes = this.shards.get(id);
    if (bytes === undefined) throw refuse("NotFound");
    return bytes;
  }

  #keepManifest(manifest: Manifest): void {
    const known = this.#manifests.get(manifest.group);
    if (known !== undefined && known.epoch >= manifest.epoch) return;
    this.#manifests.set(manifest.group, manifest);
  }
}

function refuse(kind: "Denied" | "Corrupt" | "NotFound" | "Invalid"): HiveError {
  return new HiveError(kind, "honest-host", "refused");
}
