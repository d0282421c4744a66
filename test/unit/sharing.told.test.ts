/**
 * What devices of a drive tell each other of the folders that it shares: frozen bytes, what damage
 * makes of them, and that what is gone stays so without being remembered for ever.
 */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { peerKeysOf } from "../../src/crypt/ciphers/peer-key.ts";
import { driveKeysOf } from "../../src/crypt/drive/drive.ts";
import { deviceTagOf, parseShare, recordKeyOf } from "../../src/crypt/records/share-records.ts";
import { type Ties, encodeTies, joinTies, parseTies, tieAfter, tieCounted }
  from "../../src/dag/ties.ts";
import { folderTie, givenIn, rightTies, wayTies } from "../../src/sharing/given/given-ties.ts";
import { openPayload } from "../../src/sharing/records/payload.ts";
import { bothKnow, decodeTold, encodeTold, knowledgeOf, knowsMore }
  from "../../src/sharing/records/told.ts";
import { freeSlot, withoutOrphans } from "../../src/sharing/ties/slots.ts";
import { TieSeals } from "../../src/sharing/ties/tie-seals.ts";
import { Tied } from "../../src/sharing/ties/tied.ts";
import { troubleWithDamaged } from "../support/damage.ts";
import { outcomeOf } from "../support/faults.ts";
import { MemoryBooks, ShiftedClock } from "../support/transfer-world.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const random = seededRandom(`sharing.told/${seed}`);
const hex = (text: string): Buffer => Buffer.from(text, "hex");

const self = peerKeysOf(Buffer.alloc(32, 1)).peer;

interface Vectors {
  readonly driveSeed: string;
  readonly device: string;
  readonly record: string;
  readonly told: string;
  readonly payload: string;
  readonly knows: Readonly<Record<string, number>>;
  readonly ties: string;
  readonly wrong: readonly { readonly told: string; readonly comment: string }[];
}

const vectors = JSON.parse(
  readFileSync(new URL("../vectors/sharing-told.json", import.meta.url), "utf8"),
) as Vectors;

test("frozen: a record that any device of its drive can open, and what it says of its maker", (t) => {
  const { shareSecret, owner } = driveKeysOf(hex(vectors.driveSeed));
  const record = parseShare(hex(vectors.record));
  t.equal(record.owner, owner);
  const opened = openPayload(recordKeyOf(shareSecret, record), record.sealed, record);
  t.equal(opened.toString("hex"), vectors.told);
  const { knows, payload } = decodeTold(opened);
  t.strictSame(Object.fromEntries(knows), vectors.knows);
  t.equal(payload.toString("hex"), vectors.payload);
  t.equal(encodeTold({ knows, payload }).toString("hex"), vectors.told);
  t.ok(knows.has(deviceTagOf(shareSecret, vectors.device)));
  for (const { told, comment } of vectors.wrong) {
    t.equal(outcomeOf(() => decodeTold(hex(told))), "Corrupt", comment);
  }
  for (const trouble of troubleWithDamaged(vectors.told, decodeTold, { random, rounds: 500 })) {
    t.fail(`${trouble}, HIVE_SEED=${seed}`);
  }
  const older = decodeTold(payload);
  t.strictSame([older.knows.size, older.payload], [0, payload], "from before records said so");
  t.end();
});

test("frozen: the folders that a drive shares, and who may read them, as the words say", async (t) => {
  const ties = parseTies(hex(vectors.ties));
  const open = async (shareSecret: Uint8Array) => {
    const books = new MemoryBooks();
    await books.put("ties", hex(vectors.ties));
    const seals = new TieSeals(shareSecret);
    const roots = { tied: async () => undefined };
    const tied = new Tied({ books, seals, roots, self, clock: new ShiftedClock(), log: silentLog });
    await tied.open();
    return tied;
  };
  const { shareSecret } = driveKeysOf(hex(vectors.driveSeed));
  const tied = await open(shareSecret);
  const [folder] = givenIn(tied, (key) => void t.fail(key));
  t.match(folder, {
    ino: 7, givenAt: ["a", "b"], keeper: vectors.device, ways: [
      { to: { kind: "person" }, gives: "write" }, { to: { kind: "group", group: "family" }, gives: "read" },
    ],
  });
  t.strictSame([...folder!.rights.values()], [99]);
  const { share, ways, rights } = folder!;
  const said = [folderTie(folder!), ...wayTies(share, [], ways), ...rightTies(share, new Map(), rights)];
  for (const [key, value] of said) {
    t.strictSame(tied.get(key), value);
    const sealed = new TieSeals(shareSecret).seal(key, tieAfter(undefined, value));
    t.strictSame(ties.get(key), sealed, key);
  }
  t.equal(said.length, ties.size);
  t.strictSame(withoutOrphans(ties), ties);
  t.strictSame(givenIn(await open(random.bytes(32)), () => undefined), [], "without the words it says nothing");
});

test("whoever knows of all that another knows does not know less", (t) => {
  const secret = random.bytes(32);
  const of = (changes: Record<string, number>) => knowledgeOf(new Map(Object.entries(changes)), secret);
  const [one, two] = [of({ desk: 2, lap: 1 }), of({ desk: 1, lap: 3 })];
  t.ok(knowsMore(one, two) && knowsMore(two, one));
  const both = bothKnow(one, two);
  t.strictSame(both, of({ desk: 2, lap: 3 }));
  t.notOk(knowsMore(one, both) || knowsMore(two, both) || knowsMore(of({}), one));
  t.end();
});

function slotValue(id: string): Buffer {
  return hex(`01${id}`);
}

test("a slot is used again and again, and what was in it never comes back", (t) => {
  let ties: Ties = new Map();
  const past: Ties[] = [];
  const get = (key: string) => ties.get(key)?.value;
  const say = (key: string, value: Buffer | undefined): void => {
    ties = withoutOrphans(new Map(ties).set(key, tieAfter(ties.get(key), value)));
  };
  for (let times = 0; times < 200; times++) {
    const key = freeSlot({ get }, "g/", { self, slotsMax: 2 });
    const id = random.bytes(16).toString("hex");
    say(key, slotValue(id));
    for (const whom of ["a", "b"]) say(`w/${id}/${whom}`, Buffer.from("may"));
    past.push(ties);
    say(`w/${id}/a`, undefined);
    say(key, undefined);
    t.equal(ties.size, 1, "of all that there was one stamp is left");
  }
  const before = encodeTies(ties);
  for (const older of past) ties = withoutOrphans(joinTies(ties, older));
  t.ok(encodeTies(ties).equals(before), "whatever older state somebody comes with");
  say(freeSlot({ get }, "g/", { self, slotsMax: 2 }), slotValue("ab".repeat(16)));
  say(freeSlot({ get }, "g/", { self, slotsMax: 2 }), slotValue("cd".repeat(16)));
  t.equal(outcomeOf(() => freeSlot({ get }, "g/", { self, slotsMax: 2 })), "Quota");
  t.end();
});

test("taking away is outdone by no number of changes of whoever has not heard of it", (t) => {
  const { stampsPerTaking, stampMax } = limits.ties;
  const value = Buffer.from("may read");
  let there = tieAfter(undefined, value);
  const gone = tieAfter(there, undefined);
  for (let changes = 0; changes < 100; changes++) there = tieAfter(there, value);
  const last = tieAfter({ stamp: stampsPerTaking - 1, value }, value);
  for (const one of [there, last]) {
    const joined = joinTies(new Map([["w", one]]), new Map([["w", gone]]));
    t.equal(joined.get("w")?.value, undefined);
  }
  const again = tieAfter(gone, value);
  t.ok(joinTies(new Map([["w", gone]]), new Map([["w", again]])).get("w")?.value, "who knew of it");
  t.equal(tieCounted({ stamp: stampMax, value }).stamp, stampMax);
  t.end();
});
