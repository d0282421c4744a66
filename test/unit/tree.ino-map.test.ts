/** The map by inode numbers beside a Map, with numbers of several devices and at their edges. */
import { test } from "tap";
import type { Ino } from "../../src/base/ids.ts";
import { seededRandom } from "../../src/base/random.ts";
import { markOf } from "../../src/dag/marks.ts";
import { InoMap } from "../../src/tree/state/ino-map.ts";

const seed = process.env["HIVE_SEED"] ?? "1";

test("a map by inode numbers is a Map, whatever devices they are of", (t) => {
  const random = seededRandom(`ino-map ${seed}`);
  const map = new InoMap<number>();
  const model = new Map<Ino, number>();
  const edges = [0, 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 33 - 1];
  const inos = [0, 1, 2, 2 ** 19 - 1].flatMap((device) =>
    edges.map((count) => markOf(device, count) as Ino));
  for (let round = 0; round < 20_000; round++) {
    const ino = inos[random.below(inos.length)] as Ino;
    const act = random.below(3);
    const deleted = act === 0 ? [map.delete(ino), model.delete(ino)] : [false, false];
    if (act === 1) map.set(ino, round);
    if (act === 1) model.set(ino, round);
    const same = deleted[0] === deleted[1] && map.get(ino) === model.get(ino)
      && map.has(ino) === model.has(ino) && map.size === model.size;
    if (!same) t.fail(`${ino} in round ${round}: HIVE_SEED=${seed}`);
  }
  const sorted = <T extends readonly [number, number]>(pairs: Iterable<T>) =>
    [...pairs].sort(([one], [other]) => one - other);
  t.strictSame(sorted(map), sorted(model));
  t.strictSame([...map.keys()].sort(), [...model.keys()].sort());
  t.strictSame([...map.values()].sort(), [...model.values()].sort());
  t.end();
});
