/** What others gave, as it is taken up: under which name, and in whose place. */
import { test } from "tap";
import { nameBytesMax, nameToText, parseName } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { personKeysOf } from "../../src/crypt/records/grants.ts";
import { grantText, parseGrantText } from "../../src/sharing/records/payload.ts";
import { personIdOf } from "../../src/sharing/records/person-keys.ts";
import { refused } from "../contract/host.ts";
import { openHolder } from "../support/holder.ts";
import { openGiver, openReader, person } from "../support/sharing-sides.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.taken/${seed}`);
const never = new AbortController().signal;

/** The person whom a link makes. */
function linkOf() {
  const linkSeed = random.bytes(32);
  const keys = personKeysOf(linkSeed);
  return { seed: linkSeed, name: "link", person: personIdOf(keys), sealPublic: keys.sealPublic };
}

test("a link that is over is in the way of no other one to the same folder", async (t) => {
  await using holder = await openHolder(random);
  const { world, vault } = holder;
  const { open, photos } = await openGiver(vault, world);
  const { given, tell } = await open();
  const [first, second] = [linkOf(), linkOf()];
  const grants = [await given.give(photos, first), await given.give(photos, second)] as const;
  await tell();
  const ben = await openReader(person("Ben", random), vault, world);
  ben.requester.owners.push(first.person, second.person);
  const { taken, look } = await ben.open();
  await taken.accept({ grant: grants[0], seed: first.seed }, "june");
  t.strictSame(await look(), ["june"]);
  await refused(t, "the folder is there", taken.accept({ grant: grants[1], seed: second.seed }, "july"), "Exists");

  await given.revoke(photos, { kind: "person", person: first.person }, never);
  await tell();
  t.strictSame(await look(), []);
  await taken.accept({ grant: grants[1], seed: second.seed }, "july");
  t.strictSame(await look(), ["july"]);
});

test("a folder is given whose name is no text, and has one of its own with who takes it up", async (t) => {
  await using holder = await openHolder(random);
  const { world, vault } = holder;
  const { open, photos } = await openGiver(vault, world);
  const { given } = await open();
  const ben = person("Ben", random);
  const path = [parseName("\xff".repeat(nameBytesMax))];
  const grant = parseGrantText(grantText(await given.give({ ...photos, path }, ben.contact)));
  const { taken } = await (await openReader(ben, vault, world)).open();
  t.equal(nameToText(await taken.accept({ grant }, null)), "\ufffd".repeat(nameBytesMax / 3));
});
