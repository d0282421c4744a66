/** Whom a member asks for a sign of life, where some of its fellows are nobody at all. */
import { test } from "tap";
import { type GuardianNeeds, openGuardian } from "../../src/agent/guard/guardian.ts";
import { HiveError } from "../../src/base/errors.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { SegmentRecord } from "../../src/base/records.ts";
import { signSegmentRecord } from "../../src/crypt/records/records.ts";
import type { Standing } from "../../src/guard/log.ts";
import { Notices } from "../../src/guard/notices.ts";
import { TestGroup } from "../support/guard-group.ts";
import { MemoryBooks, ShiftedClock } from "../support/transfer-world.ts";

const random = seededRandom("pulse");
const made = new TestGroup("made up", "vault");
const group = new TestGroup("honest");
const [keys, ...fellows] = group.members;

function recordOf({ drive, standing: { manifest } }: TestGroup): SegmentRecord {
  const { class: { k, n } } = manifest;
  return signSegmentRecord(drive, {
    group: manifest.group, k, n, shardBytes: 64 * 1024, rotation: 0,
    roots: Array.from({ length: n }, () => random.bytes(32).toString("hex") as never), createdAtMs: 1,
  });
}

test("whoever is connected is asked before those whom nobody ever met", async (t) => {
  const records = new Map<unknown, SegmentRecord>([made, group].map((one) => {
    return [one.standing.manifest, recordOf(one)];
  }));
  const shelf = {
    all: async () => [made.standing, group.standing],
    find: async (name: Standing["manifest"]) => ({ manifest: name, log: [] }),
    devicesOf: async () => new Set(), policyOf: async () => undefined,
    async *records(name: unknown) {
      yield records.get(name);
    },
  };
  const asked: PeerId[] = [];
  const network = {
    self: keys!.peer,
    peers: () => group.known().map((known) => ({ ...known, online: true })),
    async prove(peer: PeerId) {
      asked.push(peer);
      throw new HiveError("Unavailable", "test", peer);
    },
  };
  const clock = new ShiftedClock();
  const guardian = await openGuardian({
    network, shelf, clock, random, keys, books: new MemoryBooks(), log: silentLog,
    notices: new Notices(clock.monotonicMs),
  } as unknown as GuardianNeeds, { deadAfterMs: 1e9, intervalMs: 3_600_000 });
  await guardian.watch.step(new AbortController().signal);
  t.equal(asked.length, limits.guard.fellowsPerStep, "a few in one step");
  t.strictSame(fellows.filter(({ peer }) => !asked.includes(peer)), []);
});
