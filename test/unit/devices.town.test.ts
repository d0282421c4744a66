/**
 * Devices of one drive that are whole but for a mount, over real vaults: whatever they do, are cut
 * off from, and go through, they come to have the same tree; nothing is lost that nobody gave up;
 * and whatever they publish is with holders. HIVE_TRIALS says how many lives; none if it does not,
 * as each takes seconds.
 */
import { test } from "tap";
import { DeviceTown, type TownDevice, aMoment, attend, publish }
  from "../support/device-town.ts";
import { pictureOf, wordsOf } from "../support/drive-user.ts";
import { emptyHost } from "../support/town-network.ts";
import { liveInTown } from "../support/town-script.ts";
import { writeIn } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const trials = Number(process.env["HIVE_TRIALS"] ?? 0);
/** A busy machine must not fail it. */
const slow = { timeout: 180_000 };

/** Chunks that are not alike. */
const large = Array.from({ length: 90_000 }, (_, line) => `desk ${line}\n`).join("");

async function pair(name: string): Promise<DeviceTown> {
  // In our time: what is lent must not be overdue on a slow machine.
  const town = await DeviceTown.begin(name, { haste: 1 });
  const desk = await town.add("desk");
  await writeIn(desk.tree, "first", "first\n");
  await publish(desk);
  const lap = await town.add("lap");
  // It hears of the other one from a holder, and then tells it that it is there.
  for (const device of [lap, lap, desk]) {
    await attend(device);
    await aMoment();
  }
  return town;
}

/** The first writes what no peer has, and the other hears of it straight. */
async function largeTold(town: DeviceTown): Promise<readonly [TownDevice, TownDevice]> {
  const [desk, lap] = town.devices as [TownDevice, TownDevice];
  await writeIn(desk.tree, "large", large);
  await desk.tree.commit();
  await attend(desk);
  await aMoment();
  await attend(lap);
  return [desk, lap];
}

test("what one device commits another has at once, and no peer yet", slow, async (t) => {
  await using town = await pair("at once");
  const [desk, lap] = await largeTold(town);
  t.strictSame(await pictureOf(lap.tree), await pictureOf(desk.tree));
  const { dirtyBytes } = lap.store.usage();
  t.ok(dirtyBytes > 700_000, "what came straight counts as kept by no peer");
  await lap.tree.commit();
  t.equal(await lap.transfer.uploader.step(new AbortController().signal), "idle");
  t.ok(lap.store.usage().dirtyBytes >= dirtyBytes, "whoever made it has time to place it");
  const { keys } = desk;
  town.network.sides.set(keys.peer, 1);
  t.ok(await publish(lap), "though it is gone, this one places it");
  t.equal(lap.store.usage().dirtyBytes, 0);
  town.network.sides.set(lap.keys.peer, 2);
  const words = await town.lookFrom("another", (tree) => wordsOf(tree));
  t.ok(words.has("desk 0"), "so that no machine of the two is needed");
});

test("what its maker has placed is not placed twice", slow, async (t) => {
  await using town = await pair("once");
  const [desk, lap] = await largeTold(town);
  t.ok(await publish(desk));
  await attend(lap);
  const before = town.network.storedBytes.get(lap.keys.peer) ?? 0;
  t.ok(await publish(lap));
  const sent = (town.network.storedBytes.get(lap.keys.peer) ?? 0) - before;
  t.ok(sent > 0 && sent < 700_000, `pages alone: ${sent} bytes`);
  t.equal(lap.store.usage().dirtyBytes, 0);
});

test("a device that came before the drive had any group hears of what there is", slow, async (t) => {
  await using town = await DeviceTown.begin("early", { haste: 20 });
  const desk = await town.add("desk");
  const lap = await town.add("lap");
  await attend(lap);
  // Nobody tells it of the other one: it has to ask for itself.
  town.network.members.set(lap.keys.peer, { keys: lap.keys, household: "lap", host: emptyHost });
  await writeIn(desk.tree, "first", "first\n");
  t.ok(await publish(desk));
  for (let look = 0; look < 300 && !(await wordsOf(lap.tree)).has("first"); look++) {
    await attend(lap);
    await town.network.clock.delay(2000);
  }
  t.strictSame(await pictureOf(lap.tree), await pictureOf(desk.tree));
});

const lives = process.env["HIVE_LIFE"] === undefined
  ? Array.from({ length: trials }, (_, trial) => `${seed}.${trial}`) : [process.env["HIVE_LIFE"]];

for (const name of lives) {
  test(`three devices and two readers, life ${name}`, slow, async (t) => {
    const outcome = await liveInTown({ seed: name, devices: 3, steps: 40 });
    const { pictures, lost, unkept, unread, stolen, acts } = outcome;
    t.comment(`${acts} acts; replay: HIVE_LIFE=${name} node test/unit/devices.town.test.ts`);
    const [first, ...others] = Object.values(pictures);
    for (const other of others) t.strictSame(other, first);
    t.strictSame(lost, [], "what nobody gave up is there");
    t.strictSame(unkept, [], "whatever was published is with holders");
    t.strictSame(unread, [], "a reader has all that is in the folder that is given to her");
    t.strictSame(stolen, [], "and who was shut out nothing that was written since");
  });
}
