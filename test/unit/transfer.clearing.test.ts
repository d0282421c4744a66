/**
 * Old copies of what somebody was shut out of, over real vaults: whatever else lies in their
 * segments is moved, the segments go, and each holder signs that they are gone; one that is away
 * is told later, one that signs nothing or something else confirms nothing.
 */
import { readFileSync } from "node:fs";
import { test } from "tap";
import type { Census, CensusTaker } from "../../src/base/blocks.ts";
import { CidFilter } from "../../src/base/cid-filter.ts";
import { type PeerId, type SegmentId, cidOf } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Deletion } from "../../src/base/records.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { parseDeletion, signDeletion } from "../../src/crypt/records/deletions.ts";
import { parseSegmentRecord, signRelease } from "../../src/crypt/records/records.ts";
import { Clearing } from "../../src/transfer/placed/clearing.ts";
import { type Occupied, planRepacking } from "../../src/transfer/placed/occupancy.ts";
import { MemoryBooks, type VaultWorld, makeVaultWorld, missing, openWorld }
  from "../support/transfer-world.ts";

const timeoutMs = 20_000;
const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`transfer.clearing/${seed}`);

/** A drive by its blocks alone. */
class Drive implements CensusTaker {
  readonly world: VaultWorld;
  living: readonly Uint8Array[] = [];
  /** Of the past that is kept. */
  oldestMs: number | undefined;
  #commits = 0;

  constructor(world: VaultWorld) {
    this.world = world;
  }

  commit(living: readonly Uint8Array[]): void {
    const { source } = this.world;
    this.living = living;
    const fresh = living.filter((bytes) => !source.placedCids.has(cidOf(bytes)));
    source.commit(`root ${this.#commits++}`, fresh);
  }

  async census(blocks: number): Promise<Census> {
    const { source } = this.world;
    const filter = CidFilter.for(blocks);
    for (const bytes of this.living) filter.add(cidOf(bytes));
    for (const cid of [...source.placedCids]) if (!filter.has(cid)) source.placedCids.delete(cid);
    const oldest = this.oldestMs === undefined ? {} : { oldestMs: this.oldestMs };
    return { root: source.newest as Uint8Array, living: filter.bits, ...oldest };
  }
}

const blocks = (count: number) => Array.from({ length: count }, () => random.bytes(9_000));

/** How many vaults have something of these segments. */
async function heldBy(world: VaultWorld, wanted: ReadonlySet<SegmentId>): Promise<number> {
  let count = 0;
  const { owner } = world.keys;
  const from = { peer: world.network.self, owners: [owner] };
  for (const { host } of world.network.members.values()) {
    const held = await host.segments(from, owner, { after: undefined, limit: 100 });
    if (held.some((bytes) => wanted.has(parseSegmentRecord(bytes).segment))) count++;
  }
  return count;
}

test("what shares its segments with old copies is moved, and each holder confirms", async (t) => {
  await using world = await makeVaultWorld(6, `clearing ${seed}`);
  const drive = new Drive(world);
  const transfer = await openWorld({ ...world, census: drive } as VaultWorld);
  const [stays, old] = [blocks(40), blocks(4)];
  drive.commit([...stays, ...old]);
  await transfer.flush(timeoutMs);
  const before = new Set(transfer.health.segments().map(({ segment }) => segment));
  t.ok(await heldBy(world, before) > 0);

  await transfer.clearing.begin(3);
  drive.commit([...stays, ...blocks(4)]);
  await transfer.flush(timeoutMs);
  await transfer.reclaim(timeoutMs);
  t.ok(transfer.health.segments().some(({ segment }) => before.has(segment)),
    "a tenth of a segment is no reason to move the rest of it");
  t.ok(transfer.clearing.wanted!.segments > 0, "but it is remembered");

  const again = await openWorld({ ...world, census: drive } as VaultWorld);
  t.match(again.clearing.wanted, { era: 3, isSealed: false }, "a restart forgets none of it");
  const [away] = [...world.network.members.values()];
  away!.mood = { is: "dead" };
  await again.clearing.sealed({ era: 3, atMs: 100 });
  drive.oldestMs = 99;
  await again.reclaim(timeoutMs);
  const words = again.clearing.words(3);
  t.ok(words.length > 1, `${words.length} holders`);
  const silent = words.filter(({ asked, confirmed }) => confirmed < asked).map(({ peer }) => peer);
  t.strictSame(silent, [away!.offer.peer], "who is away has not confirmed");

  away!.mood = { is: "honest" };
  t.match(again.clearing.wanted, { isHeld: true }, "a snapshot may still have some of it");
  drive.oldestMs = 100;
  for (let turn = 0; turn < 20 && again.clearing.wanted !== undefined; turn++) {
    await again.reclaim(timeoutMs);
    await again.health.dropSurplus(new AbortController().signal);
  }
  t.ok(again.clearing.words(3).every(({ asked, confirmed }) => confirmed === asked && asked > 0));
  t.equal(again.clearing.wanted, undefined, "nothing is left to be done");
  t.equal(await heldBy(world, before), 0, "no vault has any of those segments");
  t.strictSame(await missing(again, drive.living), [], "and all that stays is there");
  await again.clearing.forget(3);
  t.strictSame(again.clearing.words(3), []);
});

test("a holder's word counts if it is its own, signed, and about what it was told", async (t) => {
  const books = new MemoryBooks();
  const segments = { all: () => [], get: () => undefined };
  const clearing = new Clearing({ books, segments });
  await clearing.begin(1);
  const drive = driveKeysOf(Buffer.alloc(32, 1));
  const [holder, other] = [peerKeysOf(Buffer.alloc(32, 2)), peerKeysOf(Buffer.alloc(32, 3))];
  const segment = "ab".repeat(32) as SegmentId;
  await clearing.mark([segment]);
  await books.batch([...clearing.leaving(segment, [holder.peer]).changes]);
  const release = signRelease(drive, { segment, releasedAtMs: 5 });
  const right = { owner: drive.owner, segment, releasedAtMs: 5, atMs: 6 };
  const wrong: readonly Uint8Array[] = [
    Buffer.alloc(0), random.bytes(100), signDeletion(other, right).bytes,
    signDeletion(holder, { ...right, segment: "cd".repeat(32) as SegmentId }).bytes,
    signDeletion(holder, { ...right, releasedAtMs: 4 }).bytes,
    signDeletion(holder, { ...right, index: 3 }).bytes,
    signDeletion(holder, { ...right, owner: driveKeysOf(Buffer.alloc(32, 9)).owner }).bytes,
  ];
  for (const answer of wrong) {
    t.strictSame(clearing.answered(1, holder.peer, release, answer), []);
  }
  const words = (): readonly [PeerId, number, number][] =>
    clearing.words(1).map(({ peer, asked, confirmed }) => [peer, asked, confirmed]);
  t.strictSame(words(), [[holder.peer, 1, 0]]);
  await books.batch([
    ...clearing.answered(1, holder.peer, release, signDeletion(holder, right).bytes),
  ]);
  t.strictSame(words(), [[holder.peer, 1, 1]]);
  const again = new Clearing({ books, segments });
  await again.open();
  t.strictSame(again.words(1), clearing.words(1), "kept in the books");
});

test("what has to go is planned first, and however full it is", (t) => {
  const of = (segment: string, share: number): Occupied => {
    const state = { segment, k: 4, shardBytes: 2 ** 20 } as unknown as Occupied["state"];
    return { state, usedBytes: share * 4 * 2 ** 20 };
  };
  const all = [of("full", 0.7), of("sparse", 0.1), of("must", 0.7), of("gone", 0)];
  const hasToGo = (segment: string): boolean => segment === "must" || segment === "gone";
  t.strictSame(planRepacking(all, hasToGo), [["must"], ["sparse"]]);
  t.end();
});

test("deletions are the frozen ones, and read back", (t) => {
  const file = new URL("../vectors/crypt.deletions.json", import.meta.url);
  const { peerSeed, cases } = JSON.parse(readFileSync(file, "utf8")) as {
    readonly peerSeed: string;
    readonly cases: readonly { readonly told: Omit<Deletion, "bytes" | "holder">; readonly bytes: string }[];
  };
  const holder = peerKeysOf(Buffer.from(peerSeed, "hex"));
  for (const { told, bytes } of cases) {
    t.equal(Buffer.from(signDeletion(holder, told).bytes).toString("hex"), bytes);
    t.match(parseDeletion(Buffer.from(bytes, "hex")), { ...told, holder: holder.peer });
  }
  t.end();
});
