/** What a member does for its fellows costs what it brings them, and nothing for who takes nothing. */
import { test } from "tap";
import type { Berth } from "../../src/agent/asking/ask.ts";
import { Duty, type DutyNeeds } from "../../src/agent/guard/guard-duty.ts";
import { HiveError } from "../../src/base/errors.ts";
import { limits } from "../../src/base/limits.ts";
import { silentLog } from "../../src/base/log.ts";
import { seededRandom } from "../../src/base/random.ts";
import { shardIdOf } from "../../src/crypt/blocks/merkle.ts";
import { signSegmentRecord } from "../../src/crypt/records/records.ts";
import { openCoder } from "../../src/erasure/erasure.ts";
import { extend } from "../../src/guard/log.ts";
import { seatOfShard } from "../../src/placement/draws/seats.ts";
import { defaultPolicy } from "../../src/placement/language/policy.ts";
import { TestGroup } from "../support/guard-group.ts";
import { VirtualClock } from "../support/virtual-clock.ts";

const group = new TestGroup("duty");
const coder = openCoder();
const random = seededRandom("duty");
const { signal } = new AbortController();
const newcomer = group.others[0]!.peer;
const self = group.members[1]!.peer;
const entry = group.entry(group.standing, { seat: 0, peer: newcomer, term: 5 });
const standing = extend(group.standing, group.accepted(group.standing, entry, 5));
const { k, n } = standing.manifest.class;
const shardBytes = limits.segment.shardBytes[0];

/** One segment, whole. */
function makeSegment(at: number) {
  const data = Array.from({ length: k }, () => random.bytes(shardBytes));
  const shards = [...data, ...coder.encode({ k, n }, data)];
  const record = signSegmentRecord(group.drive, {
    group: standing.manifest.group, k, n, shardBytes, rotation: at % n,
    roots: shards.map(shardIdOf), createdAtMs: at,
  });
  return { record, shards };
}

test("a fellow whose vault is full costs one reading, and not one for each segment", async (t) => {
  const segments = Array.from({ length: 60 }, (_, at) => makeSegment(at));
  const all = new Map(segments.map(({ record, shards }) => [record.segment, shards]));
  const records = segments.map(({ record }) => record)
    .sort((a, b) => (a.segment < b.segment ? -1 : 1));
  const counts = { read: 0, offered: 0 };
  let isFull = true;
  const isNew = ({ record, index }: Berth): boolean => seatOfShard(record, index) === 0;
  const taken = new Set<string>();
  const nameOf = ({ record, index }: Berth): string => `${record.segment}/${index}`;
  const reach = {
    self, isDead: () => false, isFresh: () => false, isThere: () => true, isOnline: () => false,
    ask: async (berth: Berth) => isNew(berth) && !taken.has(nameOf(berth)) ? "absent" : "right",
    async read({ record, index }: Berth) {
      counts.read++;
      return all.get(record.segment)?.[index];
    },
    async store(berth: Berth) {
      counts.offered++;
      if (isFull) throw new HiveError("Quota", "test", berth.peer);
      taken.add(nameOf(berth));
    },
  };
  const shelf = {
    word: async () => ({ policy: undefined }),
    async *records(_name: unknown, after = "") {
      yield* records.filter(({ segment }) => segment > after);
    },
  };
  const [clock, offer] = [new VirtualClock(), group.known()[1]!.offer];
  const needs = { shelf, reach, coder, clock, log: silentLog, offer: () => offer };
  const parts = { ...needs, sync: async () => {} } as unknown as DutyNeeds;
  const intervalMs = 3_600_000;
  const turnOf = async (one: Duty): Promise<void> => {
    await clock.pass(intervalMs);
    do await one.step(standing, defaultPolicy, signal); while (one.isBusy(standing));
  };
  await turnOf(new Duty(parts, { intervalMs, leaseMs: 60_000 }));
  t.ok(counts.offered >= 1 && counts.offered <= limits.guard.segmentsPerStep, `${counts.offered}`);
  t.equal(counts.read, counts.offered * k);
  isFull = false;
  await turnOf(new Duty(parts, { intervalMs, leaseMs: 60_000 }));
  t.ok(taken.size > limits.guard.segmentsPerStep, `${taken.size} are brought to one that has room`);
});
