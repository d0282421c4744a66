/** What a holder remembers of shared folders: whoever else shares or asks costs a reader nothing. */
import { rm } from "node:fs/promises";
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import type { Requester } from "../../src/base/network.ts";
import { seededRandom } from "../../src/base/random.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { encodeShareAsk } from "../../src/crypt/records/share-records.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { type Piece, World, refused } from "../contract/host.ts";
import { MemoryKeyValue } from "../support/memory-host.ts";
import { ShareMaker } from "../support/share-maker.ts";
import { type House, newDirectory, openHouseIn } from "../support/vault-house.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`${seed}/vault.shares`);
const reader = personIdOf(personKeysOf(random.bytes(32)));

/** Books that tell whose shares are looked up, before they answer. */
class Watched extends MemoryKeyValue {
  onLook: (owner: string) => Promise<void> = async () => {};

  override async *list(...asked: Parameters<MemoryKeyValue["list"]>) {
    const [table, owner = ""] = asked[0].split("/");
    const found: (readonly [string, Uint8Array])[] = [];
    for await (const pair of super.list(...asked)) found.push(pair);
    if (table === "share") await this.onLook(owner);
    yield* found;
  }
}

interface Sharing {
  readonly world: World;
  readonly piece: Piece;
  readonly maker: ShareMaker;
}

/** An owner whose shard is here, and who shares a folder with the reader. */
async function share({ vault }: House, world: World, holder: World): Promise<Sharing> {
  const piece = world.segment({ rotation: 0 });
  const peers = [holder.holder.peer, ...world.manifest.peers.slice(1)];
  await world.store(vault, { ...piece, index: 0 }, world.owner, world.manifestOf(peers, 1));
  const maker = new ShareMaker(random, { drive: world.drive });
  await vault.share(world.owner, "put", maker.record(1, [{ person: reader }], undefined).bytes);
  return { world, piece, maker };
}

test(`a holder reads what an owner shares once, whatever others do (HIVE_SEED=${seed})`, async (t) => {
  const [ann, mallory] = [new World(random), new World(random)];
  const named: Requester = { peer: ann.stranger.peer, owners: [reader] };
  const [directory, books] = [await newDirectory(), new Watched()];
  t.teardown(() => rm(directory, { recursive: true }));
  const [hers, his] = await (async () => {
    await using house = await openHouseIn(directory, ann.holder, { books });
    return [await share(house, ann, ann), await share(house, mallory, ann)] as const;
  })();
  // After a start it knows none of them.
  await using house = await openHouseIn(directory, ann.holder, { books });
  const { vault } = house;
  const readHers = () => vault.read(named, hers.piece.id, { offsetBytes: 0, lengthBytes: 64 });
  let looks = 0;
  books.onLook = async (owner) => {
    if (owner !== ann.drive.owner) return;
    looks++;
    if (looks > 5) return;
    await vault.share(mallory.owner, "put", his.maker.record(1 + looks, [], undefined).bytes);
  };
  t.equal((await Promise.all([readHers(), readHers()])).length, 2);
  t.equal(looks, 1, "what another owner changes meanwhile is not hers");

  for (let at = 0; at < 2 * limits.vault.sharesParsedMax; at++) {
    const { owner } = driveKeysOf(random.bytes(32));
    const asked = encodeShareAsk({ owner, share: hers.maker.share, sequence: 0 });
    await refused(t, "of nobody", vault.share(named, "get", asked), "NotFound");
  }
  t.equal((await readHers()).length, 64);
  t.equal(looks, 1, "who asks for owners that are not here pushes nobody out");

  await vault.share(ann.owner, "put", hers.maker.record(2, [], undefined).bytes);
  await refused(t, "who was shut out", readHers(), "Denied");
});
