/**
 * The bytes in which several devices of a drive are told, frozen, and what damage makes of them.
 */
import { readFileSync } from "node:fs";
import { test } from "tap";
import { parsePeerId } from "../../src/base/ids.ts";
import { encodeEntry, parseEntry } from "../../src/dag/entries.ts";
import { deviceOf, isSeen, markOf, noDevices, seenByBoth } from "../../src/dag/marks.ts";
import { encodeRoot, parseRoot } from "../../src/dag/root.ts";
import { encodeOwnerRecords, parseOwnerRecords } from "../../src/peers/wire/message.ts";
import { deviceFor } from "../../src/tree/state/devices.ts";
import { encodeChanges, parseChanges } from "../../src/tree/state/journal.ts";

const hex = (text: string) => Buffer.from(text, "hex");
const vectors = JSON.parse(
  readFileSync(new URL("../vectors/dag-devices.json", import.meta.url), "utf8"),
) as Record<"root" | "entry" | "changes" | "records", string>;

test("frozen: devices of a root, marks of an inode, grafts, and the heads of others", (t) => {
  const root = parseRoot(hex(vectors.root));
  t.strictSame([...root.devices], [
    [101, { count: 12, name: "desk" }], [70_001, { count: 3, name: "café" }],
  ]);
  t.equal(encodeRoot(root).toString("hex"), vectors.root);
  const entry = parseEntry(hex(vectors.entry));
  const marks = entry.kind === "inode" ? entry.inode.marks : undefined;
  t.strictSame(marks, { edited: markOf(101, 9), moved: markOf(70_001, 2) });
  t.equal(encodeEntry(entry).toString("hex"), vectors.entry);
  const changes = parseChanges(hex(vectors.changes));
  t.strictSame(changes.map(({ kind }) => kind), ["graft", "seen"]);
  t.equal(encodeChanges(changes).toString("hex"), vectors.changes);
  const { head, others, manifests } = parseOwnerRecords(hex(vectors.records));
  t.strictSame([head, ...others].map((one) => one?.[0]), [1, 3]);
  t.equal(Buffer.from(encodeOwnerRecords(head, manifests, others)).toString("hex"), vectors.records);
  t.end();
});

test("a mark is seen once as many of its device were; what is older than devices always is", (t) => {
  const seen = seenByBoth(new Map([[5, { count: 3, name: "a" }]]), noDevices);
  t.ok(isSeen(seen, markOf(5, 3)));
  t.notOk(isSeen(seen, markOf(5, 4)));
  t.notOk(isSeen(seen, markOf(6, 1)));
  t.ok(isSeen(noDevices, markOf(0, 99)));
  t.end();
});

test("a device's number follows from its key, and its name is cut between characters", (t) => {
  const peer = parsePeerId("12D3KooWAbcdefghijkmnopqrstuvwxyz1234567");
  const device = deviceFor(peer, "é".repeat(40));
  t.equal(device.number, deviceFor(peer, "").number);
  t.equal(deviceOf(markOf(device.number, 7)), device.number);
  t.equal(device.name, "é".repeat(16));
  t.end();
});
