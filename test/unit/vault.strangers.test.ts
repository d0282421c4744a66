/** What strangers may take of a quota: each a share, and no more for many names of one source. */
import { test } from "tap";
import type { Requester } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { limits } from "../../src/base/limits.ts";
import { World, refused, shardBytes } from "../contract/host.ts";
import { isFault } from "../../src/base/errors.ts";
import { newDirectory, openHouse, openHouseIn } from "../support/vault-house.ts";
import { rm } from "node:fs/promises";
import type { Vault } from "../../src/vault/vault.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`${seed}/vault.strangers`);
const strangerShare = 0.1;
const quotaBytes = 400 * shardBytes;
/** Shards that fit a share beside their records. */
const shareShards = Math.floor(quotaBytes * strangerShare / (shardBytes + 1024));

/** Stores until it is refused, at most so many; each world is another drive. */
async function fill(vault: Vault, world: World, from: Requester, most: number): Promise<number> {
  for (let stored = 0; stored < most; stored++) {
    try {
      await world.store(vault, world.segment(), from);
    } catch (error) {
      if (isFault(error, "Quota")) return stored;
      throw error;
    }
  }
  return most;
}

/** Drives of strangers whose groups all have this holder. */
function worldOf(holder: World): World {
  const world = new World(random);
  const peers = [holder.holder.peer, ...world.manifest.peers.slice(1)];
  Object.defineProperty(world, "manifest", { value: world.manifestOf(peers, 1) });
  return world;
}

test(`a stranger has its share of the quota, a friend and this machine all (HIVE_SEED=${seed})`,
  async (t) => {
    const first = new World(random);
    await using house = await openHouse(first.holder, { quotaBytes, strangerShare });
    const from = { ...first.owner, prefix: "192.0.2.0/24" };
    const stored = await fill(house.vault, first, from, 400);
    t.ok(stored >= shareShards - 1 && stored <= shareShards + 3, `${stored} of ${shareShards}`);
    const friend = worldOf(first);
    const asFriend = { ...friend.owner, prefix: "192.0.2.0/24", friend: true };
    t.equal(await fill(house.vault, friend, asFriend, 60), 60, "a friend from the same place");
    const local = worldOf(first);
    t.equal(await fill(house.vault, local, local.owner, 60), 60, "and this machine's own");
  });

test("many drives that one peer or one prefix brings have two shares together", async (t) => {
  const first = new World(random);
  await using house = await openHouse(first.holder, { quotaBytes, strangerShare });
  const most = limits.vault.introducedFactor * shareShards;
  let byPeer = 0;
  for (let drive = 0; drive < 8; drive++) {
    const world = worldOf(first);
    const prefix = `192.0.${drive}.0/24`;
    byPeer += await fill(house.vault, world, { ...world.owner, peer: first.owner.peer, prefix }, 20);
  }
  t.ok(byPeer > most - 8 && byPeer <= most + 8, `one peer's: ${byPeer} of ${most}`);
  let byPrefix = 0;
  for (let drive = 0; drive < 8; drive++) {
    const world = worldOf(first);
    byPrefix += await fill(house.vault, world, { ...world.owner, prefix: "198.51.100.0/24" }, 20);
  }
  t.ok(byPrefix > most - 8 && byPrefix <= most + 8, `one prefix's: ${byPrefix} of ${most}`);
  const other = worldOf(first);
  const honest = { ...other.owner, prefix: "203.0.113.0/24" };
  t.equal(await fill(house.vault, other, honest, 20), 20, "others still find room");
});

test("who brought an owner is known after a restart, and forgotten with the last byte", async (t) => {
  const directory = await newDirectory();
  t.teardown(() => rm(directory, { recursive: true }));
  const first = new World(random);
  const pieces = Array.from({ length: 3 }, () => first.segment());
  const from = { ...first.owner, prefix: "192.0.2.0/24" };
  // Room for three shards and their words in a share.
  const options = { quotaBytes: 36 * shardBytes, strangerShare };
  {
    await using house = await openHouseIn(directory, first.holder, options);
    for (const piece of pieces) await first.store(house.vault, piece, from);
  }
  await using house = await openHouseIn(directory, first.holder, options);
  // The owner's other device comes by another way: the owner stays who brought it first.
  const elsewhere = { ...first.owner, prefix: "198.51.100.0/24" };
  await refused(t, "full", first.store(house.vault, first.segment(), elsewhere), "Quota");
  const member = { ...first.member, prefix: "203.0.113.0/24", friend: true };
  await refused(t, "mended", first.store(house.vault, first.segment(), member), "Quota");
  for (const piece of pieces) await house.vault.release(first.owner, first.release(piece));
  await first.store(house.vault, first.segment(), elsewhere);
  t.equal(house.vault.usage().shards, 1);
});

test("stores at once by one stranger do not pass its share together", async (t) => {
  const first = new World(random);
  await using house = await openHouse(first.holder, { quotaBytes, strangerShare });
  const from = { ...first.owner, prefix: "192.0.2.0/24" };
  const tries = Array.from({ length: 60 }, () => first.store(house.vault, first.segment(), from));
  const outcomes = await Promise.allSettled(tries);
  const stored = outcomes.filter(({ status }) => status === "fulfilled").length;
  t.ok(stored <= shareShards + 3, `${stored} of ${shareShards}`);
  t.ok(house.vault.usage().usedBytes <= quotaBytes * strangerShare);
});
