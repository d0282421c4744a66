/**
 * Holders and shared folders, with real vaults and the raw protocol: who is named gets the owner's
 * sealed bytes and the folder's newest state, and nobody else does, whatever he brings.
 */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { HiveError } from "../../src/base/errors.ts";
import { type Cid, type PersonId, cidOf, parseShareId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Requester } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Share } from "../../src/base/sharing.ts";
import { wrappedNetwork } from "../../src/base/wrapped-network.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { encodeShareAsk, parseShare, signShare, wrapKey } from "../../src/crypt/records/share-records.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { withOwnVault } from "../../src/node/own-vault.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { Borrowed } from "../../src/transfer/reads/borrowed.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { World, refused } from "../contract/host.ts";
import { openHolder } from "../support/holder.ts";
import type { LoopbackNetwork } from "../support/loopback-network.ts";
import { ShareMaker } from "../support/share-maker.ts";
import { MemoryBooks, ShiftedClock, makeBlocks, makeVaultWorld, openWorld }
  from "../support/transfer-world.ts";
import { openHouse } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.holders/${seed}`);
const reader = personIdOf(personKeysOf(random.bytes(32)));
const other = personIdOf(personKeysOf(random.bytes(32)));
const range = { offsetBytes: 0, lengthBytes: 64 };

function put(share: Share): ["put", Uint8Array] {
  return ["put", share.bytes];
}

function get({ owner, share }: Share, sequence = 0): ["get", Uint8Array] {
  return ["get", encodeShareAsk({ owner, share, sequence })];
}

test("a holder serves the readers that the newest record names, and no others", async (t) => {
  const clock = new ShiftedClock();
  await using holder = await openHolder(random, { clock });
  const { world, vault, piece, maker, as } = holder;
  const [named, unnamed, nobody] = [as(reader), as(other), as()];
  const { owner } = world.drive;
  const soon = clock.now() + 60_000;

  const first = maker.record(1, [{ person: reader }], undefined);
  await refused(t, "before it is shared", vault.read(named, piece.id, range), "Denied");
  await refused(t, "a record by a stranger", vault.share(unnamed, ...put(first)), "Denied");
  await refused(t, "by nobody", vault.share(nobody, ...put(first)), "Denied");
  await vault.share(world.owner, ...put(first));
  t.equal((await vault.read(named, piece.id, range)).length, range.lengthBytes);
  t.strictSame(parseShare(await vault.share(named, ...get(first))).sequence, 1);
  t.equal((await vault.share(named, ...get(first, 1))).length, 0, "nothing newer");
  const told = await vault.records(named, owner);
  t.equal(told.head, undefined, "the drive's own head is not a reader's");
  t.equal(told.manifests.length, 1);
  const page = await vault.segments(named, owner, { after: undefined, limit: 9 });
  t.equal(page.length, 1);

  for (const [who, from] of [["another person", unnamed], ["nobody", nobody]] as const) {
    await refused(t, `bytes for ${who}`, vault.read(from, piece.id, range), "Denied");
    await refused(t, `the state for ${who}`, vault.share(from, ...get(first)), "Denied");
    await refused(t, `records for ${who}`, vault.records(from, owner), "Denied");
  }
  const theirs = new World(random).segment();
  await refused(t, "a reader stores nothing of others", world.store(vault, theirs, named), "Invalid");
  const head = vault.putRecord(named, "head", world.head(9));
  await refused(t, "a reader publishes no head", head, "Denied");
  const more = maker.record(2, [{ person: reader }, { person: other }], undefined);
  await refused(t, "a reader lets nobody in", vault.share(named, ...put(more)), "Denied");

  const forger = new ShareMaker(random);
  const forged = forger.record(9, [{ person: other }], undefined);
  const bent = Buffer.from(first.bytes);
  bent[bent.length - 1]! ^= 1;
  await refused(t, "of a drive that is not here", vault.share(world.owner, ...put(forged)), "Denied");
  await refused(t, "bent", vault.share(world.owner, "put", bent), "Corrupt");

  const brief = maker.record(3, [{ person: reader, expiresAtMs: soon }], undefined);
  await vault.share(world.member, ...put(brief));
  t.equal((await vault.read(named, piece.id, range)).length, range.lengthBytes);
  clock.shiftMs += 61_000;
  await refused(t, "after it expired", vault.read(named, piece.id, range), "Denied");
  await vault.share(world.owner, ...put(maker.record(4, [{ person: reader }], undefined)));
  t.equal((await vault.read(named, piece.id, range)).length, range.lengthBytes);

  await vault.share(world.owner, ...put(maker.record(5, [], undefined)));
  await refused(t, "bytes for who left", vault.read(named, piece.id, range), "Denied");
  await refused(t, "the state for who left", vault.share(named, ...get(first)), "Denied");
  await refused(t, "an older record", vault.share(world.owner, ...put(first)), "Stale");
  const twin = maker.record(5, [{ person: reader }], undefined);
  await refused(t, "of the same number", vault.share(world.owner, ...put(twin)), "Stale");
  await refused(t, "still", vault.read(named, piece.id, range), "Denied");
});

test("what names nobody makes room at a full holder, which takes back none that it ended", async (t) => {
  const world = new World(random);
  await using house = await openHouse(world.holder, { books: new MemoryBooks() });
  const { vault } = house;
  await world.store(vault, world.segment());
  const { sharesPerOwnerMax } = limits.vault;
  /** Of the share of this number, for one reader or for nobody. */
  const record = (number: number, sequence: number, people: readonly PersonId[] = [reader]): Share => {
    const share = parseShareId(number.toString(16).padStart(32, "0"));
    const key = wrapKey(Buffer.alloc(32, 1), Buffer.alloc(32, 2), sequence, random);
    const readers = people.map((person) => ({ person, expiresAtMs: limits.records.timeMsMax, key }));
    return signShare(world.drive, { share, sequence, publishedAtMs: 1e12, readers, sealed: key });
  };
  const bring = (share: Share) => vault.share(world.owner, ...put(share));
  for (let number = 0; number < sharesPerOwnerMax; number++) await bring(record(number, 9));
  const fresh = record(1000, 30);
  await refused(t, "while all name somebody", bring(fresh), "Quota");
  await bring(record(0, 10, []));
  await bring(record(1, 20, []));
  const before = vault.usage().usedBytes;
  await bring(fresh);
  const opened = record(0, 9);
  const named: Requester = { peer: world.stranger.peer, owners: [reader] };
  await refused(t, "the oldest went", vault.share(world.owner, ...get(opened)), "NotFound");
  t.equal(vault.usage().usedBytes - before, fresh.bytes.length - record(0, 10, []).bytes.length);
  await refused(t, "what it ended", bring(opened), "Stale");
  await refused(t, "for its reader", vault.share(named, ...get(opened)), "NotFound");
  await refused(t, "another one from then", bring(record(2000, 10)), "Stale");
  await bring(record(2, 10));
  t.ok(await vault.share(named, ...get(record(2, 1))), "what is here goes on");
  await bring(record(0, 11));
  t.ok(await vault.share(named, ...get(opened)), "with a higher number it may be shared again");
  await refused(t, "full again", bring(record(3000, 40)), "Quota");
});

test("a share counts in its owner's part of the quota, once", async (t) => {
  await using holder = await openHolder(random);
  const { world, vault, maker } = holder;
  const before = vault.usage().usedBytes;
  const record = maker.record(1, [{ person: reader }], undefined);
  await vault.share(world.owner, ...put(record));
  t.equal(vault.usage().usedBytes, before + record.bytes.length);
  await vault.share(world.owner, ...put(record));
  t.equal(vault.usage().usedBytes, before + record.bytes.length, "again costs nothing");
});

test("a reader has every block by the owner's catalogue, though holders lie or are away",
  async (t) => {
    await using world = await makeVaultWorld(8, seed);
    const transfer = await openWorld(world);
    const blocks = makeBlocks(random, { count: 240, bytesMax: 3_000 });
    world.source.commit("root", blocks.slice(0, 180));
    await transfer.flush(60_000);
    world.source.commit("more", blocks.slice(180));
    await transfer.flush(60_000);
    const head = await transfer.published();
    if (head === undefined) throw new Error("published");
    t.ok(head.runs.length > 0, `${head.runs.length} runs`);

    const maker = new ShareMaker(random, { drive: world.keys });
    const owner = { peer: world.network.self, owners: [world.keys.owner] };
    const record = maker.record(1, [{ person: reader }], undefined);
    for (const peer of transfer.members()) {
      const { host } = world.network.members.get(peer)!;
      await (host as typeof host & Pick<Vault, "share">).share(owner, ...put(record));
    }
    const borrow = (network: LoopbackNetwork) => {
      let pagesRead = 0;
      const borrowed: Borrowed = new Borrowed({
        network, coder: openCoder(), clock: systemClock, log: silentLog, owner: world.keys.owner,
        read: (cid: Cid) => { pagesRead++; return borrowed.fetch(cid); },
      });
      borrowed.adopt({ ...head, catalogKey: world.keys.catalogKey });
      return { borrowed, pages: () => pagesRead };
    };
    const wrongOf = async (network: LoopbackNetwork, some: readonly Uint8Array[]) => {
      const { borrowed } = borrow(network);
      const got = await Promise.all(some.map((bytes) => borrowed.fetch(cidOf(bytes)).catch(() => undefined)));
      return got.filter((bytes, at) => bytes === undefined || !Buffer.from(bytes).equals(some[at]!)).length;
    };
    t.equal(await wrongOf(world.network.actingFor([reader]), blocks), 0, "all are right");

    const one = borrow(world.network.actingFor([reader]));
    await one.borrowed.fetch(cidOf(blocks[3]!));
    t.ok(one.pages() <= 6, `one block takes ${one.pages()} pages of the catalogue`);
    const absent = one.borrowed.fetch(cidOf(Buffer.from("none of his")));
    await refused(t, "of another drive", absent, "NotFound");

    const troubled = world.network.actingFor([reader]);
    const members = transfer.members();
    const lying = members[0]!;
    troubled.members.set(lying, { ...troubled.members.get(lying)!, mood: { is: "lying" } });
    troubled.members.set(members[1]!, { ...troubled.members.get(members[1]!)!, mood: { is: "dead" } });
    t.equal(await wrongOf(troubled, blocks.slice(0, 20)), 0, "swapped bytes are never given out");
  });

test("a reader that is a holder too reads what it keeps from its own vault", async (t) => {
  await using world = await makeVaultWorld(3, seed);
  const transfer = await openWorld(world);
  const blocks = makeBlocks(random, { count: 20, bytesMax: 3_000 });
  world.source.commit("root", blocks);
  await transfer.flush(60_000);
  const head = await transfer.published();
  if (head === undefined) throw new Error("published");
  const maker = new ShareMaker(random, { drive: world.keys });
  const record = maker.record(1, [{ person: reader }], undefined);
  const [self, ...others] = transfer.members();
  const vault = world.network.members.get(self!)!.host as Vault;
  await vault.share({ peer: self!, owners: [world.keys.owner] }, ...put(record));

  const asked = world.network.actingFor([reader]);
  const network = {
    ...wrappedNetwork(asked, {
      read: async () => { throw new HiveError("Unavailable", "test", "nobody else gives a byte"); },
    }),
    self: self!,
    share: async () => { throw new Error("nobody is asked"); },
  };
  const own = withOwnVault(network, { vault, acting: () => [reader], clock: systemClock });
  t.equal(parseShare(await own.share(self!, ...get(record))).sequence, 1);
  const stranger = withOwnVault(network, { vault, acting: () => [other], clock: systemClock });
  await refused(t, "for nobody else", stranger.share(self!, ...get(record)), "Denied");
  const borrowed = new Borrowed({
    network: own, coder: openCoder(), clock: systemClock, log: silentLog,
    owner: world.keys.owner, read: (cid: Cid) => borrowed.fetch(cid),
  });
  borrowed.adopt({ ...head, catalogKey: world.keys.catalogKey });
  // Records of segments come from the others.
  for (const peer of others) {
    const host = world.network.members.get(peer)!.host as Vault;
    await host.share({ peer: self!, owners: [world.keys.owner] }, ...put(record));
  }
  const bytes = await Promise.all(blocks.map((block) => borrowed.fetch(cidOf(block))));
  t.ok(bytes.every((got, at) => Buffer.from(got).equals(blocks[at]!)));
  t.equal(asked.calls.readBytes, 0);
});
