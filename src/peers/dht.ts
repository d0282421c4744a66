/**
 * Heads and manifests in our own Kademlia DHT: tens of small records per owner, nothing per shard.
 * A record is stored or believed only if its signature is right and it lies under its own key; of
 * several the newest wins. Anybody may carry them: they tell who signed, not what is in the drive.
 *
 *   /hive/head/OWNER         the newest head
 *   /hive/group/OWNER/GROUP  a placement group's newest manifest
 */
import type { SelectFn, ValidateFn } from "@libp2p/kad-dht";
import { HiveError, isFault } from "../base/errors.ts";
import type { OwnerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Head, Manifest } from "../base/records.ts";
import { parseHead, parseManifest } from "../crypt/records.ts";
import type { Node } from "./node.ts";

type Found = { readonly record: Head | Manifest; readonly version: number };

export function headKey(owner: OwnerId): Uint8Array {
  return Buffer.from(`/hive/head/${owner}`);
}

export function groupKey(owner: OwnerId, group: string): Uint8Array {
  return Buffer.from(`/hive/group/${owner}/${group}`);
}

export const validateRecord: ValidateFn = (key, value) => {
  believe(key, value);
};

/** The index of the newest; all were validated before. */
export const selectRecord: SelectFn = (key, values) => {
  const versions = values.map((value) => believe(key, value).version);
  return versions.indexOf(Math.max(...versions));
};

/** Resolves when at least one other peer keeps the record. */
export async function publishRecord(
  node: Node,
  record: Head | Manifest,
  signal: AbortSignal | undefined,
): Promise<void> {
  const key = "sequence" in record
    ? headKey(record.owner)
    : groupKey(record.owner, record.group);
  if (node.getConnections().length === 0) throw unavailable("peers.publish", key);
  let kept = 0;
  try {
    const query = node.services.dht.put(key, record.bytes, { signal: bounded(signal) });
    for await (const event of query) {
      if (event.name === "PEER_RESPONSE" && event.messageName === "PUT_VALUE") kept++;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (kept === 0) throw unavailable("peers.publish", key, cause);
  }
  if (kept === 0) throw unavailable("peers.publish", key);
}

export async function resolveHead(
  node: Node,
  owner: OwnerId,
  signal: AbortSignal | undefined,
): Promise<Head | undefined> {
  const record = await resolve(node, headKey(owner), signal);
  return record !== undefined && "sequence" in record ? record : undefined;
}

export async function resolveManifest(
  node: Node,
  owner: OwnerId,
  group: string,
  signal: AbortSignal | undefined,
): Promise<Manifest | undefined> {
  const record = await resolve(node, groupKey(owner, group), signal);
  return record !== undefined && "epoch" in record ? record : undefined;
}

async function resolve(
  node: Node,
  key: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Head | Manifest | undefined> {
  let best: Found | undefined;
  const offer = (value: Uint8Array | undefined) => {
    const found = value === undefined ? undefined : believeQuietly(key, value);
    if (found !== undefined && found.version > (best?.version ?? -1)) best = found;
  };
  try {
    for await (const event of node.services.dht.get(key, { signal: bounded(signal) })) {
      // Each answer counts by itself: the last word fails when one peer takes no correction.
      if (event.name === "PEER_RESPONSE") offer(event.record?.value);
      else if (event.name === "VALUE") offer(event.value);
    }
  } catch (cause) {
    signal?.throwIfAborted();
    if (best === undefined) throw unavailable("peers.resolve", key, cause);
  }
  return best?.record;
}

function believeQuietly(key: Uint8Array, value: Uint8Array): Found | undefined {
  try {
    return believe(key, value);
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

/** The record under this key, if it is one that may lie there. */
function believe(key: Uint8Array, value: Uint8Array): Found {
  const text = Buffer.from(key).toString("latin1");
  const [, space, kind] = text.split("/");
  if (value.length <= limits.peers.recordBytesMax && space === "hive") {
    if (kind === "head") {
      const record = parseHead(value);
      if (text === Buffer.from(headKey(record.owner)).toString()) {
        return { record, version: record.sequence };
      }
    } else if (kind === "group") {
      const record = parseManifest(value);
      if (text === Buffer.from(groupKey(record.owner, record.group)).toString()) {
        return { record, version: record.epoch };
      }
    }
  }
  throw new HiveError("Corrupt", "peers.dht", text.slice(0, 160));
}

function bounded(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(limits.peers.resolveTimeoutMs);
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
}

function unavailable(op: string, key: Uint8Array, cause?: unknown): HiveError {
  const options = cause === undefined ? {} : { cause };
  return new HiveError("Unavailable", op, Buffer.from(key).toString("latin1"), options);
}
