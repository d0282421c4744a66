/** CAR files made by hand, for tests: honest ones and others. */
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as carBytes from "@ipld/car/buffer-writer";
import * as dagPb from "@ipld/dag-pb";
import { UnixFS, type UnixFSType } from "ipfs-unixfs";
import { CID } from "multiformats/cid";
import * as Digest from "multiformats/hashes/digest";
import type { Test } from "tap";

export interface Block {
  readonly cid: CID;
  readonly bytes: Uint8Array;
}

export type Link = readonly [name: string, block: Block];

const codes = { raw: 0x55, sha256: 0x12 };

export function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), "hive-unixfs-"));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function cidOf(bytes: Uint8Array, code: number = codes.raw): CID {
  const digest = createHash("sha256").update(bytes).digest();
  return CID.create(1, code, Digest.create(codes.sha256, digest));
}

export function raw(bytes: Uint8Array = randomBytes(100)): Block {
  return { cid: cidOf(bytes), bytes };
}

/** A node of UnixFS with these links, in the order of their names. */
export function node(type: UnixFSType, links: readonly Link[], more: object = {}): Block {
  const told = new UnixFS({ type, ...more });
  if (type === "file") for (const _ of links) told.addBlockSize(1n);
  const value = dagPb.prepare({
    Data: told.marshal(),
    Links: links.map(([Name, { cid, bytes }]) => ({ Name, Hash: cid, Tsize: bytes.length })),
  });
  const bytes = dagPb.encode(value);
  return { cid: cidOf(bytes, dagPb.code), bytes };
}

/** Its first block is its root. */
export function car(blocks: readonly Block[]): Buffer {
  const roots = [(blocks[0] as Block).cid];
  const length = carBytes.headerLength({ roots }) +
    blocks.reduce((sum, block) => sum + carBytes.blockLength(block), 0);
  const writer = carBytes.createWriter(new ArrayBuffer(length), { roots });
  for (const block of blocks) writer.write(block);
  return Buffer.from(writer.close());
}

export function carFile(folder: string, bytes: Uint8Array): string {
  const file = join(folder, `${randomBytes(4).toString("hex")}.car`);
  writeFileSync(file, bytes);
  return file;
}
