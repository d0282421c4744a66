/**
 * What a node asks of another one about shards, and what it believes of the answers: an answer that
 * is not what it must be is Corrupt, whatever is wrong with it.
 */
import type { DeviceAct, DeviceNetwork } from "../../base/devices.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { ByteRange } from "../../base/filesystem.ts";
import type { GuardAct, GuardNetwork } from "../../base/guard.ts";
import type { OwnerId, PeerId, SegmentId, ShardId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { CallOptions, Challenge, PeerNetwork, RecordOptions } from "../../base/network.ts";
import type { ReadOptions } from "../../base/network.ts";
import type { Head, Manifest, Receipt, SegmentRecord } from "../../base/records.ts";
import type { ShareAct, ShareNetwork } from "../../base/sharing.ts";
import { parseHead, parseManifest, parseReceipt, parseSegmentRecord }
  from "../../crypt/records/records.ts";
import { parseList, parseOwnerRecords } from "../wire/message.ts";
import type { Link } from "./link.ts";

type Asked =
  | "store" | "read" | "prove" | "release" | "putRecord" | "records" | "segments";

const none = Buffer.alloc(0);

export abstract class ShardCalls
  implements Pick<PeerNetwork, Asked>, GuardNetwork, ShareNetwork, DeviceNetwork {
  /** The way to a peer, which connects when it is used. */
  protected abstract link(peer: PeerId): Link;

  async store(
    to: PeerId,
    request: Parameters<PeerNetwork["store"]>[1],
    shard: Uint8Array,
    options: CallOptions = {},
  ): Promise<Receipt> {
    const { record, manifest, index, policy } = request;
    const told = { record: record.bytes, manifest: manifest.bytes, index };
    const asked = { op: "store", ...told, ...(policy === undefined ? {} : { policy }) } as const;
    const answer = await this.link(to).call(asked, shard, options);
    const receipt = believed("store", () => parseReceipt(answer));
    const right = receipt.holder === to && receipt.segment === record.segment &&
      receipt.index === index && receipt.shard === record.roots[index] &&
      receipt.owner === record.owner;
    if (right) return receipt;
    throw new HiveError("Corrupt", "peers.store", "a receipt for something else");
  }

  async read(
    to: PeerId,
    shard: ShardId,
    range: ByteRange,
    options: ReadOptions = {},
  ): Promise<Uint8Array> {
    const { offsetBytes: offset, lengthBytes: length } = range;
    const fits = offset + length <= limits.peers.payloadBytesMax;
    if (!fits) throw new HiveError("TooLarge", "peers.read", `${offset}+${length}`);
    const asked = { op: "read", shard, offset, length } as const;
    options.begun?.();
    const answer = await this.link(to).call(asked, none, options);
    if (answer.length === length) return answer;
    throw new HiveError("Corrupt", "peers.read", `${answer.length} bytes for ${length}`);
  }

  prove(to: PeerId, challenge: Challenge, options: CallOptions = {}): Promise<Uint8Array> {
    return this.link(to).call({ op: "prove", ...challenge }, none, options);
  }

  release(to: PeerId, release: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    return this.link(to).call({ op: "release" }, release, options);
  }

  async putRecord(to: PeerId, record: Head | Manifest, options: RecordOptions = {}): Promise<void> {
    const kind = "sequence" in record ? "head" : "manifest";
    const { policy, signal } = options;
    const asked = { op: "putRecord", kind, ...(policy === undefined ? {} : { policy }) } as const;
    await this.link(to).call(asked, record.bytes, { signal });
  }

  async records(to: PeerId, owner: OwnerId, options: CallOptions = {}) {
    const answer = await this.link(to).call({ op: "records", owner }, none, options);
    return believed("records", () => {
      const found = parseOwnerRecords(answer);
      const head = found.head === undefined ? undefined : parseHead(found.head);
      const others = found.others.map(parseHead);
      const manifests = found.manifests.map(parseManifest);
      const all = [head, ...others, ...manifests].filter((one) => one !== undefined);
      const strange = all.some((one) => one.owner !== owner);
      if (strange) throw new HiveError("Corrupt", "peers.records", "another owner's");
      return { head, others, manifests };
    });
  }

  async segments(
    to: PeerId,
    owner: OwnerId,
    after: SegmentId | undefined,
    options: CallOptions = {},
  ): Promise<readonly SegmentRecord[]> {
    const limit = limits.peers.segmentsSampleMax;
    const asked = { op: "segments", owner, after, limit } as const;
    const answer = await this.link(to).call(asked, none, options);
    return believed("segments", () => {
      const records = parseList(answer, limit).map(parseSegmentRecord);
      let last: string = after ?? "";
      for (const record of records) {
        if (record.owner !== owner || record.segment <= last) {
          throw new HiveError("Corrupt", "peers.segments", "another owner's, or out of order");
        }
        last = record.segment;
      }
      return records;
    });
  }

  guard(
    to: PeerId, act: GuardAct, payload: Uint8Array, options: CallOptions = {},
  ): Promise<Uint8Array> {
    return this.link(to).call({ op: "guard", act }, payload, options);
  }

  share(
    to: PeerId, act: ShareAct, payload: Uint8Array, options: CallOptions = {},
  ): Promise<Uint8Array> {
    return this.link(to).call({ op: "share", act }, payload, options);
  }

  device(
    to: PeerId, act: DeviceAct, payload: Uint8Array, options: CallOptions = {},
  ): Promise<Uint8Array> {
    return this.link(to).call({ op: "device", act }, payload, options);
  }
}

/** What a peer answered that is not what it must be is Corrupt, whatever parser said so. */
export function believed<T>(op: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (isFault(cause, "Corrupt")) throw cause;
    throw new HiveError("Corrupt", `peers.${op}`, "answer", { cause });
  }
}
