/** A drive whose holders are real peers on loopback, each of which can be made slow to answer. */
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { ByteRange } from "../../src/base/filesystem.ts";
import { type Cid, cidOf } from "../../src/base/ids.ts";
import type { ShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Requester } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { type Transfer, openTransfer } from "../../src/transfer/transfer.ts";
import { MemoryHost } from "./memory-host.ts";
import { TestDrive, type TestNode, openTestNode } from "./peer-nodes.ts";
import { MemoryBooks, MemorySource } from "./transfer-world.ts";

/** A holder as the owner meets it: behind a line that is as long and as narrow as one likes. */
export class SlowHost extends MemoryHost {
  /** There and back. */
  delayMs = 0;
  bytesPerSecond = Infinity;
  /** All that was answered, wanted to the end or not. */
  readBytes = 0;
  isRefusing = false;
  #freeAtMs = 0;

  override async read(from: Requester, shard: ShardId, range: ByteRange): Promise<Uint8Array> {
    if (this.isRefusing) throw new HiveError("Unavailable", "test.read", "away");
    const nowMs = performance.now();
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + range.lengthBytes / this.bytesPerSecond * 1e3;
    await systemClock.delay(this.#freeAtMs - nowMs + this.delayMs);
    this.readBytes += range.lengthBytes;
    return super.read(from, shard, range);
  }
}

export interface Holder {
  readonly host: SlowHost;
  readonly address: string;
}

export interface PeerDrive extends AsyncDisposable {
  readonly holders: readonly Holder[];
  readonly blocks: readonly Uint8Array[];
  /** A device with the drive's books and nothing else, connected to its holders. */
  reader(): Promise<Transfer>;
}

/** So many peers, and a file of so many full chunks with them; all are quick as yet. */
export async function openPeerDrive(
  options: { readonly peers: number; readonly blocks: number; readonly seed: string },
): Promise<PeerDrive> {
  const parts = new AsyncDisposableStack();
  const drive = new TestDrive(options.seed);
  const books = new MemoryBooks();
  const source = new MemorySource();
  const holders: Holder[] = [];
  for (let number = 0; number < options.peers; number++) {
    let host: SlowHost | undefined;
    const makeHost = (keys: PeerKeys): SlowHost => host = new SlowHost(keys);
    const { address } = parts.use(await openTestNode({ host: makeHost }));
    if (host !== undefined) holders.push({ host, address });
  }
  const reader = async (): Promise<Transfer> => {
    const node: TestNode = parts.use(await openTestNode({
      certificates: (keys) => [drive.certificate(keys.peer)],
    }));
    for (const { address } of holders) await node.peers.connect(address);
    const needs = {
      network: node.peers, source, books, coder: openCoder(), keys: drive.keys,
      clock: systemClock, random: seededRandom(options.seed), log: silentLog,
    };
    return openTransfer(needs, { settleMs: 0 });
  };
  const blocks = fileOf(options);
  const writer = await reader();
  source.commit("root", blocks);
  await writer.flush(120_000);
  return { holders, blocks, reader, [Symbol.asyncDispose]: () => parts.disposeAsync() };
}

/** Different blocks of what a sealed chunk weighs. */
function fileOf({ blocks, seed }: { readonly blocks: number; readonly seed: string }) {
  const random = seededRandom(seed);
  const pool = random.bytes(4099);
  return Array.from({ length: blocks }, () => {
    const bytes = Buffer.alloc(limits.tree.chunkBytes, pool);
    random.bytes(32).copy(bytes);
    return bytes;
  });
}

/** As a mount reads a file: in order, so many blocks asked for at once. Which came back wrong. */
export async function readThrough(
  transfer: Transfer, blocks: readonly Uint8Array[], atOnce: number,
): Promise<Cid[]> {
  const wrong: Cid[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (next < blocks.length) {
      const bytes = blocks[next++] as Uint8Array;
      const cid = cidOf(bytes);
      const got = await transfer.fetch(cid, {});
      if (!Buffer.from(got).equals(bytes)) wrong.push(cid);
    }
  }));
  return wrong;
}
