/**
 * One right to write on several devices of one person, with all that a daemon has but a mount: an
 * owner with a drive, guests with stores of their own, and holders that are real vaults. Whatever
 * is written anywhere comes everywhere, whoever is off.
 */
import { type Test, test } from "tap";
import { rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { at, pictureBelow, put, textAt } from "../support/shared-folder.ts";
import { DeviceTown } from "../support/device-town.ts";
import { TownGuest, TownOwner } from "../support/guest-town.ts";
import { nobody } from "../support/walk.ts";

const slow = { timeout: 180_000 };
const work = "work";
const restTurns = 10;
const { signal: never } = new AbortController();

interface Town {
  readonly town: DeviceTown;
  readonly ann: TownOwner;
  readonly lap: TownGuest;
  readonly phone: TownGuest;
  readonly grant: string;
}

/** What each would tell its user. */
async function troubles(all: readonly (TownGuest | TownOwner)[]): Promise<string> {
  const told = await Promise.all(all.map(async ({ sharing }) => {
    const { given, taken } = await sharing.list();
    return [...given, ...given.flatMap((one) => one.with), ...taken].map((one) => one.trouble);
  }));
  return JSON.stringify(told);
}

/** Until all of it is so, or for very long. */
async function until(
  what: string, all: readonly (TownGuest | TownOwner)[], isSo: () => Promise<boolean>,
): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (await isSo()) return;
    for (const one of all) await one.look();
  }
  throw new Error(`in vain: ${what}; ${await troubles(all)}`);
}

async function has(guest: TownGuest, name: string, text: string): Promise<boolean> {
  return await textAt(await guest.files(work), name).catch(() => undefined) === text;
}

/** Ann gives Ben a folder, whose laptop takes it up. */
async function beginAlone(
  parts: AsyncDisposableStack, seed: string,
): Promise<Omit<Town, "phone">> {
  const town = parts.use(await DeviceTown.begin(seed, { haste: 40 }));
  const ann = await TownOwner.begin(town);
  const lap = parts.use(await TownGuest.begin(town, "ben", "lap"));
  const { ino } = await ann.device.tree.mkdir(nobody, at(work), { mode: 0o755 });
  await put(ann.device.tree, "of ann", "one", ino);
  await ann.look();
  const grant = await ann.give([work], lap);
  await lap.sharing.accept(grant, null, null);
  await until("the laptop writes", [ann, lap], () => lap.mayWrite(work));
  return { town, ann, lap, grant };
}

/** And his phone hears of that. */
async function begin(parts: AsyncDisposableStack, seed: string): Promise<Town> {
  const { town, ann, lap, grant } = await beginAlone(parts, seed);
  const phone = parts.use(await TownGuest.begin(town, "ben", "phone"));
  await lap.tellTies(phone);
  await until("the phone writes", [ann, lap, phone], () => phone.mayWrite(work));
  return { town, ann, lap, phone, grant };
}

async function folderOf({ device: { tree } }: TownOwner): Promise<Record<string, string>> {
  return await pictureBelow(tree, `/${work}/`);
}

async function isOne(t: Test, { ann, lap, phone }: Town): Promise<void> {
  const same = async () => {
    const all = [await folderOf(ann), await lap.picture(work), await phone.picture(work)];
    const [first, ...others] = all.map((one) => JSON.stringify(one));
    return others.every((one) => one === first);
  };
  for (const guest of [lap, phone]) await guest.flush();
  await until("all three have one folder", [ann, lap, phone], same);
  t.ok(await same());
}

test("two devices of one right write while apart, and nothing is lost", slow, async (t) => {
  await using parts = new AsyncDisposableStack();
  const all = await begin(parts, "kin apart");
  const { ann, lap, phone } = all;
  // What a program has seen of a folder is there without anybody.
  for (const guest of [lap, phone]) {
    await guest.picture(work);
    guest.goesAway();
  }
  await put(await lap.files(work), "of ann", "edited on lap");
  await put(await phone.files(work), "of ann", "edited on phone");
  const large = "of the phone\n".repeat(25_000);
  await put(await phone.files(work), "large", large);
  const { ino } = await (await lap.files(work)).mkdir(nobody, at("d", rootIno), { mode: 0o755 });
  await put(await lap.files(work), "in d", "of lap", ino);
  for (const guest of [lap, phone]) guest.goesAway(false);
  await isOne(t, all);
  const found = await folderOf(ann);
  t.equal(Object.keys(found).length, 5, "both edits, and what each made");
  t.ok(Object.keys(found).some((name) => /conflict/.test(name)));
  t.equal(await textAt(await lap.files(work), "large"), large);

  t.match((await ann.sharing.list()).given, [{ with: [{ devices: 2, trouble: null }] }]);
  const [view] = (await phone.sharing.list()).taken;
  t.match(view, { writes: true, trouble: null });
});

test("what one wrote comes to the other while the owner is off, and to him later", slow,
  async (t) => {
    await using parts = new AsyncDisposableStack();
    const all = await begin(parts, "kin alone");
    const { ann, lap, phone } = all;
    await put(await lap.files(work), "first", "of lap");
    await lap.flush();
    await until("the phone has it", [lap, phone], () => has(phone, "first", "of lap"));
    await put(await phone.files(work), "first", "of both");
    await phone.flush();
    await until("and the laptop what came of it", [lap, phone], () => has(lap, "first", "of both"));
    t.notOk((await folderOf(ann))["/first"], "he was not there");
    // None of them need be there for him to have it.
    lap.goesAway();
    phone.goesAway();
    await until("the owner has it", [ann], async () => {
      return await textAt(ann.device.tree, "first",
        (await ann.device.tree.walk([work]))).catch(() => "") === "of both";
    });
    for (const guest of [lap, phone]) guest.goesAway(false);
    await isOne(t, all);
  });

test("a device that its person let go of writes no more, until she says so there", slow,
  async (t) => {
    await using parts = new AsyncDisposableStack();
    const all = await begin(parts, "kin gone");
    const { ann, lap, phone, grant } = all;
    await put(await phone.files(work), "of the phone", "kept");
    await isOne(t, all);
    phone.goesAway();
    await put(await phone.files(work), "unsent", "not with anybody");
    lap.gone.add(phone.peer);
    const devices = async () => (await ann.sharing.list()).given[0]?.with[0]?.devices;
    await until("it is off the list", [lap, ann], async () => await devices() === 1);
    phone.goesAway(false);
    // Holders refuse it before it has heard that it was let go of.
    await phone.flush();
    await until("it is told so", [ann, lap, phone], async () => !(await phone.mayWrite(work)));
    t.match((await phone.sharing.list()).taken, [{ writes: false, trouble: /let go of/ }]);
    t.ok(await has(phone, "unsent", "not with anybody"), "what it has stays to be read");
    t.notOk((await folderOf(ann))["/unsent"], "and comes to nobody");
    t.ok((await folderOf(ann))["/of the phone"], "what it had told before stays");

    lap.gone.delete(phone.peer);
    await phone.sharing.accept(grant, null, null);
    await until("it writes again", [ann, lap, phone], () => phone.mayWrite(work));
    await isOne(t, all);
    t.ok((await folderOf(ann))["/unsent"]);
  });

test("whoever has nothing to do waits, and does not turn round and round", slow, async (t) => {
  await using parts = new AsyncDisposableStack();
  const { town, ann, lap } = await beginAlone(parts, "kin at rest");
  await put(await lap.files(work), "of lap", "kept");
  await lap.flush();
  await until("the owner has it", [ann, lap], async () => "/of lap" in await folderOf(ann));
  const { clock } = town.network;
  for (const { name, step } of [...ann.sharing.steps, ...lap.sharing.steps]) {
    const beganMs = clock.monotonicMs();
    for (let turn = 0; turn < restTurns; turn++) {
      // One that is idle is given a pause by the loop.
      if (await step(never) === "idle") await clock.delay(limits.agent.pauseMsMin);
    }
    const restMs = (clock.monotonicMs() - beganMs) / restTurns;
    t.ok(restMs >= limits.agent.pauseMsMin / 2, `${name}: ${Math.round(restMs)} ms a turn`);
  }
});
