/** Groups know the name of the policy that they were drawn for, and keep knowing it. */
import { test } from "tap";
import { systemClock } from "../../src/base/clock.ts";
import { isFault } from "../../src/base/errors.ts";
import { silentLog } from "../../src/base/log.ts";
import type { Manifest } from "../../src/base/records.ts";
import { hashOfPolicy } from "../../src/placement/language/policy-hash.ts";
import { type Policy, defaultPolicy } from "../../src/placement/language/policy.ts";
import { Groups } from "../../src/transfer/groups/groups.ts";
import type { InForce } from "../../src/transfer/groups/policies.ts";
import { policyOf } from "../support/policies.ts";
import { nobodyRemoved, type World, makeWorld } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/transfer.policy-names.test.ts`;

async function openGroups(world: World, named: Record<string, Policy>): Promise<Groups> {
  const inForce: InForce = { drive: defaultPolicy, named: new Map(Object.entries(named)) };
  const groups = new Groups(
    { ...world, clock: systemClock, log: silentLog, roll: nobodyRemoved }, { inForce, settleMs: 0 },
  );
  await groups.open();
  return groups;
}

async function drawn(groups: Groups, name?: string): Promise<Manifest> {
  const found = await groups.forNewSegments(name);
  if ("peers" in found) return found;
  throw new Error(`no group: ${found.have} of ${found.needed}; ${replay}`);
}

const german = policyOf("protect class mirror; require country in DE;");

test("every name has groups of its own, though policies may mean the same", async (t) => {
  const world = makeWorld(8, seed);
  const groups = await openGroups(world, { photos: german, work: german });
  const [plain, photos, work] = [
    await drawn(groups), await drawn(groups, "photos"), await drawn(groups, "work"),
  ];
  t.equal(new Set([plain, photos, work].map(({ group }) => group)).size, 3);
  t.equal(photos.policyHash, hashOfPolicy(german));
  t.equal(plain.policyHash, hashOfPolicy(defaultPolicy));
  t.equal((await drawn(groups, "photos")).group, photos.group, "it is used again");
  t.strictSame([plain, photos, work].map(({ group }) => groups.nameOf(group)),
    ["", "photos", "work"]);
});

test("names outlive a restart; a group without one is the whole drive's", async (t) => {
  const world = makeWorld(8, seed);
  const first = await openGroups(world, { photos: german });
  const [plain, photos] = [await drawn(first), await drawn(first, "photos")];
  t.notOk(world.books.pairs.has(`q/${plain.group}`), "as in books from before there were names");
  const again = await openGroups(world, {});
  t.strictSame([plain, photos].map(({ group }) => again.nameOf(group)), ["", "photos"]);
  t.strictSame(again.governing(photos), first.governing(photos), "its text is known still");
});

test("a text that is edited governs the groups of its name", async (t) => {
  const world = makeWorld(8, seed);
  const first = await openGroups(world, { photos: german });
  const photos = await drawn(first, "photos");
  const tighter = policyOf("protect class mirror; require country in DE; forbid country in FR;");
  first.govern({ drive: defaultPolicy, named: new Map([["photos", tighter]]) });
  t.equal(first.governing(photos), tighter);
  t.not((await drawn(first, "photos")).group, photos.group, "what is new is drawn under the new");
});

test("a name that nothing is in force under takes no other policy", async (t) => {
  const groups = await openGroups(makeWorld(8, seed), {});
  const refused = await groups.forNewSegments("photos").catch((error: unknown) => error);
  t.ok(isFault(refused, "NotFound"), String(refused));
});

test("a manifest found among the peers is of the one name that has its hash", async (t) => {
  const world = makeWorld(8, seed);
  const photos = await drawn(await openGroups(world, { photos: german }), "photos");
  const lost = { ...world, books: makeWorld(0, seed).books };
  const recovered = await openGroups(lost, { photos: german });
  await recovered.adopt(photos);
  t.equal(recovered.nameOf(photos.group), "photos");
  const unsure = { ...world, books: makeWorld(0, seed).books };
  const other = await openGroups(unsure, { photos: german, work: german });
  await other.adopt(photos);
  t.equal(other.nameOf(photos.group), "", "of two it is neither");
});
