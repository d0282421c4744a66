/** What operations tell the journal between two syncs becomes one record, whole changes in order. */
import { test } from "tap";
import { parseIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { openJournal, treeKeys } from "../../src/dag/keys.ts";
import { JournalEnd } from "../../src/tree/state/journal-end.ts";
import { type Change, parseChanges } from "../../src/tree/state/journal.ts";

const { sealedTogetherBytesMax: togetherMax } = limits.tree;
const keys = treeKeys(Buffer.alloc(32, 1));
const durable = { namesDurableOnly: true };

function dataOf(index: number, lengthBytes: number): Change {
  const bytes = Buffer.alloc(lengthBytes, index);
  return { kind: "data", ino: parseIno(index + 1), offsetBytes: index, bytes };
}

function newEnd() {
  const records: (readonly Change[])[] = [];
  const append = (sealed: Uint8Array): number => {
    return records.push(parseChanges(openJournal(keys, sealed)));
  };
  return { records, end: new JournalEnd({ store: { append }, keys, random: seededRandom(1) }) };
}

test("records between two syncs are sealed as one, as far as they fit", (t) => {
  const { records, end } = newEnd();
  const large = togetherMax * 3;
  const told = [10, 20, 5000, togetherMax - 5000, large, 7, 8].map((length, at) => dataOf(at, length));
  for (const change of told) end.append([change], durable);
  end.seal();
  end.seal();
  t.strictSame(records, [told.slice(0, 3), told.slice(3, 4), told.slice(4, 5), told.slice(5)]);
  end.append([dataOf(9, 30)], durable);
  end.seal();
  t.strictSame(records.at(-1), [dataOf(9, 30)], "nothing is left of those before");
  t.end();
});

test("of an operation that cannot be told, nothing is", (t) => {
  const { records, end } = newEnd();
  const [one, other] = [dataOf(1, 100), dataOf(2, 100)];
  const wrong: Change = { kind: "cut", ino: one.kind === "data" ? one.ino : parseIno(1), from: -1 };
  end.append([one], durable);
  t.throws(() => end.append([other, wrong], durable));
  end.append([other], durable);
  end.seal();
  t.strictSame(records, [[one, other]]);
  t.end();
});
