/** Many requests at once: bounded memory, seats that come free, small requests that pass by. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { test } from "tap";
import { MiB } from "../../src/base/bytes.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { ShardId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { ShardHost } from "../../src/base/network.ts";
import { faultOf } from "../support/faults.ts";
import { MemoryHost } from "../support/memory-host.ts";
import { TestDrive, openTestNode } from "../support/peer-nodes.ts";

const shardBytes = limits.segment.shardBytes[2];
const anyShard = "ab".repeat(32) as ShardId;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** Bytes in buffers that somebody still holds. */
function heldBytes(): number {
  collect();
  const { arrayBuffers, external } = process.memoryUsage();
  return arrayBuffers + external;
}

/** A host that answers nothing before it is told to. */
function slowHost(): { host: ShardHost; open: () => void; begun: Promise<void>; most: () => number } {
  let open = (): void => {};
  let begin = (): void => {};
  const gate = new Promise<void>((resolve) => { open = resolve; });
  const begun = new Promise<void>((resolve) => { begin = resolve; });
  let running = 0;
  let most = 0;
  const host = {
    async read(_from: unknown, _shard: unknown, range: { lengthBytes: number }) {
      most = Math.max(most, ++running);
      begin();
      await gate;
      running--;
      return Buffer.alloc(range.lengthBytes);
    },
    space: () => ({ quotaBytes: 0, freeBytes: 0 }),
  };
  return { host: host as unknown as ShardHost, open, begun, most: () => most };
}

test("64 stores of 1 MiB at once hold under 40 MiB in both nodes", async (t) => {
  const drive = new TestDrive("load");
  await using holder = await openTestNode({ host: (keys) => new MemoryHost(keys) });
  await using owner = await openTestNode({ certificates: (k) => [drive.certificate(k.peer)] });
  await owner.peers.connect(holder.address);
  const manifest = drive.manifest([holder.keys.peer]);
  const { record, shards } = drive.segment({ shardBytes });
  const store = () => owner.peers.store(
    holder.keys.peer, { record, manifest, index: 0 }, shards[0] as Buffer,
  );
  await store();
  const beforeBytes = heldBytes();
  let [ended, mostBytes] = [0, 0];
  await Promise.all(Array.from({ length: 64 }, async () => {
    await store();
    // A look goes through the whole heap: at the first, and then at every fourth.
    if (ended++ % 4 === 0) mostBytes = Math.max(mostBytes, heldBytes() - beforeBytes);
  }));
  t.comment(`${(mostBytes / MiB).toFixed(1)} MiB of buffers`);
  t.ok(mostBytes < 40 * MiB);
});

test("a holder takes no more than its limits at once, however many ask", async (t) => {
  const slow = slowHost();
  await using holder = await openTestNode({ host: () => slow.host });
  await using asker = await openTestNode();
  await asker.peers.connect(holder.address);
  const range = { offsetBytes: 0, lengthBytes: MiB };
  const reads = Array.from({ length: 40 }, () => asker.peers.read(holder.keys.peer, anyShard, range));
  await slow.begun;
  // A question on the other lane is answered while all seats of the bulk lane wait.
  const quick = Promise.race([asker.peers.connect(holder.address), ...reads]);
  t.equal(await quick, holder.keys.peer);
  t.ok(slow.most() >= 1 && slow.most() <= limits.peers.bulkSeats, `${slow.most()} at once`);
  slow.open();
  for (const bytes of await Promise.all(reads)) t.equal(bytes.length, MiB);
});

test("a call that is called off frees its seat here and there", async (t) => {
  const slow = slowHost();
  await using holder = await openTestNode({ host: () => slow.host });
  await using asker = await openTestNode();
  await asker.peers.connect(holder.address);
  const range = { offsetBytes: 0, lengthBytes: MiB };
  for (let round = 0; round < 3; round++) {
    const stop = new AbortController();
    const reads = Array.from({ length: limits.peers.bulkSeats }, () => {
      return asker.peers.read(holder.keys.peer, anyShard, range, { signal: stop.signal });
    });
    stop.abort(new HiveError("Interrupted", "test", "stop"));
    for (const read of reads) t.equal(await faultOf(read), "Interrupted");
  }
  slow.open();
  const bytes = await asker.peers.read(holder.keys.peer, anyShard, range);
  t.equal(bytes.length, MiB);
});

test("a shard that is too large for a frame is refused before it is sent", async (t) => {
  await using holder = await openTestNode();
  await using asker = await openTestNode();
  await asker.peers.connect(holder.address);
  const range = { offsetBytes: 0, lengthBytes: limits.peers.payloadBytesMax + 1 };
  t.equal(await faultOf(asker.peers.read(holder.keys.peer, anyShard, range)), "TooLarge");
});

test("a read answers in the room that it was given, if that is of its length", async (t) => {
  await using holder = await openTestNode({ host: () => fullHost(7) });
  await using asker = await openTestNode();
  await asker.peers.connect(holder.address);
  const range = { offsetBytes: 0, lengthBytes: shardBytes };
  const into = Buffer.alloc(shardBytes, 1);
  const bytes = await asker.peers.read(holder.keys.peer, anyShard, range, { into });
  t.equal(bytes.buffer, into.buffer);
  t.ok(into.every((byte) => byte === 7));
  const short = Buffer.alloc(shardBytes - 1, 1);
  const other = await asker.peers.read(holder.keys.peer, anyShard, range, { into: short });
  t.equal(other.length, shardBytes);
  t.ok(short.every((byte) => byte === 1), "another's length is another room");
});

test("a holder takes 32 shards one after another in the same few rooms", async (t) => {
  const drive = new TestDrive("rooms");
  const rooms = new Set<ArrayBufferLike>();
  await using holder = await openTestNode({
    host: (keys) => {
      const host = new MemoryHost(keys);
      const store = host.store.bind(host);
      host.store = (from, request, shard) => {
        rooms.add(shard.buffer);
        return store(from, request, shard);
      };
      return host;
    },
  });
  await using owner = await openTestNode({ certificates: (k) => [drive.certificate(k.peer)] });
  await owner.peers.connect(holder.address);
  const manifest = drive.manifest([holder.keys.peer]);
  const { record, shards } = drive.segment({ shardBytes });
  for (let round = 0; round < 32; round++) {
    await owner.peers.store(
      holder.keys.peer, { record, manifest, index: 0 }, shards[0] as Buffer,
    );
  }
  t.ok(rooms.size <= 3, `${rooms.size} rooms`);
});

/** Answers every read with this byte. */
function fullHost(byte: number): ShardHost {
  const host = {
    read: async (_from: unknown, _shard: unknown, range: { lengthBytes: number }) => {
      return Buffer.alloc(range.lengthBytes, byte);
    },
    space: () => ({ quotaBytes: 0, freeBytes: 0 }),
  };
  return host as unknown as ShardHost;
}
