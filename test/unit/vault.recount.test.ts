/** Books of which a disk has taken something are made to agree, and whoever asks is answered. */
import { rm, truncate } from "node:fs/promises";
import { join } from "node:path";
import { test } from "tap";
import type { KeyValue } from "../../src/base/blocks.ts";
import { limits } from "../../src/base/limits.ts";
import type { Requester } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { erasureClasses } from "../../src/base/records.ts";
import { openKeyValue } from "../../src/cache/index/key-value.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { signManifest, signRelease, signSegmentRecord } from "../../src/crypt/records/records.ts";
import { encodeShareWrite, signShare } from "../../src/crypt/records/share-records.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { makeChallenge } from "../../src/proofs/challenge.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { World, refused, shardBytes } from "../contract/host.ts";
import { ShareMaker } from "../support/share-maker.ts";
import { newDirectory, openHouse, openHouseIn } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`${seed}/vault.recount`);

/** A vault with three shards, whose books then lose what is told. */
async function robbed(lost: (key: string, world: World) => boolean) {
  const world = new World(random);
  const directory = await newDirectory();
  const pieces = [world.segment(), world.segment(), world.segment()];
  const before = await (async () => {
    await using house = await openHouseIn(directory, world.holder);
    for (const piece of pieces) await world.store(house.vault, piece);
    await house.vault.putRecord(world.owner, "head", world.head(1));
    return house.vault.list();
  })();
  await using books = await openKeyValue(join(directory, "books"));
  for await (const [key] of books.list("")) if (lost(key, world)) await books.delete(key);
  return { world, directory, pieces, before };
}

test("sums and ways back that were lost with a damage are there after the next start", async (t) => {
  const { world, directory, pieces, before } = await robbed((key) => {
    return key.startsWith("owner/") || key.startsWith("held/");
  });
  t.teardown(() => rm(directory, { recursive: true }));
  const { vault, ...house } = await openHouseIn(directory, world.holder, { booksDamaged: true });
  t.strictSame(vault.list(), before);
  for (const piece of pieces) await vault.release(world.owner, world.release(piece));
  t.equal(vault.usage().shards, 0);
  await house[Symbol.asyncDispose]();
});

for (const table of ["owner/", "held/", "record/"]) {
  test(`of a loss of ${table} of which nobody heard, what is dropped and released is counted right`, async (t) => {
    const { world, directory, pieces } = await robbed((key) => {
      return key.startsWith(table) || key.startsWith("owner/");
    });
    t.teardown(() => rm(directory, { recursive: true }));
    const { vault, ...house } = await openHouseIn(directory, world.holder, { booksDamaged: false });
    for (const { id } of pieces) {
      await truncate(join(directory, "vault", "shards", id.slice(0, 2), id), 5000);
      const challenge = makeChallenge({ shard: id, shardBytes, count: 2, random });
      await refused(t, "spoilt", vault.prove(world.owner, challenge), "NotFound");
    }
    t.equal(vault.usage().shards, 0, "what is found to be spoilt is dropped");
    for (const piece of pieces) await world.store(vault, piece);
    t.equal(vault.usage().shards, 3);
    for (const piece of pieces) await vault.release(world.owner, world.release(piece));
    t.equal(vault.usage().shards, 0);
    await house[Symbol.asyncDispose]();
  });
}

test("a guest whose words grew less since he keeps shards of his own can give them back", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder);
  const { vault } = house;
  await world.store(vault, world.segment());
  const maker = new ShareMaker(random, { drive: world.drive });
  const ben = personKeysOf(random.bytes(32));
  const { keys } = maker.rightOf(ben, 1);
  const readers = [{ person: personIdOf(ben) }];
  const right = maker.rightOf(ben, 1);
  await vault.share(world.owner, "put", maker.record(1, readers, undefined, [right]).bytes);
  const guest: Requester = { peer: world.stranger.peer, owners: [keys.owner] };
  const say = (sequence: number, sizeBytes: number): Promise<Uint8Array> => {
    const reader = { person: personIdOf(ben), expiresAtMs: limits.records.timeMsMax };
    const record = signShare(keys, {
      share: maker.share, sequence, publishedAtMs: 1e12, writers: [],
      sealed: random.bytes(sizeBytes),
      readers: [{ ...reader, key: Buffer.from(maker.record(1, readers, undefined).readers[0]!.key) }],
    });
    const told = encodeShareWrite({ owner: world.drive.owner, record: record.bytes });
    return vault.share(guest, "write", told);
  };
  await say(1, 14_000);
  const group = "cd".repeat(16) as typeof world.manifest.group;
  const manifest = signManifest(keys, {
    group, epoch: 1, class: erasureClasses[0]!, policyHash: hashOfPolicy(defaultPolicy),
    peers: world.manifest.peers,
  });
  const piece = world.segment();
  const record = signSegmentRecord(keys, { ...piece.record, group });
  await world.store(vault, { ...piece, record }, guest, manifest);
  await say(2, 100);
  const release = signRelease(keys, { segment: record.segment, releasedAtMs: 1 });
  await vault.release(guest, release.bytes);
  t.equal(vault.usage().shards, 1);
  const { bytes = 0 } = vault.list().find(({ owner }) => owner === keys.owner) ?? {};
  t.ok(bytes >= manifest.bytes.length, `${bytes} bytes are his`);
});

/** Books that are slow to take a change of the places, until somebody has asked for them again. */
class SlowBooks implements KeyValue {
  readonly #books: KeyValue;
  readonly #asked = Promise.withResolvers<void>();
  #lists = 0;
  isSlow = false;

  constructor(books: KeyValue) {
    this.#books = books;
  }

  get(key: string) {
    return this.#books.get(key);
  }

  put(key: string, value: Uint8Array) {
    return this.#books.put(key, value);
  }

  delete(key: string) {
    return this.#books.delete(key);
  }

  async batch(...asked: Parameters<KeyValue["batch"]>): Promise<void> {
    if (this.isSlow) await this.#asked.promise;
    return this.#books.batch(...asked);
  }

  list(...asked: Parameters<KeyValue["list"]>) {
    const isPlace = this.isSlow && asked[0].startsWith("place/");
    // Asked for by who lets go of it, and by who stores it; who looks at the file, then.
    if (isPlace && ++this.#lists === 2) setTimeout(() => this.#asked.resolve(), 50);
    return this.#books.list(...asked);
  }
}

test("no receipt is given for a shard that was let go of while it was looked at", async (t) => {
  const world = new World(random);
  const directory = await newDirectory();
  t.teardown(() => rm(directory, { recursive: true }));
  await using disk = await openKeyValue(join(directory, "books"));
  const books = new SlowBooks(disk);
  await using house = await openHouseIn(directory, world.holder, { books });
  const { vault } = house;
  const piece = world.segment();
  await world.store(vault, piece);
  const [lodging] = await vault.sample(world.drive.owner, random);
  books.isSlow = true;
  const going = vault.letGo(lodging!);
  const receipt = await world.store(vault, piece);
  await going;
  t.ok(receipt.length > 0);
  t.equal((await vault.read(world.owner, piece.id, { offsetBytes: 0, lengthBytes: 64 })).length, 64);
});
