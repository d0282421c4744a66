/**
 * Several devices of one drive: whatever they do apart, and in whatever order they hear of each
 * other, they come to have the same tree, and what nobody gave up is in it.
 */
import { type Test, test } from "tap";
import { seededRandom } from "../../src/base/random.ts";
import type { Tree } from "../../src/tree/tree.ts";
import { pictureOf, wordsOf } from "../support/drive-user.ts";
import { type Device, Devices, problemsOf } from "../support/merge-devices.ts";
import { at, put, textAt } from "../support/shared-folder.ts";
import { nobody, walkTree } from "../support/walk.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const trials = Number(process.env["HIVE_TRIALS"] ?? 10);
/** A busy machine must not fail it. */
const slow = { timeout: 120_000 };
async function two(seedText: string) {
  const devices = new Devices(seedText);
  const desk = await devices.add("desk");
  return { devices, desk };
}

async function names(tree: Tree): Promise<readonly string[]> {
  return Object.keys(await pictureOf(tree)).filter((path) => path !== "/");
}

async function sameEverywhere(t: Test, devices: Devices): Promise<void> {
  const [first, ...others] = await Promise.all(devices.all.map(({ tree }) => pictureOf(tree)));
  for (const other of others) t.strictSame(other, first);
}

test("edits of different files never conflict", async (t) => {
  const { devices, desk } = await two("apart");
  await put(desk.tree, "a", "one");
  await put(desk.tree, "b", "two");
  const lap = await devices.add("lap");
  await put(desk.tree, "a", "one of desk");
  await put(lap.tree, "b", "two of lap");
  await put(lap.tree, "c", "three");
  await devices.settle();
  t.strictSame(await names(desk.tree), ["/a", "/b", "/c"]);
  t.equal(await textAt(desk.tree, "b"), "two of lap");
  t.equal(await textAt(lap.tree, "a"), "one of desk");
  await sameEverywhere(t, devices);
});

test("two edits of one file keep both, the other one named by device and day", async (t) => {
  const { devices, desk } = await two("both");
  const ino = await put(desk.tree, "report.txt", "first");
  const lap = await devices.add("lap");
  await put(desk.tree, "report.txt", "of desk");
  await put(lap.tree, "report.txt", "of lap");
  const day = { seconds: 1_795_737_600, nanoseconds: 0 };
  await desk.tree.setattr(nobody, ino, { mtime: day });
  await lap.tree.lookup(at("report.txt"));
  await lap.tree.setattr(nobody, ino, { mtime: { ...day, nanoseconds: 5 } });
  await devices.settle();
  t.strictSame(await names(desk.tree), ["/report (conflict, desk, 2026-11-27).txt", "/report.txt"]);
  t.equal(await textAt(desk.tree, "report.txt"), "of lap");
  t.equal(await textAt(lap.tree, "report (conflict, desk, 2026-11-27).txt"), "of desk");
  await sameEverywhere(t, devices);
});

test("attributes that two devices gave one file are kept, and nothing that neither wrote is doubled", async (t) => {
  const { devices, desk } = await two("attributes");
  const short = await put(desk.tree, "short", "of both");
  const long = await put(desk.tree, "long", "x".repeat(600_000));
  const lap = await devices.add("lap");
  for (const name of ["short", "long"]) await lap.tree.lookup(at(name));
  for (const { tree, name } of devices.all) {
    await tree.setxattr(nobody, short, `user.${name}`, Buffer.from(name), "any");
  }
  await desk.tree.setattr(nobody, long, { mode: 0o600 });
  await lap.tree.setattr(nobody, long, { mtime: { seconds: 1_700_000_000, nanoseconds: 0 } });
  await devices.settle();
  const found = (await names(desk.tree)).map((path) => path.replace(/conflict.*\)/, "conflict)"));
  t.strictSame(found, ["/long", "/short", "/short (conflict)"]);
  const seen = [...(await walkTree(lap.tree)).values()].flatMap(({ xattrs }) => xattrs);
  t.equal(seen.filter((one) => one.startsWith("user.")).length, 2);
  await sameEverywhere(t, devices);
});

test("attributes that two devices gave one folder stay from both, and of two values one", async (t) => {
  const { devices, desk } = await two("folder's attributes");
  const { ino } = await desk.tree.mkdir(nobody, at("folder"), { mode: 0o755 });
  await desk.tree.setxattr(nobody, ino, "user.gone", Buffer.from("before"), "any");
  const lap = await devices.add("lap");
  await lap.tree.lookup(at("folder"));
  await lap.tree.removexattr(nobody, ino, "user.gone");
  await devices.settle();
  for (const { tree, name } of devices.all) {
    await tree.setxattr(nobody, ino, `user.${name}`, Buffer.from(name), "any");
    await tree.setxattr(nobody, ino, "user.colour", Buffer.from(name), "any");
  }
  const pad = await devices.add("pad");
  await devices.settle();
  const told = await desk.tree.listxattr(ino);
  t.strictSame([...told].sort(), ["user.colour", "user.desk", "user.lap"]);
  const colours = await Promise.all([desk, lap, pad].map(async ({ tree }) => {
    await tree.lookup(at("folder"));
    return Buffer.from(await tree.getxattr(ino, "user.colour")).toString();
  }));
  t.ok(["desk", "lap"].includes(colours[0] as string), "one of the two, and no time decides");
  t.strictSame(colours, [colours[0], colours[0], colours[0]]);
  await sameEverywhere(t, devices);
});

test("shared folders that change places with those in them are merged", slow, async (t) => {
  const { devices, desk } = await two("places");
  const made = async (name: string) => {
    return (await desk.tree.mkdir(nobody, at(name), { mode: 0o755 })).ino;
  };
  const [older, newer] = [await made("older"), await made("newer")];
  const [above, within] = [await made("above"), await made("within")];
  await desk.tree.rename(nobody, at("within"), at("within", above), "replace");
  await desk.tree.rename(nobody, at("older"), at("older", newer), "replace");
  const lap = await devices.add("lap");
  for (const name of ["above", "newer"]) await lap.tree.lookup(at(name));
  await lap.tree.lookup(at("within", above));
  await lap.tree.lookup(at("older", newer));
  await lap.tree.rename(nobody, at("within", above), at("within"), "replace");
  await lap.tree.rename(nobody, at("above"), at("above", within), "replace");
  await lap.tree.rename(nobody, at("older", newer), at("older"), "replace");
  await lap.tree.rename(nobody, at("newer"), at("newer", older), "replace");
  for (const folder of [older, newer, above, within]) desk.tree.share(folder);
  await devices.settle();
  t.strictSame(await names(desk.tree), ["/older", "/older/newer", "/within", "/within/above"]);
  await sameEverywhere(t, devices);
});

test("what one device sealed anew for another policy is so on all, in whatever order they hear of it", async (t) => {
  for (const isFirst of [false, true]) {
    const { devices, desk } = await two(`policies ${isFirst}`);
    const large = seededRandom("sealed anew").bytes(700_000);
    const { ino } = await desk.tree.mkdir(nobody, at("folder"), { mode: 0o755 });
    await put(desk.tree, "there", large, ino);
    await put(desk.tree, "moves", large.subarray(1));
    const lap = await devices.add("lap");
    // The numbers of policies are each device's own.
    const { ino: other } = await lap.tree.mkdir(nobody, at("other"), { mode: 0o755 });
    await lap.tree.setxattr(nobody, other, "user.hive.policy", Buffer.from("home"), "any");
    await desk.tree.setxattr(nobody, ino, "user.hive.policy", Buffer.from("europe"), "any");
    await desk.tree.rename(nobody, at("moves"), at("moves", ino), "replace");
    if (isFirst) await devices.settle();
    const never = new AbortController().signal;
    while (desk.tree.resealing() !== undefined) await desk.tree.resealer.step(never);
    await devices.settle();
    for (const device of devices.all) {
      const blocks = devices.governed(device);
      t.ok(blocks.some(({ policy }) => policy === "europe"));
      const texts = await device.tree.policyTexts();
      t.strictSame([...texts.keys()].sort(), ["europe", "home"], "what they ask for is known to both");
      t.strictSame(blocks.filter(({ isRight }) => !isRight), [], `${device.name}, ${isFirst}`);
    }
  }
});

test("an edit outlives a removal, and brings its folder back with it", async (t) => {
  const { devices, desk } = await two("removed");
  const { ino } = await desk.tree.mkdir(nobody, at("d"), { mode: 0o755 });
  await put(desk.tree, "f", "old", ino);
  await put(desk.tree, "g", "old too", ino);
  const lap = await devices.add("lap");
  await lap.tree.lookup(at("d"));
  await put(lap.tree, "f", "new", ino);
  await desk.tree.unlink(nobody, at("f", ino));
  await desk.tree.unlink(nobody, at("g", ino));
  await desk.tree.rmdir(nobody, at("d"));
  await devices.settle();
  t.strictSame(await names(desk.tree), ["/d", "/d/f"]);
  t.equal(await textAt(desk.tree, "f", ino), "new");
  await sameEverywhere(t, devices);
});

test("a rename here and an edit there are both done", async (t) => {
  const { devices, desk } = await two("moved");
  await put(desk.tree, "f", "old");
  const lap = await devices.add("lap");
  await desk.tree.rename(nobody, at("f"), at("g"), "replace");
  // As the kernel does soon after, which keeps times itself.
  const { ino, mtime } = await desk.tree.lookup(at("g"));
  await desk.tree.setattr(nobody, ino, { mtime: { ...mtime }, ctime: "now" });
  await put(lap.tree, "f", "new");
  await devices.settle();
  t.strictSame(await names(lap.tree), ["/g"]);
  t.equal(await textAt(desk.tree, "g"), "new");
  await sameEverywhere(t, devices);
});

test("two folders of one name become one, with all that is in either", async (t) => {
  const { devices, desk } = await two("folders");
  const lap = await devices.add("lap");
  for (const { tree, name } of devices.all) {
    const { ino } = await tree.mkdir(nobody, at("d"), { mode: 0o755 });
    await put(tree, `of ${name}`, name, ino);
    await put(tree, "same", name, ino);
  }
  await devices.settle();
  const found = await names(desk.tree);
  t.equal(found.length, 5);
  t.ok(found.includes("/d/of desk") && found.includes("/d/of lap") && found.includes("/d/same"));
  t.ok(found.some((path) => /^\/d\/same \(conflict, lap, /.test(path)));
  await sameEverywhere(t, devices);
  t.ok(lap);
});

test("folders moved into each other: one of them comes to the root", async (t) => {
  const { devices, desk } = await two("circle");
  const x = await desk.tree.mkdir(nobody, at("x"), { mode: 0o755 });
  const y = await desk.tree.mkdir(nobody, at("y"), { mode: 0o755 });
  await put(desk.tree, "in x", "x", x.ino);
  const lap = await devices.add("lap");
  await desk.tree.rename(nobody, at("x"), at("x", y.ino), "replace");
  await lap.tree.lookup(at("x"));
  await lap.tree.rename(nobody, at("y"), at("y", x.ino), "replace");
  await devices.settle();
  t.strictSame(await names(desk.tree), ["/x", "/x/in x", "/x/y"]);
  await sameEverywhere(t, devices);
});

test("a program that holds a file open reads what another device wrote", async (t) => {
  const { devices, desk } = await two("open");
  const ino = await put(desk.tree, "f", "old");
  const lap = await devices.add("lap");
  await lap.tree.lookup(at("f"));
  const handle = await lap.tree.open(nobody, ino, { read: true, write: true, append: false, truncate: false });
  await put(desk.tree, "f", "x".repeat(600_000));
  await devices.publish(desk);
  const stale: unknown[] = [];
  await lap.tree.devices.merge(devices.heads.get(desk.number) as Uint8Array, async (told) => {
    stale.push(...told.inos);
  });
  t.ok(stale.includes(ino));
  const [bytes] = await lap.tree.read(handle, { offsetBytes: 599_990, lengthBytes: 100 });
  t.equal(Buffer.from(bytes ?? []).toString(), "x".repeat(10));
});

test("what a device told before it lost its store stays with whom it told", async (t) => {
  const { devices, desk } = await two("back");
  const before = await devices.publish(desk);
  const lap = await devices.add("lap");
  // Told straight, and lost before any peer had it.
  await put(desk.tree, "lost here", "one");
  await devices.publish(desk);
  await devices.hear(lap, desk);
  await devices.bringBack(desk, before);
  await put(desk.tree, "made since", "two");
  await devices.restart(desk, { crash: false });
  await put(desk.tree, "and later", "three");
  await devices.settle();
  t.strictSame(await names(desk.tree), ["/and later", "/lost here", "/made since"]);
  t.equal(await textAt(desk.tree, "lost here"), "one");
  t.equal(await textAt(lap.tree, "made since"), "two");
  await sameEverywhere(t, devices);
});

for (const [trial, count] of Array.from({ length: trials }, (_, at) => [at, 2 + at % 3] as const)) {
  test(`${count} devices come to have the same tree, trial ${trial}`, slow, async (t) => {
    t.comment(`replay: HIVE_SEED=${seed} node test/unit/tree.merge.test.ts`);
    const devices = new Devices(`${seed} ${trial}`);
    const first = await devices.add("desk");
    for (let act = 0; act < 12; act++) await devices.user.act(first);
    for (let more = 1; more < count; more++) await devices.add(`device ${more}`);
    await live(devices, seededOrder(trial));
    await devices.settle();
    await sameEverywhere(t, devices);
    const words = await wordsOf(first.tree);
    const { written, given } = devices.user;
    const kept = [...written].filter((word) => !given.has(word));
    const lost = kept.filter((word) => !words.has(word));
    t.strictSame(lost, [], "what nobody gave up is there");
    for (const device of devices.all) {
      t.strictSame(await problemsOf(device), [], `${device.name} is whole`);
    }
  });
}

/** Which of them acts, and who hears of whom, by a rule that differs from trial to trial. */
function* seededOrder(trial: number): Generator<number> {
  let state = (trial + Number(seed.replace(/\D/g, "") || 1) * 7919) >>> 0;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state >>> 8;
  }
}

async function live(devices: Devices, order: Generator<number>): Promise<void> {
  const next = (below: number): number => (order.next().value as number) % below;
  const any = (): Device => devices.all[next(devices.all.length)] as Device;
  for (let step = 0; step < 60; step++) {
    const what = next(10);
    if (what < 7) await devices.user.act(any());
    else if (what === 7) await devices.publish(any());
    else if (what === 8) {
      const [one, other] = [any(), any()];
      if (one !== other) await devices.hear(one, other);
    } else if (next(4) === 0) await devices.restart(any(), { crash: next(2) === 0 });
  }
}
