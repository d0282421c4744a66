/**
 * Nodes of a UnixFS DAG as a stranger made it, parsed: a file in pieces, a folder with its names,
 * a symlink. No circle can be, as blocks are named by their hash; but a few blocks may stand for
 * files without end, or for nodes above nodes that lead nowhere. Each look at a block is paid for.
 */
import * as dagPb from "@ipld/dag-pb";
import { UnixFS } from "ipfs-unixfs";
import type { CID } from "multiformats/cid";
import { HiveError, assert } from "../base/errors.ts";
import { nameBytesMax } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

const { layersMax } = limits.unixfs;
const rawCode = 0x55;
const defaultModes = { file: 0o644, folder: 0o755 };

export interface Entry {
  readonly name: string;
  readonly cid: CID;
}

export interface FileNode {
  readonly kind: "file";
  /** Where it is not the usual one, which is better left to the umask. */
  readonly mode: number | undefined;
  pieces(): AsyncGenerator<Uint8Array>;
}

export interface FolderNode {
  readonly kind: "folder";
  readonly mode: number | undefined;
  entries(): AsyncGenerator<Entry>;
}

export interface SymlinkNode {
  readonly kind: "symlink";
  readonly target: string;
}

export type Node = FileNode | FolderNode | SymlinkNode;

/** Answers with bytes that have the hash, or throws; counts how often it is asked. */
export type ReadBlock = (cid: CID) => Promise<Uint8Array>;

export async function readNode(read: ReadBlock, cid: CID): Promise<Node> {
  const block = await parse(read, cid);
  switch (block.type) {
    case "raw":
    case "file":
      return {
        kind: "file",
        mode: ownMode(block, defaultModes.file),
        pieces: () => pieces(read, cid, block, 0),
      };
    case "directory":
    case "hamt-sharded-directory":
      return {
        kind: "folder",
        mode: ownMode(block, defaultModes.folder),
        entries: () => entries(read, cid, block, 0),
      };
    case "symlink":
      return { kind: "symlink", target: parseTarget(cid, block.data) };
    default:
      throw corrupt(cid, `is of a kind that no file system has: ${block.type}`);
  }
}

interface Block {
  readonly type: string;
  readonly data: Uint8Array;
  readonly links: readonly dagPb.PBLink[];
  readonly mode?: number | undefined;
  readonly fanout?: bigint | undefined;
}

async function parse(read: ReadBlock, cid: CID): Promise<Block> {
  const bytes = await read(cid);
  if (cid.code === rawCode) return { type: "raw", data: bytes, links: [] };
  if (cid.code !== dagPb.code) throw corrupt(cid, "is neither UnixFS nor raw bytes");
  try {
    const { Data: told, Links: links } = dagPb.decode(bytes);
    assert(told !== undefined, "it tells what it is");
    const { type, data, mode, fanout } = UnixFS.unmarshal(told);
    return { type, data: data ?? new Uint8Array(), links, mode, fanout };
  } catch (cause) {
    throw corrupt(cid, "is no UnixFS", { cause });
  }
}

/** The library gives the usual one where none is told. */
function ownMode({ mode }: Block, usual: number): number | undefined {
  return mode === usual ? undefined : mode;
}

async function* pieces(
  read: ReadBlock, cid: CID, block: Block, layer: number,
): AsyncGenerator<Uint8Array> {
  if (block.type !== "raw" && block.type !== "file") throw corrupt(cid, "is no part of a file");
  if (layer > layersMax) throw corrupt(cid, "lies too deep in its file");
  if (block.data.length > 0) yield block.data;
  for (const { Hash: child } of block.links) {
    yield* pieces(read, child, await parse(read, child), layer + 1);
  }
}

async function* entries(
  read: ReadBlock, cid: CID, block: Block, layer: number,
): AsyncGenerator<Entry> {
  if (layer > layersMax) throw corrupt(cid, "lies too deep in its folder");
  const prefixLength = prefixLengthOf(cid, block);
  for (const { Name: label = "", Hash: child } of block.links) {
    if (prefixLength > 0 && label.length === prefixLength) {
      const shard = await parse(read, child);
      if (shard.type !== block.type) throw corrupt(child, "is no part of a folder");
      yield* entries(read, child, shard, layer + 1);
    } else {
      yield { name: parseName(cid, label.slice(prefixLength)), cid: child };
    }
  }
}

/** In a shard a name stands behind the digits of its place there. */
function prefixLengthOf(cid: CID, { type, fanout }: Block): number {
  if (type === "directory") return 0;
  if (fanout === undefined || fanout < 2n) throw corrupt(cid, "is a shard of no size");
  return (fanout - 1n).toString(16).length;
}

function parseName(folder: CID, name: string): string {
  const lengthBytes = Buffer.byteLength(name);
  const fits = lengthBytes > 0 && lengthBytes <= nameBytesMax;
  if (fits && name !== "." && name !== ".." && !/[/\0]/.test(name)) return name;
  throw corrupt(folder, `has a name that no file can have: ${JSON.stringify(name.slice(0, 300))}`);
}

function parseTarget(cid: CID, data: Uint8Array): string {
  const target = Buffer.from(data).toString();
  const fits = data.length > 0 && data.length <= limits.tree.symlinkBytesMax;
  if (fits && !target.includes("\0")) return target;
  throw corrupt(cid, "is a symlink that leads nowhere");
}

function corrupt(cid: CID, what: string, options: ErrorOptions = {}): HiveError {
  return new HiveError("Corrupt", "import.node", `block ${cid} ${what}`, options);
}
