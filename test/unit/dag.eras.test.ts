/** The bytes in which eras are told, frozen; what damage makes of them; and how they add up. */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { type Ino, rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { encodeEntry, parseEntry } from "../../src/dag/entries.ts";
import { type Eras, erasOfBoth, firstEra, nextEra } from "../../src/dag/eras.ts";
import { treeKeys } from "../../src/dag/keys.ts";
import { encodeRoot, parseRoot } from "../../src/dag/root.ts";
import { encodeChanges, parseChanges } from "../../src/tree/state/journal.ts";
import { troubleWithDamaged } from "../support/damage.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const hex = (text: string) => Buffer.from(text, "hex");
const vectors = JSON.parse(
  readFileSync(new URL("../vectors/dag-eras.json", import.meta.url), "utf8"),
) as Record<"secret" | "root" | "rootOfDevices" | "entry" | "changes", string> & {
  readonly chunkKey: { readonly slot: number; readonly era: number; readonly key: string };
};
const eras: Eras = { now: 7, owed: new Map([[9 as Ino, 6], [300 as Ino, 7]]) };

test("frozen: the key of an era's chunks, a root's eras, that of an inode, and the journal", (t) => {
  const keys = treeKeys(hex(vectors.secret));
  const { slot, era, key } = vectors.chunkKey;
  t.equal(keys.chunksOf({ slot }, era).toString("hex"), key);
  t.strictSame(keys.chunksOf({ slot }, 0), keys.chunksOf({ slot }), "the first is what was before there were any");
  for (const text of [vectors.root, vectors.rootOfDevices]) {
    t.strictSame(parseRoot(hex(text)).eras, eras);
    t.equal(encodeRoot(parseRoot(hex(text))).toString("hex"), text);
  }
  const entry = parseEntry(hex(vectors.entry));
  t.equal(entry.kind === "inode" && entry.inode.era, 5);
  t.equal(encodeEntry(entry).toString("hex"), vectors.entry);
  const changes = parseChanges(hex(vectors.changes));
  t.strictSame(changes, [{ kind: "eras", eras }, { kind: "eras", eras: { now: 7, owed: new Map() } }]);
  t.equal(encodeChanges(changes).toString("hex"), vectors.changes);
  t.end();
});

test("damaged eras are Corrupt or well-formed", (t) => {
  const random = seededRandom(`eras ${seed}`);
  const parsers: readonly (readonly [string, (bytes: Buffer) => unknown])[] = [
    [vectors.root, parseRoot], [vectors.entry, parseEntry], [vectors.changes, parseChanges],
  ];
  for (const [bytes, parse] of parsers) {
    for (const trouble of troubleWithDamaged(bytes, parse, { random, rounds: 1000 })) {
      t.fail(`${trouble}, HIVE_SEED=${seed}`);
    }
  }
  t.end();
});

test("a drive of which nobody was ever shut out says nothing of eras", (t) => {
  const root = parseRoot(hex(vectors.rootOfDevices));
  const bare = encodeRoot({ ...root, eras: firstEra });
  for (let zeros = 0; zeros < 5; zeros++) {
    t.strictSame(parseRoot(Buffer.concat([bare], bare.length + zeros)).eras, firstEra);
  }
  t.end();
});

test("of two devices' eras the later counts, and all that is owed; too much is the whole drive", (t) => {
  const [one, other] = [nextEra(firstEra, 5 as Ino), nextEra(nextEra(firstEra, 6 as Ino), 7 as Ino)];
  t.strictSame(erasOfBoth(one, other), {
    now: 2, owed: new Map([[5, 1], [6, 1], [7, 2]]),
  });
  let many: Eras = firstEra;
  for (let at = 0; at <= limits.eras.owedMax; at++) many = nextEra(many, (at + 10) as Ino);
  t.strictSame(many, { now: many.now, owed: new Map([[rootIno, many.now]]) });
  t.end();
});
