/** Group commit: blocks before records, one for all who ask, and what a failure leaves. */
import { test } from "tap";
import { HiveError, isFault } from "../../src/base/errors.ts";
import { GroupCommit } from "../../src/cache/commits/group-commit.ts";
import { attempt } from "../contract/store.ts";

test("blocks are flushed before the batch that may name them, and once for all", async (t) => {
  const disk = paperDisk();
  disk.wants.push("a", "b");
  await Promise.all([1, 2, 3].map(() => disk.group.request("settled")));
  t.strictSame(disk.events, ["gather a b", "flush", "record", "write a b", "settled"]);
  await disk.group.request("settled");
  t.equal(disk.events.length, 5, "nothing wanted, nothing done");
});

test("whoever asks only to be kept waits for no index, and shares with who does", async (t) => {
  const disk = paperDisk();
  disk.wants.push("a");
  await disk.group.request("kept");
  t.strictSame(disk.events, ["gather", "flush", "record"]);
  await Promise.all([disk.group.request("kept"), disk.group.request("settled")]);
  t.strictSame(disk.events.slice(3), ["gather a", "flush", "record", "write a", "settled"]);
});

test("an index that takes nothing is in nobody's way who asks only to be kept", async (t) => {
  const disk = paperDisk();
  disk.wants.push("a");
  disk.writeFault = new HiveError("NoSpace", "test", "disk");
  t.ok(isFault(await attempt(() => disk.group.request("settled")), "NoSpace"));
  disk.wants.push("b");
  await disk.group.request("kept");
  t.ok(isFault(disk.group.hindrance, "NoSpace"), "what waits is not forgotten");
  disk.writeFault = undefined;
  await disk.group.request("settled");
  t.equal(disk.events.at(-2), "write a b");
});

test("what comes while a commit runs waits for the next one", async (t) => {
  const disk = paperDisk();
  disk.wants.push("a");
  const first = disk.group.request("settled");
  await Promise.resolve();
  await Promise.resolve();
  t.strictSame(disk.events, ["gather a", "flush"]);
  disk.wants.push("b");
  const others = [disk.group.request("settled"), disk.group.request("settled")];
  await first;
  await Promise.all(others);
  t.strictSame(disk.events.filter((event) => event.startsWith("write")), ["write a", "write b"]);
});

test("after a full disk, the next commit carries what the failed one had", async (t) => {
  const disk = paperDisk();
  disk.wants.push("a");
  disk.flushFault = new HiveError("NoSpace", "test", "disk");
  t.ok(isFault(await attempt(() => disk.group.request("settled")), "NoSpace"));
  t.strictSame(disk.events, ["gather a", "flush"], "no record without its blocks");
  disk.flushFault = undefined;
  disk.wants.push("b");
  await disk.group.request("settled");
  t.equal(disk.events.at(-2), "write a b");
});

test("after a failed flush of another kind nothing is ever written again", async (t) => {
  const disk = paperDisk();
  disk.wants.push("a");
  disk.flushFault = new HiveError("Corrupt", "test", "disk");
  t.ok(isFault(await attempt(() => disk.group.request("settled")), "Corrupt"));
  disk.flushFault = undefined;
  t.ok(isFault(await attempt(() => disk.group.request("settled")), "Corrupt"));
  t.notOk(disk.events.some((event) => event.startsWith("write")));
});

test("after a write to a bad disk nothing is ever written again", async (t) => {
  const disk = paperDisk();
  disk.wants.push("a");
  disk.writeFault = new HiveError("Corrupt", "test", "disk");
  t.ok(isFault(await attempt(() => disk.group.request("settled")), "Corrupt"));
  disk.writeFault = undefined;
  disk.wants.push("b");
  t.ok(isFault(await attempt(() => disk.group.request("settled")), "Corrupt"));
  t.notOk(disk.events.includes("settled"));
});

for (const kind of ["NoSpace", "ReadOnly", "Denied"] as const) {
  test(`what a disk refused for ${kind} is written, in order, once it takes it`, async (t) => {
    const disk = paperDisk();
    disk.wants.push("a");
    disk.writeFault = new HiveError(kind, "test", "disk");
    t.ok(isFault(await attempt(() => disk.group.request("settled")), kind));
    t.ok(disk.group.keptBytes > 0, "memory holds it");
    t.ok(isFault(disk.group.hindrance, kind), "and says why");
    disk.wants.push("b");
    t.ok(isFault(await attempt(() => disk.group.request("settled")), kind));
    disk.writeFault = undefined;
    await disk.group.request("settled");
    t.strictSame(disk.events.slice(-4), ["flush", "record", "write a b", "settled"]);
    t.equal(disk.group.hindrance, undefined);
    t.equal(disk.group.keptBytes, 0);
  });
}

/** A disk that writes down what it is told. */
function paperDisk() {
  const events: string[] = [];
  const wants: string[] = [];
  const disk = {
    events,
    wants,
    flushFault: undefined as HiveError | undefined,
    writeFault: undefined as HiveError | undefined,
    group: new GroupCommit({
      wanted: () => wants.length > 0,
      gather: (reach) => {
        if (reach === "kept") return events.push("gather"), [];
        const taken = wants.splice(0);
        events.push(`gather ${taken.join(" ")}`);
        return taken.map((name) => ({ type: "del", key: Buffer.from(name) }));
      },
      flush: async () => {
        events.push("flush");
        if (disk.flushFault !== undefined) throw disk.flushFault;
      },
      record: async () => void events.push("record"),
      write: async (changes) => {
        events.push(`write ${changes.map(({ key }) => key.toString()).join(" ")}`);
        if (disk.writeFault !== undefined) throw disk.writeFault;
      },
      settled: () => events.push("settled"),
    }),
  };
  return disk;
}
