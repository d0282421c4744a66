/**
 * The IPFS side: Helia over this node's libp2p. Raw sha2-256 blocks are the drive's, asked of the
 * functions handed in and, when absent, of the peers that keep its shards; any other block (UnixFS
 * nodes) lies in a small store of Helia's own. Nothing here decrypts, and nothing is announced.
 */
import type { BlockBroker, Helia } from "@helia/interface";
import { BaseBlockstore } from "blockstore-core";
import { createHeliaLight } from "helia";
import { CID } from "multiformats/cid";
import type { BlockFetcher, KeyValue } from "../base/blocks.ts";
import { peopleKeys } from "../base/book-keys.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { type Cid, parseCid } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { Remembered } from "./libp2p/memory.ts";
import type { Node } from "./libp2p/node.ts";

/** The drive's blocks, wherever they are; sealed bytes only. */
export interface DriveBlocks {
  get(cid: Cid, signal: AbortSignal | undefined): Promise<Uint8Array | undefined>;
  has(cid: Cid): Promise<boolean>;
  put(cid: Cid, bytes: Uint8Array): Promise<void>;
}

export interface IpfsNeeds {
  readonly node: Node;
  readonly books: KeyValue;
  readonly blocks: DriveBlocks | undefined;
  readonly fetcher: BlockFetcher | undefined;
}

export class Ipfs implements AsyncDisposable {
  readonly helia: Helia & { readonly libp2p: Node };

  constructor(helia: Helia & { readonly libp2p: Node }) {
    this.helia = helia;
  }

  /** One block, from here or from the peers. */
  async block(cid: Cid, options: { signal?: AbortSignal } = {}): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    const whole = CID.createV1(rawCodec, digestOf(cid));
    const found = this.helia.blockstore.get(whole, options);
    for await (const part of asFaults(found, cid)) parts.push(part);
    return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.helia.stop();
  }
}

export async function openIpfs(needs: IpfsNeeds): Promise<Ipfs> {
  const blockstore = new Blocks(needs.books, needs.blocks);
  await blockstore.load();
  const helia = createHeliaLight({
    blockstore,
    datastore: new Remembered(),
    blockBrokers: [shardBroker(needs.fetcher)],
    routers: [],
  });
  const whole = Object.assign(helia, { libp2p: needs.node });
  await whole.start();
  return new Ipfs(whole);
}

/** Helia's own errors are many; to us they all say that the block is not to be had now. */
async function* asFaults(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  subject: string,
): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (cause) {
    if (isFault(cause)) throw cause;
    throw new HiveError("Unavailable", "peers.ipfs", subject, { cause });
  }
}

/** Fetches what is absent from the shards that peers keep. */
function shardBroker(fetcher: BlockFetcher | undefined): BlockBroker {
  return {
    name: "hive-shards",
    retrieve: async (cid, options = {}) => {
      const ours = driveCid(cid);
      if (ours === undefined || fetcher === undefined) throw notFound(cid);
      return fetcher.fetch(ours, options.signal === undefined ? {} : { signal: options.signal });
    },
  };
}

const prefix = peopleKeys.ipfsBlock;
const rawCodec = 0x55;
const sha256Code = 0x12;

type Source = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
type Signalled = { readonly signal?: AbortSignal };

class Blocks extends BaseBlockstore {
  readonly #books: KeyValue;
  readonly #drive: DriveBlocks | undefined;
  /** Sizes of Helia's own blocks, the longest kept first. */
  readonly #sizes = new Map<string, number>();
  #bytes = 0;

  constructor(books: KeyValue, drive: DriveBlocks | undefined) {
    super();
    this.#books = books;
    this.#drive = drive;
  }

  async load(): Promise<void> {
    for await (const [key, value] of this.#books.list(prefix)) this.#note(key, value.length);
  }

  override async has(cid: CID): Promise<boolean> {
    const ours = driveCid(cid);
    if (ours !== undefined && this.#drive !== undefined) return this.#drive.has(ours);
    return this.#sizes.has(prefix + cid.toString());
  }

  override async *get(cid: CID, options: Signalled = {}): AsyncGenerator<Uint8Array> {
    const ours = driveCid(cid);
    const bytes = ours !== undefined && this.#drive !== undefined
      ? await this.#drive.get(ours, options.signal)
      : await this.#books.get(prefix + cid.toString());
    if (bytes === undefined) throw notFound(cid);
    yield bytes;
  }

  override async put(cid: CID, source: Source): Promise<CID> {
    const bytes = await gathered(source);
    const ours = driveCid(cid);
    if (ours !== undefined && this.#drive !== undefined) await this.#drive.put(ours, bytes);
    else await this.#keep(prefix + cid.toString(), bytes);
    return cid;
  }

  override async delete(cid: CID): Promise<void> {
    await this.#drop(prefix + cid.toString());
  }

  async #keep(key: string, bytes: Uint8Array): Promise<void> {
    await this.#books.put(key, bytes);
    this.#note(key, bytes.length);
    while (this.#bytes > limits.peers.publicBytesMax) {
      await this.#drop(this.#sizes.keys().next().value as string);
    }
  }

  async #drop(key: string): Promise<void> {
    this.#bytes -= this.#sizes.get(key) ?? 0;
    this.#sizes.delete(key);
    await this.#books.delete(key);
  }

  #note(key: string, lengthBytes: number): void {
    this.#bytes += lengthBytes - (this.#sizes.get(key) ?? 0);
    this.#sizes.set(key, lengthBytes);
  }
}

async function gathered(source: Source): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  const parts: Uint8Array[] = [];
  let lengthBytes = 0;
  for await (const part of source) {
    lengthBytes += part.length;
    if (lengthBytes > limits.peers.publicBlockBytesMax) {
      throw new HiveError("TooLarge", "peers.ipfs", "block");
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** The drive's name of a block, if it is one that could be the drive's. */
function driveCid(cid: CID): Cid | undefined {
  const ours = cid.code === rawCodec && cid.multihash.code === sha256Code;
  return ours ? parseCid(Buffer.from(cid.multihash.digest).toString("hex")) : undefined;
}

function digestOf(cid: Cid): CID["multihash"] {
  const multihash = Buffer.concat([Buffer.from([sha256Code, 32]), Buffer.from(cid, "hex")]);
  return { code: sha256Code, size: 32, digest: multihash.subarray(2), bytes: multihash };
}

function notFound(cid: CID): HiveError {
  return new HiveError("NotFound", "peers.ipfs", cid.toString());
}
