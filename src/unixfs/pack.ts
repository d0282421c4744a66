/**
 * What stands at a path, as the public UnixFS DAG that `ipfs add -rH --cid-version=1` makes of it:
 * raw leaves, kubo's chunks and layout, folders of many names in shards. Read as any program reads
 * it, one file and one folder's names at a time. Nothing of it is sealed.
 */
import { constants } from "node:fs";
import { lstat, open, readdir, readlink, realpath } from "node:fs/promises";
import { type AddOptions, unixfs } from "@helia/unixfs";
import type { ImportCandidate } from "ipfs-unixfs-importer";
import { fixedSize } from "ipfs-unixfs-importer/chunker";
import { balanced } from "ipfs-unixfs-importer/layout";
import type { CID } from "multiformats/cid";
import { KiB } from "../base/bytes.ts";
import { HiveError, assert } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

const { chunkBytes, linksMax, namesMax, depthMax } = limits.unixfs;

const asKubo: Partial<AddOptions> = {
  cidVersion: 1,
  rawLeaves: true,
  shardSplitStrategy: "links-bytes",
  chunker: fixedSize({ chunkSize: chunkBytes }),
  layout: balanced({ maxChildrenPerNode: linksMax }),
};

/** Never follows a link that has just taken the file's place, nor waits for a pipe's other end. */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const modeMask = 0o777;
const smallBytes = 4 * KiB;

export interface Packed {
  readonly root: CID;
  readonly files: number;
  readonly folders: number;
  readonly symlinks: number;
  /** Of the files. */
  readonly bytes: number;
  /** Sockets, pipes and devices: IPFS has none. */
  readonly leftOut: number;
}

export interface PackNeeds {
  readonly put: (cid: CID, bytes: Uint8Array) => Promise<void>;
  readonly signal: AbortSignal;
}

export interface PackOptions {
  /** A file with permission bits has no raw leaf, and so other CIDs than without. */
  readonly keepsModes: boolean;
}

/** Every block of it is put before it is known which is the root. */
export async function pack(
  needs: PackNeeds, path: string, options: PackOptions,
): Promise<Packed> {
  const packer = new Packer(needs, options);
  const root = await packer.add(await realpath(path), 0);
  if (root === undefined) throw new HiveError("Invalid", "publish.kind", path);
  return { root: root.cid, ...packer.counts };
}

/** As the library tells of what was added. */
interface Added {
  readonly cid: CID;
  readonly size: bigint;
}

class Packer {
  readonly counts = { files: 0, folders: 0, symlinks: 0, bytes: 0, leftOut: 0 };
  readonly #unixfs: ReturnType<typeof unixfs>;
  readonly #signal: AbortSignal;
  readonly #keepsModes: boolean;

  constructor({ put, signal }: PackNeeds, { keepsModes }: PackOptions) {
    const blockstore = {
      put: async (cid: CID, bytes: Uint8Array) => {
        signal.throwIfAborted();
        await put(cid, bytes);
        return cid;
      },
      // What was added is not read again.
      get: neverAsked,
      has: neverAsked,
    };
    this.#unixfs = unixfs({ blockstore });
    this.#signal = signal;
    this.#keepsModes = keepsModes;
  }

  /** Undefined of what IPFS has no kind for. */
  async add(path: string, depth: number): Promise<Added | undefined> {
    this.#signal.throwIfAborted();
    const stats = await lstat(path);
    if (stats.isFile()) return this.#addFile(path);
    if (stats.isDirectory()) return this.#addFolder(path, depth);
    if (stats.isSymbolicLink()) return this.#addSymlink(path);
    this.counts.leftOut += 1;
    return undefined;
  }

  async #addFile(path: string): Promise<Added> {
    this.counts.files += 1;
    await using file = await open(path, readFlags);
    const { mode, size } = await file.stat();
    // A whole chunk's room for each of many small files keeps the collector busy.
    const highWaterMark = Math.min(chunkBytes, size + smallBytes);
    const bytes = file.createReadStream({ highWaterMark, autoClose: false });
    const content = this.#counted(bytes, path);
    return await this.#added({ content, ...(this.#keepsModes ? { mode: mode & modeMask } : {}) });
  }

  async *#counted(content: AsyncIterable<Uint8Array>, path: string): AsyncGenerator<Uint8Array> {
    try {
      for await (const bytes of content) {
        this.counts.bytes += bytes.length;
        yield bytes;
      }
    } catch (cause) {
      // In the drive, what nobody can give now.
      throw new HiveError("Unavailable", "publish.read", path, { cause });
    }
  }

  async #addSymlink(path: string): Promise<Added> {
    this.counts.symlinks += 1;
    const link = textOf(await readlink(path, { encoding: "buffer" }), path);
    return this.#added({ path: "link", link });
  }

  async #addFolder(path: string, depth: number): Promise<Added> {
    if (depth >= depthMax) throw new HiveError("TooLarge", "publish.depth", path);
    this.counts.folders += 1;
    const names = await readdir(path, { encoding: "buffer" });
    if (names.length > namesMax) throw new HiveError("TooLarge", "publish.names", path);
    const children = this.#children(path, names, depth);
    // In place of what reads candidates: the children are added, and need their names alone.
    return this.#last(
      this.#unixfs.addAll([], { ...asKubo, wrapWithDirectory: true, dagBuilder: () => children }),
    );
  }

  async *#children(path: string, names: readonly Buffer[], depth: number) {
    for (const bytes of names) {
      const name = textOf(bytes, path);
      const added = await this.add(`${path}/${name}`, depth + 1);
      if (added === undefined) continue;
      const { cid, size } = added;
      yield async () => ({ cid, size, path: name });
    }
  }

  #added(candidate: ImportCandidate): Promise<Added> {
    return this.#last(this.#unixfs.addAll([candidate], asKubo));
  }

  async #last(all: AsyncIterable<Added>): Promise<Added> {
    let last: Added | undefined;
    for await (const one of all) last = one;
    assert(last !== undefined, "something was added");
    return last;
  }
}

function neverAsked(): never {
  throw new Error("unreachable: adding reads nothing");
}

/** IPFS's names are UTF-8; Linux's need not be. */
function textOf(bytes: Buffer, where: string): string {
  const text = bytes.toString();
  if (Buffer.from(text).equals(bytes)) return text;
  throw new HiveError("Invalid", "publish.name", `${where}/${text}: it is not UTF-8`);
}
