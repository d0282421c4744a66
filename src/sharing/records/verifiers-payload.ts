/**
 * What one who verifies a folder is told of it: the groups that keep it, and nothing else: no key,
 * no name, no place of a block. Whose groups they are her grant says; who is in them, and what
 * shards there should be, the owner's signed manifests and segment records, which holders have.
 *
 *   payload = u8 version 1 | varint groups, each 16 bytes
 */
import { KiB, Reader, Writer } from "../../base/bytes.ts";
import { type GroupId, parseGroupId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";

const version = 1;
const groupIdBytes = 16;

export function encodeForVerifiers(groups: readonly GroupId[]): Buffer {
  const writer = new Writer(KiB).u8(version).varint(groups.length);
  for (const group of groups) writer.hex(group);
  return writer.finish();
}

export function decodeForVerifiers(bytes: Uint8Array): ReadonlySet<GroupId> {
  const reader = new Reader(bytes, "share.verifiers");
  if (reader.u8() !== version) throw reader.corrupt("version");
  const count = reader.varint();
  if (count > limits.transfer.groupsMax) throw reader.corrupt("groups");
  const groups = Array.from({ length: count }, () => parseGroupId(reader.hex(groupIdBytes)));
  reader.end();
  return new Set(groups);
}
