/** What a vault over its quota gives up: enough, the safest first, and none that is on its way. */
import { test } from "tap";
import { leaveViewOf } from "../../src/agent/leaving/leave-view.ts";
import { type Burden, seatsToGive } from "../../src/agent/leaving/shedding.ts";
import { Countdown } from "../../src/agent/telling/countdown.ts";
import { parseGroupId } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";
import { roomOf } from "../../src/vault/disk-room.ts";

const seed = process.env["HIVE_SEED"] ?? "1";
const replay = `replay: HIVE_SEED=${seed} node test/unit/agent.shedding.test.ts`;

function burden(at: number, bytes: number, spare: number): Burden {
  return { group: parseGroupId(at.toString(16).padStart(32, "0")), bytes, spare };
}

test("what stays fits, nothing goes that need not, and the endangered stay longest", (t) => {
  const random = seededRandom(`shed ${seed}`);
  for (let round = 0; round < 300; round++) {
    const burdens = Array.from({ length: 1 + random.below(20) }, (_, at) => {
      return burden(at, random.below(1000), random.below(4) - 1);
    });
    const total = burdens.reduce((sum, { bytes }) => sum + bytes, 0);
    const ceiling = random.below(total + 100);
    const given = seatsToGive(burdens, ceiling).map((group) => {
      return burdens.find((one) => one.group === group) as Burden;
    });
    const gone = given.reduce((sum, { bytes }) => sum + bytes, 0);
    t.ok(total - gone <= ceiling, `round ${round}: it fits; ${replay}`);
    const last = given.at(-1)?.bytes ?? 0;
    t.ok(given.length === 0 || total - gone + last > ceiling, `the last was needed; ${replay}`);
    const stays = burdens.filter((one) => !given.includes(one) && one.bytes > 0);
    const least = Math.min(...given.map(({ spare }) => spare));
    t.ok(stays.every(({ spare }) => spare <= least), `no safer one stays; ${replay}`);
  }
  t.end();
});

test("of equally safe groups the smallest that is enough goes", (t) => {
  const burdens = [burden(1, 900, 2), burden(2, 300, 2), burden(3, 250, 2), burden(4, 300, 0)];
  t.strictSame(seatsToGive(burdens, 1500), [burdens[2]!.group]);
  t.strictSame(seatsToGive(burdens, 1750), []);
  t.strictSame(seatsToGive([], 0), []);
  t.end();
});

test("a disk keeps room for its user, and less of it when it is small", (t) => {
  const GiB = 2 ** 30;
  t.equal(roomOf({ freeBytes: 100 * GiB, diskBytes: 1000 * GiB }), 99 * GiB);
  t.equal(roomOf({ freeBytes: 1 * GiB, diskBytes: 10 * GiB }), GiB - 0.5 * GiB);
  t.ok(roomOf({ freeBytes: GiB / 2, diskBytes: 1000 * GiB }) < 0, "overfull");
  t.end();
});

test("the time left is told by what went of late, and not before anything did", (t) => {
  const pace = new Countdown();
  pace.saw(1000, 0);
  t.equal(pace.leftMs(1000, 60_000), undefined);
  pace.saw(750, 60_000);
  t.equal(pace.leftMs(750, 60_000), 180_000, "a quarter a minute");
  pace.saw(740, limits.agent.countdownWindowMs + 60_000);
  t.ok((pace.leftMs(740, limits.agent.countdownWindowMs + 60_000) ?? 0) > 10_000_000, "it slowed down");
  const now = { shards: 3, bytes: 10, leftMs: 1400, obstacles: ["why"] };
  const begun = { sinceMs: 0, shards: 9, bytes: 30 };
  t.match(leaveViewOf(begun, now), { state: "leaving", secondsLeft: 2, waiting: ["why"] });
  t.match(leaveViewOf(begun, { ...now, shards: 0 }), { state: "gone", secondsLeft: null });
  t.match(leaveViewOf(undefined, now), { state: "staying", before: null, waiting: [] });
  t.end();
});
