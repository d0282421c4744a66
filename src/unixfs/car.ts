/**
 * CAR files: blocks, each with its name, behind a header that tells which of them is the root. Read
 * from a stranger, nothing of one is believed: where a block lies is kept, and what is found there
 * must have the hash that its name tells.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { CarIndexer } from "@ipld/car";
import * as carHeader from "@ipld/car/buffer-writer";
import { type CID, varint } from "multiformats";
import { KiB } from "../base/bytes.ts";
import { HiveError, assert, codeOf, isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";

const { blockBytesMax, blocksMax, rememberedBlocksMax } = limits.unixfs;
const scanBytes = 64 * KiB;
/** A CIDv1 with a SHA-256 is always as long, and so is a header with one of them. */
const headerBytes = carHeader.calculateHeaderLength([36]);

/** Codes of the multihashes that we can check. */
const hashes: ReadonlyMap<number, string> = new Map([[0x12, "sha256"], [0x13, "sha512"]]);
/** No hash at all: the name has the bytes in itself. */
const identityHash = 0;

/** One that is being written: its root is told last, and its header's room kept until then. */
export class NewCar {
  readonly #file: FileHandle;
  readonly #seen = new Set<string>();
  #endBytes = headerBytes;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async create(path: string): Promise<NewCar> {
    return new NewCar(await open(path, "wx"));
  }

  get bytes(): number {
    return this.#endBytes;
  }

  /** A block that is there already, as far as we remember, is not written again. */
  async put(cid: CID, bytes: Uint8Array): Promise<void> {
    const key = textOf(cid.bytes);
    if (this.#seen.has(key)) return;
    if (this.#seen.size < rememberedBlocksMax) this.#seen.add(key);
    const lengthBytes = cid.bytes.length + bytes.length;
    const length = varint.encodeTo(lengthBytes, new Uint8Array(varint.encodingLength(lengthBytes)));
    const section = Buffer.concat([length, cid.bytes, bytes]);
    const at = this.#endBytes;
    // Others come while this one is written: each has its place from the start.
    this.#endBytes += section.length;
    await this.#write(section, at);
  }

  /** With this root it is whole, and on stable storage. */
  async finish(root: CID): Promise<void> {
    const header = carHeader.createWriter(new ArrayBuffer(headerBytes), { roots: [root] }).close();
    assert(header.length === headerBytes);
    await this.#write(header, 0);
    await this.#file.sync();
  }

  async #write(bytes: Uint8Array, at: number): Promise<void> {
    const { bytesWritten } = await this.#file.write(bytes, 0, bytes.length, at);
    if (bytesWritten < bytes.length) throw new HiveError("NoSpace", "car.write", "the CAR file");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

interface Lying {
  readonly atBytes: number;
  readonly lengthBytes: number;
}

/** One that is read. */
export class OpenCar {
  readonly roots: readonly CID[];
  readonly bytes: number;
  readonly #file: FileHandle;
  readonly #index: ReadonlyMap<string, Lying>;

  private constructor(file: FileHandle, found: {
    readonly roots: readonly CID[];
    readonly bytes: number;
    readonly index: ReadonlyMap<string, Lying>;
  }) {
    this.#file = file;
    this.roots = found.roots;
    this.bytes = found.bytes;
    this.#index = found.index;
  }

  /** Reads the whole file once, and keeps some 150 bytes for each block. */
  static async open(path: string): Promise<OpenCar> {
    const file = await open(path, "r");
    try {
      return new OpenCar(file, await lookThrough(file));
    } catch (error) {
      await file.close();
      if (isFault(error) || codeOf(error) !== "") throw error;
      const what = `${path} is no CAR file, or not all of one`;
      throw new HiveError("Corrupt", "car.read", what, { cause: error });
    }
  }

  /** Its bytes, which have the hash that its name tells. */
  async block(cid: CID): Promise<Uint8Array> {
    const { code, digest } = cid.multihash;
    if (code === identityHash) return digest;
    const lying = this.#index.get(keyOf(cid));
    if (lying === undefined) {
      throw new HiveError("Corrupt", "car.block", `block ${cid} is not in the file`);
    }
    const { lengthBytes, atBytes } = lying;
    const bytes = Buffer.alloc(lengthBytes);
    await this.#file.read(bytes, 0, lengthBytes, atBytes);
    const hash = hashes.get(code);
    if (hash === undefined) {
      throw new HiveError("Unsupported", "car.block", `the hash that block ${cid} is named by`);
    }
    if (createHash(hash).update(bytes).digest().equals(digest)) return bytes;
    throw new HiveError("Corrupt", "car.block", `block ${cid} has other bytes than its name tells`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

async function lookThrough(file: FileHandle) {
  const { size } = await file.stat();
  const index = new Map<string, Lying>();
  // What the library has taken for the section that it is at, which it would for ever.
  const taken = { bytes: 0 };
  const indexer = await CarIndexer.fromIterable(scan(file, taken));
  for await (const { cid, blockOffset: atBytes, blockLength: lengthBytes } of indexer) {
    taken.bytes = 0;
    if (lengthBytes < 0) throw new HiveError("Corrupt", "car.read", `the length of block ${cid}`);
    if (lengthBytes > blockBytesMax) throw tooLarge();
    if (atBytes + lengthBytes > size) {
      throw new HiveError("Corrupt", "car.read", `the file ends within block ${cid}`);
    }
    index.set(keyOf(cid), { atBytes, lengthBytes });
    if (index.size > blocksMax) {
      throw new HiveError("TooLarge", "car.read", `more than ${blocksMax} blocks`);
    }
  }
  return { roots: await indexer.getRoots(), bytes: size, index };
}

async function* scan(file: FileHandle, taken: { bytes: number }): AsyncGenerator<Uint8Array> {
  for (let at = 0; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(scanBytes), 0, scanBytes, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    taken.bytes += bytesRead;
    if (taken.bytes > blockBytesMax + 2 * scanBytes) throw tooLarge();
    yield buffer.subarray(0, bytesRead);
  }
}

function tooLarge(): HiveError {
  return new HiveError("TooLarge", "car.read", `a block of more than ${blockBytesMax} bytes`);
}

/** By its hash alone: a name's version and codec say how bytes are read, not which. */
function keyOf({ multihash }: CID): string {
  return textOf(multihash.bytes);
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1");
}
