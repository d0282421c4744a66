/**
 * Devices whose users do apart what few people do, with policies in between: they come to the same
 * tree, lose nothing that anybody wrote, and come to rest, so that none tells the others of news
 * for ever. Lives are drawn at random: HIVE_SEED draws others, HIVE_TRIALS more of them.
 */
import { type Test, test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { wordsOf } from "../support/drive-user.ts";
import { type Device, type Devices, problemsOf } from "../support/merge-devices.ts";
import { PatientDevices } from "../support/patient-devices.ts";
import { walkTree } from "../support/walk.ts";
import { WildUser } from "../support/wild-user.ts";

const seed = process.env["HIVE_SEED"] ?? "402";
const from = Number(process.env["HIVE_FROM"] ?? 5);
const trials = Number(process.env["HIVE_TRIALS"] ?? 5);
/** One may begin only when another is done, and tell of it only then. */
const roundsMax = 6;
const names = ["lap/top", "padé of the attic, long n", "x"];

for (let trial = from; trial < from + trials; trial++) {
  // A busy machine must not fail it.
  test(`devices of wild users come to rest, trial ${trial}`, { timeout: 120_000 }, async (t) => {
    const replay = `HIVE_SEED=${seed} HIVE_FROM=${trial} HIVE_TRIALS=1`;
    t.comment(`replay: ${replay} node test/unit/tree.merge-wild.test.ts`);
    const patient = new PatientDevices(`${seed} ${trial}`);
    const { devices } = patient;
    await live(devices, { life: `${seed} ${trial}`, count: 2 + trial % 3 });
    await devices.settle();
    await sameEverywhere(t, devices);
    await losesNothing(t, devices);
    await comesToRest(t, patient);
    await sameEverywhere(t, devices);
    for (const device of devices.all) {
      t.strictSame(await problemsOf(device), [], `${device.name} is whole`);
    }
  });
}

async function live(
  devices: Devices, { life, count }: { readonly life: string; readonly count: number },
): Promise<void> {
  const user = new WildUser(life, devices.user);
  const random = seededRandom(`order ${life}`);
  const first = await devices.add("desk");
  for (let act = 0; act < 12; act++) await user.act(first.tree);
  for (const name of names.slice(0, count - 1)) await devices.add(name);
  for (const [at, { tree }] of devices.all.entries()) await user.begin(tree, at);
  const any = (): Device => devices.all[random.below(devices.all.length)] as Device;
  for (let step = 0; step < 90; step++) {
    const what = random.below(20);
    if (what < 13) await user.act(any().tree);
    else if (what < 15) await devices.user.act(any());
    else if (what < 17) await devices.publish(any());
    else if (what < 19) {
      const [one, other] = [any(), any()];
      if (one !== other) await devices.hear(one, other);
    } else if (random.below(4) === 0) await devices.restart(any(), { crash: random.below(2) === 0 });
  }
}

async function sameEverywhere(t: Test, { all }: Devices): Promise<void> {
  const [first, ...others] = await Promise.all(all.map(({ tree }) => pictureOf(tree)));
  for (const other of others) t.strictSame(other, first, "all have the same tree");
}

/** All that programs see but the times and sizes of folders, which are each device's own. */
async function pictureOf(tree: Tree): Promise<Record<string, string>> {
  const picture: Record<string, string> = {};
  for (const [path, { attributes, content, xattrs }] of await walkTree(tree)) {
    const { ino, mode, links, uid, gid, rdev, sizeBytes, mtime, blocks } = attributes;
    const isFolder = (mode & 0o170000) === 0o040000;
    const times = isFolder ? [] : [sizeBytes, blocks, mtime.seconds, mtime.nanoseconds];
    const told = [ino, mode.toString(8), links, uid, gid, rdev, ...times, content, ...xattrs];
    if (path !== "/") picture[path] = told.join(" ");
  }
  return picture;
}

async function losesNothing(t: Test, { all, user }: Devices): Promise<void> {
  const words = await wordsOf((all[0] as Device).tree);
  const kept = [...user.written].filter((word) => !user.given.has(word));
  t.strictSame(kept.filter((word) => !words.has(word)), [], "what nobody gave up is there");
}

async function comesToRest(t: Test, patient: PatientDevices): Promise<void> {
  const { devices } = patient;
  const isBusy = ({ tree }: Device): boolean => tree.resealing() !== undefined;
  for (let round = 0; round < roundsMax && devices.all.some(isBusy); round++) {
    await patient.patience();
  }
  for (const { tree, name } of devices.all) t.equal(tree.resealing(), undefined, `${name} rests`);
  t.strictSame(patient.misplaced(), [], "all lies where its policy says");
  const heads = new Map(devices.heads);
  await patient.patience();
  t.strictSame(devices.heads, heads, "and no device has news");
}
