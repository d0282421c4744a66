/**
 * A UnixFS DAG as files and folders. Whoever made it is a stranger: each name is made by us and new
 * (so no symlink is ever followed), and all of it together has a bound.
 */
import { chmod, mkdir, open, symlink } from "node:fs/promises";
import type { CID } from "multiformats/cid";
import { HiveError, codeOf } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type FileNode, type FolderNode, type Node, type ReadBlock, readNode } from "./dag.ts";

const { depthMax, lookBytes } = limits.unixfs;
const modeMask = 0o777;
/** Of a folder: whoever unpacks it can go in, and take it away again. */
const ownerMode = 0o700;

export interface Unpacked {
  readonly files: number;
  readonly folders: number;
  readonly symlinks: number;
  readonly bytes: number;
}

export interface UnpackNeeds {
  readonly block: ReadBlock;
  readonly signal: AbortSignal;
}

export interface UnpackOptions {
  readonly root: CID;
  /** Nothing has this name yet. */
  readonly path: string;
  /** All bytes of files, and something for each block that is looked at. */
  readonly heldBytesMax: number;
}

export async function unpack(needs: UnpackNeeds, options: UnpackOptions): Promise<Unpacked> {
  const { root, path, heldBytesMax } = options;
  const unpacker = new Unpacker(needs, heldBytesMax);
  await unpacker.make(root, path, 0);
  return unpacker.counts;
}

class Unpacker {
  readonly counts = { files: 0, folders: 0, symlinks: 0, bytes: 0 };
  readonly #read: ReadBlock;
  readonly #heldBytesMax: number;
  #heldBytes = 0;

  constructor({ block, signal }: UnpackNeeds, heldBytesMax: number) {
    this.#heldBytesMax = heldBytesMax;
    this.#read = async (cid) => {
      signal.throwIfAborted();
      this.#spend(lookBytes);
      return block(cid);
    };
  }

  async make(cid: CID, path: string, depth: number): Promise<void> {
    if (depth > depthMax) throw new HiveError("TooLarge", "import.depth", `${depthMax} folders`);
    const node = await readNode(this.#read, cid);
    try {
      await this.#makeNode(node, path, depth);
    } catch (cause) {
      // In a folder of ours nobody else makes any: it has the name twice.
      if (codeOf(cause) !== "EEXIST") throw cause;
      throw new HiveError("Corrupt", "import.name", `${cid} has a name that is taken`, { cause });
    }
  }

  async #makeNode(node: Node, path: string, depth: number): Promise<void> {
    switch (node.kind) {
      case "file":
        return this.#makeFile(node, path);
      case "folder":
        return this.#makeFolder(node, path, depth);
      case "symlink":
        this.counts.symlinks += 1;
        return symlink(node.target, path);
    }
  }

  async #makeFile(node: FileNode, path: string): Promise<void> {
    this.counts.files += 1;
    await using file = await open(path, "wx");
    for await (const piece of node.pieces()) {
      this.#spend(piece.length);
      await file.writeFile(piece);
      this.counts.bytes += piece.length;
    }
    if (node.mode !== undefined) await file.chmod(node.mode & modeMask);
  }

  async #makeFolder(node: FolderNode, path: string, depth: number): Promise<void> {
    this.counts.folders += 1;
    await mkdir(path);
    for await (const { name, cid } of node.entries()) {
      await this.make(cid, `${path}/${name}`, depth + 1);
    }
    if (node.mode !== undefined) await chmod(path, (node.mode & modeMask) | ownerMode);
  }

  #spend(bytes: number): void {
    this.#heldBytes += bytes;
    if (this.#heldBytes <= this.#heldBytesMax) return;
    throw new HiveError("TooLarge", "import.held", `more than ${this.#heldBytesMax} bytes`);
  }
}
