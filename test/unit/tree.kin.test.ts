/**
 * A folder that somebody may write, and writes on two devices: what either does comes to the other,
 * whether the owner is there or not, and to the owner, who lets in what the two say of each other
 * and of nobody else.
 */
import { type Test, test } from "tap";
import { type Ino, rootIno } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { markOf } from "../../src/dag/marks.ts";
import { parseRoot } from "../../src/dag/root.ts";
import { rootOf } from "../../src/sharing/records/folder-root.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { faultOf } from "../support/faults.ts";
import { act, textsIn } from "../support/folder-acts.ts";
import { type FurtherDevice, SharedFolder, at, guest, ownerDevice, pictureBelow, put, textAt }
  from "../support/shared-folder.ts";
import { nobody, readFile } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const trials = Number(process.env["HIVE_TRIALS"] ?? 3);
const silently = async (): Promise<void> => undefined;
const phone = { number: 303, name: "phone" };
const stranger = 404;
const writing = { read: true, write: true, append: false, truncate: false };

class Three {
  readonly both: SharedFolder;
  readonly phone: FurtherDevice;

  private constructor(both: SharedFolder, further: FurtherDevice) {
    this.both = both;
    this.phone = further;
  }

  static async open(name: string, fill: (owner: Tree, folder: Ino) => Promise<void>) {
    const both = await new SharedFolder(name).open(fill);
    return new Three(both, await both.further(phone));
  }

  get lap(): Tree {
    return this.both.guest;
  }

  async lapTold(): Promise<Uint8Array> {
    const { directory, devices } = await this.both.guestsRecord();
    return rootOf(directory, devices);
  }

  async lapToOwner(root?: Uint8Array) {
    const told = { number: guest.number, kin: [guest.number, phone.number] };
    return (await this.both.turn(root, told)).hasChanged;
  }

  async phoneToOwner(root?: Uint8Array, kin = [guest.number, phone.number]) {
    const told = root ?? await this.phone.told();
    return (await this.both.turn(told, { number: phone.number, kin })).hasChanged;
  }

  async ownerToPhone(): Promise<boolean> {
    return this.phone.tree.guests.mergeOwner(await this.both.ownersRoot(), silently);
  }

  async lapToPhone(): Promise<boolean> {
    return this.phone.tree.guests.mergeKin(await this.lapTold(), silently);
  }

  async phoneToLap(): Promise<boolean> {
    return this.lap.guests.mergeKin(await this.phone.told(), silently);
  }

  get ways(): readonly (() => Promise<boolean>)[] {
    return [
      () => this.lapToOwner(), () => this.phoneToOwner(), () => this.both.toGuest(),
      () => this.ownerToPhone(), () => this.lapToPhone(), () => this.phoneToLap(),
    ];
  }

  /** Until nobody has news. */
  async settle(): Promise<void> {
    for (let round = 0; round < 12; round++) {
      const changes: boolean[] = [];
      for (const way of this.ways) changes.push(await way());
      if (!changes.includes(true)) return;
    }
    throw new Error("they go on telling each other of news");
  }

  async pictures() {
    const { owner } = this.both;
    return [
      await pictureBelow(owner, "/f/"), await pictureBelow(this.lap),
      await pictureBelow(this.phone.tree),
    ] as const;
  }
}

function isOne(t: Test, [owner, lap, further]: Awaited<ReturnType<Three["pictures"]>>, why = "") {
  t.strictSame(lap, owner, `the first device ${why}`);
  t.strictSame(further, owner, `the further one ${why}`);
}

test("both write while apart, and all three have the same, with nothing lost", async (t) => {
  const all = await Three.open("apart", async (tree, folder) => {
    await put(tree, "report", "first", folder);
    await put(tree, "old", "of the owner", folder);
  });
  const { lap, phone: { tree }, both: { owner } } = all;
  await put(lap, "report", "of lap");
  await put(tree, "report", "of phone");
  await put(lap, "from lap", "one");
  const { ino } = await tree.mkdir(nobody, at("d"), { mode: 0o755 });
  await put(tree, "from phone", "two", ino);
  await lap.unlink(nobody, at("old"));
  await all.settle();
  isOne(t, await all.pictures());
  const words = await textsIn(owner, all.both.folder);
  t.strictSame(words.sort(), ["of lap", "of phone", "one", "two"]);
});

test("the owner need not be there, and what one wrote the other goes on with", async (t) => {
  const all = await Three.open("away", async (tree, folder) => {
    await put(tree, "old", "of the owner", folder);
  });
  const { lap, phone: { tree }, both } = all;
  const chunk = 256 * 1024;
  const large = seededRandom("kin large").bytes(4 * chunk);
  await put(lap, "large", large);
  await all.lapToPhone();
  const { ino } = await tree.lookup(at("large"));
  const handle = await tree.open(nobody, ino, writing);
  await tree.write(handle, chunk + 5, Buffer.from("of phone"));
  await tree.release(handle);
  const wanted = Buffer.from(large);
  wanted.write("of phone", chunk + 5);
  await all.phoneToLap();
  t.ok((await readFile(lap, (await lap.lookup(at("large"))).ino)).equals(wanted));
  await put(lap, "large again", "one");

  // Each has seen of the other what the owner has not: neither waits for the other.
  await all.lapToPhone();
  await put(tree, "last", "two");
  t.ok(await all.phoneToOwner(), "what it says of the first device is her word");
  isOne(t, [await pictureBelow(both.owner, "/f/"), await pictureBelow(tree), await pictureBelow(tree)]);
  t.notOk(await all.lapToOwner(), "which has nothing to add");
  await all.settle();
  isOne(t, await all.pictures());
  const alone = await both.ownerAlone();
  const owned = await readFile(alone, await alone.walk(["f", "large"]));
  t.ok(owned.equals(wanted), "without a block of either");
});

test("what came into the folder long after it was made is not taken for removed", async (t) => {
  const all = await Three.open("arrived", async (tree, folder) => {
    await put(tree, "old", "of the owner", folder);
    const { ino } = await tree.mkdir(nobody, at("elsewhere"), { mode: 0o755 });
    await put(tree, "long made", "before anybody was a guest", ino);
  });
  const { both: { owner, folder }, phone: { tree } } = all;
  await owner.lookup(at("elsewhere"));
  await owner.rename(nobody, at("elsewhere"), at("moved in", folder), "replace");
  await all.both.toGuest();
  await put(tree, "meanwhile", "on the other device");
  // He has not heard of the owner since.
  await all.phoneToLap();
  await all.lapToPhone();
  const { ino } = await tree.lookup(at("moved in"));
  t.equal(await textAt(tree, "long made", ino), "before anybody was a guest");
  const moved = await all.lap.lookup(at("moved in"));
  t.equal(await textAt(all.lap, "long made", moved.ino), "before anybody was a guest");
  await all.settle();
  isOne(t, await all.pictures());
  t.equal(Object.keys((await all.pictures())[0]).length, 4);
});

test("what one removed, the other having seen it, is gone on all", async (t) => {
  const all = await Three.open("removed", async (tree, folder) => {
    await put(tree, "old", "of the owner", folder);
  });
  await put(all.lap, "mine", "of lap");
  await all.lapToPhone();
  await all.phone.tree.unlink(nobody, at("mine"));
  await all.phone.tree.unlink(nobody, at("old"));
  await all.phoneToLap();
  t.strictSame(await pictureBelow(all.lap), {});
  await all.settle();
  t.strictSame(await all.pictures(), [{}, {}, {}]);
});

test("of one device nothing older is taken, whatever the other one has told since", async (t) => {
  const all = await Three.open("rolled back", async (tree, folder) => {
    await put(tree, "old", "of the owner", folder);
  });
  await put(all.lap, "a", "one");
  const early = await all.lapTold();
  await put(all.lap, "b", "two");
  await all.lapToPhone();
  await put(all.phone.tree, "c", "three");
  await all.phoneToOwner();
  t.equal(await faultOf(() => all.lapToOwner(early)), "Stale");
  const before = await all.phone.told();
  await put(all.phone.tree, "d", "four");
  await all.phoneToOwner();
  t.equal(await faultOf(() => all.phoneToOwner(before)), "Stale");
  await all.settle();
  isOne(t, await all.pictures());
});

test("of whoever is no device of hers a guest is believed nothing", async (t) => {
  const all = await Three.open("hostile", async (tree, folder) => {
    await put(tree, "old", "of the owner", folder);
  });
  await put(all.lap, "a", "one");
  await all.lapToPhone();
  const { owner } = all.both;
  const before = await pictureBelow(owner);
  const told = await all.phone.told();
  t.equal(await faultOf(() => all.phoneToOwner(told, [phone.number])), "Corrupt",
    "marks of a device that is not admitted");
  const { directory, devices } = parseRoot(told);
  const lying = rootOf(directory, new Map(devices).set(guest.number, { count: 0, name: "" }));
  t.equal(await faultOf(() => all.phoneToOwner(lying)), "Corrupt", "more marks than it says");
  t.strictSame(await pictureBelow(owner), before);
  const others = new Map(devices).set(stranger, { count: 77, name: "eve" })
    .set(ownerDevice.number, { count: 2 ** 32, name: "" });
  t.ok(await all.phoneToOwner(rootOf(directory, others)));
  const { devices: seen } = parseRoot(await all.both.ownersRoot());
  t.notOk(seen.has(stranger), "nobody else's count is hers to tell");
  t.ok((seen.get(ownerDevice.number)?.count ?? 0) < 2 ** 32);
  t.equal(seen.get(guest.number)?.name, seen.get(phone.number)?.name, "both are called as she is");
});

test("a device that is told of marks which it never made takes nothing in", async (t) => {
  const all = await Three.open("made up", async (tree, folder) => {
    await put(tree, "old", "of the owner", folder);
  });
  const { directory, devices } = parseRoot(await all.phone.told());
  const lying = rootOf(directory, new Map(devices).set(guest.number, { count: 2 ** 30, name: "" }));
  t.equal(await faultOf(() => all.lap.guests.mergeKin(lying, silently)), "Corrupt");
  const own = await put(all.lap, "a", "one");
  t.ok(own < markOf(guest.number, 2 ** 30), "it goes on counting where it was");
});

test("whatever the three do apart, they come to one folder and lose nothing",
  { timeout: 120_000 }, async (t) => {
    for (let trial = 0; trial < trials; trial++) {
      const name = `${seed}/${trial}`;
      const random = seededRandom(`kin ${name}`);
      const all = await Three.open(name, async (tree, folder) => {
        await put(tree, "n0", "first", folder);
      });
      const { both, lap, phone: { tree } } = all;
      const sides = [
        { tree: both.owner, top: both.folder }, { tree: lap, top: rootIno }, { tree, top: rootIno },
      ] as const;
      const [written, given] = [new Set<string>(), new Set<string>()];
      for (let turn = 0; turn < 40; turn++) {
        const side = sides[random.below(3)] as (typeof sides)[number];
        await act({ ...side, random, written, given, turn });
        for (const way of all.ways) if (random.below(12) === 0) await way();
      }
      await all.settle();
      isOne(t, await all.pictures(), `HIVE_SEED=${seed}, trial ${trial}`);
      const found = new Set(await textsIn(both.owner, both.folder));
      const lost = [...written].filter((word) => !given.has(word) && !found.has(word));
      t.strictSame(lost, [], `HIVE_SEED=${seed}, trial ${trial}`);
    }
  });
